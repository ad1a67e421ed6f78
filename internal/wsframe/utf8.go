package wsframe

import "unicode/utf8"

// UTF8 checks a text that comes in pieces. Its zero value is at the start of a text.
type UTF8 struct {
	need   uint8 // bytes that the character begun still lacks
	lo, hi uint8 // what the next of them must lie between, both included
}

// Check takes the next piece. It returns false when that holds a byte with which no text can go on
// from here, that is, at the first bad byte, even where a character is not complete yet. After that
// the state means nothing.
func (u *UTF8) Check(b []byte) bool {
	if u.need > 0 {
		var ok bool
		if b, ok = u.resume(b); !ok {
			return false
		}
	}
	whole := len(b) - unfinished(b)
	if !utf8.Valid(b[:whole]) {
		return false
	}
	if whole == len(b) {
		return true
	}
	u.begin(b[whole])
	_, ok := u.resume(b[whole+1:])
	return ok
}

// Complete says whether the text may end here: no character is unfinished.
func (u *UTF8) Complete() bool { return u.need == 0 }

// unfinished returns how many bytes at the end of b begin a character that is longer.
func unfinished(b []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(b); n++ {
		switch end := b[len(b)-n:]; {
		case !utf8.RuneStart(end[0]):
		case utf8.FullRune(end):
			return 0
		default:
			return n
		}
	}
	return 0
}

// begin takes the first byte of a character: it tells how long that is, and what its second byte
// must lie between (RFC 3629 section 4), which excludes overlong forms, surrogates, and what is
// above U+10FFFF. REQUIRES: some character of several bytes begins so.
func (u *UTF8) begin(c byte) {
	u.lo, u.hi = 0x80, 0xBF
	switch {
	case c < 0xE0:
		u.need = 1
	case c < 0xF0:
		u.need = 2
	default:
		u.need = 3
	}
	switch c {
	case 0xE0:
		u.lo = 0xA0
	case 0xED:
		u.hi = 0x9F
	case 0xF0:
		u.lo = 0x90
	case 0xF4:
		u.hi = 0x8F
	}
}

// resume goes on with a character that has begun, and returns what follows it.
func (u *UTF8) resume(b []byte) (rest []byte, ok bool) {
	for len(b) > 0 && u.need > 0 {
		if b[0] < u.lo || u.hi < b[0] {
			return nil, false
		}
		u.lo, u.hi = 0x80, 0xBF
		u.need--
		b = b[1:]
	}
	return b, true
}
