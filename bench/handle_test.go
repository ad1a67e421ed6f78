package bench

import (
	"fmt"
	"testing"
	"time"

	"github.com/curfew-go/curfew/engine"
	"github.com/curfew-go/curfew/internal/benchtest"
)

const (
	// hotSessions is how many sessions are touched in turn where they are to be hot: their words
	// fit into the first-level cache.
	hotSessions = 1024

	// handleWindow is how many handles are touched between two looks at the benchmark's count.
	handleWindow = 512
)

// BenchmarkTouchHandle measures touches by handle.
//
//   - mode=sametick: hot sessions, touched again and again. The table's clock runs, so once a tick
//     each of them is stamped anew, which is one touch in thousands.
//   - mode=newtick: hot sessions, each touch in another tick than the session's last. A table with
//     manual time is advanced by one tick whenever all hot sessions had their turn. That Advance is
//     part of the measured time, as stopping the timer would disturb more than it costs: it is
//     shown as advance-ns, measured by itself afterwards, and is spread over 1024 touches.
//   - mode=random: all sessions in random order. The clock runs; with many sessions nearly every
//     touch is in another tick than the session's last.
func BenchmarkTouchHandle(b *testing.B) {
	for _, n := range benchtest.Sizes() {
		for _, mode := range []string{"sametick", "newtick", "random"} {
			var p *handles
			b.Run(fmt.Sprintf("impl=curfew/mode=%s/n=%d", mode, n), func(b *testing.B) {
				if p == nil {
					p = newHandles(n, mode)
				}
				b.ReportAllocs()
				b.ResetTimer()
				if !p.touch(b.N) {
					b.Fatal("a session ended")
				}
				if p.advance {
					b.StopTimer()
					b.ReportMetric(p.advanceNanos(), "advance-ns")
				}
			})
			if p != nil {
				_ = p.table.Close()
			}
		}
	}
}

// handles are what BenchmarkTouchHandle touches.
type handles struct {
	table   *engine.Table[none]
	handles []engine.Session[none]
	pos     int
	advance bool // Whether time moves by a tick after each round.
}

func newHandles(n int, mode string) *handles {
	p := &handles{advance: mode == "newtick"}
	p.table = must(engine.New(engine.Options[none]{IdleTimeout: longIdle, Manual: p.advance}))
	p.handles = fill(p.table, n)
	if mode != "random" {
		p.handles = p.handles[:min(n, hotSessions)]
	}
	benchtest.Shuffle(p.handles, 1)
	return p
}

// touch touches n sessions in turn and reports whether all were alive.
func (p *handles) touch(n int) bool {
	for n > 0 {
		some := p.handles[p.pos:]
		some = some[:min(len(some), handleWindow, n)]
		alive := 0
		for _, s := range some {
			if s.Touch() {
				alive++
			}
		}
		if alive != len(some) {
			return false
		}
		n -= alive
		if p.pos += alive; p.pos == len(p.handles) {
			p.pos = 0
			if p.advance {
				p.table.Advance(tick)
			}
		}
	}
	return true
}

// advanceNanos measures what advancing by a tick takes.
func (p *handles) advanceNanos() float64 {
	const rounds = 1000
	start := time.Now()
	for range rounds {
		p.table.Advance(tick)
	}
	return float64(time.Since(start)) / rounds
}

// tick is the default tick.
const tick = 10 * time.Millisecond

// BenchmarkTouchBatch measures TouchBatch on references to all sessions in random order. It counts
// sessions: ns/op is the time of one, not of a batch.
func BenchmarkTouchBatch(b *testing.B) {
	for _, n := range benchtest.Sizes() {
		for _, batch := range []int{32, 256} {
			var t *engine.Table[none]
			var refs []engine.Ref
			b.Run(fmt.Sprintf("impl=curfew/n=%d/batch=%d", n, batch), func(b *testing.B) {
				if t == nil {
					t = must(engine.New(engine.Options[none]{}))
					refs = shuffledRefs(t, n)
				}
				b.ReportAllocs()
				b.ResetTimer()
				for done, pos := 0, 0; done < b.N; {
					some := refs[pos:]
					some = some[:min(len(some), batch, b.N-done)]
					if alive := t.TouchBatch(some); alive != len(some) {
						b.Fatalf("TouchBatch found %d sessions, want %d", alive, len(some))
					}
					done += len(some)
					if pos += len(some); pos == len(refs) {
						pos = 0
					}
				}
			})
			if t != nil {
				_ = t.Close()
			}
		}
	}
}

// BenchmarkTouchHandleParallel is BenchmarkTouchHandle by as many goroutines as there are
// processors (see -cpu): mode=random on sessions of their own, mode=one all on the same session,
// which is the most that touches can be in each other's way.
func BenchmarkTouchHandleParallel(b *testing.B) {
	for _, n := range benchtest.Sizes() {
		for _, mode := range []string{"random", "one"} {
			var p *handles
			b.Run(fmt.Sprintf("impl=curfew/mode=%s/n=%d", mode, n), func(b *testing.B) {
				if p == nil {
					p = newHandles(n, "random")
				}
				b.ResetTimer()
				benchtest.Parallel(b, n, func(from, to int) {
					for i := from; i < to; i++ {
						s := p.handles[i]
						if mode == "one" {
							s = p.handles[0]
						}
						if !s.Touch() {
							b.Error("a session ended")
							return
						}
					}
				})
			})
			if p != nil {
				_ = p.table.Close()
			}
		}
	}
}

// shuffledRefs creates n sessions and returns what names them, in random order.
func shuffledRefs(t *engine.Table[none], n int) []engine.Ref {
	sessions := fill(t, n)
	refs := make([]engine.Ref, n)
	for i, s := range sessions {
		refs[i] = s.Ref()
	}
	benchtest.Shuffle(refs, 1)
	return refs
}
