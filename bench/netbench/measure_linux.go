package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/curfew-go/curfew/internal/load"
)

// settle is how long a server is left alone before its memory is read.
const settle = 300 * time.Millisecond

// measurement is one server in one round.
type measurement struct {
	s      settings
	server server
	round  int
	found  *results
}

// figure prints one figure and keeps it. what names its table, where says what it was taken at.
func (m measurement) figure(what, where string, value float64, more string) {
	fmt.Printf("server=%s %s round=%d %s=%.3f%s\n",
		m.server.name, where, m.round, what, value, more)
	m.found.add(what+" "+where, m.server.name, value)
}

// idleFigures are what connections cost that do nothing: accepting them, their memory, and in the
// first round the time that the server uses by itself.
func (m measurement) idleFigures() (err error) {
	r, err := m.server.start()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.stop()) }()
	few := m.s.connections / 3
	rest, err := r.anon()
	if err != nil {
		return err
	}
	if _, err := m.connect(r, few); err != nil {
		return err
	}
	low, err := r.anon()
	if err != nil {
		return err
	}
	spent, err := m.connect(r, m.s.connections-few)
	if err != nil {
		return err
	}
	high, err := r.anon()
	if err != nil {
		return err
	}
	where := fmt.Sprintf("conns=%d", m.s.connections)
	m.figure("cpu_us_accept", where, micros(spent)/float64(m.s.connections-few),
		fmt.Sprintf(" pace=%.0f", m.s.pace))
	m.figure("bytes_conn", where, float64(high-rest)/float64(m.s.connections),
		fmt.Sprintf(" anon_kib=%d,%d,%d", rest>>10, low>>10, high>>10))
	m.figure("bytes_conn_slope", where, float64(high-low)/float64(m.s.connections-few), "")
	if m.round > 1 || m.s.idle == 0 {
		return nil
	}
	return m.idleTime(r, where)
}

func (m measurement) idleTime(r *running, where string) error {
	before, err := r.CPU()
	if err != nil {
		return err
	}
	a, err := r.driver.do(command{Hold: m.s.idle})
	if err != nil {
		return err
	}
	after, err := r.CPU()
	if err != nil {
		return err
	}
	if a.Hold.Open != m.s.connections {
		return fmt.Errorf("%d connections are left: %v", a.Hold.Open, a.Hold.Closes)
	}
	percent := 100 * (after - before).Seconds() / a.Hold.Wall.Seconds()
	m.figure("idle_cpu_percent", where, percent, fmt.Sprintf(" seconds=%.0f", m.s.idle.Seconds()))
	return nil
}

// anon is the server's memory once it is left alone.
func (r *running) anon() (int64, error) {
	if _, err := r.driver.do(command{Hold: settle}); err != nil {
		return 0, err
	}
	return r.AnonBytes()
}

// connect adds connections and returns the time that the server spent on them.
func (m measurement) connect(r *running, n int) (time.Duration, error) {
	before, err := r.CPU()
	if err != nil {
		return 0, err
	}
	a, err := r.driver.do(command{
		Connect: &load.ConnectOptions{Connections: n, Rate: m.s.pace, GiveUp: 10 * time.Second},
	})
	if err != nil {
		return 0, err
	}
	if a.Connect.Failed > 0 {
		return 0, fmt.Errorf("%d of %d did not connect: %v", a.Connect.Failed, n, a.Connect.Errors)
	}
	after, err := r.CPU()
	return after - before, err
}

// echoFigures are what an echo costs, over more and more connections.
func (m measurement) echoFigures() (err error) {
	r, err := m.server.start()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.stop()) }()
	connected := 0
	for _, n := range m.s.echo {
		if _, err := m.connect(r, n-connected); err != nil {
			return err
		}
		connected = n
		for _, size := range m.s.sizes {
			where := fmt.Sprintf("conns=%d size=%d", n, size)
			if _, err := m.echo(r, where, size); err != nil {
				return fmt.Errorf("%s: %w", where, err)
			}
		}
	}
	return nil
}

// echo takes one figure of an echo and returns it.
func (m measurement) echo(r *running, where string, size int) (cpuMicros float64, err error) {
	o := load.EchoOptions{Bytes: size, Duration: m.s.warmup, Rate: m.s.rate}
	if _, err := r.driver.do(command{Echo: &o}); err != nil {
		return 0, err
	}
	o.Duration = m.s.duration
	before, err := r.CPU()
	if err != nil {
		return 0, err
	}
	a, err := r.driver.do(command{Echo: &o})
	if err != nil {
		return 0, err
	}
	after, err := r.CPU()
	if err != nil {
		return 0, err
	}
	e := a.Echo
	if e.Lost+e.Wrong+len(e.Closes) > 0 || e.Received == 0 {
		return 0, fmt.Errorf("%d lost, %d wrong, of %d sent; closed: %v",
			e.Lost, e.Wrong, e.Sent, e.Closes)
	}
	l := e.Latency
	cpuMicros = micros(after-before) / float64(e.Received)
	m.figure("cpu_us_msg", where, cpuMicros,
		fmt.Sprintf(" rate=%.0f unsent=%d p50_us=%.0f p99_us=%.0f max_us=%.0f",
			e.Rate(), e.Unsent, micros(l.P50), micros(l.P99), micros(l.Max)))
	return cpuMicros, nil
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
