package backend

import (
	"math/rand/v2"
	"sync"
	"time"
)

const (
	// failuresMax is how many failures in a row open the breaker.
	failuresMax = 8
	// pauseMin is the first pause of an open breaker. It doubles with each probe that fails.
	pauseMin = time.Second
	pauseMax = 30 * time.Second
)

// sign is what the outcome of a request says about the application.
type sign uint8

const (
	noSign   sign = iota // the request was given up by who made it
	goodSign             // the application answered, if only to refuse
	badSign              // it did not, or who stands before it said so: 502 to 504
)

// A breaker spares an application that does not answer, and those who would wait for it. Closed it
// lets everything pass. After failuresMax failures in a row it is open, and lets nothing pass for a
// pause; then one request, the probe, whose success closes it, and one more after each further
// pause, so that a probe which takes long keeps nobody out.
type breaker struct {
	// changed is called, with no lock held, when the breaker opened (with its first pause) or
	// closed (with 0).
	changed func(pause time.Duration)

	mu struct {
		sync.Mutex
		failures int       // in a row, while closed
		answered time.Time // the newest good sign
		open     bool
		era      uint64    // one more with each opening and closing
		failed   int       // probes, while open
		until    time.Time // when the next probe may pass, while open
	}
}

// pass is what a request holds that the breaker let through.
type pass struct {
	era   uint64
	probe bool
	began time.Time
}

// wait is how long nothing may pass, 0 when something may.
func (b *breaker) wait(now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.mu.open {
		return 0
	}
	return max(0, b.mu.until.Sub(now))
}

// isOpen says whether the breaker is open.
func (b *breaker) isOpen() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.mu.open
}

// enter lets a request pass or not. One that passed must leave.
func (b *breaker) enter(now time.Time) (pass, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.mu.open {
		if now.Before(b.mu.until) {
			return pass{}, false
		}
		b.mu.until = now.Add(pause(b.mu.failed))
	}
	return pass{era: b.mu.era, probe: b.mu.open, began: now}, true
}

// leave takes the outcome of a request that passed. What passed before the breaker last opened or
// closed says nothing any more.
func (b *breaker) leave(now time.Time, p pass, s sign) {
	b.mu.Lock()
	var changed bool
	var until time.Duration
	if p.era == b.mu.era {
		if p.probe {
			changed = b.probedLocked(now, s)
		} else {
			until, changed = b.countLocked(now, p, s)
		}
	}
	b.mu.Unlock()
	if changed {
		b.changed(until)
	}
}

// countLocked counts an outcome while the breaker is closed, and opens it. A failure does not count
// where something else was answered since that request began: then it is one request that fails.
func (b *breaker) countLocked(
	now time.Time, p pass, s sign,
) (first time.Duration, opened bool) {
	switch {
	case s == noSign:
		return 0, false
	case s == goodSign:
		b.mu.failures, b.mu.answered = 0, now
		return 0, false
	case b.mu.answered.After(p.began):
		return 0, false
	}
	b.mu.failures++
	if b.mu.failures < failuresMax {
		return 0, false
	}
	first = pause(0)
	b.mu.open, b.mu.failed, b.mu.until = true, 0, now.Add(first)
	b.mu.era++
	return first, true
}

// probedLocked takes the outcome of a probe.
func (b *breaker) probedLocked(now time.Time, s sign) (closed bool) {
	switch s {
	case noSign:
		b.mu.until = now
	case badSign:
		b.mu.failed++
		b.mu.until = now.Add(pause(b.mu.failed))
	case goodSign:
		b.mu.open, b.mu.failures = false, 0
		b.mu.era++
		return true
	}
	return false
}

// pause is the pause after so many probes that failed, up to a fifth longer or shorter than the
// last one doubled, so that several gateways do not probe together.
func pause(failed int) time.Duration {
	d := doubled(pauseMin, pauseMax, failed)
	return d*4/5 + rand.N(d*2/5)
}

// doubled is d after n doublings, at most limit.
func doubled(d, limit time.Duration, n int) time.Duration {
	for ; n > 0 && d < limit; n-- {
		d *= 2
	}
	return min(d, limit)
}
