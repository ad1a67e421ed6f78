package bench

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/curfew-go/curfew/engine"
	"github.com/curfew-go/curfew/internal/benchtest"
)

const (
	// bystanders is how many sessions are touched while the others end.
	bystanders = 100_000

	// callEvery is how many touches of bystanders there are for each other call.
	callEvery = 256

	// stormsMax is how many storms are tried.
	stormsMax = 10
)

// BenchmarkStorm lets n sessions fall due together, as fast as they can be touched one last time,
// while one goroutine goes on touching other sessions by ID and, less often, calls everything else
// there is. Each call is timed, and a call's time includes one reading of the clock. With
// load=busy there is also a process for each processor that does nothing but compute, so that the
// kernel takes the processor away from threads in the middle of what they do.
//
//	drain-ms      from when the last session should have ended to the last callback
//	storm-ms      from when the first session should have ended to the last callback
//	ns/session    from the first callback to the last, for each session
//	touch-*-ns    distribution of the touches from the first due to the last callback
//	touch-max-us  the longest of them
//	call-max-us   the longest of all other calls in that time
//	early         sessions that ended before their time, which fails the benchmark
//
// Where the kernel kept the benchmark itself from touching what it must for as long as a session
// may be idle, that was no storm, and another one is made.
func BenchmarkStorm(b *testing.B) {
	for _, n := range benchtest.Sizes() {
		for _, load := range []string{"none", "busy"} {
			b.Run(fmt.Sprintf("impl=curfew/n=%d/load=%s", n, load), func(b *testing.B) {
				if load == "busy" {
					burn(b)
				}
				for range b.N {
					storms := 1
					for ; storms < stormsMax && !newStorm(b, n).run(b); storms++ {
					}
					if storms == stormsMax {
						b.Fatalf("in none of %d storms could all be touched in time", storms)
					}
				}
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

// A storm is one run of BenchmarkStorm.
type storm struct {
	n         int
	idle      time.Duration // Long enough to create all sessions and touch them again within it.
	table     *engine.Table[none]
	doomed    []engine.Ref
	others    []string
	handles   []engine.Session[none] // Of others.
	otherRefs []engine.Ref
	start     time.Time
	due       atomic.Int64 // When the first session may end; all times are nanoseconds since start.
	first     atomic.Int64 // The first callback.
	last      atomic.Int64 // The last callback so far.
	ended     atomic.Int64
	early     atomic.Int64
	callCount int
	touched   int64 // Since when all of the others have been touched, or all have been made.
	late      bool  // Some were not touched again within idle.
}

func newStorm(b *testing.B, n int) *storm {
	b.Helper()
	s := &storm{n: n, start: time.Now()}
	s.idle = time.Second + time.Duration(n)*5*time.Microsecond
	s.due.Store(1 << 62)
	s.touched = s.now()
	s.table = newTable(b, engine.Options[none]{IdleTimeout: s.idle, OnExpire: s.expired})
	s.doomed = shuffledRefs(s.table, n)
	s.others = benchtest.Keys(min(bystanders, n), 7)
	for _, id := range s.others {
		h, _, err := s.table.Ensure(id, none{})
		s.handles = append(s.handles, must(h, err))
		s.otherRefs = append(s.otherRefs, h.Ref())
	}
	runtime.GC()
	return s
}

func (s *storm) now() int64 { return int64(time.Since(s.start)) }

// expired is OnExpire.
func (s *storm) expired(batch []engine.Expired[none]) {
	now := s.now()
	s.first.CompareAndSwap(0, now)
	if now < s.due.Load() {
		s.early.Add(int64(len(batch)))
	}
	s.last.Store(now)
	s.ended.Add(int64(len(batch)))
}

// touch touches sessions, and gives when. It is late if they were idle for too long.
func (s *storm) touch(refs []engine.Ref) (begin, end int64, alive int) {
	begin = s.now()
	alive = s.table.TouchBatch(refs)
	end = s.now()
	s.late = s.late || end-s.touched >= int64(s.idle)
	return begin, end, alive
}

// run touches all that are to end, waits until they are due, and measures, unless it was late.
func (s *storm) run(b *testing.B) bool {
	b.Helper()
	begin, end, alive := s.touch(s.doomed)
	s.touched, _, _ = s.touch(s.otherRefs)
	if s.late {
		return false
	}
	if alive != s.n {
		b.Fatalf("%d of %d sessions ended before the storm", s.n-alive, s.n)
	}
	firstDue, lastDue := begin+int64(s.idle), end+int64(s.idle)
	s.due.Store(firstDue)
	benchtest.Wait(time.Duration(firstDue-s.now()) - s.idle/4)
	s.touched, _, _ = s.touch(s.otherRefs) // They live for another idle timeout, whatever comes.
	benchtest.Wait(time.Duration(firstDue - s.now()))
	touches, longest, missed := s.weather(lastDue)
	if s.late || s.now()-s.touched >= int64(s.idle) {
		return false
	}
	if s.early.Load() > 0 || missed > 0 {
		b.Fatalf("%d sessions ended early and %d touches missed", s.early.Load(), missed)
	}
	if ended := s.ended.Load(); ended != int64(s.n) {
		b.Fatalf("%d of %d sessions ended", ended, s.n)
	}
	slices.Sort(touches)
	quantile := func(q float64) float64 { return float64(touches[int(q*float64(len(touches)-1))]) }
	ms, us := float64(time.Millisecond), float64(time.Microsecond)
	b.ReportMetric(float64(s.last.Load()-lastDue)/ms, "drain-ms")
	b.ReportMetric(float64(s.last.Load()-firstDue)/ms, "storm-ms")
	b.ReportMetric(float64(s.last.Load()-s.first.Load())/float64(s.n), "ns/session")
	b.ReportMetric(quantile(0.5), "touch-p50-ns")
	b.ReportMetric(quantile(0.99), "touch-p99-ns")
	b.ReportMetric(quantile(0.999), "touch-p99.9-ns")
	b.ReportMetric(quantile(1)/us, "touch-max-us")
	b.ReportMetric(float64(longest)/us, "call-max-us")
	b.ReportMetric(float64(s.early.Load()), "early")
	return true
}

// weather touches and calls until all sessions have ended, or far too much time has passed. It
// returns how long each touch took and how long the longest other call did, in nanoseconds.
func (s *storm) weather(lastDue int64) (touches []uint32, longest int64, missed int) {
	const touchesMax = 64 << 20
	touches = make([]uint32, 0, 4<<20)
	giveUp := lastDue + int64(10*time.Second)
	before := s.now()
	for i := 0; i == 0 || s.ended.Load() < int64(s.n) && before < giveUp; i++ {
		if i%callEvery == callEvery-1 {
			s.call(s.callCount)
			s.callCount++
			now := s.now()
			longest = max(longest, now-before)
			before = now
		}
		ok := s.table.Touch(s.others[i%len(s.others)])
		now := s.now()
		if len(touches) < touchesMax {
			touches = append(touches, uint32(min(now-before, 1<<32-1)))
		}
		before = now
		if !ok {
			missed++
		}
	}
	return touches, longest, missed
}

// call calls one of the methods that are not Touch.
func (s *storm) call(i int) {
	h := s.handles[i%len(s.handles)]
	switch i % 8 {
	case 0:
		s.table.Lookup(s.others[i%len(s.others)])
	case 1:
		made := must(s.table.Create(none{}))
		made.Remove()
	case 2:
		h.Info()
	case 3:
		h.Value()
	case 4:
		h.SetIdleTimeout(0)
	case 5:
		h.ID()
	case 6:
		s.table.TouchBatch(s.otherRefs[:min(len(s.otherRefs), 256)])
	case 7:
		s.table.Stats()
	}
}

// burnVariable, where it is set, makes this program compute until its input ends.
const burnVariable = "CURFEW_BENCH_BURN"

// burn keeps as many processes computing as there are processors, until the benchmark ends.
func burn(b *testing.B) {
	b.Helper()
	self := must(os.Executable())
	for range runtime.NumCPU() {
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), burnVariable+"=1", "GOMAXPROCS=1")
		stop := must(cmd.StdinPipe())
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() {
			_ = stop.Close()
			_ = cmd.Wait()
		})
	}
}

func TestMain(m *testing.M) {
	if os.Getenv(burnVariable) == "" {
		os.Exit(m.Run())
	}
	var over atomic.Bool
	go func() {
		_, _ = os.Stdin.Read(make([]byte, 1)) // Returns when the benchmark ends.
		over.Store(true)
	}()
	for sum := 0; !over.Load(); sum++ {
	}
}
