package faulty

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
)

// Serve is a server as a process of its own: it writes its address in one line, serves until its
// input ends, as it also does when whoever started it is gone, and writes its ledger as JSON. The
// options are JSON too.
func Serve(options string, stdin io.Reader, stdout io.Writer) error {
	var o Options
	if err := json.Unmarshal([]byte(options), &o); err != nil {
		return fmt.Errorf("faulty: options: %w", err)
	}
	s, err := Start("127.0.0.1:0", o)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(stdout, s.Address())
	if err == nil {
		_, err = io.Copy(io.Discard, bufio.NewReader(stdin))
	}
	l := s.Close()
	if err == nil {
		err = json.NewEncoder(stdout).Encode(l)
	}
	return err
}
