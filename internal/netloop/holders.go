package netloop

import (
	"math/bits"
	"sync"
	"sync/atomic"

	"github.com/curfew-go/curfew/internal/wsframe"
)

// holders is the memory of unfinished messages and of what waits to be written, and knows who holds
// how much of it, so that the largest holder can be found without asking all.
type holders struct {
	pool   wsframe.Pool
	limit  int64        // set by New; 0: none
	queued atomic.Int64 // bytes that wait to be written; orders nothing

	mu struct {
		sync.Mutex
		classes   [64]map[ID]int // by the binary logarithm of what they hold
		leaving   map[ID]int     // those that were asked to go, and what they hold
		leavingIn int64          // its sum
	}
}

// refuseAbove says at which share over the limit the pool refuses by itself: those that were asked
// to go need a moment.
const refuseAbove = 8 // an eighth

func newHolders(limit int64) *holders {
	h := &holders{limit: limit}
	if limit > 0 {
		h.pool.Limit = limit + limit/refuseAbove
	}
	h.mu.leaving = make(map[ID]int)
	return h
}

// queue says that of a connection was bytes waited to be written, and is bytes do.
func (h *holders) queue(was, is int) {
	if was != is {
		h.queued.Add(int64(is - was))
	}
}

// note says that a connection that held was bytes holds is bytes, and says whether the limit is
// passed.
func (h *holders) note(id ID, was, is int) bool {
	if h.limit == 0 {
		return false
	}
	from, to := bits.Len(uint(was)), bits.Len(uint(is))
	if from != to {
		h.move(id, from, to, is)
	}
	return h.pool.Held() > h.limit
}

// move files a connection under another class; class 0 is none.
func (h *holders) move(id ID, from, to, is int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if held, ok := h.mu.leaving[id]; ok {
		h.mu.leaving[id] = is
		h.mu.leavingIn += int64(is - held)
		if to == 0 {
			delete(h.mu.leaving, id)
		}
		return
	}
	delete(h.mu.classes[from], id)
	if to == 0 {
		return
	}
	if h.mu.classes[to] == nil {
		h.mu.classes[to] = make(map[ID]int)
	}
	h.mu.classes[to][id] = is
}

// largest takes out who holds most, to within a factor of two, where the limit is passed and
// those that were asked to go do not make up for it. 0 is nobody.
func (h *holders) largest() ID {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.pool.Held()-h.mu.leavingIn <= h.limit {
		return 0
	}
	for c := len(h.mu.classes) - 1; c > 0; c-- {
		for id, held := range h.mu.classes[c] {
			delete(h.mu.classes[c], id)
			h.mu.leaving[id] = held
			h.mu.leavingIn += int64(held)
			return id
		}
	}
	return 0
}
