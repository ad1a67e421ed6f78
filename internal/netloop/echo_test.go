package netloop

import (
	"log/slog"
	"sync"
	"testing"
	"time"
)

// echo answers each message with itself, and does as certain texts say. It keeps a ledger: each
// connection that was opened must be told of its end exactly once.
type echo struct {
	silent bool // does not call Ready

	mu     sync.Mutex
	opened int
	ends   []End
	closed map[ID]int
	after  int // calls about a connection that had ended
}

func (h *echo) Open(c Conn, r *Request, header []byte) ([]byte, *Refusal) {
	switch string(r.Query) {
	case "refuse":
		return nil, &Refusal{Status: 503, Reason: "full", Header: "Retry-After: 5\r\n"}
	case "panic":
		panic("in Open")
	case "close":
		c.Close(4999, "at once")
	case "greet":
		c.Send(Text, []byte("welcome"))
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.opened++
	c.SetTag(7)
	if !h.silent {
		c.Ready()
	}
	return append(header, "X-Echo: yes\r\n"...), nil
}

func (h *echo) Message(c Conn, kind Kind, payload []byte) {
	h.note(c)
	switch string(payload) {
	case "panic":
		panic("in Message")
	case "close":
		c.Close(4999, "as you wish")
	case "hold":
		c.Hold()
	case "flood":
		for c.Send(Binary, make([]byte, 1000)) {
		}
	default:
		c.Send(kind, payload)
	}
}

func (h *echo) Control(c Conn, _ Kind) { h.note(c) }

func (h *echo) Released(c Conn) { h.note(c) }

func (h *echo) Closed(c Conn, end End) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed == nil {
		h.closed = make(map[ID]int)
	}
	h.closed[c.ID()]++
	h.ends = append(h.ends, end)
	if c.Send(Text, []byte("too late")) {
		h.after++
	}
	if end.Code == 4321 {
		panic("in Closed")
	}
}

func (h *echo) note(c Conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed[c.ID()] > 0 || c.Tag() != 7 {
		h.after++
	}
}

// count is how many connections ended.
func (h *echo) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.ends)
}

func (h *echo) checkLedger(t *testing.T) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.ends) < h.opened || h.after > 0 {
		t.Errorf("%d opened, %d ended, %d calls after an end", h.opened, len(h.ends), h.after)
	}
	for id, n := range h.closed {
		if n != 1 {
			t.Errorf("connection %d ended %d times", id, n)
		}
	}
}

func options(h Handler) Options {
	return Options{
		Handler: h, Paths: []string{"/ws"}, Protocols: []string{"p1", "p2"},
		HelloTimeout: 15 * time.Second,
		PingInterval: 30 * time.Second, PingTimeout: 10 * time.Second,
		MaxMessageBytes: 64 << 10, WriteBufferBytes: 32 << 10,
		Logger: slog.New(slog.DiscardHandler),
	}
}
