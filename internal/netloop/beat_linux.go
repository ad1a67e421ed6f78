package netloop

import "sync/atomic"

// beat tells whether a loop still turns: it answers in each turn what it was asked.
type beat struct {
	asked    atomic.Uint64 // by turned
	answered atomic.Uint64 // by the loop
}

// answer is called by the loop, once a turn.
func (b *beat) answer() {
	if asked := b.asked.Load(); asked != b.answered.Load() {
		b.answered.Store(asked)
	}
}

// waits says whether somebody waits for an answer. The loop looks before it parks: it is woken only
// while it does, and else would sleep on what it was asked in the middle of a turn.
func (b *beat) waits() bool { return b.asked.Load() != b.answered.Load() }

// turned says whether each loop has turned since the last call, and asks again. A loop that was
// told to end is none any more.
func (f *fleet) turned() bool {
	all := true
	for _, l := range f.list() {
		if l.quit.Load() {
			continue
		}
		asked := l.beat.asked.Load()
		if l.beat.answered.Load() != asked {
			all = false
			continue
		}
		l.beat.asked.Store(asked + 1)
		l.poll.Wake()
	}
	return all
}
