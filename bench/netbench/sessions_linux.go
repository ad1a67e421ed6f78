package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/curfew-go/curfew/internal/load"
)

// part is one thing that is measured of the daemon's sessions.
type part struct {
	name string
	// measure takes it of one mode of the daemon.
	measure func(m measurement) error
}

func allParts() []part {
	return []part{
		{name: "json", measure: measurement.jsonFigures},
		{name: "resume", measure: measurement.resumeFigures},
		{name: "storm", measure: measurement.stormFigures},
		{name: "backend", measure: measurement.backendFigures},
	}
}

func parts() []string {
	var names []string
	for _, p := range allParts() {
		names = append(names, p.name)
	}
	return names
}

// sessions measures what the daemon's sessions cost and promise, part by part, in each of its
// modes, and prints tables. It is an error where a promise was broken.
func sessions(s settings) error {
	if s.only == "" {
		s.only = "curfewd"
	}
	modes, err := findServers(s)
	if err != nil {
		return err
	}
	if s.sessions == "all" {
		s.sessions = strings.Join(parts(), ",")
	}
	fmt.Printf("pinned: %v\n", s.pin)
	all := allParts()
	found := results{baseline: "raw"}
	var broken error
	for name := range strings.SplitSeq(s.sessions, ",") {
		i := slices.IndexFunc(all, func(p part) bool { return p.name == name })
		if i < 0 {
			return fmt.Errorf("-sessions has no part %s", name)
		}
		for round := 1; round <= s.rounds; round++ {
			for _, v := range modes {
				m := measurement{s: s, server: v, round: round, found: &found}
				if err := all[i].measure(m); err != nil {
					err = fmt.Errorf("%s: server=%s round=%d: %w", name, v.name, round, err)
					fmt.Printf("# failed: %v\n", err)
					broken = errors.Join(broken, err)
				}
			}
		}
	}
	return errors.Join(broken, found.print(os.Stdout))
}

// resumable is the way to speak to the daemon where sessions can be resumed.
var resumable = load.Options{Protocol: load.JSON, Resume: true}

// with is a server that is started and spoken to differently.
func (v server) with(client load.Options, args ...string) server {
	v.client = client
	v.args = slices.Concat(v.args, args)
	return v
}

// resumeFigures are what becomes of sessions whose connections are dropped all at once.
func (m measurement) resumeFigures() (err error) {
	r, err := m.server.with(resumable).start()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.stop()) }()
	n := m.s.resumable
	if _, err := m.connect(r, n); err != nil {
		return err
	}
	before, err := r.CPU()
	if err != nil {
		return err
	}
	a, err := r.driver.do(command{Drop: &load.ReconnectOptions{Unseen: 2}})
	if err != nil {
		return err
	}
	after, err := r.CPU()
	if err != nil {
		return err
	}
	d := a.Drop
	if err := printLedger(m, d); err != nil {
		return err
	}
	where := fmt.Sprintf("sessions=%d", n)
	m.figure("resume_ms", where, millis(d.Wall), fmt.Sprintf(
		" resumed=%d refused=%d lost=%d changed=%d gaps=%d replayed=%d missing=%d"+
			" hello_p50_ms=%.2f hello_p99_ms=%.2f hello_max_ms=%.2f server_cpu_ms=%.0f",
		d.Resumed, d.Refused, d.Lost, d.Changed, d.Gaps, d.Replayed, d.Missing,
		millis(d.Hello.P50), millis(d.Hello.P99), millis(d.Hello.Max), millis(after-before)))
	m.figure("replay_ms", where, millis(d.Replay), "")
	m.figure("hello_p99_ms", where, millis(d.Hello.P99), "")
	return d.Kept()
}

// stormIdle is the idle timeout of sessions that fall due together. All must have connected before
// it passes.
const stormIdle = 10 * time.Second

// stormFigures are when sessions end that fall due together.
func (m measurement) stormFigures() (err error) {
	client := load.Options{Protocol: load.JSON}
	r, err := m.server.with(client, "--idle-timeout", stormIdle.String()).start()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.stop()) }()
	for _, spread := range m.s.spread {
		if err := m.storm(r, spread); err != nil {
			return fmt.Errorf("spread=%v: %w", spread, err)
		}
	}
	return nil
}

func (m measurement) storm(r *running, spread time.Duration) error {
	if _, err := m.connect(r, m.s.storm); err != nil {
		return err
	}
	a, err := r.driver.do(command{Storm: &load.StormOptions{Idle: stormIdle, Spread: spread}})
	if err != nil {
		return err
	}
	t := a.Storm
	if err := printLedger(m, t); err != nil {
		return err
	}
	where := fmt.Sprintf("sessions=%d spread=%v", m.s.storm, spread)
	m.figure("late_p99_ms", where, millis(t.Lateness.P99), fmt.Sprintf(
		" told=%d early=%d missing=%d p50_ms=%.1f p999_ms=%.1f max_ms=%.1f"+
			" touching_ms=%.0f ending_ms=%.0f",
		t.Told, t.Early, t.Missing, millis(t.Lateness.P50), millis(t.Lateness.P999),
		millis(t.Lateness.Max), millis(t.Touching), millis(t.Ending)))
	m.figure("late_answer_p99_ms", where, millis(t.FromAnswer.P99), "")
	return t.Kept()
}

// printLedger prints a whole report.
func printLedger(m measurement, report any) error {
	ledger, err := json.Marshal(report)
	if err != nil {
		return err
	}
	fmt.Printf("server=%s round=%d ledger=%s\n", m.server.name, m.round, ledger)
	return nil
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
