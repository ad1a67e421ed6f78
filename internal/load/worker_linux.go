package load

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/curfew-go/curfew/internal/load/result"
	"github.com/curfew-go/curfew/internal/netloop/poll"
)

// Worker is one process's part of a run: it connects, runs the profile once, and has then a Part.
//
//	w, err := load.NewWorker(plan, onInterval)
//	err = w.Connect(ctx)    // all processes at once
//	err = w.Run(ctx, begin) // begin: a moment that is the same for all
//	part := w.Part()
//	err = w.Close()
//
// It belongs to one goroutine at a time. When a context ends, Connect and Run return early, without
// error, and the Part says that they were interrupted. Part may be asked for at any time.
type Worker struct {
	plan Plan
	c    *Client
	r    *run
}

const (
	// dialingMax is how many connections of a process may be begun and not open, where no ramp
	// says how many begin.
	dialingMax = 128
	// dialingAll lets a ramp, or a storm, begin whatever is due.
	dialingAll = 1 << 20
	// drainMax is how long the run waits after its end for what is due and not yet answered.
	drainMax = ReplyTimeout
	// expiryGrace is for how long the run goes on after the last session was due to end.
	expiryGrace = time.Second
	// probeTime is how long a server has at least to say that it has a connection, or not, and
	// probeTimeMax at most.
	probeTime, probeTimeMax = time.Second, time.Minute
	// farewellMax is how long a server has to end the sessions that said bye.
	farewellMax = time.Second
)

// NewWorker makes the worker of a plan that is valid; it resolves the server's name, and says
// where this process may open too few files for the plan. onInterval, where not nil, is called from
// within Connect and Run with each interval as it ends, and must not block; it may keep what it is
// given.
func NewWorker(p Plan, onInterval func(result.Interval)) (*Worker, error) {
	p = p.WithDefaults()
	if err := p.Validate(); err != nil {
		return nil, err
	}
	if err := enoughFiles(p.share(p.Connections)); err != nil {
		return nil, err
	}
	t, err := findTarget(context.Background(), p)
	if err != nil {
		return nil, err
	}
	c, err := New(p.options(t))
	if err != nil {
		return nil, err
	}
	return &Worker{plan: p, c: c, r: newRun(c, p, onInterval)}, nil
}

// options are those of a Client that follows a plan.
func (p Plan) options(t target) Options {
	header, host := p.header(), t.host
	if named := header.Get("Host"); named != "" {
		host = named
		header.Del("Host")
	}
	o := Options{
		Address: t.address.String(), Host: host, Path: t.path, TLS: t.tls,
		Header: header, Subprotocol: p.Subprotocol,
		Sources: sourcesFor(p, t.address.Addr()),
		Dialing: dialingMax,
		// What goes around the data of a message has room, and so has its escaping.
		MessageBytesMax: max(bytesMax, 2*p.Size+4096),
	}
	if p.Ramp > 0 || p.Profile == ProfileStorm {
		o.Dialing = dialingAll
	}
	if p.Protocol == SpeakJSON {
		o.Protocol, o.Token = JSON, p.Token
		o.Resume, o.AskIdle = p.Profile == ProfileReconnect, p.AskIdle
	}
	return o
}

// enoughFiles raises the limit of descriptors as far as it may be, and says whether that suffices.
func enoughFiles(connections int) error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("load: %w", err)
	}
	if limit.Cur < limit.Max {
		limit.Cur = limit.Max
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
			return fmt.Errorf("load: %w", err)
		}
	}
	if need := uint64(connections + SpareFiles); need > limit.Max {
		return fmt.Errorf("a process may open %d files and would need %d: use more --processes, "+
			"or raise the limit (ulimit -n)", limit.Max, need)
	}
	return nil
}

// Connect opens this process's share of the connections. That some fail is in the Part and no
// error; it is an error where the harness itself can go on no more.
func (w *Worker) Connect(ctx context.Context) error {
	if err := poll.PreciseThread(); err != nil {
		return fmt.Errorf("load: %w", err)
	}
	r := w.r
	start := r.c.clock.now()
	r.nextBeat = start
	ramp := w.plan.Ramp
	if ramp == 0 {
		ramp = 1e9 // all are due
	}
	r.dials = schedule{
		start: start, end: 1<<63 - 1, rate: ramp,
		offset: w.plan.Process, processes: w.plan.Processes,
	}
	r.intervals.begin(result.PhaseConnect, start, r.c.open)
	share := w.plan.share(w.plan.Connections)
	err := r.loop(ctx, func(time.Duration) bool { return r.begun == share && r.dialing == 0 })
	now := r.c.clock.now()
	r.intervals.end(now, r.c.open)
	r.phase(result.PhaseConnect, 0, now-start)
	return err
}

func (r *run) phase(name string, start, end time.Duration) {
	r.part.Phases = append(r.part.Phases, result.Phase{Name: name, Start: start, End: end})
}

// Wait keeps the connections alive, and is ready to run, until a moment. Processes that have
// connected wait so for those that have not.
func (w *Worker) Wait(ctx context.Context, until time.Time) error {
	at := until.Sub(w.c.clock.start)
	w.r.turning = at
	return w.r.loop(ctx, func(now time.Duration) bool { return now >= at })
}

// Run runs the profile. begin is when its first message is due; it may lie ahead.
func (w *Worker) Run(ctx context.Context, begin time.Time) error {
	r, p := w.r, w.plan
	if r.part.Connect.OK > 0 {
		if err := w.Wait(ctx, begin); err != nil {
			return err
		}
	}
	if r.part.Interrupted || r.part.Connect.OK == 0 {
		r.finish(w.c.clock.now())
		return nil
	}
	start := begin.Sub(w.c.clock.start)
	cpu := threadCPU()
	r.spun = 0
	r.start(start)
	r.intervals.begin(result.PhaseRun, start, r.c.open)
	if err := r.loop(ctx, r.over); err != nil {
		return err
	}
	end := r.c.clock.now()
	r.drain()
	err := r.loop(context.WithoutCancel(ctx), r.drained)
	now := r.c.clock.now()
	if p.Warmup > 0 {
		r.phase(result.PhaseWarmup, 0, p.Warmup)
	}
	r.phase(result.PhaseRun, p.Warmup, max(end-start, p.Warmup))
	r.phase(result.PhaseDrain, end-start, now-start)
	r.part.CPU = max(threadCPU()-cpu-r.spun, 0)
	r.finish(now)
	r.intervals.end(now, r.c.open)
	return errors.Join(err, r.farewell())
}

// farewell ends the sessions that would outlive their connections, so that the next run does not
// meet them, and waits a moment for the server to agree.
func (r *run) farewell() error {
	if r.v == nil || !r.v.resume {
		return nil
	}
	for slot := range r.c.conns {
		if r.c.conns[slot].state == open {
			r.v.bye(uint32(slot))
		}
	}
	end := r.c.clock.now() + farewellMax
	return r.loop(context.Background(), func(now time.Duration) bool {
		return now >= end || r.c.open == 0
	})
}

// threadCPU is the processor time of this thread.
func threadCPU() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_THREAD, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// Part is what was counted so far, intervals not included. It is the worker's own.
func (w *Worker) Part() *result.Part { return &w.r.part }

// Close resets all connections.
func (w *Worker) Close() error { return w.c.Close() }
