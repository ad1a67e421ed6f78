package wsframe

import (
	"encoding/binary"

	"github.com/gobwas/ws"
)

const rsv1 = 0x4 // of ws.Header.Rsv: the message is compressed

// readHead reads the header of a frame from the first bytes of b. It returns how many it has, or 0
// where b ends before that. It finds a fault as early as the bytes tell: most by the first two, a
// bad length or one over the limit before the mask has come.
func (p *Parser) readHead(r *Rules, b []byte) (h ws.Header, n int, f Fault) {
	if len(b) < 2 {
		return h, 0, FaultNone
	}
	h = ws.Header{
		Fin:    b[0]&0x80 != 0,
		Rsv:    b[0] >> 4 & 0x7,
		OpCode: ws.OpCode(b[0] & 0xF),
		Masked: b[1]&0x80 != 0,
		Length: int64(b[1] & 0x7F),
	}
	if f = p.checkHead(r, h); f != FaultNone {
		return h, 0, f
	}
	n = 2
	if h.Length > 125 {
		if h.Length, n, f = longLength(b); n == 0 {
			return h, 0, f
		}
	}
	if !h.OpCode.IsControl() && p.overLimit(r, h) {
		return h, 0, FaultTooBig
	}
	if h.Masked {
		if len(b) < n+4 {
			return h, 0, FaultNone
		}
		h.Mask = [4]byte(b[n:])
		n += 4
	}
	return h, n, FaultNone
}

// longLength reads a length that has two or eight bytes of its own, and returns how long the header
// is up to there, or 0 where the bytes do not reach or there is a fault.
func longLength(b []byte) (length int64, n int, f Fault) {
	if b[1]&0x7F == 126 {
		if len(b) < 4 {
			return 0, 0, FaultNone
		}
		length, n = int64(binary.BigEndian.Uint16(b[2:])), 4
		if length < 126 {
			return 0, 0, FaultLength
		}
		return length, n, FaultNone
	}
	if len(b) > 2 && b[2]&0x80 != 0 {
		return 0, 0, FaultLength
	}
	if len(b) < 10 {
		return 0, 0, FaultNone
	}
	length, n = int64(binary.BigEndian.Uint64(b[2:])), 10
	if length <= 0xFFFF {
		return 0, 0, FaultLength
	}
	return length, n, FaultNone
}

// checkHead checks all but the length, of which h has only what the second byte says.
func (p *Parser) checkHead(r *Rules, h ws.Header) Fault {
	if r.Deflate && h.Rsv == rsv1 && (h.OpCode == ws.OpText || h.OpCode == ws.OpBinary) {
		h.Rsv = 0 // RFC 7692 section 6: the first frame of a message says whether it is compressed.
	}
	state := ws.StateServerSide
	if r.Role == Client {
		state = ws.StateClientSide
	}
	if p.flags&inMessage != 0 {
		state |= ws.StateFragmented
	}
	if err := ws.CheckHeader(h, state); err != nil {
		return headFaults[err]
	}
	return FaultNone
}

// headFaults are the errors of ws.CheckHeader.
var headFaults = map[error]Fault{
	ws.ErrProtocolOpCodeReserved:         FaultOpcode,
	ws.ErrProtocolControlPayloadOverflow: FaultControl,
	ws.ErrProtocolControlNotFinal:        FaultControl,
	ws.ErrProtocolNonZeroRsv:             FaultRSV,
	ws.ErrProtocolMaskRequired:           FaultMask,
	ws.ErrProtocolMaskUnexpected:         FaultMask,
	ws.ErrProtocolContinuationExpected:   FaultInterleaved,
	ws.ErrProtocolContinuationUnexpected: FaultContinuation,
}

// overLimit says whether a data frame, or the message with it, is longer than allowed.
func (p *Parser) overLimit(r *Rules, h ws.Header) bool {
	if r.MaxFrameBytes > 0 && h.Length > r.MaxFrameBytes {
		return true
	}
	limit := r.wireLimit(h.Rsv&rsv1 != 0 || p.flags&compressed != 0)
	return h.Length > limit-int64(p.keptLen())
}
