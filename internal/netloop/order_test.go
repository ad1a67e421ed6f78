package netloop

import (
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
)

// numberer is an echo that answers each message with several that are numbered, as others send
// numbered ones too. One lock orders them all.
type numberer struct {
	echo
	srv atomic.Pointer[Server]

	lock sync.Mutex
	next map[ID]int
}

const numbersEach = 3 // answers

func newNumberer() Handler { return &numberer{next: make(map[ID]int)} }

func (h *numberer) inner() *echo { return &h.echo }

func (h *numberer) Message(c Conn, _ Kind, payload []byte) {
	if string(payload) == "end" {
		h.end(c)
		return
	}
	for range numbersEach {
		h.number(c)
	}
}

// number sends the next number.
func (h *numberer) number(c Conn) bool {
	h.lock.Lock()
	defer h.lock.Unlock()
	n := h.next[c.ID()]
	if !c.Send(Text, strconv.AppendInt(nil, int64(n), 10)) {
		return false
	}
	h.next[c.ID()]++
	return true
}

// end sends as others do, then as the handler, and closes.
func (h *numberer) end(c Conn) {
	h.lock.Lock()
	defer h.lock.Unlock()
	other, ok := h.srv.Load().Conn(c.ID())
	other.Send(Text, []byte("outside"))
	c.Send(Text, nil)
	other.Send(Text, nil)
	c.Send(Text, []byte("inside"))
	c.Close(4999, fmt.Sprintf("found: %v", ok))
	if c.Send(Text, nil) || other.Send(Text, nil) {
		h.next[c.ID()]++ // nobody expects that
	}
}

// TestOrder_OfSendsIsThatOfTheirCalls has others send what they can while a handler answers.
func TestOrder_OfSendsIsThatOfTheirCalls(t *testing.T) {
	const clients, senders, perSender, messages = 4, 3, 400, 400
	o := options(nil)
	o.Loops = 1
	o.WriteBufferBytes = 16 << 20
	eachMode(t, o, newNumberer, func(r *room) {
		h := r.o.Handler.(*numberer)
		h.srv.Store(r.Server)
		var all sync.WaitGroup
		defer all.Wait()
		for range clients {
			c := r.upgrade()
			all.Go(func() {
				for range messages {
					if _, err := c.Conn.Write(texts("x")); err != nil {
						return
					}
				}
			})
			all.Go(func() {
				for i := range senders*perSender + numbersEach*messages {
					if got := c.Next(); got != fmt.Sprint("text ", i) {
						r.t.Errorf("%.50q came in the place of %d", got, i)
						break
					}
				}
				_, _ = c.Conn.Write(texts("end"))
				for _, want := range []string{
					"text outside", "text ", "text ", "text inside", "close 4999 found: true",
				} {
					if got := c.Next(); got != want {
						r.t.Errorf("at the end came %.50q, want %q", got, want)
						return
					}
				}
				_ = c.Conn.Close()
			})
		}
		r.until("all are open", func() bool { return r.openNow() == clients })
		for conn := range r.All() {
			for range senders {
				all.Go(func() {
					for range perSender {
						if !h.number(conn) {
							r.t.Error("Send gave false")
							return
						}
					}
				})
			}
		}
	})
}

// relay is an echo that sends what it is told to all other connections, while it is called, and
// asks about them.
type relay struct {
	echo
	srv atomic.Pointer[Server]

	lock  sync.Mutex
	known []ID
	held  bool
}

func (h *relay) inner() *echo { return &h.echo }

func (h *relay) Open(c Conn, r *Request, header []byte) ([]byte, *Refusal) {
	h.lock.Lock()
	h.known = append(h.known, c.ID())
	h.lock.Unlock()
	return h.echo.Open(c, r, header)
}

func (h *relay) Message(c Conn, kind Kind, payload []byte) {
	h.lock.Lock()
	defer h.lock.Unlock()
	for _, id := range h.known {
		other, ok := h.srv.Load().Conn(id)
		if id == c.ID() {
			continue
		}
		switch {
		case !ok || other.Tag() != 7 || !other.Remote().IsValid() || other.Queued() < 0:
			c.Send(Text, []byte("not found"))
		case string(payload) == "end":
			other.Close(4999, "by another")
		case string(payload) == "release":
			h.srv.Load().Release(id)
		case string(payload) == "hold": // is for itself
		default:
			other.Send(kind, payload)
		}
	}
	if string(payload) == "hold" {
		c.Hold()
		h.held = true
	}
}

func (h *relay) isHeld() bool {
	h.lock.Lock()
	defer h.lock.Unlock()
	return h.held
}

// TestConn_OfAnotherDuringACall under a lock of the handler's own.
func TestConn_OfAnotherDuringACall(t *testing.T) {
	o := options(nil)
	o.Loops = 1
	eachMode(t, o, func() Handler { return new(relay) }, func(r *room) {
		h := r.o.Handler.(*relay)
		h.srv.Store(r.Server)
		a, b := r.upgrade(), r.upgrade()
		b.Write(texts("to a"))
		a.Want("text to a")
		a.Write(texts("hold", "to b"))
		r.until("it is held", h.isHeld)
		b.Write(texts("release"))
		b.Want("text to b")
		b.Write(texts("end"))
		a.Want("close 4999 by another")
	})
}
