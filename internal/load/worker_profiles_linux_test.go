package load

import (
	"slices"
	"testing"
	"time"

	"github.com/curfew-go/curfew/internal/load/result"
	"github.com/curfew-go/curfew/internal/wsframe"
)

// always is the same silence for all connections.
func always(d time.Duration) func(int) time.Duration {
	return func(int) time.Duration { return d }
}

var expiredFrame = wsframe.Server.AppendClose(nil, 4200, "session idle")

// expiryTest has sessions end in time, early, late, never and for other reasons.
func expiryTest(t *testing.T) {
	t.Helper()
	const idle = 600 * time.Millisecond
	plan := Plan{Profile: ProfileIdle, ExpectIdle: idle, Connections: 4}
	early := func(number int) time.Duration {
		switch number {
		case 0:
			return idle / 12
		case 1:
			return 0
		}
		return idle
	}
	raw := plan
	raw.Protocol = SpeakRaw
	chatty := Plan{
		Profile: ProfileChatty, ExpectIdle: time.Second, Connections: 6, Rate: 60,
		Duration: 300 * time.Millisecond,
	}
	runAll(t, []scenario{
		{
			name: "in time", plan: plan, talk: expires(always(idle), expiredFrame),
			want: counts{"connected": 4, "expected": 4, "observed": 4, "close 4200": 4},
			check: func(t testing.TB, o *outcome) {
				t.Helper()
				if n := o.part.Expiry.Lateness.Count(); n != 4 {
					t.Errorf("lateness of %d, want 4", n)
				}
			},
		},
		{
			name: "in time by hanging up", plan: plan, talk: expires(always(idle), nil),
			want: counts{"connected": 4, "expected": 4, "observed": 4, "error eof": 4},
		},
		{
			name: "raw", plan: raw, talk: expires(always(idle), expiredFrame),
			want: counts{"connected": 4, "expected": 4, "observed": 4, "close 4200": 4},
		},
		{
			name: "raw that hangs up", plan: raw, talk: expires(always(idle), nil),
			want: counts{"connected": 4, "expected": 4, "missing": 4, "error eof": 4},
		},
		{
			name: "json", plan: plan, v1: &v1Server{idle: idle, faults: faults{at: true}},
			want: counts{"connected": 4, "expected": 4, "observed": 4, "close 4200": 4},
		},
		{
			name: "json without a word", plan: plan,
			v1: &v1Server{idle: idle, faults: faults{at: true, untold: true}},
			want: counts{
				"connected": 4, "expected": 4, "observed": 4, "close 4200": 4,
				"error expired_without_a_word": 4,
			},
		},
		{
			name: "json of another", plan: plan,
			v1: &v1Server{idle: idle, faults: faults{at: true, misnamed: true}},
			want: counts{
				"connected": 4, "expected": 4, "observed": 4, "close 4200": 4,
				"error expired_without_a_word": 4,
			},
		},
		{
			name: "json early", plan: plan,
			v1: &v1Server{idle: idle / 6, faults: faults{at: true, early: true}},
			want: counts{
				"connected": 4, "expected": 4, "observed": 4, "early": 4, "close 4200": 4,
			},
		},
		{
			name: "one early, one never", plan: plan, talk: expires(early, expiredFrame),
			want: counts{
				"connected": 4, "expected": 4, "observed": 3, "early": 1, "missing": 1,
				"close 4200": 3,
			},
		},
		{
			name: "for another reason", plan: raw,
			talk: expires(always(idle), wsframe.Server.AppendClose(nil, 1001, "")),
			want: counts{"connected": 4, "expected": 4, "missing": 4, "close 1001": 4},
		},
		{
			name: "of old age", plan: raw,
			talk: expires(always(idle/6), wsframe.Server.AppendClose(nil, 4201, "")),
			want: counts{"connected": 4, "close 4201": 4},
		},
		{
			name: "nothing is expected", plan: Plan{Profile: ProfileIdle}, talk: goodTalk,
			want: counts{"connected": 2},
		},
		{
			name: "chatty", plan: chatty, talk: expires(always(time.Second), expiredFrame),
			want: counts{
				"connected": 6, "sent": some, "expected": 3, "observed": 3, "close 4200": 3,
			},
		},
		{
			name: "storm", plan: Plan{Profile: ProfileStorm, ExpectIdle: 2 * idle, Connections: 30},
			talk: expires(always(2*idle), expiredFrame),
			want: counts{
				"connected": 30, "sent": 30, "received": 30, "expected": 30, "observed": 30,
				"close 4200": 30,
			},
		},
		{
			name: "storm after keep-alives", talk: expires(always(2*idle), expiredFrame),
			plan: Plan{Profile: ProfileStorm, ExpectIdle: 2 * idle, Connections: 10},
			wait: 500 * time.Millisecond, // one that is in flight then does for the storm's
			want: counts{
				"connected": 10, "sent": anyNumber, "received": anyNumber, "expected": 10,
				"observed":   10,
				"close 4200": 10,
			},
		},
	})
}

