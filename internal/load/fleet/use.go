package fleet

import (
	"fmt"
	"sync"
	"time"

	"github.com/curfew-go/curfew/internal/load/result"
)

// sample is what the server's process has used up to a moment, and uses at it.
type sample struct {
	at          time.Duration // CLOCK_MONOTONIC
	cpu         time.Duration
	resident    int64 // bytes, files that it maps included
	own         int64 // bytes of these that belong to no file
	kernel      int64 // bytes that the machine's kernel holds; 0: not to be read
	descriptors int   // 0: not to be read
	voluntary   uint64
	involuntary uint64
}

// usage is what the server used for a run, or for several.
type usage struct {
	connectCPU, runCPU time.Duration
	connects, messages uint64
	running            time.Duration
	own, kernel        float64 // bytes a connection
	last               sample
	descriptorsMax     int
	voluntary          uint64
	involuntary        uint64
}

// add adds what another run used. Memory is that of the run which took most: what one run took, the
// next one finds.
func (u *usage) add(o *usage) {
	u.connectCPU += o.connectCPU
	u.runCPU += o.runCPU
	u.connects += o.connects
	u.messages += o.messages
	u.running += o.running
	u.own, u.kernel = max(u.own, o.own), max(u.kernel, o.kernel)
	u.last = o.last
	u.descriptorsMax = max(u.descriptorsMax, o.descriptorsMax)
	u.voluntary += o.voluntary
	u.involuntary += o.involuntary
}

// figures is what it amounts to.
func (u *usage) figures() result.Server {
	s := result.Server{
		BytesPerConn: u.own, KernelPerConn: u.kernel, RSSBytes: u.last.resident,
		Descriptors: u.last.descriptors, DescriptorsAtMax: u.descriptorsMax,
		Voluntary: u.voluntary, Involuntary: u.involuntary,
	}
	if u.connects > 0 {
		s.CPUPerConnect = float64(u.connectCPU.Nanoseconds()) / 1e3 / float64(u.connects)
	}
	if u.messages > 0 {
		s.CPUPerMessage = float64(u.runCPU.Nanoseconds()) / 1e3 / float64(u.messages)
	}
	if u.running > 0 {
		s.CPUPercent = 100 * u.runCPU.Seconds() / u.running.Seconds()
	}
	return s
}

// mark is a moment of a run that needs a sample.
type mark int

const (
	beforeConnect mark = iota
	afterConnect
)

// use watches the server's process. A use without one does nothing.
type use struct {
	pid   int
	first *sample // before the first connection of the first run
	total usage

	before, after sample // of connecting
	// What follows belongs to watch while it runs.
	series []sample
	failed error
}

// newUse watches a process, if its number is not 0. It says at once where it cannot be.
func newUse(pid int) (*use, error) {
	u := &use{pid: pid}
	if pid == 0 {
		return u, nil
	}
	s, err := readSample(pid)
	if err != nil {
		return nil, fmt.Errorf("--pid %d: %w", pid, err)
	}
	u.first = &s
	return u, nil
}

// sample takes a sample before or after connecting. Where it cannot, the run has no figures.
func (u *use) sample(m mark) error {
	if m == beforeConnect {
		u.series, u.failed = nil, nil
	}
	if u.pid == 0 || u.failed != nil {
		return nil
	}
	u.take()
	if u.failed != nil {
		return u.failed
	}
	if m == beforeConnect {
		u.before, u.series = u.series[0], nil
	} else {
		u.after = u.series[0]
	}
	return nil
}

// watch takes samples once a second, and at the moments where the run itself begins and ends,
// until what it returns is called, which takes the last one. begin is when the run begins.
func (u *use) watch(begin int64, warmup, duration time.Duration) (stop func() error) {
	if u.pid == 0 || u.failed != nil {
		return func() error { return nil }
	}
	marks := []time.Duration{
		time.Duration(begin), time.Duration(begin) + warmup,
		time.Duration(begin) + warmup + duration,
	}
	quit := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		for u.failed == nil {
			at, wait := time.Duration(monotonic()), time.Second
			for _, m := range marks {
				if m > at {
					wait = min(wait, m-at)
				}
			}
			select {
			case <-after(wait):
				u.take()
			case <-quit:
				u.take()
				return
			}
		}
	})
	return func() error {
		close(quit)
		running.Wait()
		return u.failed
	}
}

// take adds a sample to the series.
func (u *use) take() {
	s, err := readSample(u.pid)
	if err != nil {
		u.failed = fmt.Errorf("--pid %d: %w; its figures end there", u.pid, err)
		return
	}
	u.series = append(u.series, s)
}

// count makes the run's usage from the samples and from what the workers counted. opened is how
// many connections there were between the samples before and after connecting, and begin is when
// the run began.
func (u *use) count(p *result.Part, opened uint64, begin int64) {
	if u.pid == 0 || len(u.series) == 0 {
		return
	}
	t := &u.total
	t.connects, t.messages = opened, p.Written
	t.connectCPU = u.after.cpu - u.before.cpu
	if ok := float64(opened); ok > 0 {
		t.own = max(0, float64(u.after.own-u.first.own)/ok)
		t.kernel = max(0, float64(u.after.kernel-u.first.kernel)/ok)
	}
	t.last = u.series[len(u.series)-1]
	for i := range u.series {
		t.descriptorsMax = max(t.descriptorsMax, u.series[i].descriptors)
	}
	for _, f := range p.Phases {
		if f.Name != result.PhaseRun {
			continue
		}
		from, to := time.Duration(begin)+f.Start, time.Duration(begin)+f.End
		t.running = f.End - f.Start
		t.runCPU = cpuAt(u.series, to) - cpuAt(u.series, from)
		a, b := nearest(u.series, from), nearest(u.series, to)
		// A thread that ended has taken its count with it.
		t.voluntary = b.voluntary - min(a.voluntary, b.voluntary)
		t.involuntary = b.involuntary - min(a.involuntary, b.involuntary)
		t.last = b
	}
}

// cpuAt is what had been used at a moment, as if it was used evenly between two samples.
func cpuAt(series []sample, at time.Duration) time.Duration {
	for i := 1; i < len(series); i++ {
		a, b := series[i-1], series[i]
		if at <= b.at && b.at > a.at {
			part := float64(max(at, a.at)-a.at) / float64(b.at-a.at)
			return a.cpu + time.Duration(part*float64(b.cpu-a.cpu))
		}
	}
	return series[len(series)-1].cpu
}

// nearest is the sample that was taken nearest to a moment.
func nearest(series []sample, at time.Duration) sample {
	best := series[0]
	for _, s := range series {
		if (s.at - at).Abs() < (best.at - at).Abs() {
			best = s
		}
	}
	return best
}
