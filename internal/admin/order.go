package admin

import (
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"math"
	"strings"
	"time"
)

// field is a time of a session that lists can be sorted by.
type field uint8

const (
	byCreated field = iota
	byActivity
	byDeadline
	fields
)

// order is how a list is sorted. The zero order is by creation, the oldest first.
type order struct {
	by         field
	descending bool
}

// orders yields all there are.
func orders(yield func(order) bool) {
	for f := range fields {
		if !yield(order{by: f}) || !yield(order{by: f, descending: true}) {
			return
		}
	}
}

// String is the order as the parameter sort has it.
func (o order) String() string {
	name := [fields]string{"created_at", "last_activity", "deadline"}[o.by]
	if o.descending {
		return "-" + name
	}
	return name
}

// key is where in an order a session stands. No two sessions have the same. The zero key is none.
type key struct {
	micros int64 // the time that is sorted by, since 1970
	id     string
}

// key is where a session stands. One that never ends stands behind all that do.
func (o order) key(s *Session) key {
	t := [fields]time.Time{s.Created, s.LastActivity, s.Deadline}[o.by]
	if t.IsZero() {
		return key{math.MaxInt64, s.ID}
	}
	return key{t.UnixMicro(), s.ID}
}

// compare is below 0 where a stands before b.
func (o order) compare(a, b key) int {
	c := cmp.Or(cmp.Compare(a.micros, b.micros), strings.Compare(a.id, b.id))
	if o.descending {
		return -c
	}
	return c
}

// A cursor is, in base64url, a byte for the order, eight for the time, and the ID.
const cursorHead = 1 + 8

// cursor is a key as the client gets it, for the same order only.
func (o order) cursor(k key) string {
	b := binary.BigEndian.AppendUint64([]byte{o.code()}, uint64(k.micros))
	return base64.RawURLEncoding.EncodeToString(append(b, k.id...))
}

// parseCursor reads what cursor made, and nothing else.
func parseCursor(text string, o order) (key, error) {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) <= cursorHead || len(b) > cursorHead+nameBytesMax ||
		base64.RawURLEncoding.EncodeToString(b) != text {
		return key{}, badRequest("cursor is none that a list has given")
	}
	if b[0] != o.code() {
		return key{}, badRequest("cursor belongs to a list that is sorted in another way")
	}
	micros := int64(binary.BigEndian.Uint64(b[1:cursorHead]))
	return key{micros, string(b[cursorHead:])}, nil
}

// code tells orders apart in cursors. None is 0.
func (o order) code() byte {
	c := 2 * (byte(o.by) + 1)
	if o.descending {
		c++
	}
	return c
}
