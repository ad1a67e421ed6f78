package tidy

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

var (
	markdownLink = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading      = regexp.MustCompile(`(?m)^#+ (.*)$`)
	fenced       = regexp.MustCompile("(?ms)^```.*?^```$")
	noAnchor     = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
)

// linksRule holds the links of Markdown texts to what is there. It asks no other host.
var linksRule = rule{
	name: "links",
	check: func(h *house, f *findings) {
		for _, t := range h.texts {
			if path.Ext(t.path) != ".md" || strings.Contains(t.path, "testdata/") {
				continue
			}
			for _, m := range markdownLink.FindAllStringSubmatch(t.body, -1) {
				if !strings.Contains(m[1], "://") {
					h.checkLink(t, m[1], f)
				}
			}
		}
	},
	proofs: []proof{
		{name: "files, directories, headings, other hosts", files: map[string]string{
			"README.md": "[a](docs/a.md) [b](docs) [c](#what-it-is-not)\n" +
				"[d](https://example.org/x)\n# What it is `not`\n",
			"docs/a.md":                    "[up](../README.md#what-it-is-not) [b](b.svg)\n",
			"docs/b.svg":                   "<svg/>",
			"bench/testdata/docs/bench.md": "[x](y.md)",
		}},
		{name: "nothing there", files: map[string]string{
			"README.md": "[a](docs/b.md) [b](docs/a.md#two) [c](#three)\n```\n# three\n```\n",
			"docs/a.md": "# One\n",
		}, want: []string{
			"README.md: links to docs/b.md", "README.md: links to docs/a.md#two",
			"README.md: links to #three",
		}},
	},
}

func (h *house) checkLink(from text, link string, f *findings) {
	name, anchor, _ := strings.Cut(link, "#")
	target := from.path
	if name != "" {
		target = path.Join(path.Dir(from.path), name)
	}
	body, isText := h.text(target)
	switch {
	case !isText && !h.holds(target):
		f.add("%s: links to %s, and there is no %s", from.path, link, target)
	case anchor != "" && !slices.Contains(anchors(body), anchor):
		f.add("%s: links to %s, and %s has no such heading", from.path, link, target)
	}
}

// holds says whether there is a file that is not text, or a directory.
func (h *house) holds(name string) bool {
	return slices.Contains(h.binaries, name) ||
		slices.ContainsFunc(h.texts, func(t text) bool {
			return strings.HasPrefix(t.path, name+"/")
		})
}

// anchors are what the headings of a Markdown text are called in links.
func anchors(body string) []string {
	var all []string
	for _, m := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(body, ""), -1) {
		name := noAnchor.ReplaceAllString(strings.ToLower(strings.TrimSpace(m[1])), "")
		all = append(all, strings.ReplaceAll(name, " ", "-"))
	}
	return all
}
