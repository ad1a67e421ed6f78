package load

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/curfew-go/curfew/internal/wsframe"
)

// TestWorker_GoodServer runs against servers that do everything right, in ways that differ.
func TestWorker_GoodServer(t *testing.T) {
	t.Parallel()
	byBytes := answers(func(c *guest, _ int, m []byte) []byte {
		for _, b := range echo(m) {
			if !c.send([]byte{b}) {
				return nil
			}
		}
		return []byte{}
	})
	fragments := answers(func(c *guest, _ int, m []byte) []byte {
		m = slices.Clone(m)
		half := len(m) / 2
		c.send(wsframe.Server.AppendFrame(nil, wsframe.OpBinary, false, m[:half]))
		c.send(wsframe.Server.AppendFrame(nil, wsframe.OpPing, true, []byte("ping")))
		for { // an answer to the ping, and then the rest
			if e, ok := c.next(); !ok || e.Kind == wsframe.Pong && string(e.Payload) != "ping" {
				return nil
			} else if e.Kind == wsframe.Pong {
				return wsframe.Server.AppendFrame(nil, wsframe.OpContinuation, true, m[half:])
			}
		}
	})
	answered := func(n uint64) counts { return counts{"sent": n, "received": n, "connected": 2} }
	runAll(t, []scenario{
		{name: "plain", talk: goodTalk, want: answered(25)},
		{name: "raw", plan: Plan{Protocol: SpeakRaw}, talk: goodTalk, want: answered(25)},
		{name: "json", v1: &v1Server{}, want: answered(25)},
		{name: "byte by byte", talk: byBytes, want: answered(25)},
		{name: "fragments", talk: fragments, want: answered(25)},
		{name: "one byte", plan: Plan{Size: 1}, talk: goodTalk, want: answered(25)},
		{name: "json of one byte", plan: Plan{Size: 1}, v1: &v1Server{}, want: answered(25)},
		{name: "large", plan: Plan{Size: 1 << 20, Rate: 12}, talk: goodTalk, want: answered(3)},
		{name: "large json", plan: Plan{Size: 40000, Rate: 12}, v1: &v1Server{}, want: answered(3)},
		{
			name: "warm-up", plan: Plan{Warmup: 100 * time.Millisecond}, talk: goodTalk,
			want: counts{"sent": 25, "received": 25},
			check: func(t testing.TB, o *outcome) {
				t.Helper()
				want := []string{"connect", "warmup", "run", "drain"}
				if got := names(o); !slices.Equal(got, want) {
					t.Errorf("phases %v", got)
				}
			},
		},
		{
			name: "ramp", plan: Plan{Ramp: 50, Connections: 5}, talk: goodTalk,
			want: counts{"sent": 25, "received": 25, "connected": 5},
		},
		{
			name: "source", plan: Plan{Sources: loopbacks(3), Connections: 6}, talk: goodTalk,
			want: counts{"sent": 25, "received": 25, "connected": 6},
		},
	})
}

