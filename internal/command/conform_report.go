package command

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/curfew-go/curfew/internal/conform"
)

// reportFile is where a report is to be written.
type reportFile struct {
	name   string // "": nowhere, "-": to standard output
	direct bool   // what is there is no regular file and is written to as it is
}

// openReport says where a report will go, and why it cannot go there, before there is one.
func openReport(name string) (reportFile, error) {
	r := reportFile{name: name}
	if name == "" || name == "-" {
		return r, nil
	}
	if at, err := filepath.EvalSymlinks(name); err == nil {
		r.name = at // A link is followed, not replaced.
	}
	switch info, err := os.Stat(r.name); {
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		return r, unwritable(name, err)
	case info.IsDir():
		return r, fmt.Errorf("--json wants a file, and %s is a directory", name)
	default:
		r.direct = !info.Mode().IsRegular()
	}
	if r.direct {
		return r, nil
	}
	f, err := r.temporary()
	if err != nil {
		return r, unwritable(name, err)
	}
	_ = f.Close()
	return r, os.Remove(f.Name())
}

func unwritable(name string, err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	return fmt.Errorf("--json: %s cannot be written: %w; choose another file", name, err)
}

// temporary opens the file that becomes the report when it is complete. It stands beside it, so
// that it can be renamed.
func (r reportFile) temporary() (*os.File, error) {
	name := fmt.Sprintf("%s.%d.tmp", r.name, os.Getpid())
	return os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
}

// write writes a report, all of it or nothing.
func (r reportFile) write(stdout io.Writer, report *conform.Report) error {
	if r.name == "" {
		return nil
	}
	b, err := encodeReport(report)
	if err != nil {
		return err
	}
	switch {
	case r.name == "-":
		_, err = stdout.Write(b)
	case r.direct:
		err = os.WriteFile(r.name, b, 0o644)
	default:
		err = r.replace(b)
	}
	if err != nil {
		return exitError{exitUsage, unwritable(r.name, err)}
	}
	return nil
}

func (r reportFile) replace(b []byte) error {
	f, err := r.temporary()
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), r.name)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

// encodeReport is a report as JSON, a case a line, so that two of them can be compared by line.
func encodeReport(report *conform.Report) ([]byte, error) {
	var b bytes.Buffer
	line := json.NewEncoder(&b) // which ends each value with a line
	line.SetEscapeHTML(false)
	inline := func(v any) error {
		err := line.Encode(v)
		b.Truncate(max(b.Len()-1, 0))
		return err
	}
	b.WriteString(`{"server":`)
	err := inline(report.Server)
	b.WriteString(`,"cases":[`)
	for i, c := range report.Cases {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('\n')
		err = errors.Join(err, inline(c))
	}
	fmt.Fprintf(&b, "\n],\"passed\":%d,\"failed\":%d,\"skipped\":%d}\n",
		report.Passed, report.Failed, report.Skipped)
	return b.Bytes(), err
}
