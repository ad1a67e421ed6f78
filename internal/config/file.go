package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"go.yaml.in/yaml/v3"
)

// fileBytesMax bounds what is read of a file.
const fileBytesMax = 1 << 20

// parseFile reads the YAML file at path, a mapping from settings' names to values. origin is who
// named the file; problems with the file as a whole are reported under it.
func (l *Loaded) parseFile(path, origin string) (layer []given, problems []string) {
	whole := func(err error) ([]given, []string) {
		return nil, []string{fmt.Sprintf("%s: %v", origin, err)}
	}
	data, err := ReadFile(path)
	if err != nil {
		return whole(err)
	}
	l.fileEmpty = len(data) == 0
	var doc, second yaml.Node
	d := yaml.NewDecoder(bytes.NewReader(data))
	if err := d.Decode(&doc); errors.Is(err, io.EOF) {
		return nil, nil // an empty file sets nothing
	} else if err != nil {
		if strings.Contains(err.Error(), "unknown anchor") { // and names it, which may be a secret
			err = errors.New("a value that begins with * must stand in quotes")
		}
		return whole(fmt.Errorf("%s: %w", path, err))
	}
	if err := d.Decode(&second); !errors.Is(err, io.EOF) {
		return whole(fmt.Errorf("%s: holds more than one document", path))
	}
	root := doc.Content[0]
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return nil, nil // nothing but comments
	}
	if root.Kind != yaml.MappingNode {
		return whole(fmt.Errorf("%s: is not a mapping of keys to values", path))
	}

	seen := make(map[string]bool)
	for i := 0; i < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		g := given{origin: path + ": " + key.Value, setting: findSetting(key.Value)}
		at := fmt.Sprintf(" (line %d)", key.Line)
		switch {
		case key.Kind != yaml.ScalarNode:
			problems = append(problems, path+": a key must be a plain word"+at)
			continue
		case g.setting == nil:
			problems = append(problems, g.origin+": unknown key"+at+": "+meant(key.Value, "",
				"keys are the flags' names"))
			continue
		case g.setting.flagOnly:
			problems = append(problems, g.origin+": unknown key"+at+": a file names no other file")
			continue
		case seen[key.Value]:
			problems = append(problems, g.origin+": given twice"+at)
			continue
		}
		seen[key.Value] = true
		if g.values, err = scalars(g.setting, value); err != nil {
			g.problem = err.Error() + at
		}
		layer = append(layer, g)
	}
	return layer, problems
}

// scalars is the text of one value, or of each in a sequence where the setting is a list.
func scalars(s *setting, n *yaml.Node) ([]string, error) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	switch {
	case n.Kind == yaml.ScalarNode && n.Tag == "!!null":
		return nil, errors.New("has no value")
	case n.Kind == yaml.ScalarNode:
		return []string{n.Value}, nil
	case n.Kind != yaml.SequenceNode || !s.list:
		return nil, errors.New("must be one plain value")
	case len(n.Content) == 0:
		return nil, errors.New("has no value")
	}
	var values []string
	for _, item := range n.Content {
		if item.Kind == yaml.AliasNode {
			item = item.Alias
		}
		if item.Kind != yaml.ScalarNode || item.Tag == "!!null" {
			return nil, errors.New("must hold plain values")
		}
		values = append(values, item.Value)
	}
	return values, nil
}

// byteOrderMark is what some editors begin a file with.
const byteOrderMark = "\ufeff"

// ReadTokens reads shared secrets from a file, one a line. Blank lines, lines that begin with # and
// the space around a token do not count. A file without any is an error: it would let everybody in.
// So is one of another encoding, in which nobody could show a token.
func ReadTokens(path string) ([]string, error) {
	data, err := ReadFile(path)
	if err != nil {
		return nil, err
	}
	var tokens []string
	for line := range strings.Lines(strings.TrimPrefix(string(data), byteOrderMark)) {
		token := strings.TrimSpace(line)
		switch {
		case token == "", strings.HasPrefix(token, "#"):
			continue
		case !isLine(token):
			return nil, fmt.Errorf("%s: holds what is no text: write it as UTF-8", path)
		}
		tokens = append(tokens, token)
	}
	if len(tokens) == 0 {
		return nil, fmt.Errorf("%s: holds no token", path)
	}
	return tokens, nil
}

// ReadFile reads a file that settings name, of a size that such files have. A pipe that nobody
// writes to is an error, rather than to wait for a writer.
func ReadFile(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // nothing was written
	data, err := io.ReadAll(io.LimitReader(f, fileBytesMax+1))
	if err != nil {
		return nil, err
	}
	if len(data) > fileBytesMax {
		return nil, fmt.Errorf("%s: larger than %d bytes", path, fileBytesMax)
	}
	if info, err := f.Stat(); err == nil && info.Mode()&fs.ModeNamedPipe != 0 && len(data) == 0 {
		return nil, fmt.Errorf("%s: is a pipe that nobody writes to", path)
	}
	return data, nil
}
