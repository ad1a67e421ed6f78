package benchtest

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/curfew-go/curfew/internal/baseline"
)

const (
	// lateIdle is the idle timeout of Lateness, and lateGap the mean time between two touches of
	// a session: about one gap in seven is longer than the timeout and ends its session.
	lateIdle = 250 * time.Millisecond
	lateGap  = lateIdle / 2

	// lateStep is how often Lateness touches.
	lateStep = time.Millisecond

	lateMost = 100_000
)

// Lateness measures when sessions end. They are touched at random, each about eight times a
// second; a session whose idle timeout passes is created anew when it ended. The time of each touch
// is taken just before it, so a session that ends less than its timeout after that ended too early
// for certain, and what counts as late is a little more than it was.
//
//	late-p50-ms, late-p99-ms, late-max-ms  from the end of the idle timeout to OnExpire
//	early                                  sessions that ended before their time
//	early-max-ms                           by how much at most
//	missing                                sessions that had not ended seconds after their time
//
// More than lateMost sessions would need more touches than one goroutine can do, so that many are
// not measured.
func Lateness(b *testing.B, impls []baseline.Impl) {
	b.Helper()
	each(b, impls, func(b *testing.B, impl baseline.Impl, n int) {
		b.Helper()
		if n > lateMost {
			b.Skipf("at most %d sessions", lateMost)
		}
		for range b.N {
			l := newLateness(n)
			s := impl.Open(baseline.Config{Idle: lateIdle, OnExpire: l.expired})
			l.run(s, Seconds())
			missing := l.settle(s)
			s.Close()
			l.report(b, impl, missing)
		}
		b.ReportMetric(0, "ns/op")
	})
}

type lateness struct {
	start   time.Time
	ids     []string
	number  map[string]int32
	touched []atomic.Int64 // When each session was last touched, in nanoseconds since start.

	mu struct {
		sync.Mutex
		ended []int32         // Sessions to be created anew.
		late  []time.Duration // Negative where early.
	}
}

func newLateness(n int) *lateness {
	l := &lateness{
		start:   time.Now(),
		ids:     Keys(n, keySeed),
		number:  make(map[string]int32, n),
		touched: make([]atomic.Int64, n),
	}
	for i, id := range l.ids {
		l.number[id] = int32(i)
	}
	runtime.GC()
	return l
}

func (l *lateness) now() int64 { return int64(time.Since(l.start)) }

// expired is OnExpire.
func (l *lateness) expired(id string) {
	now := l.now()
	i := l.number[id]
	late := time.Duration(now-l.touched[i].Load()) - lateIdle
	l.mu.Lock()
	l.mu.late = append(l.mu.late, late)
	l.mu.ended = append(l.mu.ended, i)
	l.mu.Unlock()
}

// run touches and creates for a while.
func (l *lateness) run(s baseline.Sessions, d time.Duration) {
	for i := range l.ids {
		l.create(s, int32(i))
	}
	ticker := time.NewTicker(lateStep)
	defer ticker.Stop()
	r := rand.New(rand.NewPCG(orderSeed, 3))
	perNano := float64(len(l.ids)) / float64(lateGap)
	done, begin := 0.0, l.now()
	for now := begin; now < begin+int64(d); now = l.now() {
		l.mu.Lock()
		ended := l.mu.ended
		l.mu.ended = nil
		l.mu.Unlock()
		for _, i := range ended {
			l.create(s, i)
		}
		for ; done < perNano*float64(now-begin); done++ {
			i := r.IntN(len(l.ids))
			before := l.now()
			if s.Touch(l.ids[i:i+1]) == 1 {
				l.touched[i].Store(before)
			}
		}
		<-ticker.C
	}
}

func (l *lateness) create(s baseline.Sessions, i int32) {
	l.touched[i].Store(l.now())
	s.Create(clones(l.ids[i : i+1]))
}

// ended is how many sessions have ended.
func (l *lateness) ended() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.mu.late)
}

// settle waits for the last sessions to end and returns how many did not.
func (l *lateness) settle(s baseline.Sessions) int {
	const patience = 5 * time.Second
	ticker := time.NewTicker(lateIdle / 10)
	defer ticker.Stop()
	// Some call back only after the session is gone, from a goroutine of their own.
	for from := l.now(); (s.Len() > 0 || l.ended() == 0) && l.now() < from+int64(patience); {
		<-ticker.C
	}
	return s.Len()
}

func (l *lateness) report(b *testing.B, impl baseline.Impl, missing int) {
	b.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	late := l.mu.late
	if len(late) == 0 {
		b.Fatal("no session ended")
	}
	slices.Sort(late)
	early, _ := slices.BinarySearch(late, 0)
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	b.ReportMetric(ms(late[len(late)/2]), "late-p50-ms")
	b.ReportMetric(ms(late[len(late)*99/100]), "late-p99-ms")
	b.ReportMetric(ms(late[len(late)-1]), "late-max-ms")
	b.ReportMetric(ms(max(-late[0], 0)), "early-max-ms")
	b.ReportMetric(float64(early), "early")
	b.ReportMetric(float64(missing), "missing")
	b.ReportMetric(float64(len(late)), "ended")
	if impl.Exact && early > 0 {
		b.Fatalf("%d of %d sessions ended early, by up to %v", early, len(late), -late[0])
	}
}
