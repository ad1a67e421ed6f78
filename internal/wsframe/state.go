package wsframe

import (
	"encoding/binary"
	"errors"

	"github.com/gobwas/ws"
)

// stateVersion is the first byte of a state that is not empty.
const stateVersion = 1

// stateBytes is how long a state is without the bytes kept: version, flags, what the header and the
// text have come to, the mask, what is left of the payload, and two lengths.
const stateBytes = 2 + 1 + ws.MaxHeaderSize + 3 + 4 + 8 + 8 + 1

// Errors of RestoreState.
var (
	// ErrState is returned for bytes that no parser's state is.
	ErrState = errors.New("wsframe: malformed state of a parser")

	// ErrNoBuffer is returned where the owner of the buffers gave none.
	ErrNoBuffer = errors.New("wsframe: out of buffers")
)

// AppendState appends what the parser is, kept bytes included, so that another process can go on
// where this one stopped. Of an idle parser it appends nothing. It may be called after None only.
func (p *Parser) AppendState(dst []byte) []byte {
	if p.Idle() {
		return dst
	}
	dst = append(dst, stateVersion, byte(p.flags), p.headLen)
	dst = append(dst, p.head[:]...)
	dst = append(dst, p.utf8.need, p.utf8.lo, p.utf8.hi)
	dst = append(dst, p.mask[:]...)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(p.left))
	var kept, ctl []byte
	if p.kept != nil {
		kept = p.kept.B
	}
	if p.ctl != nil {
		ctl = p.ctl.B
	}
	dst = binary.LittleEndian.AppendUint64(dst, uint64(len(kept)))
	dst = append(dst, byte(len(ctl)))
	dst = append(dst, kept...)
	return append(dst, ctl...)
}

// RestoreState makes a new parser what AppendState wrote. The error is [ErrState], or
// [ErrNoBuffer] where the rules' buffers refused; the parser is then new.
func (p *Parser) RestoreState(r *Rules, state []byte) error {
	if len(state) == 0 {
		*p = Parser{}
		return nil
	}
	if len(state) < stateBytes || state[0] != stateVersion {
		return ErrState
	}
	b := state[1:]
	q := Parser{flags: flags(b[0]), headLen: b[1]}
	b = b[2+copy(q.head[:], b[2:]):]
	q.utf8 = UTF8{need: b[0], lo: b[1], hi: b[2]}
	b = b[3+copy(q.mask[:], b[3:]):]
	q.left = int64(binary.LittleEndian.Uint64(b))
	kept, ctl := binary.LittleEndian.Uint64(b[8:]), uint64(b[16])
	b = b[17:]
	if !q.sound(r) || kept > uint64(len(b)) || uint64(len(b))-kept != ctl ||
		kept > uint64(r.wireLimit(q.flags&compressed != 0)) || ctl > maxControlBytes {
		return ErrState
	}
	if !q.keep(r, &q.kept, b[:kept]) || !q.keep(r, &q.ctl, b[kept:]) {
		q.Reset(r)
		return ErrNoBuffer
	}
	*p = q
	return nil
}

// sound says whether a parser's fields are ones that parsing leads to, as far as going on relies on
// it.
func (p *Parser) sound(r *Rules) bool {
	if p.headLen > 0 {
		// What has come of a header is not all of it.
		if p.flags&inPayload != 0 || int(p.headLen) >= len(p.head) {
			return false
		}
		if _, n, f := p.readHead(r, p.head[:p.headLen]); n > 0 || f != FaultNone {
			return false
		}
	}
	return p.flags&lent == 0 && p.utf8.need <= 3 && p.left >= 0 &&
		(p.left == 0 || p.flags&inPayload != 0) &&
		(p.flags&control == 0 || ws.OpCode(p.head[0]).IsControl())
}
