package load

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/curfew-go/curfew/internal/load/result"
)

// scenario is a run against a server, and what must come of it.
type scenario struct {
	name string
	plan Plan // its URL is the server's; what is left out is filled in
	talk func(c *guest)
	v1   *v1Server // in place of talk
	// want is every counter that must not be 0, by what counters calls it; "" leaves it open.
	want  counts
	check func(t testing.TB, o *outcome)
	// prepare may change the worker before it connects, wait what happens before the run begins.
	prepare func(w *Worker)
	wait    time.Duration
}

// counts are counters by their name.
type counts map[string]uint64

const (
	// some stands for any number but 0.
	some = ^uint64(0)
	// anyNumber is for what depends on what was under way at some moment.
	anyNumber = ^uint64(1)
)

// outcome is what came of a run.
type outcome struct {
	w         *Worker
	server    *faulty
	part      *result.Part
	intervals []result.Interval
	err       error
}

// counters are those of a part that are not 0.
func counters(p *result.Part) counts {
	c := counts{
		"sent": p.Sent, "received": p.Received, "lost": p.Lost, "wrong": p.Wrong,
		"duplicated": p.Duplicated, "reordered": p.Reordered, "late": p.Late, "unsent": p.Unsent,
		"cut": p.Cut, "connected": p.Connect.OK, "failed": p.Connect.Failed,
		"expected": p.Expiry.Expected, "observed": p.Expiry.Observed, "early": p.Expiry.Early,
		"missing": p.Expiry.Missing, "dropped": p.Resume.Dropped, "resumed": p.Resume.Resumed,
		"changed": p.Resume.Changed, "refused": p.Resume.Refused, "gaps": p.Resume.Gaps,
		"replayed": p.Resume.Replayed, "injected": p.Fault.Injected, "fault cut": p.Fault.Cut,
		"held": p.Fault.Held, "flooded": p.Fault.Sent, "flood lost": p.Fault.Lost,
	}
	for code, n := range p.Closes {
		c["close "+code] = n
	}
	for what, n := range p.Errors {
		c["error "+what] = n
	}
	for what, n := range p.Fault.Reasons {
		c["fault "+what] = n
	}
	for name, n := range c {
		if n == 0 {
			delete(c, name)
		}
	}
	return c
}

// differ says which counters are not as they must be. Those of messages that were fine, and how
// many connected, are looked at only where want has them.
func (want counts) differ(t testing.TB, got counts) {
	t.Helper()
	for name, n := range want {
		if n == anyNumber {
			continue
		}
		if n == some && got[name] == 0 || n != some && got[name] != n {
			t.Errorf("%s: %d, want %d (all: %v)", name, got[name], int64(n), got)
		}
	}
	for name, n := range got {
		if _, ok := want[name]; !ok && name != "sent" && name != "received" && name != "connected" {
			t.Errorf("%s: %d, want 0 (all: %v)", name, n, got)
		}
	}
}

// plain fills in a plan for a server.
func (s *scenario) planFor(url string) Plan {
	p := s.plan
	p.URL = url
	if p.Connections == 0 {
		p.Connections = 2
	}
	if p.Rate == 0 {
		p.Rate = 100
	}
	if p.Size == 0 {
		p.Size = 40
	}
	if p.Duration == 0 {
		p.Duration = 250 * time.Millisecond
	}
	p.Seed = 7
	return p
}

// run makes the run and waits for its end.
func (s *scenario) run(ctx context.Context, p Plan) (o *outcome) {
	o = new(outcome)
	o.w, o.err = NewWorker(p, func(i result.Interval) { o.intervals = append(o.intervals, i) })
	if o.err != nil {
		return o
	}
	defer func() { o.part = o.w.Part() }()
	if s.prepare != nil {
		s.prepare(o.w)
	}
	if o.err = o.w.Connect(ctx); o.err != nil {
		return o
	}
	o.err = o.w.Run(ctx, time.Now().Add(s.wait+5*time.Millisecond))
	if err := o.w.Close(); o.err == nil {
		o.err = err
	}
	return o
}

// runAll makes some runs at once, since most only wait, and looks at what came of each.
func runAll(t *testing.T, scenarios []scenario) {
	t.Helper()
	for again := range retries + 1 {
		stalls := watchStalls()
		outcomes := outcomesOf(t, scenarios)
		longest := stalls.stop()
		var unsure []scenario
		for i, s := range scenarios {
			notes := &notes{TB: t}
			notes.take(func() { s.judge(notes, outcomes[i]) })
			if again < retries && notes.unsure(longest) {
				t.Logf("%s is run again, after %v at a standstill: %q", s.name, longest, notes.all)
				unsure = append(unsure, s)
				continue
			}
			t.Run(s.name, notes.tell)
		}
		if scenarios = unsure; len(unsure) == 0 {
			return
		}
	}
}

