package engine_test

import (
	"runtime"
	"testing"
	"time"
	"unsafe"
	"weak"

	"github.com/curfew-go/curfew/engine"
	"github.com/curfew-go/curfew/internal/invariants"
)

func TestSize_OfHandles(t *testing.T) {
	if n := unsafe.Sizeof(engine.Session[[100]int]{}); n != 16 {
		t.Errorf("a Session takes %d bytes, want 16", n)
	}
	if n := unsafe.Sizeof(engine.Ref(0)); n != 8 {
		t.Errorf("a Ref takes %d bytes, want 8", n)
	}
}

// allocs checks that a call allocates nothing.
func allocs(t *testing.T, name string, f func()) {
	t.Helper()
	if n := testing.AllocsPerRun(200, f); n != 0 {
		t.Errorf("%s allocates %v times, want 0", name, n)
	}
}

func TestAllocs_Touch(t *testing.T) {
	for _, manual := range []bool{true, false} {
		tab, err := engine.New(engine.Options[int]{Manual: manual, Logger: quiet})
		if err != nil {
			t.Fatal(err)
		}
		defer tab.Close()
		var refs []engine.Ref
		for i := range 300 {
			refs = append(refs, mustCreate(t, tab, i).Ref())
		}
		tick := func() {
			if manual {
				tab.Advance(10 * time.Millisecond)
			}
		}
		for _, n := range []int{6, 0, 12} { // IDs of 32, 1 and 100 bytes.
			id := machineID(n)
			s, _, _ := tab.Ensure(id, 1)
			b := []byte(id)
			buf := make([]byte, 0, 256)
			allocs(t, "Touch", func() { tick(); tab.Touch(id) })
			allocs(t, "TouchBytes", func() { tick(); tab.TouchBytes(b) })
			allocs(t, "the handle's Touch", func() { tick(); s.Touch() })
			allocs(t, "TouchBatch", func() { tick(); tab.TouchBatch(refs) })
			allocs(t, "AppendID", func() { buf = s.AppendID(buf[:0]) })
			allocs(t, "Lookup", func() { tab.Lookup(id) })
			allocs(t, "Value", func() { s.Value() })
			allocs(t, "SetIdleTimeout", func() { tick(); s.SetIdleTimeout(time.Minute) })
			allocs(t, "a touch of none", func() { tab.Touch("none") })
		}
	}
}

