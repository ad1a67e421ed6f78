package benchtest

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/curfew-go/curfew/internal/baseline"
)

const (
	// longIdle is an idle timeout that does not come while something else is measured.
	longIdle = time.Hour

	// window is how many IDs a call of Sessions gets: few enough that windows end where a
	// benchmark does, and enough that the calls cost nothing.
	window = 512

	orderSeed = 1
	keySeed   = 2
)

// each runs a body as sub-benchmark impl=NAME/n=SESSIONS for every pair.
func each(b *testing.B, impls []baseline.Impl, body func(b *testing.B, impl baseline.Impl, n int)) {
	b.Helper()
	for _, n := range Sizes() {
		for _, impl := range impls {
			b.Run(fmt.Sprintf("impl=%s/n=%d", impl.Name, n), func(b *testing.B) {
				b.Helper()
				body(b, impl, n)
			})
		}
	}
}

// A population is a table full of sessions and what touches them. It is made once for all samples
// of a benchmark, by the first.
type population struct {
	baseline.Sessions
	ids []string // Of all sessions, in the order of touches.
	pos int
}

// populate makes a population of n sessions.
func populate(impl baseline.Impl, n int) *population {
	collect(n)
	p := &population{Sessions: impl.Open(baseline.Config{Idle: longIdle})}
	p.ids = Keys(n, keySeed)
	CreateAll(p, p.ids)
	Shuffle(p.ids, orderSeed)
	collect(n)
	return p
}

// collect frees what the measurement before left, even where the collector is off, if that may be
// much.
func collect(n int) {
	if n >= 100_000 {
		runtime.GC()
	}
}

// next returns up to max IDs to be touched next.
func (p *population) next(most int) []string {
	ids := p.ids[p.pos:]
	ids = ids[:min(len(ids), window, most)]
	if p.pos += len(ids); p.pos == len(p.ids) {
		p.pos = 0
	}
	return ids
}

// eachShared is each with something that the samples of a sub-benchmark share, since making it
// takes longer than measuring does.
func eachShared[P baseline.Sessions](
	b *testing.B, impls []baseline.Impl,
	open func(impl baseline.Impl, n int) P, body func(b *testing.B, p P),
) {
	b.Helper()
	for _, n := range Sizes() {
		for _, impl := range impls {
			var p P
			opened := false
			b.Run(fmt.Sprintf("impl=%s/n=%d", impl.Name, n), func(b *testing.B) {
				b.Helper()
				if !opened {
					p, opened = open(impl, n), true
				}
				b.ReportAllocs()
				b.ResetTimer()
				body(b, p)
			})
			if opened {
				p.Close()
			}
		}
	}
}

// Touch measures touches by ID, in random order over all sessions.
func Touch(b *testing.B, impls []baseline.Impl) {
	b.Helper()
	eachShared(b, impls, populate, func(b *testing.B, p *population) {
		b.Helper()
		for done := 0; done < b.N; {
			ids := p.next(b.N - done)
			if alive := p.Touch(ids); alive != len(ids) {
				b.Fatalf("Touch found %d sessions, want %d", alive, len(ids))
			}
			done += len(ids)
		}
	})
}

// TouchParallel is Touch by as many goroutines as there are processors (see -cpu). They take turns
// in the same order, so each session is touched by one of them at a time.
func TouchParallel(b *testing.B, impls []baseline.Impl) {
	b.Helper()
	eachShared(b, impls, populate, func(b *testing.B, p *population) {
		b.Helper()
		Parallel(b, len(p.ids), func(from, to int) {
			if alive := p.Touch(p.ids[from:to]); alive != to-from {
				b.Errorf("Touch found %d sessions, want %d", alive, to-from)
			}
		})
	})
}

// Parallel splits b.N operations, on the elements 0 to n-1 of something in turn, among as many
// goroutines as there are processors. They fetch ranges until none is left, so one that is held up
// does not make the others wait.
func Parallel(b *testing.B, n int, do func(from, to int)) {
	b.Helper()
	var taken atomic.Int64
	var all sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() {
			for {
				first := int(taken.Add(window)) - window
				if first >= b.N {
					return
				}
				for left := min(window, b.N-first); left > 0; {
					from := first % n
					to := min(from+left, n)
					do(from, to)
					first += to - from
					left -= to - from
				}
			}
		})
	}
	all.Wait()
}