// TestWorker_Faults has a server do one thing wrong, once, and looks for exactly that.
func TestWorker_Faults(t *testing.T) {
	t.Parallel()
	var before []byte
	runAll(t, []scenario{
		{
			name: "twice", want: counts{"duplicated": 1},
			talk: once(func(_ *guest, m []byte) []byte { return slices.Concat(echo(m), echo(m)) }),
		},
		{
			name: "thrice", want: counts{"duplicated": 2},
			talk: once(func(_ *guest, m []byte) []byte {
				return slices.Concat(echo(m), echo(m), echo(m))
			}),
		},
		{
			name: "an old one again", want: counts{"duplicated": 1},
			talk: answers(func(c *guest, nth int, m []byte) []byte {
				if nth == 0 && c.number == 0 {
					before = slices.Clone(m)
				} else if nth == 3 && c.number == 0 {
					return slices.Concat(echo(before), echo(m))
				}
				return echo(m)
			}),
		},
		{
			name: "something unasked", want: counts{"wrong": 1},
			talk: once(func(_ *guest, m []byte) []byte {
				return slices.Concat(echo([]byte("hello, how are you?")), echo(m))
			}),
		},
		{
			name: "a close frame in place of an answer",
			want: counts{"lost": 1, "cut": 1, "close 1001": 1},
			talk: once(func(c *guest, _ []byte) []byte {
				c.send(wsframe.Server.AppendClose(nil, 1001, "going"))
				c.swallow()
				return nil
			}),
		},
		{
			name: "a close frame after an answer", want: counts{"cut": 1, "close 1012": 1},
			talk: once(func(c *guest, m []byte) []byte {
				c.send(wsframe.Server.AppendClose(echo(m), 1012, ""))
				c.swallow()
				return nil
			}),
		},
		{
			name: "an empty close frame", want: counts{"cut": 1, "close 1005": 1},
			talk: once(func(c *guest, m []byte) []byte {
				c.send(wsframe.Server.AppendClose(echo(m), wsframe.NoCode, ""))
				c.swallow()
				return nil
			}),
		},
		{
			name: "hanging up", want: counts{"lost": 1, "cut": 1, "error eof": 1},
			talk: once(func(*guest, []byte) []byte { return nil }),
		},
		{
			// Where the next message is sent before the end is seen, that one is lost.
			name: "hanging up after an answer", want: counts{
				"cut": 1, "error eof": anyNumber, "error econnreset": anyNumber, "lost": anyNumber,
				"error epipe": anyNumber,
			},
			talk: once(func(c *guest, m []byte) []byte { c.send(echo(m)); return nil }),
		},
		{
			name: "reset", want: counts{"lost": 1, "cut": 1, "error econnreset": 1},
			talk: once(func(c *guest, _ []byte) []byte { c.reset(); return nil }),
		},
		{
			name: "no frame", want: counts{"lost": 1, "cut": 1, "error frame_reserved_bit_set": 1},
			talk: once(func(*guest, []byte) []byte { return []byte{0xF2, 0} }),
		},
		{
			name: "masked", want: counts{"lost": 1, "cut": 1, "error frame_wrong_masking": 1},
			talk: once(func(_ *guest, m []byte) []byte {
				return wsframe.Client.AppendFrame(nil, wsframe.OpBinary, true, m)
			}),
		},
		{
			name: "half of a frame", want: counts{"lost": 1, "cut": 1, "error eof": 1},
			talk: once(func(c *guest, m []byte) []byte { c.send(echo(m)[:20]); return nil }),
		},
		{
			name: "all hang up", want: counts{
				"lost": 2, "cut": 2, "error eof": 2, "sent": 2, "unsent": anyNumber,
			},
			talk: answers(func(*guest, int, []byte) []byte { return nil }),
		},
	})
}

