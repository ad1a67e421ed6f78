package dashboard

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"maps"
	"mime"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/curfew-go/curfew/internal/uplot"
)

//go:embed assets
var assets embed.FS

const (
	// pageName is the file that is served at /. It names the others below assetsMark, for which
	// their path is put in, and has links to all modules at modulesMark, so that a browser does not
	// find one only when it has read another.
	pageName    = "page.html"
	assetsMark  = "{{assets}}"
	modulesMark = "{{modules}}"
	// assetsDir is where files stand, below their version.
	assetsDir = "/assets/"
	// bootScript runs before anything is painted.
	bootScript = "boot.js"
	// The names that uPlot's files have here.
	uPlotScript, uPlotStyle = "uplot.js", "uplot.css"
)

// policy lets the page use its own files and the API of its own origin, and nothing else. Markup
// from text would need a policy for trusted types, and there may be none.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
	"img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " +
	"require-trusted-types-for 'script'; trusted-types 'none'"

// guards are the headers that each answer has.
var guards = map[string]string{
	"Content-Security-Policy":      policy,
	"X-Frame-Options":              "DENY",
	"Referrer-Policy":              "no-referrer",
	"X-Content-Type-Options":       "nosniff",
	"Cross-Origin-Opener-Policy":   "same-origin",
	"Cross-Origin-Resource-Policy": "same-origin",
	"Permissions-Policy":           "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}

// How long a browser may keep a file. The page must be asked for again, for it names the others;
// those never change at their path.
const (
	keepNot = "no-cache"
	keepAll = "public, max-age=31536000, immutable"
)

// file is something that is served.
type file struct {
	contentType string
	keep        string
	plain, zip  encoded
}

// encoded is a file as it goes over the wire.
type encoded struct {
	body []byte
	etag string
}

// handler serves files by their paths. They are made when the first is asked for: zipping them
// takes longer than much else of a daemon's start.
type handler struct{ files func() map[string]file }

// Handler serves the page at / and its files below /assets/. It answers whatever else it is asked
// for with an error in JSON, as the operator's API does.
func Handler() http.Handler {
	return handler{sync.OnceValue(allFiles)}
}

// allFiles are all files by the paths at which they are served.
func allFiles() map[string]file {
	sources := sources()
	dir := assetsDir + versionOf(sources) + "/"
	files := map[string]file{}
	for name, body := range sources {
		if name != pageName {
			files[dir+name] = newFile(name, body, keepAll)
		}
	}
	page := strings.NewReplacer(assetsMark, dir[1:], modulesMark, links(dir[1:], sources)).
		Replace(string(sources[pageName]))
	files["/"] = newFile(pageName, []byte(page), keepNot)
	return files
}

// links are the page's links to all modules.
func links(dir string, sources map[string][]byte) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(sources)) {
		if path.Ext(name) == ".js" && name != bootScript && name != uPlotScript {
			b.WriteString(`<link rel="modulepreload" href="` + dir + name + `">` + "\n")
		}
	}
	return b.String()
}

// sources are all files by name.
func sources() map[string][]byte {
	all := map[string][]byte{
		uPlotScript: []byte(uplot.Script), uPlotStyle: []byte(uplot.Style),
	}
	err := fs.WalkDir(assets, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		all[path.Base(name)], err = assets.ReadFile(name)
		return err
	})
	if err != nil {
		panic("dashboard: " + err.Error()) // they are part of the program
	}
	return all
}

// versionOf names what files hold.
func versionOf(all map[string][]byte) string {
	sum := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		sum.Write([]byte(name + "\x00" + strconv.Itoa(len(all[name])) + "\x00"))
		sum.Write(all[name])
	}
	return hex.EncodeToString(sum.Sum(nil)[:8])
}

func newFile(name string, body []byte, keep string) file {
	var zip bytes.Buffer
	w, err := gzip.NewWriterLevel(&zip, gzip.BestCompression)
	if err != nil {
		panic("dashboard: " + err.Error()) // the level is one
	}
	_, _ = w.Write(body) // memory takes all
	_ = w.Close()
	return file{
		contentType: mimeOf(name), keep: keep,
		plain: newEncoded(body), zip: newEncoded(zip.Bytes()),
	}
}

// mimeOf is the type of a file, whatever the machine has written down about types.
func mimeOf(name string) string {
	known := map[string]string{
		".html": "text/html", ".css": "text/css", ".js": "text/javascript",
		".svg": "image/svg+xml",
	}
	t, ok := known[path.Ext(name)]
	if !ok {
		panic("dashboard: " + name + ": a file of no known type") // the tests open each
	}
	return mime.FormatMediaType(t, map[string]string{"charset": "utf-8"})
}

func newEncoded(body []byte) encoded {
	sum := sha256.Sum256(body)
	return encoded{body: body, etag: `"` + hex.EncodeToString(sum[:12]) + `"`}
}

// ServeHTTP answers with a file, or says that there is none.
func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	for name, value := range guards {
		header.Set(name, value)
	}
	f, ok := h.files()[r.URL.Path]
	switch {
	case !ok:
		problem(w, http.StatusNotFound, "not_found", "there is nothing here")
		return
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		header.Set("Allow", "GET, HEAD")
		problem(w, http.StatusMethodNotAllowed, "method_not_allowed", "allowed: GET, HEAD")
		return
	}
	e := f.plain
	if acceptsGzip(r.Header.Values("Accept-Encoding")) {
		e = f.zip
		header.Set("Content-Encoding", "gzip")
	}
	header.Set("Vary", "Accept-Encoding")
	header.Set("Content-Type", f.contentType)
	header.Set("Cache-Control", f.keep)
	header.Set("ETag", e.etag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(e.body))
}

// problem answers as the operator's API does.
func problem(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(`{"error":{"code":"` + code + `","message":"` + message + `"}}` + "\n"))
}

// acceptsGzip says whether a client names gzip and does not weigh it 0 (RFC 9110 section 12.5.3).
func acceptsGzip(headers []string) bool {
	for _, header := range headers {
		for one := range strings.SplitSeq(header, ",") {
			coding, weight, _ := strings.Cut(one, ";")
			if !strings.EqualFold(strings.TrimSpace(coding), "gzip") {
				continue
			}
			q, ok := strings.CutPrefix(strings.TrimSpace(weight), "q=")
			v, err := strconv.ParseFloat(q, 64)
			return !ok || err == nil && v > 0
		}
	}
	return false
}
