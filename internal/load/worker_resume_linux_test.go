package load

import (
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/curfew-go/curfew/internal/load/result"
)

// resumes is a run of sessions that are dropped and come back. Some 4 are.
func resumes() Plan {
	return Plan{
		Profile: ProfileReconnect, Connections: 40, Rate: 400, Duration: 1100 * time.Millisecond,
	}
}

// reconnectTest has sessions come back to servers that keep them well, or do not.
func reconnectTest(t *testing.T) {
	t.Helper()
	// Every session that was dropped is counted once, whatever became of it.
	sum := func(t testing.TB, o *outcome) {
		t.Helper()
		p := &o.part.Resume
		if o.w.plan.Protocol != SpeakJSON { // it has no sessions
			return
		}
		if came := p.Resumed + p.Changed + p.Refused + o.part.Connect.Failed; came != p.Dropped {
			t.Errorf("%d dropped, %d came to an end: %+v", p.Dropped, came, counters(o.part))
		}
		if p.Latency.Count() != p.Resumed {
			t.Errorf("%d latencies of %d resumed", p.Latency.Count(), p.Resumed)
		}
		if o.part.Fairness.N < 36 {
			t.Errorf("%d connections fared somehow, want 40 or so", o.part.Fairness.N)
		}
	}
	all := counts{"connected": some, "sent": 440, "dropped": some, "resumed": some}
	bare := counts{"connected": some, "sent": 440, "dropped": some}
	with := func(more counts) counts {
		c := maps.Clone(all)
		maps.Copy(c, more)
		return c
	}
	v1 := func(f faults) *v1Server { return &v1Server{faults: f} }
	runAll(t, []scenario{
		{name: "plain", plan: resumes(), talk: goodTalk, want: bare, check: sum},
		{
			name: "good", plan: resumes(), v1: v1(faults{}), check: sum,
			want: with(counts{"replayed": anyNumber}),
		},
		{
			name: "forgets", plan: resumes(), v1: v1(faults{forgets: true}), check: sum,
			want: counts{
				"connected": 40, "sent": some, "dropped": some, "refused": some, "lost": anyNumber,
				"error hello_resume_unknown": some,
			},
		},
		{
			name: "changes", plan: resumes(), v1: v1(faults{changes: true}), check: sum,
			want: counts{ // a message that kept a session alive counts as sent where it is lost
				"connected": some, "sent": some, "dropped": some, "changed": some,
				"lost": anyNumber,
			},
		},
		{
			name: "hangs up first", plan: resumes(), v1: v1(faults{falters: true}), check: sum,
			want: with(counts{"replayed": anyNumber, "error eof": some}),
		},
		{
			name: "loses and says so", plan: resumes(), v1: v1(faults{loses: true}), check: sum,
			want: with(counts{
				"gaps": some, "sent": some, "lost": anyNumber, "replayed": anyNumber,
			}),
		},
		{
			name: "is away for a while", plan: resumes(), check: sum,
			want: counts{
				"connected": some, "sent": 440, "dropped": some, "error eof": anyNumber,
				"error econnreset": anyNumber,
			},
			talk: func(c *guest) {
				if c.number < 40 || c.number > 45 {
					goodTalk(c)
				}
			},
		},
	})
}