// TestWorker_TalkerThatIsExpired has a server end sessions that are in use.
func TestWorker_TalkerThatIsExpired(t *testing.T) {
	t.Parallel()
	ends := func(c *guest, m []byte) []byte {
		c.send(slices.Concat(echo(m), expiredFrame))
		c.swallow()
		return nil
	}
	plan := Plan{ExpectIdle: time.Hour}
	raw := plan
	raw.Protocol = SpeakRaw
	runAll(t, []scenario{
		{name: "plain", plan: plan, talk: once(ends), want: counts{
			"observed": 1, "early": 1, "close 4200": 1,
		}},
		{name: "raw", plan: raw, talk: once(ends), want: counts{
			"observed": 1, "early": 1, "close 4200": 1,
		}},
		{
			// It was due, and the message crosses the end on its way, as if it was never sent.
			name: "raw, late and not early", talk: answers(
				func(c *guest, nth int, m []byte) []byte {
					if nth == 0 {
						return echo(m)
					}
					c.send(expiredFrame)
					c.swallow()
					return nil
				}),
			plan: Plan{
				Protocol: SpeakRaw, ExpectIdle: 200 * time.Millisecond, Connections: 1, Rate: 3,
				Duration: 500 * time.Millisecond,
			},
			want: counts{
				"sent": 1, "received": 1, "observed": 1, "expected": 1,
				"close 4200": 1,
			},
		},
		{name: "plain, nothing expected", talk: once(ends), want: counts{
			"close 4200": 1, "observed": 1, "expected": 1,
		}},
		{
			name: "plain, hung up on in flight", plan: plan,
			talk: once(func(*guest, []byte) []byte { return nil }),
			want: counts{"observed": 1, "early": 1, "lost": 1, "error eof": 1},
		},
	})
}

