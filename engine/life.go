package engine

import (
	"bytes"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
)

// life is the beginning and the end of a table: who sweeps, and when it is over.
type life struct {
	over atomic.Bool
	stop chan struct{}  // Closed by Close.
	done sync.WaitGroup // The table's goroutines.

	// turn is held by whoever sweeps. The sweeper of a table that keeps its own time needs no
	// turn, as it is alone.
	turn sync.Mutex

	// caller is the goroutine that runs a callback, 0 while none runs.
	caller atomic.Uint64
}

func (l *life) init() { l.stop = make(chan struct{}) }

func (l *life) closed() bool { return l.over.Load() }

// enter waits for the turn to sweep. It reports false if this goroutine is in a callback and thus
// would wait for itself.
func (l *life) enter() bool {
	if l.turn.TryLock() {
		return true
	}
	if l.inCallback() {
		return false
	}
	l.turn.Lock()
	return true
}

func (l *life) leave() { l.turn.Unlock() }

func (l *life) beginCallback() { l.caller.Store(goroutineID()) }
func (l *life) endCallback()   { l.caller.Store(0) }

// inCallback reports whether this goroutine runs a callback of the table.
func (l *life) inCallback() bool {
	id := l.caller.Load()
	return id != 0 && id == goroutineID()
}

// goroutineID is the number of this goroutine. The runtime tells it only at the head of a stack
// trace. It serves to know whether Close and Advance were called from a callback, where they must
// not wait for its end.
func goroutineID() uint64 {
	var buf [64]byte
	b := bytes.TrimPrefix(buf[:runtime.Stack(buf[:], false)], []byte("goroutine "))
	b, _, _ = bytes.Cut(b, []byte(" "))
	id, _ := strconv.ParseUint(string(b), 10, 64)
	return id
}

// start begins the goroutines of a table that keeps its own time.
func (t *Table[V]) start() {
	t.life.done.Add(2)
	go func() {
		defer t.life.done.Done()
		t.clock.run(t.life.stop)
	}()
	go t.sweepForever()
}

// sweepForever runs the sweeper, again if a callback ended its goroutine.
func (t *Table[V]) sweepForever() {
	returned := false
	defer func() {
		if returned || t.life.closed() {
			if t.luo != nil {
				t.luo.stop()
			}
			t.life.done.Done()
			return
		}
		go t.sweepForever()
	}()
	t.run(t.life.stop)
	returned = true
}

// Close ends the table: handles are dead, and what would change it returns ErrClosed or false. No
// callback is called for the sessions it held, and none runs after Close returned; called from a
// callback it returns at once, and that batch is the last. It may be called more than once, and
// always returns nil.
func (t *Table[V]) Close() error {
	if t.life.over.CompareAndSwap(false, true) {
		t.shut()
	}
	if t.life.inCallback() {
		return nil
	}
	t.life.done.Wait()
	t.life.turn.Lock() // Waits for an Advance.
	defer t.life.turn.Unlock()
	if t.clock.manual {
		t.sweeper.summary.flush(&t.core)
	}
	return nil
}

// shut makes every session unreachable and lets go of the memory. When it has had each shard's
// lock, nobody holds one of an open shard any more.
func (t *Table[V]) shut() {
	t.clock.close()
	for i := range t.shards {
		sh := &t.shards[i]
		sh.mu.Lock()
		sh.mu.closed = true
		sh.mu.due = nil
		sh.mu.Unlock()
	}
	t.store.Clear()
	t.values.Clear()
	t.idle.Clear()
	t.live.Store(0)
	t.grace.Store(0)
	close(t.life.stop)
}