// Creating and ending sessions allocates nothing once there were as many before.
func TestAllocs_CreateAndExpire(t *testing.T) {
	if invariants.Enabled {
		return // The race detector has a sync.Pool forget, and so random IDs allocate.
	}
	ended := 0
	tab, err := engine.New(engine.Options[int]{
		Manual: true, Logger: quiet, IdleTimeout: time.Second,
		OnExpire: func(b []engine.Expired[int]) { ended += len(b) },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer tab.Close()
	round := func() {
		for i := range 1000 {
			if s, err := tab.Create(i); err != nil || i%10 == 0 && !s.Touch() {
				t.Fatalf("Create: %v", err)
			}
		}
		tab.Advance(time.Second)
	}
	for range 20 {
		round() // Shards get sessions by chance, so they grow for a while.
	}
	if n := testing.AllocsPerRun(50, round); n > 20 {
		t.Errorf("1,000 sessions that come and go allocate %v times, want next to none", n)
	}
	if ended == 0 {
		t.Error("nothing ended")
	}
}

// A population that grows allocates by the chunk.
func TestAllocs_CreateAmortised(t *testing.T) {
	if invariants.Enabled {
		return // The race detector has a sync.Pool forget, and so random IDs allocate.
	}
	tab, _ := newManual(t, engine.Options[int]{})
	const many = 50_000
	n := testing.AllocsPerRun(1, func() {
		for i := range many {
			mustCreate(t, tab, i)
		}
	})
	if n/many > 0.05 {
		t.Errorf("Create allocates %v times a session, want next to none", n/many)
	}
}

// gone checks that a value was collected.
func gone[T any](t *testing.T, name string, p weak.Pointer[T]) {
	t.Helper()
	for range 5 {
		runtime.GC()
		if p.Value() == nil {
			return
		}
	}
	t.Errorf("the value of a session is kept: %s", name)
}

type payload [1000]byte

// newPayload is in a function of its own, so that no pointer stays on a test's stack.
//
//go:noinline
func newPayload(
	t *testing.T, tab *engine.Table[*payload],
) (engine.Session[*payload], weak.Pointer[payload]) {
	t.Helper()
	p := &payload{}
	s, err := tab.Create(p)
	if err != nil {
		t.Fatal(err)
	}
	return s, weak.Make(p)
}

func TestMemory_ValuesAreCollectable(t *testing.T) {
	fail := func() {}
	tab, err := engine.New(engine.Options[*payload]{
		Manual: true, Logger: quiet, IdleTimeout: time.Second,
		OnExpire: func([]engine.Expired[*payload]) { fail() },
	})
	if err != nil {
		t.Fatal(err)
	}
	_, p := newPayload(t, tab)
	tab.Advance(time.Second)
	gone(t, "expired", p)

	fail = func() { panic("boom") }
	_, p = newPayload(t, tab)
	tab.Advance(time.Second)
	gone(t, "expired with a panic", p)
	fail = func() {}

	s, p := newPayload(t, tab)
	s.Remove()
	gone(t, "removed", p)

	s, p = newPayload(t, tab)
	s.SetValue(nil)
	gone(t, "replaced", p)

	_, p = newPayload(t, tab)
	_ = tab.Close()
	gone(t, "closed", p)
	runtime.KeepAlive(tab)
}

// A callback that leaves by Goexit does not keep its batch alive until something else is due.
func TestMemory_ValuesAreCollectableAfterGoexit(t *testing.T) {
	tab, err := engine.New(engine.Options[*payload]{
		Manual: true, Logger: quiet, IdleTimeout: time.Second,
		OnExpire: func([]engine.Expired[*payload]) { runtime.Goexit() },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer tab.Close()
	_, p := newPayload(t, tab)
	done := make(chan struct{})
	go func() {
		defer close(done)
		tab.Advance(time.Second)
	}()
	<-done
	gone(t, "expired with a Goexit", p)
}

// Without OnExpire values are cleared all the same.
func TestMemory_ValuesAreCollectableWithoutCallback(t *testing.T) {
	tab, err := engine.New(engine.Options[*payload]{
		Manual: true, Logger: quiet, IdleTimeout: time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer tab.Close()
	_, p := newPayload(t, tab)
	tab.Advance(time.Second)
	gone(t, "expired", p)
}

// A table that was closed is collectable, and so is what it held, while a handle of it is kept.
func TestMemory_ClosedTableKeepsNothing(t *testing.T) {
	for _, kind := range wheels {
		tab, err := engine.New(engine.Options[*payload]{Wheel: kind, Logger: quiet})
		if err != nil {
			t.Fatal(err)
		}
		s, p := newPayload(t, tab)
		w := weak.Make(tab)
		_ = tab.Close()
		gone(t, "closed", p)
		runtime.KeepAlive(s) // The last use of the handle, and of the table that it holds.
		gone(t, "the table", w)
	}
}

// Slots, IDs and values of sessions that ended are used again: memory does not grow with how
// many there ever were (G5).
func TestMemory_ChurnDoesNotGrow(t *testing.T) {
	tab, _ := newManual(t, engine.Options[int]{IdleTimeout: time.Second, Shards: 4})
	churn := func(rounds int) int64 {
		for range rounds {
			for i := range 500 {
				s, _, err := tab.Ensure(machineID(i%51)+mustCreate(t, tab, i).ID(), i)
				if err == nil && i%3 == 0 {
					s.Remove()
				}
			}
			tab.Advance(time.Second)
			tab.Advance(10 * time.Millisecond)
		}
		return tab.Stats().Bytes
	}
	before := churn(10)
	if after := churn(50); after > before*5/4 {
		t.Errorf("Bytes went from %d to %d in 50 rounds of the same", before, after)
	}
}
