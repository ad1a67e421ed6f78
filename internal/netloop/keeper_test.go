package netloop

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// keeper is an echo that holds connections as texts and queries say, and logs its calls.
type keeper struct {
	echo
	srv atomic.Pointer[Server] // set before the first connection

	lock  sync.Mutex
	calls []string
	due   map[ID]bool // connections of which the end must be told
	last  ID
	again int // how often Released holds
}

func (h *keeper) inner() *echo { return &h.echo }

// Open takes the steps that the query names, one a call. The tag counts them.
func (h *keeper) Open(c Conn, r *Request, header []byte) ([]byte, *Refusal) {
	steps := strings.Split(string(r.Query), "-")
	step := steps[c.Tag()]
	c.SetTag(c.Tag() + 1)
	defer h.note(c, "open "+string(r.Path)+" "+step+" "+c.Protocol()+" "+string(r.UserAgent))
	h.expect(c.ID(), step != "refuse")
	switch step {
	case "hold":
		c.Hold()
		return nil, nil
	case "send": // and hold
		c.Send(Text, []byte("first"))
		c.Hold()
		return header, nil
	case "close":
		c.Hold()
		c.Close(4999, "at once")
		return header, nil
	case "early": // is released before it returns
		c.Hold()
		h.srv.Load().Release(c.ID())
		return nil, nil
	case "refuse":
		return nil, &Refusal{Status: 403, Reason: "no"}
	case "panic":
		c.Hold()
		panic("in Open")
	}
	if !h.silent {
		c.Ready()
	}
	return append(header, "X-Keeper: yes\r\n"...), nil
}

func (h *keeper) Message(c Conn, kind Kind, payload []byte) {
	if text := string(payload); text == "hold" || text == "anew" {
		defer h.note(c, text) // a test releases what it has heard of
	} else {
		h.note(c, text)
	}
	switch string(payload) {
	case "hold":
		c.Hold()
		c.Hold() // does nothing
	case "early":
		c.Hold()
		h.srv.Load().Release(c.ID())
	case "anew":
		c.Hold()
		h.srv.Load().Release(c.ID())
		c.Hold()
	case "hold and close":
		c.Hold()
		c.Close(4999, "as you wish")
	case "hold and panic":
		c.Hold()
		panic("in Message")
	default:
		c.Send(kind, payload)
	}
}

func (h *keeper) Control(Conn, Kind) {}

func (h *keeper) Released(c Conn) {
	h.note(c, "released")
	c.Send(Text, []byte("released"))
	h.lock.Lock()
	defer h.lock.Unlock()
	if h.again > 0 {
		h.again--
		c.Hold()
	}
}

func (h *keeper) Closed(c Conn, e End) {
	h.note(c, "closed "+e.Cause.String())
	c.Hold() // does nothing
	h.echo.Closed(c, e)
}

func (h *keeper) note(c Conn, call string) {
	h.lock.Lock()
	defer h.lock.Unlock()
	h.calls = append(h.calls, strings.TrimSpace(call))
	h.last = c.ID()
}

func (h *keeper) expect(id ID, end bool) {
	h.lock.Lock()
	defer h.lock.Unlock()
	if h.due == nil {
		h.due = make(map[ID]bool)
	}
	h.due[id] = end
}

// release releases the connection that was heard of last.
func (h *keeper) release() {
	h.lock.Lock()
	id := h.last
	h.lock.Unlock()
	h.srv.Load().Release(id)
}

// heard says whether the last calls were these.
func (h *keeper) heard(calls ...string) func() bool {
	return func() bool {
		h.lock.Lock()
		defer h.lock.Unlock()
		return len(h.calls) >= len(calls) &&
			slices.Equal(h.calls[len(h.calls)-len(calls):], calls)
	}
}

// check looks whether each end that was due was told once, and no other.
func (h *keeper) check(t *testing.T) {
	t.Helper()
	h.lock.Lock()
	defer h.lock.Unlock()
	h.mu.Lock()
	defer h.mu.Unlock()
	for id, due := range h.due {
		if n := h.closed[id]; due && n != 1 || !due && n != 0 {
			t.Errorf("the end of connection %d was told %d times, due: %v", id, n, due)
		}
	}
}

// withKeeper runs f with a keeper: in a bubble, and over sockets in each mode.
func withKeeper(t *testing.T, o Options, f func(r *room, h *keeper)) {
	t.Helper()
	run := func(r *room) {
		h := r.o.Handler.(*keeper)
		h.srv.Store(r.Server)
		f(r, h)
		if err := r.Close(); err != nil {
			r.t.Error(err)
		}
		h.check(r.t)
	}
	silent := false
	if h, ok := o.Handler.(*keeper); ok {
		silent = h.silent
	}
	t.Run("mode=goroutine/bubble", func(t *testing.T) {
		o := o
		o.Handler = &keeper{echo: echo{silent: silent}}
		bubble(t, o, run)
	})
	eachMode(t, o, func() Handler { return &keeper{echo: echo{silent: silent}} }, run)
}