// Create measures the creation of sessions with IDs that are given, from an empty table to a full
// one. It counts sessions, so ns/op is the mean of all n.
func Create(b *testing.B, impls []baseline.Impl) {
	b.Helper()
	each(b, impls, func(b *testing.B, impl baseline.Impl, n int) {
		b.Helper()
		ids := Keys(n, keySeed)
		var given []string
		var s baseline.Sessions
		PerSession(b, n, Phases{
			Before: func() {
				given = clones(ids)
				Shuffle(given, orderSeed) // As scattered in memory as for a touch.
				collect(n)
				s = impl.Open(baseline.Config{Idle: longIdle})
			},
			Measured: func() {
				for from := 0; from < n; from += window {
					s.Create(given[from:min(from+window, n)])
				}
			},
			After: func() { s.Close() },
		})
	})
}

// Remove measures the end of sessions by ID in random order, from a full table to an empty one.
func Remove(b *testing.B, impls []baseline.Impl) {
	b.Helper()
	each(b, impls, func(b *testing.B, impl baseline.Impl, n int) {
		b.Helper()
		var p *population
		removed := 0
		PerSession(b, n, Phases{
			Before: func() { p = populate(impl, n) },
			Measured: func() {
				for removed = 0; p.pos > 0 || removed == 0; {
					removed += p.Remove(p.next(n))
				}
			},
			After: func() {
				p.Close()
				if removed != n {
					b.Fatalf("Remove found %d sessions, want %d", removed, n)
				}
			},
		})
	})
}

// Phases are what PerSession calls in turn.
type Phases struct {
	Before, Measured, After func()
}

// PerSession measures something that is done to n sessions, as often as b.N says, and reports time
// and allocations of one session, not of all n, as those of an operation.
func PerSession(b *testing.B, n int, do Phases) {
	b.Helper()
	var before, after runtime.MemStats
	var mallocs, bytes uint64
	b.ReportAllocs()
	b.StopTimer()
	b.ResetTimer()
	for range b.N {
		do.Before()
		runtime.ReadMemStats(&before)
		b.StartTimer()
		do.Measured()
		b.StopTimer()
		runtime.ReadMemStats(&after)
		mallocs += after.Mallocs - before.Mallocs
		bytes += after.TotalAlloc - before.TotalAlloc
		do.After()
	}
	ops := float64(b.N) * float64(n)
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/ops, "ns/op")
	b.ReportMetric(float64(bytes)/ops, "B/op")
	b.ReportMetric(float64(mallocs)/ops, "allocs/op")
}

// mixedTouches is how many touches there are for each session that ends while another begins:
// 95 of 100 operations are touches.
const mixedTouches = 19

// Mixed measures a table at work: of 20 operations 19 are touches in random order, and one creates
// a session and ends another. Three quarters of the sessions stay, a quarter comes and goes.
func Mixed(b *testing.B, impls []baseline.Impl) {
	b.Helper()
	eachShared(b, impls, newMixed, func(b *testing.B, m *mixed) {
		b.Helper()
		for done := 0; done < b.N; done += mixedTouches + 1 {
			if !m.step() {
				b.Fatal("a session that should live was not found")
			}
		}
	})
}

// mixed is the state of Mixed.
type mixed struct {
	*population // Those that stay, and are touched.

	// create and remove are the same IDs, each a string of its own. Half of the sessions are
	// alive, from the one that ends next on.
	create, remove []string
	ends           int
}

func newMixed(impl baseline.Impl, n int) *mixed {
	passing := max(n/4, 1)
	m := &mixed{
		population: populate(impl, max(n-passing, mixedTouches)),
		create:     Keys(2*passing, keySeed+1),
	}
	m.remove = clones(m.create)
	m.Create(m.create[:passing])
	return m
}

// step does 20 operations. It reports false if it missed a session.
func (m *mixed) step() bool {
	ids := m.next(mixedTouches)
	alive := m.Touch(ids)
	begins := (m.ends + len(m.create)/2) % len(m.create)
	m.Create(m.create[begins : begins+1])
	removed := m.Remove(m.remove[m.ends : m.ends+1])
	m.ends = (m.ends + 1) % len(m.create)
	return alive == len(ids) && removed == 1
}
