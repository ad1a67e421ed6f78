package netloop

import "testing"

// stuck is an echo whose handler may be held up.
type stuck struct {
	echo
	entered, leave chan struct{}
}

func (h *stuck) inner() *echo { return &h.echo }

func (h *stuck) Message(Conn, Kind, []byte) {
	h.entered <- struct{}{}
	<-h.leave
}

// Loops that sleep turn when they are asked, and one that is held up is noticed.
func TestLoopsTurned(t *testing.T) {
	h := &stuck{entered: make(chan struct{}), leave: make(chan struct{})}
	o := options(h)
	o.Mode, o.Loops = ModeEpoll, 2
	overSockets(t, o, func(r *room) {
		c := r.upgrade()
		for range 3 {
			r.LoopsTurned()
			r.until("the loops have turned", r.LoopsTurned)
		}
		r.until("they have turned once more", func() bool { return answered(r.Server, 2) })
		c.Text("x")
		<-h.entered
		r.LoopsTurned() // asks, whatever was before
		r.until("the other loop has turned", func() bool { return answered(r.Server, 1) })
		for range 2 {
			if r.LoopsTurned() {
				t.Error("a loop that is held up has turned")
			}
		}
		h.leave <- struct{}{}
		r.until("the loop turns again", r.LoopsTurned)
	})
}

// A loop that is asked in the middle of a turn answers although nothing else wakes it, and one that
// has ended does not stand still.
func TestLoopsTurned_AskedInATurn(t *testing.T) {
	h := &stuck{entered: make(chan struct{}), leave: make(chan struct{})}
	o := options(h)
	o.Mode, o.Loops = ModeEpoll, 1
	o.Shares = true // it parks after each turn
	overSockets(t, o, func(r *room) {
		r.upgrade().Text("x")
		<-h.entered
		r.until("the loop has answered or was asked", func() bool {
			return !r.LoopsTurned() // from now on only the end of its turn is on its way
		})
		h.leave <- struct{}{}
		r.until("the loop has turned", func() bool { return answered(r.Server, 1) })
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		for range 3 {
			if !r.LoopsTurned() {
				t.Error("a loop of a server that is closed stands still")
			}
		}
	})
}

// answered says whether that many loops have turned since they were asked.
func answered(s *Server, want int) bool {
	n := 0
	for _, l := range s.fleet.list() {
		if l.beat.asked.Load() == l.beat.answered.Load() {
			n++
		}
	}
	return n == want
}
