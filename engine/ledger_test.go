package engine_test

import (
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/curfew-go/curfew/engine"
)

// A ledger notes when each session of a table came, was touched and went, while goroutines use
// the table in every way. Times are nanoseconds.
type ledger struct {
	*testing.T
	o   engine.Options[*account]
	tab *engine.Table[*account]

	// before and after are the time, or a little earlier and later.
	before, after func() int64

	accounts [256]atomic.Pointer[account] // Those that are used; all others are left to end.
	created  atomic.Int64
	removed  atomic.Int64
	expired  atomic.Int64
	lifetime atomic.Int64
}

// An account is what is known of one session.
type account struct {
	session engine.Session[*account]
	id      atomic.Pointer[string]
	created int64
	touched atomic.Int64 // A time before the last touch that was true.
	idle    atomic.Int64 // The shortest idle timeout it ever had.
	ends    atomic.Int32
}

func newLedger(t *testing.T, o engine.Options[*account]) *ledger {
	t.Helper()
	l := &ledger{T: t}
	o.Logger, o.OnExpire = quiet, l.onExpire
	o.OnGrace = func(b []engine.Session[*account]) {
		for _, s := range b {
			if a, ok := s.Value(); ok && rand.IntN(4) == 0 {
				l.touch(a, s.Touch)
			}
		}
	}
	tab, err := engine.New(o)
	if err != nil {
		t.Fatal(err)
	}
	l.o, l.tab = o, tab
	start := time.Now()
	now := func() int64 { return int64(time.Since(start)) }
	l.before, l.after = now, now
	return l
}

func (l *ledger) onExpire(b []engine.Expired[*account]) {
	for _, e := range b {
		a := e.Value
		l.expired.Add(1)
		if n := a.ends.Add(1); n != 1 {
			l.Errorf("session %#x ended %d times", e.Ref, n)
		}
		if id := *a.id.Load(); id != "" && e.ID() != id {
			l.Errorf("session %q ended as %q", id, e.ID())
		}
		lived, now := a.touched.Load()+a.idle.Load()+int64(l.o.Grace), l.after()
		if e.Reason == engine.ReasonLifetime {
			l.lifetime.Add(1)
			lived = a.created + int64(l.o.MaxLifetime)
		}
		if now < lived {
			l.Errorf("session %#x ended %v early for %v", e.Ref, time.Duration(lived-now), e.Reason)
		}
	}
}

// touch touches a session in some way; the ledger has no touch after an end that was seen.
func (l *ledger) touch(a *account, touch func() bool) {
	ended, now := a.ends.Load() > 0, l.before()
	if !touch() {
		return
	}
	if ended {
		l.Errorf("session %#x was touched after its end", a.session.Ref())
	}
	for {
		old := a.touched.Load()
		if old >= now || a.touched.CompareAndSwap(old, now) {
			return
		}
	}
}

// open makes a session and puts it in a place.
func (l *ledger) open(place int) {
	now := l.before()
	a := &account{created: now}
	a.touched.Store(now)
	a.idle.Store(int64(l.o.IdleTimeout))
	a.id.Store(new(string)) // "" is not known yet.
	s, err := l.tab.Create(a)
	if err != nil {
		l.Errorf("Create: %v", err)
		return
	}
	l.created.Add(1)
	a.session = s
	l.accounts[place].Store(a)
}

// step does something to a session that others may be busy with.
func (l *ledger) step(r *rand.Rand) {
	place := r.IntN(len(l.accounts))
	a := l.accounts[place].Load()
	if a == nil || a.ends.Load() > 0 && r.IntN(4) > 0 {
		l.open(place)
		return
	}
	switch s := a.session; r.IntN(12) {
	case 0:
		if r.IntN(4) == 0 {
			l.open(place) // Nobody will touch the other again.
		}
		if r.IntN(8) > 0 {
			return
		}
		ended := a.ends.Load() > 0
		if got, ok := s.Remove(); ok {
			l.removed.Add(1)
			if n := a.ends.Add(1); n != 1 || ended || got != a {
				l.Errorf("Remove of %#x = true, it ended %d times", s.Ref(), n)
			}
		}
	case 1:
		idle := int64(l.o.IdleTimeout) * int64(1+r.IntN(8)) / 4
		a.idle.Store(min(a.idle.Load(), idle/2, int64(l.o.IdleTimeout)/4))
		s.SetIdleTimeout(time.Duration(idle))
	case 2:
		if id := s.ID(); id != "" {
			_, _ = l.tab.Renew(id)
			a.id.Store(new(string)) // Which of two renewals was last is not known.
		}
	case 3:
		l.touchBatch(r)
	case 4, 5, 6:
		id := s.ID()
		l.touch(a, func() bool { return l.tab.Touch(id) })
	case 7:
		id := []byte(s.ID())
		l.touch(a, func() bool { return l.tab.TouchBytes(id) })
	case 8:
		if i, ok := s.Info(); ok && a.ends.Load() == 0 {
			if found, ok := l.tab.Lookup(i.ID); ok && found != s {
				l.Errorf("Lookup(%q) = %#x, want %#x", i.ID, found.Ref(), s.Ref())
			}
		}
	default:
		l.touch(a, s.Touch)
	}
}