// misbehavesTest runs the profiles whose connections misbehave.
func misbehavesTest(t *testing.T) {
	t.Helper()
	// stalls hangs up on who does not read.
	stalls := func(c *guest) {
		if tcp, ok := c.Conn.(interface{ SetWriteBuffer(int) error }); ok {
			_ = tcp.SetWriteBuffer(4096)
		}
		if !c.upgrade() {
			return
		}
		for {
			m, ok := c.message()
			_ = c.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
			if !ok || !c.send(echo(m)) {
				c.reset()
				return
			}
		}
	}
	omits := answers(func(c *guest, nth int, m []byte) []byte {
		if who, _, _ := readStamp(m); who%2 == 1 && nth == 2 {
			return []byte{}
		}
		return echo(m)
	})
	slow := Plan{Profile: ProfileSlowReader, Connections: 4, Size: 1000}
	mute := Plan{Profile: ProfileHalfOpen, Connections: 4, Protocol: SpeakRaw}
	muteIdle := mute
	muteIdle.ExpectIdle = 900 * time.Millisecond
	accept := make(chan string, 4)
	began := make(chan struct{}, 1)
	sum := func(t testing.TB, o *outcome) {
		t.Helper()
		if f := o.part.Fault; f.Injected != f.Cut+f.Held || f.After.Count() > f.Cut {
			t.Errorf("%d injected, %d cut, %d held, after %d", f.Injected, f.Cut, f.Held,
				f.After.Count())
		}
	}
	runAll(t, []scenario{
		{
			name: "slow readers that are held", plan: slow, talk: goodTalk, check: sum,
			want: counts{
				"connected": 4, "injected": 2, "held": 2, "sent": some, "flooded": some,
			},
		},
		{
			name: "slow reader with a keep-alive in flight", check: sum,
			wait: 250 * time.Millisecond,
			plan: Plan{Profile: ProfileSlowReader, ExpectIdle: 300 * time.Millisecond},
			talk: func(c *guest) {
				if !c.upgrade() {
					return
				}
				if c.number == 1 { // its first answer comes with the second
					first, _ := c.message()
					first = slices.Clone(first)
					second, _ := c.message()
					c.send(slices.Concat(echo(first), echo(second)))
				}
				c.echo()
			},
			want: counts{
				"connected": 2, "injected": 1, "held": 1, "sent": some, "flooded": some,
			},
		},
		{
			name: "slow readers of json", plan: slow, v1: &v1Server{}, check: sum,
			want: counts{
				"connected": 4, "injected": 2, "held": 2, "sent": some, "flooded": some,
			},
		},
		{
			name: "slow readers that are cut", talk: stalls, check: sum,
			plan: Plan{
				Profile: ProfileSlowReader, Connections: 4, Size: 1000, Duration: 3 * time.Second,
			},
			want: counts{
				"connected": 4, "injected": 2, "fault cut": 2, "sent": some,
				"fault econnreset": 2,
			},
		},
		{
			name: "slow readers whose answers are dropped", plan: slow, talk: omits, check: sum,
			want: counts{
				"connected": 4, "injected": 2, "held": 2, "sent": some, "flooded": some,
				"flood lost": 2,
			},
		},
		{
			name: "slowloris that is held", check: sum, talk: goodTalk,
			plan: Plan{Profile: ProfileSlowloris, Connections: 4},
			want: counts{"injected": 2, "held": 2, "sent": some},
		},
		{
			name: "slowloris that is cut", check: sum,
			plan: Plan{
				Profile: ProfileSlowloris, Connections: 4, Duration: 1500 * time.Millisecond,
			},
			talk: func(c *guest) {
				_ = c.SetReadDeadline(time.Now().Add(time.Second))
				if !c.upgrade() {
					c.hangUp()
					return
				}
				_ = c.SetReadDeadline(time.Time{})
				c.echo()
			},
			want: counts{"injected": 2, "fault cut": 2, "sent": some, "fault eof": 2},
		},
		{
			name: "slowloris of a message", check: sum,
			plan: Plan{
				Profile: ProfileSlowloris, Connections: 4, Duration: 5 * time.Second, Rate: 20,
				Size: 1,
			},
			prepare: func(w *Worker) { // a shorter request, or it takes for ever
				w.c.request = []byte("\r\n\r\n")
				for range 4 {
					accept <- string(w.c.accept)
				}
			},
			talk: func(c *guest) {
				b := make([]byte, 4)
				for n := 0; n < len(b); {
					got, err := c.Read(b[n:])
					if n += got; err != nil {
						return
					}
				}
				c.send([]byte(switched + "Sec-WebSocket-Accept: " + <-accept + "\r\n\r\n"))
				c.echo()
			},
			want: counts{"injected": 2, "held": 2, "sent": 100, "received": 100},
		},
		{
			name: "half-open that nobody notices", plan: mute, talk: goodTalk, check: sum,
			want: counts{"connected": 4, "injected": 2, "held": 2, "sent": some},
		},
		{
			name: "half-open with a keep-alive in flight", check: sum,
			wait: 150 * time.Millisecond,
			plan: Plan{
				Profile: ProfileHalfOpen, ExpectIdle: 300 * time.Millisecond, Protocol: SpeakRaw,
			},
			talk: func(c *guest) { // the second's first answer comes when the run has begun
				if !c.upgrade() {
					return
				}
				for {
					m, ok := c.message()
					switch {
					case !ok:
						return
					case c.number == 0 && c.said == 3:
						select {
						case began <- struct{}{}:
						default: // of a run before, which nobody waited for
						}
					case c.number == 1 && c.said == 1:
						<-began
					}
					c.send(echo(m))
				}
			},
			want: counts{
				"connected": 2, "injected": 1, "held": 1, "sent": some, "expected": 1, "missing": 1,
			},
		},
		{
			name: "half-open that is missing", plan: muteIdle, talk: goodTalk, check: sum,
			want: counts{
				"connected": 4, "injected": 2, "held": 2, "sent": some, "expected": 2, "missing": 2,
			},
		},
		{
			name: "half-open that is noticed", plan: muteIdle, check: sum,
			talk: expires(func(number int) time.Duration {
				return muteIdle.ExpectIdle * time.Duration(number%2)
			}, expiredFrame),
			want: counts{
				"connected": 4, "injected": 2, "fault cut": 2, "sent": some, "expected": 2,
				"observed": 2, "fault econnreset": 2,
			},
		},
	})
}

