package engine

import "time"

// Expired is a session that time ended, as OnExpire gets it.
type Expired[V any] struct {
	// Ref is what named the session. It names none any more.
	Ref    Ref
	Value  V
	Reason Reason
	// Created and LastTouch are as in Info. Due is the moment at which the session should have
	// ended, grace included; the time since then is how late it did.
	Created, LastTouch, Due time.Time

	id []byte
}

// ID is the ID that the session had.
func (e Expired[V]) ID() string { return string(e.id) }

// AppendID appends the ID that the session had to b.
func (e Expired[V]) AppendID(b []byte) []byte { return append(b, e.id...) }