// touchBatch touches some sessions at once.
func (l *ledger) touchBatch(r *rand.Rand) {
	var refs []engine.Ref
	var some []*account
	for range 1 + r.IntN(100) {
		if a := l.accounts[r.IntN(len(l.accounts))].Load(); a != nil && a.ends.Load() == 0 {
			some, refs = append(some, a), append(refs, a.session.Ref())
		}
	}
	now := l.before()
	if l.tab.TouchBatch(refs) < len(refs) {
		return // Which of them were alive is not known.
	}
	for _, a := range some {
		for {
			old := a.touched.Load()
			if old >= now || a.touched.CompareAndSwap(old, now) {
				break
			}
		}
	}
}

// run has goroutines at it until done is closed.
func (l *ledger) run(goroutines int, done <-chan struct{}) {
	var all sync.WaitGroup
	for range goroutines {
		all.Go(func() {
			r := rand.New(rand.NewPCG(rand.Uint64(), 1))
			for {
				select {
				case <-done:
					return
				default:
					l.step(r)
				}
			}
		})
	}
	all.Wait()
}

// settle checks that what was made has ended, once, and that the table counts the same.
func (l *ledger) settle() {
	st := l.tab.Stats()
	created, removed, expired := l.created.Load(), l.removed.Load(), l.expired.Load()
	if l.tab.Len() != 0 || created != removed+expired || st.Created != uint64(created) ||
		st.Removed != uint64(removed) || st.Idle+st.Lifetime != uint64(expired) ||
		st.Lifetime != uint64(l.lifetime.Load()) || st.Ended != st.Created ||
		st.CallbackPanics != 0 || st.Grace != 0 {
		l.Errorf("%d created, %d removed, %d expired, but Len = %d, Stats = %+v",
			created, removed, expired, l.tab.Len(), st)
	}
	for i := range l.accounts {
		if a := l.accounts[i].Load(); a != nil && a.ends.Load() != 1 {
			l.Errorf("session %#x ended %d times", a.session.Ref(), a.ends.Load())
		}
	}
	l.Logf("%d created, %d removed, %d expired, %d of age, %d revived",
		created, removed, expired, st.Lifetime, st.Revived)
}

var ledgerOptions = map[string]engine.Options[*account]{
	"idle": {IdleTimeout: 8 * time.Millisecond, Tick: time.Millisecond},
	"all": {
		IdleTimeout: 6 * time.Millisecond, Grace: 4 * time.Millisecond,
		MaxLifetime: 40 * time.Millisecond, Tick: time.Millisecond,
	},
}

func TestLedger_RealTime(t *testing.T) {
	for name, o := range ledgerOptions {
		for _, kind := range wheels {
			t.Run(name+" "+kind.String(), func(t *testing.T) {
				o := o
				o.Wheel = kind
				l := newLedger(t, o)
				defer l.tab.Close()
				done := make(chan struct{})
				time.AfterFunc(300*time.Millisecond, func() { close(done) })
				l.run(4, done)
				waitUntil(t, 10*time.Second, func() bool {
					return l.created.Load() == l.removed.Load()+l.expired.Load()
				})
				l.settle()
			})
		}
	}
}

// waitUntil polls until something holds.
func waitUntil(t testing.TB, limit time.Duration, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(limit); !holds(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("not so within %v", limit)
		}
	}
}

func TestLedger_Manual(t *testing.T) {
	for name, o := range ledgerOptions {
		t.Run(name, func(t *testing.T) {
			o := o
			o.Manual = true
			l := newLedger(t, o)
			defer l.tab.Close()
			var before, after atomic.Int64
			l.before, l.after = before.Load, after.Load
			done := make(chan struct{})
			time.AfterFunc(300*time.Millisecond, func() { close(done) })
			var clock sync.WaitGroup
			clock.Go(func() {
				for ended := false; !ended; {
					select {
					case <-done:
						ended = true
					default:
					}
					d := time.Duration(rand.IntN(int(2 * time.Millisecond)))
					after.Add(int64(d))
					l.tab.Advance(d)
					before.Add(int64(d))
				}
			})
			l.run(4, done)
			clock.Wait()
			after.Store(math.MaxInt64)
			l.tab.Advance(time.Hour)
			l.tab.Advance(time.Hour) // OnGrace revived some.
			l.settle()
		})
	}
}
