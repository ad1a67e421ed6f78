package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/curfew-go/curfew/internal/load"
)

// speech is a way to speak to the daemon.
type speech struct {
	name   string
	client load.Options
}

// speeches are the ways that are compared; the first is what the others are compared with.
var speeches = []speech{
	{"raw", raw},
	{"json", load.Options{Protocol: load.JSON}},
	{"json-resume", resumable},
}

// jsonFigures are what an echo costs in each way to speak, over more and more connections. Each has
// a daemon of its own, all of them run at the same time, and one after the other is measured, so
// that a machine which grows slower slows all of them.
func (m measurement) jsonFigures() (err error) {
	var all []*running
	defer func() {
		for _, r := range all {
			err = errors.Join(err, r.stop())
		}
	}()
	for _, p := range speeches {
		r, err := m.server.with(p.client).start()
		if err != nil {
			return err
		}
		all = append(all, r)
	}
	connected := 0
	for _, n := range m.s.echo {
		for _, r := range all {
			if _, err := m.connect(r, n-connected); err != nil {
				return err
			}
		}
		connected = n
		for _, size := range m.s.sizes {
			if err := m.speakAll(all, n, size); err != nil {
				return fmt.Errorf("conns=%d size=%d: %w", n, size, err)
			}
		}
	}
	return nil
}

// speakAll measures each way to speak, and compares.
func (m measurement) speakAll(all []*running, n, size int) error {
	mode := strings.TrimPrefix(m.server.name, "curfewd-")
	where := fmt.Sprintf("mode=%s conns=%d size=%d", mode, n, size)
	spent := make([]float64, len(all))
	for i := range all {
		at := (i + m.round - 1) % len(all)
		m.server.name = speeches[at].name
		var err error
		if spent[at], err = m.echo(all[at], where, size); err != nil {
			return fmt.Errorf("%s: %w", m.server.name, err)
		}
	}
	for i, p := range speeches[1:] {
		m.server.name = p.name
		m.figure("cpu_of_raw", where, spent[i+1]/spent[0], "")
	}
	return nil
}