// outcomesOf makes some runs at once.
func outcomesOf(t *testing.T, scenarios []scenario) []*outcome {
	t.Helper()
	outcomes := make([]*outcome, len(scenarios))
	var all sync.WaitGroup
	for i := range scenarios {
		s := &scenarios[i]
		url := ""
		var server *faulty
		if s.v1 != nil {
			s.v1.t = t
			url = "ws://" + s.v1.start() + "/ws"
			s.plan.Protocol = SpeakJSON
		} else {
			server = serveFaulty(t, "127.0.0.1:0", nil, s.talk)
			url = server.url
		}
		all.Go(func() {
			outcomes[i] = s.run(t.Context(), s.planFor(url))
			outcomes[i].server = server
		})
	}
	over := make(chan struct{})
	go func() { all.Wait(); close(over) }()
	select {
	case <-over:
	case <-time.After(60 * time.Second):
		for i := range scenarios {
			if outcomes[i] == nil {
				t.Errorf("%s never ends", scenarios[i].name)
			}
		}
		t.FailNow()
	}
	return outcomes
}

func (s *scenario) judge(t testing.TB, o *outcome) {
	t.Helper()
	if o.err != nil {
		t.Fatal(o.err)
	}
	s.want.differ(t, counters(o.part))
	o.addsUp(t)
	if s.check != nil {
		s.check(t, o)
	}
}

// addsUp holds what is so in any ledger, whatever happened.
func (o *outcome) addsUp(t testing.TB) {
	t.Helper()
	p, r := o.part, o.w.r
	if p.Sent != p.Received+p.Lost {
		t.Errorf("%d sent, %d received and %d lost", p.Sent, p.Received, p.Lost)
	}
	if seen := p.Expiry.Observed + p.Expiry.Missing; seen < p.Expiry.Expected ||
		seen > p.Expiry.Expected+p.Expiry.Early {
		t.Errorf("%+v does not add up", p.Expiry)
	}
	if p.Latency.Count() != p.Uncorrected.Count() || p.Latency.Count() != p.Received {
		t.Errorf("%d latencies and %d uncorrected of %d", p.Latency.Count(),
			p.Uncorrected.Count(), p.Received)
	}
	var sent, received, expired, latencies uint64
	for _, i := range o.intervals {
		sent += i.Sent
		received += i.Received
		expired += i.Expired
		latencies += i.Latency.Count()
	}
	if sent > p.Sent+p.Expiry.Observed || received != p.Received ||
		latencies != p.Latency.Count() ||
		received != p.Latency.Count() {
		t.Errorf("intervals have %d sent, %d received, %d latencies of %d, %d, %d", sent, received,
			latencies, p.Sent, p.Received, p.Latency.Count())
	}
	if sent+p.Lost < p.Sent { // messages of the warm-up count only where they are lost
		t.Errorf("intervals have %d of %d sent, %d lost", sent, p.Sent, p.Lost)
	}
	if expired > p.Expiry.Observed {
		t.Errorf("intervals have %d of %d expired", expired, p.Expiry.Observed)
	}
	if r.inFlight < 0 || r.dialing < 0 || r.awaited < 0 || p.CPU < 0 {
		t.Errorf("%d in flight, %d dialing, %d awaited, CPU %v", r.inFlight, r.dialing, r.awaited,
			p.CPU)
	}
	if r.c.dialing != 0 || r.c.open != 0 || len(r.c.partial) > 0 {
		t.Errorf("after Close: %d dialing, %d open, %d unfinished", r.c.dialing, r.c.open,
			len(r.c.partial))
	}
	for key, n := range counters(p) {
		if n > 1<<60 {
			t.Errorf("%s fell below 0: %d", key, int64(n))
		}
	}
}

// TestWorker_TakesLong makes the tests that wait for seconds, and for nothing else, all at once.
func TestWorker_TakesLong(t *testing.T) {
	t.Parallel()
	var all sync.WaitGroup
	for name, test := range map[string]func(t *testing.T){
		"SlowFaults":              slowFaultsTest,
		"Expiry":                  expiryTest,
		"Misbehaves":              misbehavesTest,
		"IsStopped":               isStoppedTest,
		"Reconnect":               reconnectTest,
		"Replay":                  replayTest,
		"ReconnectRefusedForEver": reconnectRefusedForEverTest,
		"AnswersInTheDrain":       answersInTheDrainTest,
	} {
		all.Go(func() { t.Run(name, test) })
	}
	all.Wait()
}

// names are the phases of a run.
func names(o *outcome) (all []string) {
	for _, f := range o.part.Phases {
		all = append(all, f.Name)
	}
	return slices.Clip(all)
}

// loopbacks are addresses of this machine.
func loopbacks(n int) (all []netip.Addr) {
	for i := range n {
		all = append(all, netip.AddrFrom4([4]byte{127, 0, 0, byte(2 + i)}))
	}
	return all
}

// nowhere are addresses that are no machine's (RFC 5737).
func nowhere() []netip.Addr { return []netip.Addr{netip.MustParseAddr("192.0.2.1")} }
