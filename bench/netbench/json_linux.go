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

// contender is one of several ways to do the same.
type contender struct {
	name   string
	server server
}

// jsonFigures are what an echo costs in each way to speak, over more and more connections.
func (m measurement) jsonFigures() error {
	var all []contender
	for _, p := range speeches {
		all = append(all, contender{p.name, m.server.with(p.client)})
	}
	return m.besides(all, "mode="+strings.TrimPrefix(m.server.name, "curfewd-"))
}

// besides measures an echo of each contender, over more and more connections. Each has a daemon of
// its own, all of them run at the same time, and one after the other is measured, so that a machine
// which grows slower slows all of them. The first one is what the others are compared with.
func (m measurement) besides(all []contender, what string) (err error) {
	var started []*running
	defer func() {
		for _, r := range started {
			err = errors.Join(err, r.stop())
		}
	}()
	for _, c := range all {
		r, err := c.server.start()
		if err != nil {
			return err
		}
		started = append(started, r)
	}
	connected := 0
	for _, n := range m.s.echo {
		for _, r := range started {
			if _, err := m.connect(r, n-connected); err != nil {
				return err
			}
		}
		connected = n
		for _, size := range m.s.sizes {
			where := fmt.Sprintf("%s conns=%d size=%d", what, n, size)
			if err := m.echoEach(all, started, where, size); err != nil {
				return fmt.Errorf("%s: %w", where, err)
			}
		}
	}
	return nil
}

// echoEach measures each contender once, and compares.
func (m measurement) echoEach(
	all []contender, started []*running, where string, size int,
) error {
	var err error
	spent := make([]float64, len(all))
	for i := range all {
		at := (i + m.round - 1) % len(all)
		m.server.name = all[at].name
		if spent[at], err = m.echo(started[at], where, size); err != nil {
			return fmt.Errorf("%s: %w", m.server.name, err)
		}
	}
	for i, c := range all[1:] {
		m.server.name = c.name
		m.figure("cpu_of_"+all[0].name, where, spent[i+1]/spent[0], "")
	}
	return nil
}
