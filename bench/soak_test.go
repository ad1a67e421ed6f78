package bench

import (
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/curfew-go/curfew/engine"
	"github.com/curfew-go/curfew/internal/benchtest"
)

// soakChecks is how many ends each soak test checks: CURFEW_BENCH_SOAK, or a few in every test run.
func soakChecks(t *testing.T) int64 {
	t.Helper()
	s := os.Getenv("CURFEW_BENCH_SOAK")
	if s == "" {
		return 50_000
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatalf("CURFEW_BENCH_SOAK: %v", err)
	}
	return int64(f)
}

// soakTally is what a soak test counts.
type soakTally struct {
	ends, touches, early, late, lost atomic.Int64
}

func (s *soakTally) report(t *testing.T, began time.Time) {
	t.Helper()
	t.Logf("%d ends and %d touches checked in %v: %d early, %d late, %d lost",
		s.ends.Load(), s.touches.Load(), time.Since(began).Round(time.Millisecond),
		s.early.Load(), s.late.Load(), s.lost.Load())
	if s.early.Load() > 0 || s.late.Load() > 0 || s.lost.Load() > 0 {
		t.Error("sessions ended early, late, or while they were touched")
	}
}

// TestSoak_Manual checks every end in many cycles of tables with manual time, one table for each
// processor: sessions are touched at random, time moves at random, and each session must end in
// the Advance that first reaches its last touch plus its idle timeout, at most two ticks later,
// and never before. A touch must find each session that should live.
//
// CURFEW_BENCH_SOAK=1e9 checks 10^9 ends.
func TestSoak_Manual(t *testing.T) {
	var tally soakTally
	checks := soakChecks(t)
	began := time.Now()
	var all sync.WaitGroup
	for worker := range runtime.GOMAXPROCS(0) {
		all.Go(func() {
			s := newManualSoak(t, &tally, uint64(worker))
			for tally.ends.Load() < checks {
				s.cycle()
			}
		})
	}
	all.Wait()
	tally.report(t, began)
}

const (
	soakSessions = 4096
	soakIdle     = 640 * time.Millisecond
)

// A manualSoak is a table of TestSoak_Manual, used by one goroutine. A session's value is its
// number.
type manualSoak struct {
	tally   *soakTally
	random  *rand.Rand
	table   *engine.Table[uint32]
	now     time.Duration
	before  time.Duration // What now was before the last Advance.
	touched [soakSessions]time.Duration
	handles [soakSessions]engine.Session[uint32]
	ended   []uint32 // In the last Advance.
}

func newManualSoak(t *testing.T, tally *soakTally, seed uint64) *manualSoak {
	t.Helper()
	s := &manualSoak{tally: tally, random: rand.New(rand.NewPCG(seed, 4))}
	s.table = must(engine.New(engine.Options[uint32]{
		IdleTimeout: soakIdle, Manual: true, Shards: 1, OnExpire: s.expired, Logger: quiet,
	}))
	t.Cleanup(func() { _ = s.table.Close() })
	for i := range uint32(soakSessions) {
		s.create(i)
	}
	return s
}

func (s *manualSoak) create(i uint32) {
	s.handles[i] = must(s.table.Create(i))
	s.touched[i] = s.now
}

// expired is OnExpire.
func (s *manualSoak) expired(batch []engine.Expired[uint32]) {
	for i := range batch {
		n := batch[i].Value
		switch due := s.touched[n] + soakIdle; {
		case s.now < due:
			s.tally.early.Add(1)
		case s.before >= due+2*tick:
			s.tally.late.Add(1)
		}
		s.ended = append(s.ended, n)
	}
}

// cycle touches an eighth of the sessions, some of them, and moves time.
func (s *manualSoak) cycle() {
	const some = soakSessions / 8
	for range some {
		i := s.random.Uint32N(soakSessions)
		if !s.handles[i].Touch() {
			s.tally.lost.Add(1)
		}
		s.touched[i] = s.now
	}
	s.tally.touches.Add(some)
	step := time.Duration(s.random.Int64N(int64(soakIdle)))
	s.before = s.now
	s.now += step
	s.table.Advance(step)
	for _, i := range s.ended {
		s.create(i)
	}
	s.tally.ends.Add(int64(len(s.ended)))
	s.ended = s.ended[:0]
}

