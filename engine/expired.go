package engine

import "time"

// Expired is a session that time ended, as OnExpire gets it. It may be copied and kept.
type Expired[V any] struct {
	// Ref is what named the session. It names none any more.
	Ref    Ref
	Value  V
	Reason Reason
	// Created and LastTouch are as in Info. Due is the moment at which the session should have
	// ended, grace included; the time since then is how late it did.
	Created, LastTouch, Due time.Time

	// The ID: in short, so many bytes, or in long if it is longer than a generated one.
	short [idLen]byte
	n     uint8
	long  string
}

// setID keeps a copy of an ID.
func (e *Expired[V]) setID(id []byte) {
	if len(id) > idLen {
		e.long = string(id)
		return
	}
	e.n = uint8(copy(e.short[:], id))
}

// ID is the ID that the session had.
func (e Expired[V]) ID() string { return string(e.AppendID(nil)) }

// AppendID appends the ID that the session had to b.
func (e Expired[V]) AppendID(b []byte) []byte {
	if e.n > 0 {
		return append(b, e.short[:e.n]...)
	}
	return append(b, e.long...)
}
