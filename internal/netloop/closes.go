package netloop

import (
	"sync/atomic"

	"github.com/curfew-go/curfew/internal/wsframe"
)

// Codes that no frame holds, or that stand for others, in [Stats].Closed.
const (
	// CodeNoStatus is that of a close frame without a code, as RFC 6455 section 7.4.1 has it.
	CodeNoStatus Code = 1005
	// CodeOther stands for whatever code a peer makes up: any from 3000 on. Of the server it stands
	// for those from 3000 to 3999.
	CodeOther Code = 4999
)

const (
	protocolCodes    = 1000 // the first code of the protocol
	protocolCodesEnd = 1016
	ownCodes         = 4000 // the first of those that the server may have of its own
	ownCodesEnd      = 5000
)

// closes counts how connections were closed that were open. Peers choose from few places, so that
// none of them makes the map of Stats grow. The counts order nothing.
type closes struct {
	none     atomic.Uint64 // without a close frame
	byClient [protocolCodesEnd - protocolCodes]atomic.Uint64
	other    atomic.Uint64 // of clients
	byServer [protocolCodesEnd - protocolCodes]atomic.Uint64
	own      [ownCodesEnd - ownCodes]atomic.Uint64 // of the server
}

// count counts a connection by the close frame that came first.
func (c *closes) count(side Side, code Code) {
	if code == Code(wsframe.NoCode) {
		code = CodeNoStatus
	}
	protocol := code >= protocolCodes && code < protocolCodesEnd
	switch {
	case side == SideNone:
		c.none.Add(1)
	case side == SideClient && protocol:
		c.byClient[code-protocolCodes].Add(1)
	case side == SideClient:
		c.other.Add(1)
	case protocol:
		c.byServer[code-protocolCodes].Add(1)
	case code >= ownCodes && code < ownCodesEnd:
		c.own[code-ownCodes].Add(1)
	default:
		c.own[CodeOther-ownCodes].Add(1)
	}
}

// counts are those above 0.
func (c *closes) counts() map[Close]uint64 {
	m := make(map[Close]uint64)
	put := func(code Code, side Side, n *atomic.Uint64) {
		if n := n.Load(); n > 0 {
			m[Close{code, side}] = n
		}
	}
	put(0, SideNone, &c.none)
	put(CodeOther, SideClient, &c.other)
	for i := range c.byClient {
		put(protocolCodes+Code(i), SideClient, &c.byClient[i])
		put(protocolCodes+Code(i), SideServer, &c.byServer[i])
	}
	for i := range c.own {
		put(ownCodes+Code(i), SideServer, &c.own[i])
	}
	return m
}
