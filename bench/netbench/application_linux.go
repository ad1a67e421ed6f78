package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"time"

	"github.com/curfew-go/curfew/internal/load"
)

// serveApplication is the process of an application behind the daemon that could not do less: it
// answers a message with itself, and everything else with nothing.
func serveApplication(address string) error {
	s := http.Server{Addr: address, ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Curfew-Event") != "message" {
				w.WriteHeader(http.StatusNoContent)
				return
			}
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return // the daemon is gone
			}
			w.Header()["Content-Type"] = r.Header["Content-Type"]
			_, _ = w.Write(body)
		})}
	return s.ListenAndServe()
}

// startApplication starts that process, on the client's processor where it has one.
func startApplication(processor string) (process *exec.Cmd, address string, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, "", err
	}
	if address, err = freeAddress(); err != nil {
		return nil, "", err
	}
	process = pinned(processor, self, "-app", address)
	process.Stderr = os.Stderr
	if err := process.Start(); err != nil {
		return nil, "", err
	}
	if err := awaitListener(address); err != nil {
		return nil, "", errors.Join(err, end(process))
	}
	return process, address, nil
}

// backendFigures are what messages take that go to an application over HTTP, at a fixed rate.
func (m measurement) backendFigures() (err error) {
	app, address, err := startApplication(m.s.pin.client)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end(app)) }()
	v := m.server.with(load.Options{Protocol: load.JSON}, "--backend", "http://"+address+"/")
	r, err := v.start()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.stop()) }()
	if _, err := m.connect(r, m.s.talkers); err != nil {
		return err
	}
	processes := []load.Process{r.Process, load.Process(app.Process.Pid), r.driver.Process}
	warm := load.EchoOptions{Bytes: m.s.sizes[0], Duration: m.s.warmup, Rate: m.s.asked}
	if _, err := r.driver.do(command{Echo: &warm}); err != nil {
		return err
	}
	before, err := cpuOf(processes)
	if err != nil {
		return err
	}
	o := warm
	o.Duration = m.s.asking
	a, err := r.driver.do(command{Echo: &o})
	if err != nil {
		return err
	}
	after, err := cpuOf(processes)
	if err != nil {
		return err
	}
	e := a.Echo
	if err := printLedger(m, e); err != nil {
		return err
	}
	percent := make([]float64, len(processes))
	for i := range percent {
		percent[i] = 100 * (after[i] - before[i]).Seconds() / e.Wall.Seconds()
	}
	where := fmt.Sprintf("conns=%d rate=%.0f size=%d", m.s.talkers, m.s.asked, o.Bytes)
	l := e.Latency
	m.figure("backend_p99_ms", where, millis(l.P99), fmt.Sprintf(
		" answered_a_second=%.0f lost=%d wrong=%d unsent=%d p50_ms=%.2f p999_ms=%.2f max_ms=%.2f"+
			" daemon_percent=%.0f app_percent=%.0f client_percent=%.0f",
		e.Rate(), e.Lost, e.Wrong, e.Unsent, millis(l.P50), millis(l.P999), millis(l.Max),
		percent[0], percent[1], percent[2]))
	m.figure("backend_cpu_us_msg", where, micros(after[0]-before[0])/float64(e.Received), "")
	if e.Lost+e.Wrong+e.Unsent+len(e.Closes) > 0 {
		return fmt.Errorf("%d lost, %d wrong, %d unsent, of %d; closed: %v",
			e.Lost, e.Wrong, e.Unsent, e.Sent, e.Closes)
	}
	return nil
}

// cpuOf is the processor time that each process has used.
func cpuOf(processes []load.Process) ([]time.Duration, error) {
	var all []time.Duration
	for _, p := range processes {
		spent, err := p.CPU()
		if err != nil {
			return nil, err
		}
		all = append(all, spent)
	}
	return all, nil
}

// end ends a process.
func end(process *exec.Cmd) error {
	if err := process.Process.Kill(); err != nil {
		return err
	}
	_ = process.Wait() // it says killed
	return nil
}