// replayTest loses a connection with an answer under way, and has the server make up for it
// in several ways.
func replayTest(t *testing.T) {
	t.Helper()
	const hello = `{"op":"hello_ack","ok":true,"session_id":"s","idle_s":600,"resume_token":"t"`
	answer := func(seq int, data []byte) []byte {
		return text(`{"op":"message_res","seq":%d,"data":%s}`, seq, data)
	}
	// The second connection of a session is welcomed, and given what a function says of the first
	// message, which was answered over the first connection too late. last is the number of the
	// last frame that the session has then.
	back := func(last int, again func(first []byte) []byte) func(c *guest) {
		var mu sync.Mutex
		var first []byte
		return func(c *guest) {
			if !c.upgrade() {
				return
			}
			seq := 0
			if c.number == 1 {
				_, _ = c.message()
				mu.Lock()
				out := again(first)
				mu.Unlock()
				c.send(out)
				seq = last
			}
			for {
				m, ok := c.message()
				if !ok {
					return
				}
				r := parseRequest(m)
				switch {
				case r.Op == "hello":
					c.send(text(hello + `}`))
				case r.Op != "message":
				case c.number == 0:
					mu.Lock()
					first = slices.Clone(r.Data)
					mu.Unlock()
				default:
					seq++
					c.send(answer(seq, r.Data))
				}
			}
		}
	}
	welcome := func(seq int, gap bool) []byte {
		return text(hello+`,"resumed":true,"gap":%v,"seq":%d}`, gap, seq)
	}
	plan := Plan{
		Profile: ProfileReconnect, Connections: 1, Rate: 10, Duration: 300 * time.Millisecond,
		Protocol: SpeakJSON,
	}
	runAll(t, []scenario{
		{
			name: "replayed", plan: plan,
			want: counts{
				"connected": 2, "sent": 3, "received": 3, "dropped": 1, "resumed": 1,
				"replayed": 1,
			},
			talk: back(1, func(first []byte) []byte {
				return slices.Concat(welcome(1, false), answer(1, first))
			}),
		},
		{
			name: "replayed twice", plan: plan,
			want: counts{
				"connected": 2, "sent": 3, "received": 3, "dropped": 1, "resumed": 1,
				"replayed": 1, "duplicated": 1,
			},
			talk: back(1, func(first []byte) []byte {
				return slices.Concat(welcome(1, false), answer(1, first), answer(1, first))
			}),
		},
		{
			name: "nothing was missed", plan: plan, // it is sent again, and answered
			want: counts{
				"connected": 2, "sent": 3, "received": 3, "dropped": 1, "resumed": 1,
				"error numbers_left_out": anyNumber,
			},
			talk: back(0, func([]byte) []byte { return welcome(0, false) }),
		},
		{
			name: "a frame was left out", plan: plan,
			want: counts{
				"connected": 2, "sent": 3, "received": 3, "dropped": 1, "resumed": 1,
				"replayed": 1, "error numbers_left_out": 1,
			},
			talk: back(2, func(first []byte) []byte {
				return slices.Concat(welcome(2, false), answer(2, first))
			}),
		},
		{
			name: "a gap, as was said", plan: plan,
			want: counts{
				"connected": 2, "sent": 3, "received": 3, "dropped": 1, "resumed": 1,
				"gaps": 1,
			},
			talk: back(2, func([]byte) []byte { return welcome(2, true) }),
		},
		{
			name: "replayed otherwise", plan: plan,
			want: counts{
				"connected": 2, "sent": 3, "received": 3, "dropped": 1, "resumed": 1,
				"wrong": 1,
			}, // it is sent again
			talk: back(1, func([]byte) []byte {
				return slices.Concat(welcome(1, false), answer(1, []byte(`"nonsense"`)))
			}),
		},
		{
			name: "announced, and not replayed", plan: plan,
			want: counts{
				"connected": 2, "sent": some, "received": anyNumber, "dropped": 1,
				"resumed": 1, "lost": 1, "unsent": anyNumber, "error numbers_left_out": anyNumber,
			},
			talk: back(1, func([]byte) []byte { return welcome(1, false) }),
		},
		{
			name: "no answer to the hello", plan: plan,
			want: counts{
				"connected": 1, "sent": 1, "dropped": 1, "failed": 1, "lost": 1,
				"unsent": anyNumber,
			},
			talk: back(0, func([]byte) []byte { return nil }),
		},
	})
}

// TestWorker_ReconnectToNobody has a server go away, and stay away for some time.
func TestWorker_ReconnectToNobody(t *testing.T) {
	t.Parallel()
	steadily(t, reconnectToNobody)
}

func reconnectToNobody(t testing.TB) {
	t.Helper()
	server := serveFaulty(t, "127.0.0.1:0", nil, goodTalk)
	s := scenario{
		plan: resumes(), want: counts{
			"connected": some, "sent": some, "dropped": some,
			"error econnrefused": some,
		},
	}
	// Who comes back finds nobody until the first retry has failed.
	var again *faulty
	done := make(chan *outcome, 1)
	go func() {
		o := new(outcome)
		o.w, o.err = NewWorker(s.planFor(server.url), func(i result.Interval) {
			o.intervals = append(o.intervals, i)
			switch refused := o.w.Part().Errors["econnrefused"]; {
			case i.Phase == result.PhaseConnect:
				server.l.Close()
			case refused > 1 && again == nil:
				again = serveFaulty(t, server.address, nil, goodTalk)
			}
		})
		if o.err == nil {
			o.err = o.w.Connect(t.Context())
		}
		if o.err == nil {
			o.err = o.w.Run(t.Context(), time.Now())
			o.part = o.w.Part()
			_ = o.w.Close()
		}
		done <- o
	}()
	s.judge(t, <-done)
}

// reconnectRefusedForEverTest has a server that lets nobody back in.
func reconnectRefusedForEverTest(t *testing.T) {
	t.Helper()
	steadily(t, reconnectRefusedForEver)
}

func reconnectRefusedForEver(t testing.TB) {
	t.Helper()
	server := serveFaulty(t, "127.0.0.1:0", nil, func(c *guest) {
		if c.number == 39 {
			c.s.l.Close()
		}
		goodTalk(c)
	})
	s := scenario{
		plan: resumes(), want: counts{
			"connected": 40, "sent": some, "dropped": some, "failed": some,
			"error econnrefused": some,
		},
	}
	o := s.run(t.Context(), s.planFor(server.url))
	s.judge(t, o)
	if o.part.Resume.Dropped != o.part.Connect.Failed {
		t.Errorf("%d dropped, %d failed", o.part.Resume.Dropped, o.part.Connect.Failed)
	}
}

