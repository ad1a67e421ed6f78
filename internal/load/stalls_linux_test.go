package load

import (
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"
)

// Runs are in real time, with servers that act after fractions of a second. Where the machine gives
// this process no time for as long as that, what comes of a run says nothing, as the harness says
// itself of such a run: it is made again.
const (
	stallMax = 30 * time.Millisecond
	retries  = 5
)

// stalls watches whether this process gets its time.
type stalls struct {
	over    chan struct{}
	longest chan time.Duration
}

func watchStalls() *stalls {
	s := &stalls{make(chan struct{}), make(chan time.Duration, 1)}
	go s.watch()
	return s
}

func (s *stalls) watch() {
	const pace = 2 * time.Millisecond
	tick := time.NewTicker(pace)
	defer tick.Stop()
	longest, before := time.Duration(0), time.Now()
	for {
		select {
		case <-s.over:
			s.longest <- longest
			return
		case <-tick.C:
			now := time.Now()
			longest, before = max(longest, now.Sub(before)-pace), now
		}
	}
}

// stop ends the watch and gives the longest time that this process stood still.
func (s *stalls) stop() time.Duration {
	close(s.over)
	return <-s.longest
}

// steadily makes a test, and once more where it fails while this process stood still.
func steadily(t *testing.T, test func(t testing.TB)) {
	t.Helper()
	for again := range retries + 1 {
		stalls, notes := watchStalls(), &notes{TB: t}
		notes.take(func() { test(notes) })
		if longest := stalls.stop(); again < retries && notes.unsure(longest) {
			t.Logf("again, after %v at a standstill: %q", longest, notes.all)
			continue
		}
		notes.tell(t)
		return
	}
}

// notes are a test's failures, of which it is not known yet whether they count.
type notes struct {
	testing.TB

	mu  sync.Mutex
	all []string
}

// unsure is whether they may be the machine's.
func (n *notes) unsure(longest time.Duration) bool { return len(n.all) > 0 && longest > stallMax }

// tell makes them the test's.
func (n *notes) tell(t *testing.T) {
	t.Helper()
	for _, note := range n.all {
		t.Error(note)
	}
}

// take runs a judgement to its end, or to what is fatal.
func (n *notes) take(judge func()) {
	over := make(chan struct{})
	go func() {
		defer close(over)
		judge()
	}()
	<-over
}

func (n *notes) Errorf(format string, args ...any) { n.Error(fmt.Sprintf(format, args...)) }

func (n *notes) Error(args ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all = append(n.all, fmt.Sprint(args...))
}

func (n *notes) Fatalf(format string, args ...any) { n.Fatal(fmt.Sprintf(format, args...)) }

func (n *notes) Fatal(args ...any) {
	n.Error(args...)
	runtime.Goexit()
}
