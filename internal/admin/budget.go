package admin

import (
	"sync"
	"time"
)

// budgetWindow is what a budget is for.
const budgetWindow = time.Second

// budget lets something happen so many times in a second. All methods may be called at the same
// time.
type budget struct {
	max int // set before it is used

	mu struct {
		sync.Mutex
		begun  time.Time // the second that is counted; zero: none yet
		taken  int       // in it
		missed int       // since one was last let through
	}
}

// take says whether something may happen at t, and how often it might not since it last did.
func (b *budget) take(t time.Time) (ok bool, missed int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.mu.begun.IsZero() || t.Sub(b.mu.begun) >= budgetWindow {
		b.mu.begun, b.mu.taken = t, 0
	}
	if b.mu.taken >= b.max {
		b.mu.missed++
		return false, 0
	}
	b.mu.taken++
	missed, b.mu.missed = b.mu.missed, 0
	return true, missed
}