// TestSoak_Clock checks every end on a table that keeps its own time, with a tick of 1 ms, while a
// goroutine for each processor touches and creates as fast as it can and the collector runs
// without a pause. The time of a touch is taken just before it and that of an end just after it,
// so what counts as early is so for certain.
//
// CURFEW_BENCH_SOAK=1e9 checks 10^9 ends.
func TestSoak_Clock(t *testing.T) {
	var s clockSoak
	checks := soakChecks(t)
	s.start = time.Now()
	s.workers = make([]soakWorker, runtime.GOMAXPROCS(0))
	s.touched = make([]atomic.Int64, len(s.workers)*soakPerWorker)
	s.table = must(engine.New(engine.Options[uint32]{
		IdleTimeout: soakClockIdle, Tick: time.Millisecond, OnExpire: s.expired, Logger: quiet,
	}))
	var workers, collector sync.WaitGroup
	var over atomic.Bool
	collector.Go(func() {
		ticker := time.NewTicker(50 * time.Millisecond)
		defer ticker.Stop()
		for !over.Load() {
			runtime.GC()
			<-ticker.C
		}
	})
	for i := range s.workers {
		workers.Go(func() { s.work(uint32(i), checks) })
	}
	workers.Wait()
	over.Store(true)
	collector.Wait()
	_ = s.table.Close()
	s.tally.report(t, s.start)
}

const (
	soakPerWorker = 1 << 16
	soakClockIdle = 20 * time.Millisecond
)

// A clockSoak is what TestSoak_Clock runs. Session i belongs to worker i / soakPerWorker, and its
// number is its value.
type clockSoak struct {
	tally   soakTally
	start   time.Time
	table   *engine.Table[uint32]
	touched []atomic.Int64 // Just before the last touch, in nanoseconds since start.
	workers []soakWorker
}

// A soakWorker has sessions that ended and are to be created anew.
type soakWorker struct {
	sync.Mutex
	ended []uint32
	_     [64]byte
}

func (s *clockSoak) now() int64 { return int64(time.Since(s.start)) }

// expired is OnExpire.
func (s *clockSoak) expired(batch []engine.Expired[uint32]) {
	now := s.now()
	for i := range batch {
		n := batch[i].Value
		if now < s.touched[n].Load()+int64(soakClockIdle) {
			s.tally.early.Add(1)
		}
		w := &s.workers[n/soakPerWorker]
		w.Lock()
		w.ended = append(w.ended, n)
		w.Unlock()
	}
	s.tally.ends.Add(int64(len(batch)))
}

// work creates and touches the sessions of a worker until enough have ended.
func (s *clockSoak) work(worker uint32, checks int64) {
	random := rand.New(rand.NewPCG(uint64(worker), 5))
	refs := make([]engine.Ref, soakPerWorker)
	first := worker * soakPerWorker
	create := make([]uint32, soakPerWorker)
	for i := range create {
		create[i] = first + uint32(i)
	}
	for s.tally.ends.Load() < checks {
		for _, n := range create {
			s.touched[n].Store(s.now())
			refs[n-first] = must(s.table.Create(n)).Ref()
		}
		for range 64 {
			n := random.Uint32N(soakPerWorker)
			before := s.now()
			if s.table.At(refs[n]).Touch() {
				s.touched[first+n].Store(before)
				s.tally.touches.Add(1)
			}
		}
		w := &s.workers[worker]
		w.Lock()
		create, w.ended = w.ended, create[:0]
		w.Unlock()
	}
}

// TestSmoke runs every benchmark once, on few sessions, so that none can rot: the program runs
// itself as `go test -bench` would.
func TestSmoke(t *testing.T) { benchtest.Smoke(t) }