// TestWorker_Churn has connections part.
func TestWorker_Churn(t *testing.T) {
	t.Parallel()
	plan := Plan{Profile: ProfileChurn, Connections: 4, Rate: 400, Duration: 400 * time.Millisecond}
	planJSON := plan
	planJSON.Protocol = SpeakJSON
	parts := func(answer []byte, reset bool) func(*guest) {
		return func(c *guest) {
			if !c.upgrade() {
				return
			}
			for {
				e, ok := c.next()
				switch {
				case !ok:
					return
				case e.Kind == wsframe.Closing:
					c.send(answer)
					if reset {
						c.reset()
					}
					return
				case !c.send(echo(e.Payload)):
					return
				}
			}
		}
	}
	more := func(t testing.TB, o *outcome) {
		t.Helper()
		if n := o.part.Connect.OK; n < 10 || n > 45 {
			t.Errorf("%d connections for 160 messages, 4 each", n)
		}
	}
	runAll(t, []scenario{
		{
			name: "good", plan: plan, talk: goodTalk, check: more,
			want: counts{"connected": some, "sent": 160, "received": 160, "close 1000": some},
		},
		{
			name: "json", plan: planJSON, check: more,
			talk: answers(func(c *guest, nth int, m []byte) []byte {
				if nth == 0 {
					return text(`{"op":"hello_ack","ok":true,"session_id":"s%d"}`, c.number)
				}
				return text(`{"op":"message_res","data":%s}`, parseRequest(m).Data)
			}),
			want: counts{"connected": some, "sent": 160, "received": 160, "close 1000": some},
		},
		{
			name: "hangs up in place of an answer", plan: plan, check: more,
			talk: parts(nil, false),
			want: counts{"connected": some, "sent": 160, "received": 160},
		},
		{
			name: "with another code", plan: plan, check: more,
			talk: parts(wsframe.Server.AppendClose(nil, 1001, ""), false),
			want: counts{"connected": some, "sent": 160, "received": 160, "close 1001": some},
		},
		{
			name: "reset in place of an answer", plan: plan, talk: parts(nil, true), check: more,
			want: counts{
				"connected": some, "sent": 160, "received": 160, "cut": some,
				"error econnreset": some,
			},
		},
		{
			name: "one place", talk: goodTalk,
			plan: Plan{
				Profile: ProfileChurn, Connections: 1, Rate: 400, Duration: 200 * time.Millisecond,
			},
			want: counts{"connected": 20, "sent": 80, "received": 80, "close 1000": some},
		},
		{
			name: "refuses who comes later", plan: plan,
			talk: func(c *guest) {
				if c.number >= 4 {
					head("HTTP/1.1 503 No\r\n\r\n")(c)
					return
				}
				goodTalk(c)
			},
			want: counts{
				"connected": 4, "sent": 16, "received": 16, "close 1000": 4, "unsent": some,
				"failed": some, "error upgrade_503": some,
			},
		},
	})
}

// isStoppedTest has the loop held up, by what it calls, and looks for that in its own error:
// then nothing that it says is to be believed.
func isStoppedTest(t *testing.T) {
	t.Helper()
	for _, phase := range []string{result.PhaseConnect, result.PhaseRun} {
		server := serveFaulty(t, "127.0.0.1:0", nil, goodTalk)
		s := scenario{plan: Plan{Ramp: 20, Connections: 8, Interval: 50 * time.Millisecond}}
		held := false
		w, err := NewWorker(s.planFor(server.url), func(i result.Interval) {
			if i.Phase == phase && !held {
				held = true
				select {
				case <-time.After(600 * time.Millisecond):
				case <-t.Context().Done():
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := w.Run(t.Context(), time.Now()); err != nil {
			t.Fatal(err)
		}
		p := w.Part()
		r := result.Of(p)
		if r.Judge(0); r.ExitCode != result.ExitSchedule || !held {
			t.Errorf("%s: exit %d for %q, want %d", phase, r.ExitCode, r.Broken,
				result.ExitSchedule)
		}
		if late := p.TimingError.Max(); late < 500*time.Millisecond {
			t.Errorf("%s: late by %v, want at least half a second", phase, late)
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}
}
