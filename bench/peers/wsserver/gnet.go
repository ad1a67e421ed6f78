package main

import (
	"bytes"
	"errors"
	"fmt"
	"sync"

	"github.com/gobwas/ws"
	"github.com/panjf2000/gnet/v2"
	"github.com/panjf2000/gnet/v2/pkg/logging"
)

// requestBytesMax is the longest request for an upgrade.
const requestBytesMax = 8 << 10

// serveGnet echoes by gnet with the frames of gobwas/ws: a loop a processor, each with a listener
// of its own; bytes are looked at where gnet read them, and all that one read brings is answered by
// one write, from the loop itself.
func serveGnet(address string) error {
	announce(address)
	err := gnet.Run(&gnetEcho{}, "tcp://"+address,
		gnet.WithMulticore(true), gnet.WithReusePort(true), gnet.WithLogLevel(logging.ErrorLevel))
	if err != nil {
		return fmt.Errorf("run gnet: %w", err)
	}
	return nil
}

// gnetEcho handles the events of all loops.
type gnetEcho struct {
	gnet.BuiltinEventEngine
	handshakes sync.Pool // of *handshake
	replies    sync.Pool // of *[]byte
}

// open is the context of a connection that was upgraded and has no unfinished message; that of one
// that has is its own fragments. Before the upgrade there is none.
var open = new(fragments)

// OnTraffic handles what came on one connection.
func (s *gnetEcho) OnTraffic(c gnet.Conn) gnet.Action {
	in, err := c.Peek(-1)
	if err != nil {
		return gnet.Close
	}
	used := 0
	state, upgraded := c.Context().(*fragments)
	if !upgraded {
		if used, err = s.upgrade(c, in); err != nil {
			return gnet.Close
		}
		if used == 0 {
			return gnet.None
		}
		state = open
		c.SetContext(state)
	}
	if used < len(in) {
		var n int
		n, err = s.frames(c, state, in[used:])
		used += n
	}
	// Discard takes 0 for all.
	if used > 0 {
		if _, failed := c.Discard(used); failed != nil {
			err = failed
		}
	}
	if err != nil {
		return gnet.Close
	}
	return gnet.None
}

// handshake is what an upgrade reads from and writes to.
type handshake struct {
	bytes.Reader
	answer bytes.Buffer
}

// Write keeps a part of the answer.
func (h *handshake) Write(b []byte) (int, error) { return h.answer.Write(b) }

var (
	errRequestTooLong = errors.New("request is too long")
	endOfRequest      = []byte("\r\n\r\n")
	upgrader          ws.Upgrader
)

// upgrade answers the request in in and returns its length, 0 where it is not complete.
func (s *gnetEcho) upgrade(c gnet.Conn, in []byte) (int, error) {
	n := bytes.Index(in, endOfRequest)
	if n < 0 {
		if len(in) > requestBytesMax {
			return 0, errRequestTooLong
		}
		return 0, nil
	}
	n += len(endOfRequest)
	h, ok := s.handshakes.Get().(*handshake)
	if !ok {
		h = new(handshake)
	}
	defer s.handshakes.Put(h)
	h.Reset(in[:n])
	h.answer.Reset()
	_, err := upgrader.Upgrade(h)
	if _, failed := c.Write(h.answer.Bytes()); failed != nil {
		err = failed
	}
	return n, err
}

// frames answers all complete frames in in and returns their length.
func (s *gnetEcho) frames(c gnet.Conn, state *fragments, in []byte) (used int, err error) {
	reply, ok := s.replies.Get().(*[]byte)
	if !ok {
		reply = new([]byte)
	}
	out := (*reply)[:0]
	for err == nil && used < len(in) {
		h, n := parseHeader(in[used:])
		if n == 0 {
			break
		}
		if err = state.check(h); err != nil {
			break
		}
		end := used + n + int(h.Length)
		if end > len(in) {
			break
		}
		payload := in[used+n : end]
		ws.Cipher(payload, h.Mask, 0)
		used = end
		if h.Fin && h.OpCode.IsData() && state == open {
			out = appendFrame(out, h.OpCode, payload)
			continue
		}
		if state == open && h.OpCode.IsData() {
			state = new(fragments)
			c.SetContext(state)
		}
		out, err = state.slow(out, h, payload)
		if state != open && !state.open {
			state = open
			c.SetContext(state)
		}
	}
	if len(out) > 0 {
		if _, failed := c.Write(out); failed != nil {
			err = failed
		}
	}
	*reply = out
	s.replies.Put(reply)
	return used, err
}
