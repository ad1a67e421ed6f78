package admin

import (
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"math"
	"time"
)

// field is what of a session a list is sorted by.
type field uint8

const (
	byPlace field = iota // where the daemon keeps it: what costs nothing
	byCreated
	byActivity
	byDeadline
	fields
)

// order is how a list is sorted. The zero order is by place, which has no other direction.
type order struct {
	by         field
	descending bool
}

// orders yields all there are.
func orders(yield func(order) bool) {
	for f := range fields {
		if !yield(order{by: f}) || f != byPlace && !yield(order{by: f, descending: true}) {
			return
		}
	}
}

// String is the order as the parameter sort has it.
func (o order) String() string {
	name := [fields]string{"", "created_at", "last_activity", "deadline"}[o.by]
	if o.descending {
		return "-" + name
	}
	return name
}

// key is where in an order a session stands. No two sessions have the same. The zero key is none.
type key struct {
	micros int64  // the time that is sorted by, since 1970; 0 in the order by place
	ref    uint64 // decides between sessions of one time
}

// key is where a session stands. One that never ends stands behind all that do.
func (o order) key(s *Outline) key {
	if o.by == byPlace {
		return key{ref: s.Ref}
	}
	t := [fields]time.Time{{}, s.Created, s.LastActivity, s.Deadline}[o.by]
	if t.IsZero() {
		return key{math.MaxInt64, s.Ref}
	}
	return key{t.UnixMicro(), s.Ref}
}

// compare is below 0 where a stands before b. Places only the daemon can compare.
func (o order) compare(a, b key) int {
	c := cmp.Or(cmp.Compare(a.micros, b.micros), cmp.Compare(a.ref, b.ref))
	if o.descending {
		return -c
	}
	return c
}

// A cursor is, in base64url, a byte for the order, eight for the time, and eight for the Ref.
const cursorBytes = 1 + 8 + 8

// cursor is a key as the client gets it, for the same order only.
func (o order) cursor(k key) string {
	b := binary.BigEndian.AppendUint64([]byte{o.code()}, uint64(k.micros))
	return base64.RawURLEncoding.EncodeToString(binary.BigEndian.AppendUint64(b, k.ref))
}

// parseCursor reads what cursor made, and nothing else.
func parseCursor(text string, o order) (key, error) {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) != cursorBytes || base64.RawURLEncoding.EncodeToString(b) != text {
		return key{}, badRequest("cursor is none that a list has given")
	}
	if b[0] != o.code() {
		return key{}, badRequest("cursor belongs to a list that is sorted in another way")
	}
	k := key{int64(binary.BigEndian.Uint64(b[1:])), binary.BigEndian.Uint64(b[9:])}
	if k.ref == 0 || o.by == byPlace && k.micros != 0 {
		return key{}, badRequest("cursor is none that a list has given")
	}
	return k, nil
}

// code tells orders apart in cursors. None is 0.
func (o order) code() byte {
	c := 2 * (byte(o.by) + 1)
	if o.descending {
		c++
	}
	return c
}
