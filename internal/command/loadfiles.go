package command

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/curfew-go/curfew/internal/load/report"
	"github.com/curfew-go/curfew/internal/load/result"
)

// outputMode is that of a file that was not there before.
const outputMode = 0o644

// output is a file that will be written at the end of a run. It appears whole or not at all; what
// is no regular file, such as a pipe, is written to.
type output struct {
	flag  string
	name  string      // where it is to stand, symbolic links resolved
	temp  *os.File    // beside it
	mode  os.FileMode // of the file
	plain bool        // temp is the file itself
	write func(io.Writer, *result.Result) error
}

// openOutput makes sure that a file can be written.
func openOutput(flag, name string, write func(io.Writer, *result.Result) error) (*output, error) {
	o := &output{flag: flag, name: name, mode: outputMode, write: write}
	if resolved, err := filepath.EvalSymlinks(name); err == nil {
		o.name = resolved
	}
	var err error
	info, statErr := os.Stat(o.name)
	switch {
	case statErr == nil && info.IsDir():
		return nil, fmt.Errorf("--%s: %s is a directory: give the name of a file", flag, name)
	case statErr == nil && !info.Mode().IsRegular():
		o.plain = true
		o.temp, err = os.OpenFile(o.name, os.O_WRONLY, 0)
	default:
		if statErr == nil {
			o.mode = info.Mode().Perm()
		}
		o.temp, err = os.CreateTemp(filepath.Dir(o.name), "."+filepath.Base(o.name)+"-*")
	}
	if err != nil {
		return nil, fmt.Errorf("--%s: %s cannot be written: %w", flag, name, cause(err))
	}
	return o, nil
}

// finish writes the file and puts it where it belongs.
func (o *output) finish(r *result.Result) error {
	to := bufio.NewWriterSize(o.temp, 1<<20)
	err := errors.Join(o.write(to, r), to.Flush())
	if err == nil && !o.plain {
		err = o.temp.Chmod(o.mode)
	}
	err = errors.Join(err, o.temp.Close())
	if err == nil && !o.plain {
		err = os.Rename(o.temp.Name(), o.name)
	}
	if err != nil {
		o.discard()
		return fmt.Errorf("--%s: %s cannot be written: %w", o.flag, o.name, cause(err))
	}
	o.temp = nil
	return nil
}

// discard forgets the file, unless it is finished.
func (o *output) discard() {
	if o.temp == nil {
		return
	}
	_ = o.temp.Close() // finish may have closed it
	if !o.plain {
		_ = os.Remove(o.temp.Name()) // nothing is left to do for a file in the way
	}
	o.temp = nil
}

// openOutputs opens the files that the flags name.
func (f *loadFlags) openOutputs() ([]*output, error) {
	var all []*output
	var problems []error
	for _, o := range []struct {
		flag, name string
		write      func(io.Writer, *result.Result) error
	}{
		{"json", f.json, writeJSON},
		{"hdr", f.hdr, writeHDR},
		{"report", f.report, report.Write},
	} {
		if o.name == "" || o.name == "-" {
			continue
		}
		opened, err := openOutput(o.flag, o.name, o.write)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		all = append(all, opened)
	}
	if len(problems) > 0 {
		for _, o := range all {
			o.discard()
		}
		return nil, errors.Join(problems...)
	}
	return all, nil
}

// writeJSON writes the result with its fixed names.
func writeJSON(w io.Writer, r *result.Result) error {
	to := json.NewEncoder(w)
	to.SetIndent("", "  ")
	to.SetEscapeHTML(false)
	return to.Encode(r)
}
