package gateway

import (
	"time"

	"github.com/curfew-go/curfew/engine"
)

// appointment is a session that is to be looked at, and a moment since the gateway began.
type appointment struct {
	at  time.Duration
	ref engine.Ref
}

// agenda is a binary heap of appointments, the earliest first. What does not hold any more is left
// in it and dropped when it comes up, or when an addition comes by: each looks at pruneStep others,
// so that the heap stays in proportion to what holds, and no call does more than a few steps.
type agenda struct {
	heap  []appointment
	prune int // where the next addition looks
}

const pruneStep = 2

// add enters an appointment; holds says whether another one still does.
func (a *agenda) add(x appointment, holds func(appointment) bool) {
	for range pruneStep {
		if a.prune >= len(a.heap) {
			a.prune = 0
			break
		}
		if holds(a.heap[a.prune]) {
			a.prune++
		} else {
			a.remove(a.prune)
		}
	}
	a.heap = append(a.heap, x)
	a.up(len(a.heap) - 1)
}

// first is the earliest, if there is one.
func (a *agenda) first() (appointment, bool) {
	if len(a.heap) == 0 {
		return appointment{}, false
	}
	return a.heap[0], true
}

// pop takes the earliest out, which must be there.
func (a *agenda) pop() { a.remove(0) }

// delay moves the earliest to a later moment.
func (a *agenda) delay(at time.Duration) {
	a.heap[0].at = at
	a.down(0)
}

// remove takes out the one at an index.
func (a *agenda) remove(i int) {
	last := len(a.heap) - 1
	a.heap[i] = a.heap[last]
	a.heap = a.heap[:last]
	if i < last {
		a.down(i)
		a.up(i)
	}
	if c := cap(a.heap); c > 1024 && last < c/4 {
		a.heap = append(make([]appointment, 0, c/2), a.heap...)
	}
}

func (a *agenda) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if a.heap[parent].at <= a.heap[i].at {
			return
		}
		a.heap[parent], a.heap[i] = a.heap[i], a.heap[parent]
		i = parent
	}
}

func (a *agenda) down(i int) {
	for {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(a.heap); child++ {
			if a.heap[child].at < a.heap[least].at {
				least = child
			}
		}
		if least == i {
			return
		}
		a.heap[least], a.heap[i] = a.heap[i], a.heap[least]
		i = least
	}
}
