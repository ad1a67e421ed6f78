package audit

import (
	"encoding/json"
	"net/netip"
	"strconv"
	"time"
)

// kind is what an entry is about.
type kind uint8

const (
	kindEnd kind = iota
	kindAction
	kindLost
)

// entry is one line to be.
type entry struct {
	at   time.Time
	kind kind

	// Of an end.
	session, user, reason string
	remote                netip.AddrPort
	byTime                bool
	late                  time.Duration

	action *Action // of an action
	lost   uint64  // of kindLost
}

// stamp writes moments, of which many are in the same second.
type stamp struct {
	second int64
	text   []byte // of the second, up to the point
}

// append adds a moment as RFC 3339 in UTC, to the microsecond.
func (s *stamp) append(b []byte, t time.Time) []byte {
	if second := t.Unix(); s.text == nil || second != s.second {
		s.second = second
		s.text = t.UTC().AppendFormat(s.text[:0], "2006-01-02T15:04:05.")
	}
	b = append(b, s.text...)
	micros := t.Nanosecond() / 1000
	for unit := 100_000; unit > 0; unit /= 10 {
		b = append(b, '0'+byte(micros/unit%10))
	}
	return append(b, 'Z')
}

// append adds the line to b.
func (e *entry) append(b []byte, s *stamp) []byte {
	b = append(b, `{"at":"`...)
	b = s.append(b, e.at)
	b = append(b, `","event":"`...)
	switch e.kind {
	case kindEnd:
		b = append(b, `session_end"`...)
		b = appendField(b, "session", e.session)
		b = appendField(b, "user", e.user)
		if e.remote.IsValid() { // its zone, if any, is a name that is not ours
			a := netip.AddrPortFrom(e.remote.Addr().WithZone(""), e.remote.Port())
			b = append(b, `,"remote":"`...)
			b = append(a.AppendTo(b), '"')
		}
		b = appendField(b, "reason", e.reason)
		if e.byTime {
			b = append(b, `,"late_ms":`...)
			b = strconv.AppendFloat(b, float64(e.late.Microseconds())/1000, 'f', -1, 64)
		}
	case kindAction:
		b = append(b, `admin_action"`...)
		b = appendField(b, "method", e.action.Method)
		b = appendField(b, "path", e.action.Path)
		b = appendField(b, "remote", e.action.Remote)
		b = append(b, `,"status":`...)
		b = strconv.AppendInt(b, int64(e.action.Status), 10)
		b = appendField(b, "error", e.action.Error)
		if e.action.Missed > 0 {
			b = append(b, `,"missed":`...)
			b = strconv.AppendInt(b, int64(e.action.Missed), 10)
		}
	case kindLost:
		b = append(b, `lost","lost":`...)
		b = strconv.AppendUint(b, e.lost, 10)
	}
	return append(b, '}', '\n')
}

// appendField adds a field, unless it has no value.
func appendField(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	b = append(b, ',', '"')
	b = append(b, name...)
	b = append(b, '"', ':')
	if isPlain(value) {
		b = append(b, '"')
		b = append(b, value...)
		return append(b, '"')
	}
	quoted, err := json.Marshal(value)
	if err != nil {
		return append(b, `""`...) // a string can always be marshalled
	}
	return append(b, quoted...)
}

// isPlain says whether a string stands in JSON as it is.
func isPlain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}
