package server

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/curfew-go/curfew/internal/notify"
)

// Variables returns the names of the variables that the service manager sets for this process
// alone. Whoever starts the daemon takes them out of the environment of what it starts itself.
func Variables() []string { return notify.Variables() }

const (
	// statusGap is how often the service manager is told how many sessions there are.
	statusGap = 10 * time.Second
	// extension is for how long the service manager is to wait for a drain, each time that it is
	// asked, which is done every statusGap.
	extension = 3 * statusGap
)

// tellManager logs that the service manager has not heard.
func (d *daemon) tellManager(err error) {
	if err != nil {
		d.log.Warn("the service manager was not told", "error", err)
	}
}

// serveManager tells the service manager that the daemon is ready, and from then on how it is,
// until the function is called that it gives. Without a manager it does nothing.
func (d *daemon) serveManager() (stop func()) {
	if d.manager == nil {
		return func() {}
	}
	d.tellManager(d.manager.Ready("serving"))
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { d.report(ctx, statusGap) })
	running.Go(func() { notify.Watch(ctx, d.manager, d.log, d.progress().stalled) })
	return func() {
		cancel()
		running.Wait()
	}
}

// report tells the manager every gap how many there are, and, while the daemon drains, to wait.
func (d *daemon) report(ctx context.Context, gap time.Duration) {
	t := newTicker(gap)
	defer t.Stop()
	was := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		status := d.standing()
		switch {
		case d.draining.Load():
			d.tellManager(d.manager.ExtendTimeout(extension, status))
		case status != was:
			d.tellManager(d.manager.Status(status))
		}
		was = status
	}
}

// standing is what the daemon does, in words; that a reload was refused is in it until one is not.
func (d *daemon) standing() string {
	open := d.gateway.NetStats().Open
	if d.draining.Load() {
		return fmt.Sprintf("draining: %d connections are left", open)
	}
	s := fmt.Sprintf("serving: %d sessions on %d connections", d.gateway.Stats().Live, open)
	if d.reloaded.Load().Failed {
		s += ", " + oldSettings
	}
	return s
}

// progress finds out whether what must never stand still does. It belongs to one goroutine.
type progress struct {
	behind      func() time.Duration // how long ago the timing wheel should have moved
	loopsTurned func() bool          // whether each loop has turned since it was asked last
	now         func() time.Time

	turned time.Time // when the loops were last seen to turn
}

func (d *daemon) progress() *progress {
	return &progress{
		behind:      func() time.Duration { return d.gateway.Stats().Behind },
		loopsTurned: d.gateway.LoopsTurned,
		now:         now,
		turned:      now(),
	}
}

// stalled says what has stood still for limit, "" where nothing has.
func (p *progress) stalled(limit time.Duration) string {
	t := p.now()
	if p.loopsTurned() {
		p.turned = t
	}
	if behind := p.behind(); behind >= limit {
		return fmt.Sprintf("sessions are ended %v late, the timing wheel stands still",
			behind.Round(time.Millisecond))
	}
	if still := t.Sub(p.turned); still >= limit {
		return fmt.Sprintf("a loop that serves connections has not turned for %v",
			still.Round(time.Millisecond))
	}
	return ""
}