// TestRun_ReadyOnce holds that no connection stands among those that may send twice, and none that
// is free is missing there, after keep-alives, replays and returns.
func TestRun_ReadyOnce(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]*scenario{
		"keep-alives": {
			plan: Plan{ExpectIdle: 60 * time.Millisecond, Connections: 10},
			wait: 300 * time.Millisecond,
		},
		"reconnect": {plan: resumes()},
		"churn":     {plan: Plan{Profile: ProfileChurn, Connections: 10, Rate: 500}},
	} {
		var w *Worker
		server := serveFaulty(t, "127.0.0.1:0", nil, goodTalk)
		looked := 0
		p := s.planFor(server.url)
		made, err := NewWorker(p, func(result.Interval) {
			looked++
			readyOnce(t, name, w.r)
		})
		if err != nil {
			t.Fatal(err)
		}
		w = made
		if err := w.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := w.Run(t.Context(), time.Now().Add(s.wait)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil || looked < 2 {
			t.Errorf("%s: looked %d times, %v", name, looked, err)
		}
	}
}

func readyOnce(t *testing.T, name string, r *run) {
	t.Helper()
	seen := map[uint64]int{}
	for _, key := range r.ready.all[r.ready.head:] {
		seen[key]++
	}
	for slot := range r.peers {
		n, p := &r.c.conns[slot], &r.peers[slot]
		times := seen[n.key(uint32(slot))]
		free := n.state == open && !p.inFlight && !n.parting && !p.replays && p.habit.speaks()
		if times > 1 || free && times == 0 {
			t.Fatalf("%s: slot %d (%+v) stands %d times among those that may send", name, slot, *p,
				times)
		}
	}
}

// TestWorker_TwoProcesses holds that what two processes counted is, merged, what one would have:
// each connection and each message is there once.
func TestWorker_TwoProcesses(t *testing.T) {
	t.Parallel()
	steadily(t, twoProcesses)
}

func twoProcesses(t testing.TB) {
	t.Helper()
	var mu sync.Mutex
	said := map[uint32]int{}
	server := serveFaulty(t, "127.0.0.1:0", nil, answers(
		func(_ *guest, nth int, m []byte) []byte {
			who, which, ok := readStamp(m)
			mu.Lock()
			defer mu.Unlock()
			if said[who]++; !ok || which != uint32(nth+1) {
				t.Errorf("message %d of %d is called %d", nth+1, who, which)
			}
			return echo(m)
		}))
	const processes = 3
	begin := time.Now().Add(300 * time.Millisecond)
	parts := make([]*result.Part, processes)
	rolled := make([]int, processes)
	var all sync.WaitGroup
	for i := range processes {
		s := scenario{plan: Plan{
			Connections: 7, Processes: processes, Process: i, Rate: 100,
			Duration: 410 * time.Millisecond, Interval: 100 * time.Millisecond,
		}}
		all.Go(func() {
			var got []result.Interval
			w, err := NewWorker(s.planFor(server.url), func(v result.Interval) {
				got = append(got, v)
			})
			if err != nil {
				t.Error(err)
				return
			}
			defer w.Close()
			if err := w.Connect(t.Context()); err != nil {
				t.Error(err)
				return
			}
			if err := w.Run(t.Context(), begin); err != nil {
				t.Error(err)
			}
			parts[i] = w.Part()
			parts[i].Intervals = got
			rolled[i] = len(got)
		})
	}
	all.Wait()
	if slices.Contains(parts, nil) {
		return
	}
	var sum result.Part
	for _, p := range parts {
		sum.Merge(p)
	}
	if sum.Sent != 41 || sum.Received != 41 || sum.Connect.OK != 7 || sum.Lost+sum.Unsent > 0 {
		t.Errorf("merged: %v", counters(&sum))
	}
	mu.Lock()
	defer mu.Unlock()
	if len(said) != 7 {
		t.Errorf("%v spoke, want 7", said)
	}
	for id := range uint32(7) {
		if said[id] == 0 {
			t.Errorf("connection %d said nothing: %v", id, said)
		}
	}
	if len(sum.Intervals) > slices.Max(rolled)+1 || sum.Fairness.N < 5 {
		t.Errorf("%d intervals of %v, %d fared", len(sum.Intervals), rolled, sum.Fairness.N)
	}
	var sent uint64
	for _, v := range sum.Intervals {
		sent += v.Sent
	}
	if sent != 41 {
		t.Errorf("intervals have %d sent, want 41", sent)
	}
}

// answersInTheDrainTest has the last messages answered slowly, each in time: none is lost.
func answersInTheDrainTest(t *testing.T) {
	t.Helper()
	server := serveFaulty(t, "127.0.0.1:0", nil, answers(
		func(c *guest, _ int, m []byte) []byte {
			out := echo(m)
			select {
			case <-t.Context().Done():
			case <-time.After(3 * time.Second):
			}
			return out
		}))
	s := scenario{
		plan: Plan{Connections: 1, Rate: 20, Duration: 100 * time.Millisecond},
		want: counts{"connected": 1, "sent": 2, "received": 2},
	}
	steadily(t, func(t testing.TB) {
		t.Helper()
		s.judge(t, s.run(t.Context(), s.planFor(server.url)))
	})
}