// slowFaultsTest are faults that are known only when an answer has been waited for as long
// as that may be.
func slowFaultsTest(t *testing.T) {
	t.Helper()
	wrong := func(answer func(m []byte) []byte) func(*guest) {
		return once(func(_ *guest, m []byte) []byte { return answer(m) })
	}
	// It keeps the first answer back until the next message has come, after it was given up.
	keepsBack := func(order func(first, second []byte) []byte) func(*guest) {
		var first []byte
		return answers(func(c *guest, nth int, m []byte) []byte {
			switch {
			case c.number > 0 || nth > 1:
				return echo(m)
			case nth == 0:
				first = echo(m)
				return []byte{}
			}
			return order(first, echo(m))
		})
	}
	const lost = 1
	onlyOne := Plan{Connections: 1, Rate: 3, Duration: time.Second}
	runAll(t, []scenario{
		{name: "no answer", want: counts{"lost": lost}, talk: wrong(func([]byte) []byte {
			return []byte{}
		})},
		{
			name: "a byte that is wrong", want: counts{"lost": lost, "wrong": 1},
			talk: wrong(func(m []byte) []byte { m[30] ^= 1; return echo(m) }),
		},
		{
			name: "a stamp that is wrong", want: counts{"lost": lost, "wrong": 1},
			talk: wrong(func(m []byte) []byte { m[0] ^= 1; return echo(m) }),
		},
		{name: "text", want: counts{"lost": lost, "wrong": 1}, talk: wrong(func(m []byte) []byte {
			return wsframe.Server.AppendMessage(nil, 0, wsframe.OpText, m)
		})},
		{
			name: "cut short", want: counts{"lost": lost, "wrong": 1},
			talk: wrong(func(m []byte) []byte { return echo(m[:len(m)-1]) }),
		},
		{
			name: "one byte more", want: counts{"lost": lost, "wrong": 1},
			talk: wrong(func(m []byte) []byte { return echo(slices.Concat(m, []byte{'x'})) }),
		},
		{
			name: "nothing", want: counts{"lost": lost, "wrong": 1},
			talk: wrong(func([]byte) []byte { return echo(nil) }),
		},
		{
			name: "whose it is not", want: counts{"lost": lost, "wrong": 1},
			talk: wrong(func(m []byte) []byte {
				who, which, _ := readStamp(m)
				stamp(m, who+1, which)
				return echo(m)
			}),
		},
		{
			name: "which does not exist", want: counts{"lost": lost, "wrong": 1},
			talk: wrong(func(m []byte) []byte {
				who, which, _ := readStamp(m)
				stamp(m, who, which+1)
				return echo(m)
			}),
		},
		{
			name: "the last message's body", want: counts{"lost": lost, "wrong": 1},
			talk: wrong(func(m []byte) []byte {
				body := bytes.Repeat([]byte("x"), len(m)-stampBytes)
				return echo(slices.Concat(m[:stampBytes], body))
			}),
		},
		{
			name: "late", plan: onlyOne, want: counts{"lost": 1, "late": 1},
			talk: keepsBack(func(a, b []byte) []byte { return slices.Concat(a, b) }),
		},
		{
			name: "late and out of order", plan: onlyOne,
			want: counts{"lost": 1, "late": 1, "reordered": 1},
			talk: keepsBack(func(a, b []byte) []byte { return slices.Concat(b, a) }),
		},
		{
			name: "late and twice", plan: onlyOne,
			want: counts{"lost": 1, "late": 1, "duplicated": 1},
			talk: keepsBack(func(a, b []byte) []byte { return slices.Concat(a, a, b) }),
		},
		{
			name: "busy for ever", plan: Plan{Connections: 1, Rate: 5, Duration: time.Second},
			want: counts{"sent": 2, "lost": 2, "unsent": 3},
			talk: answers(func(*guest, int, []byte) []byte { return []byte{} }),
		},
		{
			name: "an end that is known late",
			plan: Plan{Connections: 1, Rate: 5, Duration: time.Second},
			want: counts{"sent": 2, "lost": 2, "cut": 1, "error eof": 1, "unsent": some},
			talk: answers(func(_ *guest, nth int, _ []byte) []byte {
				if nth == 1 {
					return nil
				}
				return []byte{}
			}),
		},
		{
			name: "a keep-alive without an answer before a storm", wait: 150 * time.Millisecond,
			plan: Plan{
				Profile: ProfileStorm, ExpectIdle: 300 * time.Millisecond, Protocol: SpeakRaw,
			},
			talk: func(c *guest) {
				if !c.upgrade() {
					return
				}
				if c.number == 1 {
					c.swallow()
					return
				}
				expiring(c, always(300*time.Millisecond), expiredFrame)
			},
			want: counts{ // the one that hears nothing is touched all the same, and has to end too
				"connected": 2, "sent": 3, "received": 1, "lost": 2, "expected": 2, "observed": 1,
				"missing": 1, "close 4200": 1,
			},
		},
		{
			name: "json that refuses", v1: &v1Server{faults: faults{refuses: true}},
			want: counts{"sent": some, "lost": some, "error error_busy": some},
		},
		{
			name: "no answer to a close",
			want: counts{"error no_answer_to_close": some, "unsent": some},
			plan: Plan{
				Profile: ProfileChurn, Connections: 1, Rate: 4, Duration: 6200 * time.Millisecond,
			},
			talk: func(c *guest) {
				if !c.upgrade() {
					return
				}
				for {
					e, ok := c.next()
					if !ok || e.Kind == wsframe.Binary && !c.send(echo(e.Payload)) {
						return
					}
				}
			},
		},
	})
}
