package engine_test

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/curfew-go/curfew/engine"
)

// The calls of a history. An end by time is one too: it began when the session was made, or when
// the Advance that ended it was called, and had happened when OnExpire got the session.
type call uint8

const (
	callEnsure call = iota
	callTouch
	callTouchRef
	callLookup
	callRemove
	callRemoveRef
	callExpire
)

type input struct {
	call call
	id   string
	ref  engine.Ref // For calls by handle.
}

// output is what a call returned: the session, and whether it was true or created.
type output struct {
	ref engine.Ref
	ok  bool
}

// register is the model of one ID: the session that has it, or 0.
var register = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		byID := map[string][]porcupine.Operation{}
		for _, o := range history {
			id := o.Input.(input).id
			byID[id] = append(byID[id], o)
		}
		var parts [][]porcupine.Operation
		for _, part := range byID {
			parts = append(parts, part)
		}
		return parts
	},
	Init: func() any { return engine.Ref(0) },
	Step: func(state, in, out any) (bool, any) {
		s, i, o := state.(engine.Ref), in.(input), out.(output)
		switch i.call {
		case callEnsure:
			if o.ok {
				return s == 0, o.ref
			}
			return s == o.ref && s != 0, s
		case callTouch:
			return o.ok == (s != 0), s
		case callTouchRef:
			return o.ok == (s == i.ref), s
		case callLookup:
			return s == o.ref, s
		case callRemove:
			if o.ok {
				return s != 0, engine.Ref(0)
			}
			return s == 0, s
		case callRemoveRef:
			if o.ok {
				return s == i.ref, engine.Ref(0)
			}
			return s != i.ref, s
		}
		return s == i.ref, engine.Ref(0) // callExpire
	},
}

// A history notes calls with a counter for a clock.
type history struct {
	clock atomic.Int64
	mu    struct {
		sync.Mutex
		operations []porcupine.Operation
		made       map[engine.Ref]int64 // When the call that made a session began.
	}
	advancing atomic.Int64 // When the Advance that runs was called, if one does.
}

func (h *history) note(in input, call func() output) output {
	began := h.clock.Add(1)
	out := call()
	ended := h.clock.Add(1)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.mu.operations = append(h.mu.operations,
		porcupine.Operation{Input: in, Call: began, Output: out, Return: ended})
	if in.call == callEnsure && out.ok {
		h.mu.made[out.ref] = began
	}
	return out
}

func (h *history) onExpire(b []engine.Expired[int]) {
	ended := h.clock.Add(1)
	for _, e := range b {
		h.mu.Lock()
		h.mu.operations = append(h.mu.operations, porcupine.Operation{
			Input: input{callExpire, e.ID(), e.Ref}, Output: output{},
			Call: max(h.advancing.Load(), h.mu.made[e.Ref]), Return: ended,
		})
		h.mu.Unlock()
	}
}

// client makes calls about a few IDs.
func (h *history) client(tab *engine.Table[int], calls int) {
	ids := [...]string{
		"a", "32 bytes, as most IDs are, o yes", "an ID of more than 32 bytes, kept elsewhere",
	}
	var last [len(ids)]engine.Session[int]
	for range calls {
		n := rand.IntN(len(ids))
		id, s := ids[n], last[n]
		op := rand.IntN(8)
		if s.Ref() == 0 {
			op = 7
		}
		switch op {
		case 0:
			h.note(input{callTouch, id, 0}, func() output { return output{ok: tab.Touch(id)} })
		case 1, 2:
			h.note(input{callTouchRef, id, s.Ref()}, func() output { return output{ok: s.Touch()} })
		case 3:
			h.note(input{callLookup, id, 0}, func() output {
				found, ok := tab.Lookup(id)
				return output{found.Ref(), ok}
			})
		case 4:
			h.note(input{callRemove, id, 0}, func() output {
				_, ok := tab.Remove(id)
				return output{ok: ok}
			})
		case 5:
			h.note(input{callRemoveRef, id, s.Ref()}, func() output {
				_, ok := s.Remove()
				return output{ok: ok}
			})
		default:
			out := h.note(input{callEnsure, id, 0}, func() output {
				s, created, _ := tab.Ensure(id, 1)
				return output{s.Ref(), created}
			})
			last[n] = tab.At(out.ref)
		}
		if rand.IntN(16) == 0 {
			runtime.Gosched()
		}
	}
}

// over reports whether every session that was made has ended in the history.
func (h *history) over() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	ends := 0
	for _, o := range h.mu.operations {
		switch in, out := o.Input.(input), o.Output.(output); in.call {
		case callExpire:
			ends++
		case callRemove, callRemoveRef:
			if out.ok {
				ends++
			}
		}
	}
	return ends == len(h.mu.made)
}

func (h *history) check(t *testing.T) (ends int) {
	t.Helper()
	r := porcupine.CheckOperationsTimeout(register, h.mu.operations, 10*time.Second)
	if r != porcupine.Ok {
		t.Fatalf("a history of %d calls is not linearizable: %v", len(h.mu.operations), r)
	}
	for _, o := range h.mu.operations {
		if o.Input.(input).call == callExpire {
			ends++
		}
	}
	return ends
}

func newHistory(t *testing.T, o engine.Options[int]) (*history, *engine.Table[int]) {
	t.Helper()
	h := &history{}
	h.mu.made = map[engine.Ref]int64{}
	o.OnExpire, o.Logger = h.onExpire, quiet
	tab, err := engine.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return h, tab
}

// Touch, Remove, Ensure, Lookup and ends by time of one ID happen in one order that all agree on.
func TestLinearizable_Manual(t *testing.T) {
	ends := 0
	for range 60 {
		h, tab := newHistory(t, engine.Options[int]{
			Manual: true, IdleTimeout: 20 * time.Millisecond, Shards: 1,
		})
		var clients, clock sync.WaitGroup
		for range 4 {
			clients.Go(func() { h.client(tab, 250) })
		}
		done := make(chan struct{})
		clock.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					h.advancing.Store(h.clock.Add(1))
					tab.Advance(10 * time.Millisecond)
				}
			}
		})
		clients.Wait()
		close(done)
		clock.Wait()
		ends += h.check(t)
		_ = tab.Close()
	}
	t.Logf("%d ends by time", ends)
}

func TestLinearizable_RealTime(t *testing.T) {
	for _, kind := range wheels {
		t.Run(kind.String(), func(t *testing.T) {
			ends := 0
			for range 12 {
				h, tab := newHistory(t, engine.Options[int]{
					IdleTimeout: 1, Tick: time.Millisecond, Wheel: kind,
				})
				var clients sync.WaitGroup
				for range 4 {
					clients.Go(func() {
						tick := time.NewTicker(time.Millisecond)
						defer tick.Stop()
						for range 10 { // With pauses, in which sessions end.
							h.client(tab, 25)
							for range 4 {
								<-tick.C
							}
						}
					})
				}
				clients.Wait()
				waitUntil(t, 10*time.Second, h.over)
				_ = tab.Close()
				ends += h.check(t)
			}
			t.Logf("%d ends by time", ends)
		})
	}
}
