package load

import (
	"math"
	"time"
)

// schedule is when things fall due, at a steady rate that several processes share: of each
// process's things the next is due when all others had one.
type schedule struct {
	start, end time.Duration
	rate       float64 // of all processes together
	offset     int     // of this process
	processes  int
	taken      int
}

// next is when the next thing is due, if there is one before the end.
func (s *schedule) next() (due time.Duration, ok bool) {
	if s.rate <= 0 {
		return 0, false
	}
	due = s.due(s.taken)
	return due, due < s.end
}

// due is when the n-th thing of this process is, from 0.
func (s *schedule) due(n int) time.Duration {
	k := float64(n*s.processes + s.offset)
	return s.start + time.Duration(k/s.rate*float64(time.Second))
}

// left is how many things are due before the end that were not taken.
func (s *schedule) left() uint64 {
	if s.rate <= 0 || s.end <= s.start {
		return 0
	}
	// The k-th of all things is due at k/rate; of those before the end, every processes-th is ours.
	all := math.Ceil((s.end - s.start).Seconds() * s.rate)
	ours := int(math.Ceil((all - float64(s.offset)) / float64(s.processes)))
	// That is as exact as floating point is: what next says decides.
	for ours > 0 && s.due(ours-1) >= s.end {
		ours--
	}
	for s.due(ours) < s.end {
		ours++
	}
	return uint64(max(ours-s.taken, 0))
}

// past are messages that were given up, by who and which, as many as may still be answered late.
// The oldest are forgotten, half of them at a time.
type past struct{ young, old map[uint64]bool }

// pastMax bounds how many are known, over two.
const pastMax = 1 << 18

func (p *past) add(message uint64) {
	if p.young == nil || len(p.young) >= pastMax {
		p.young, p.old = map[uint64]bool{}, p.young
	}
	p.young[message] = true
}

// take says whether a message was given up, and forgets it.
func (p *past) take(message uint64) bool {
	known := p.young[message] || p.old[message]
	delete(p.young, message)
	delete(p.old, message)
	return known
}

// queue is a queue of connections that grows as it must. One that is gone when its turn comes is
// for the caller to skip.
type queue struct {
	all  []uint64
	head int
}

func (q *queue) push(key uint64) {
	if q.head > len(q.all)/2 && q.head > 64 {
		q.all = append(q.all[:0], q.all[q.head:]...)
		q.head = 0
	}
	q.all = append(q.all, key)
}

func (q *queue) pop() (key uint64, ok bool) {
	if q.head == len(q.all) {
		return 0, false
	}
	key = q.all[q.head]
	q.head++
	return key, true
}
