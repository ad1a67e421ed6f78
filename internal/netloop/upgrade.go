package netloop

import (
	"errors"
	"net/http"
	"net/netip"
	"sync"

	"github.com/curfew-go/curfew/internal/handshake"
	"github.com/curfew-go/curfew/internal/realip"
)

// heads holds what a connection borrows until it is upgraded.
var heads = sync.Pool{New: func() any { return new(head) }}

// head is the beginning of a connection, and who takes it apart.
type head struct {
	b      [handshake.MaxHeadBytes]byte
	parser handshake.Parser
}

// Refusals of this package's own.
var (
	refusedStopping = handshake.Refusal{
		Status: http.StatusServiceUnavailable, Reason: "shutting down",
		Header: "Retry-After: 5\r\n",
	}
	refusedSlow = handshake.Refusal{
		Status: http.StatusRequestTimeout, Reason: "request took too long",
	}
	refusedProxy = handshake.Refusal{
		Status: http.StatusBadRequest, Reason: "a header of the PROXY protocol is missing",
	}
	refusedCrowd = handshake.Refusal{
		Status: http.StatusTooManyRequests, Reason: "too many connections from this address",
	}
	refusedFiles = handshake.Refusal{
		Status: http.StatusServiceUnavailable, Reason: "out of file descriptors",
		Header: "Retry-After: 1\r\n",
	}
	refusedEnded = handshake.Refusal{
		Status: http.StatusServiceUnavailable, Reason: "connection was ended",
	}
	refusedInternal = handshake.Refusal{
		Status: http.StatusInternalServerError, Reason: "internal error",
	}
)

// upgrade gathers the head, answers it, and says whether the connection is open. rest is what came
// behind the head; it is valid until release is called.
func (c *reader) upgrade() (rest []byte, release func(), open bool) {
	h := heads.Get().(*head)
	release = func() { heads.Put(h) }
	c.counted = c.srv.admit(c.counted, c.peer.Addr(), false)
	if c.counted == claimRefused {
		c.answerRefusal(&refusedCrowd)
		return nil, release, false
	}
	n, end, refusal := c.gather(h)
	if refusal == nil && end > 0 {
		var r *Request
		if r, refusal = h.parser.Parse(&c.srv.handshake, h.b[:end]); refusal == nil {
			refusal = c.accept(h, r)
		}
	}
	if refusal != nil {
		c.answerRefusal(refusal)
	}
	return h.b[end:n], release, refusal == nil && end > 0
}

// gather reads until the head is whole: n bytes are read, end of them are the head. Neither an end
// nor a refusal means that the connection broke off or never sent anything.
func (c *reader) gather(h *head) (n, end int, r *Refusal) {
	var scanner handshake.Scanner
	for {
		deadline := c.srv.started.Add(c.srv.askBy(c.vitals.accepted))
		m, err := c.readUntil(h.b[n:], deadline)
		n += m
		if m > 0 {
			c.asks.Store(true)
			if c.srv.isStopping() {
				return n, 0, &refusedStopping
			}
			if end, r = scanner.Scan(h.b[:n]); end > 0 || r != nil {
				return n, end, r
			}
			continue
		}
		switch {
		case errors.Is(err, realip.ErrProxy):
			return n, 0, &refusedProxy
		case err != nil && !isTimeout(err):
			return n, 0, nil
		case n > 0 && c.srv.isStopping():
			return n, 0, &refusedStopping
		case now().Before(deadline): // it was woken
		case n == 0:
			return n, 0, nil
		default:
			return n, 0, &refusedSlow
		}
	}
}

// accept asks the handler about a proper handshake and puts the 101 before all that waits.
func (c *reader) accept(h *head, r *Request) *Refusal {
	if c.proxied != nil && c.proxied.source.IsValid() {
		c.peer = c.proxied.source
	}
	c.peer = c.srv.client(c.peer, r)
	if c.counted = c.srv.admit(c.counted, c.peer.Addr(), true); c.counted == claimRefused {
		return &refusedCrowd
	}
	c.proto, c.deflate, c.rules = r.Protocol, r.Deflate, c.srv.rulesFor(r.Deflate)
	header, refusal := c.callOpen(r)
	for refusal == nil && c.isHeld() {
		if refusal = c.awaitUpgrade(); refusal == nil {
			header, refusal = c.callOpen(r)
		}
	}
	if refusal != nil {
		return refusal
	}
	answer, err := h.parser.AppendAnswer(nil, header)
	if err != nil {
		c.srv.o.Logger.Error("handshake was not understood after its check", "error", err)
		c.callClosed(End{Cause: CauseLost})
		return &refusedInternal
	}
	c.opened(answer)
	return nil
}

// client is who asks, where a proxy that is believed says so.
func (s *Server) client(peer netip.AddrPort, r *Request) netip.AddrPort {
	if r.ForwardedFor == nil || len(s.o.TrustedProxies) == 0 {
		return peer
	}
	ip := realip.Forwarded(s.o.TrustedProxies, peer.Addr(), r.ForwardedFor)
	if ip == peer.Addr() {
		return peer
	}
	return netip.AddrPortFrom(ip, 0)
}

// answerRefusal writes an HTTP answer and lets go of the connection.
func (c *reader) answerRefusal(r *Refusal) {
	c.srv.stats.refused(r.Status)
	deadline := now().Add(min(closeTimeout, c.srv.o.HelloTimeout))
	if c.nc.SetDeadline(deadline) != nil { // to write, TLS may have to shake hands first
		return
	}
	if _, err := c.nc.Write(handshake.AppendRefusal(nil, r)); err == nil {
		hangUp(c.nc, deadline)
	}
}
