package netloop

import (
	"net"
	"net/netip"

	"github.com/curfew-go/curfew/internal/realip"
)

// proxied is a connection that begins with a header of the PROXY protocol. Reading takes that away;
// where it is none, reads fail with [realip.ErrProxy].
type proxied struct {
	net.Conn
	source netip.AddrPort // who the peer is, once something was read and the proxy has said so

	kept  []byte // what has come of the header, then what came behind it
	ready bool   // the header is through
	err   error  // it is none
}

// Read reads what follows the header.
func (p *proxied) Read(b []byte) (int, error) {
	for !p.ready {
		if err := p.begin(); err != nil {
			return 0, err
		}
	}
	if len(p.kept) == 0 {
		return p.Conn.Read(b)
	}
	n := copy(b, p.kept)
	if p.kept = p.kept[n:]; len(p.kept) == 0 {
		p.kept = nil
	}
	return n, nil
}

// begin reads once and looks whether the header is whole.
func (p *proxied) begin() error {
	if p.err != nil {
		return p.err
	}
	if p.kept == nil {
		p.kept = make([]byte, 0, realip.MaxProxyBytes+1)
	}
	n, err := p.Conn.Read(p.kept[len(p.kept):cap(p.kept)])
	p.kept = p.kept[:len(p.kept)+n]
	if n == 0 {
		return err
	}
	h, size, err := realip.ParseProxy(p.kept)
	if err != nil {
		p.err = err
		return err
	}
	if size > 0 {
		p.kept, p.ready = p.kept[size:], true
		if !h.Local {
			p.source = h.Source
		}
	}
	return nil
}
