package wsframe

import "encoding/binary"

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
	for len(b) > 0 {
		if b[0] < 0x80 {
			b = b[asciiPrefix(b):]
			continue
		}
		n := u.lead(b[0])
		if n == 0 {
			return false
		}
		if n > len(b) {
			u.need = uint8(n) - 1
			_, ok := u.resume(b[1:])
			return ok
		}
		if b[1] < u.lo || u.hi < b[1] {
			return false
		}
		switch n {
		case 3:
			if b[2]&0xC0 != 0x80 {
				return false
			}
		case 4:
			if b[2]&0xC0 != 0x80 || b[3]&0xC0 != 0x80 {
				return false
			}
		}
		b = b[n:]
	}
	return true
}

// Complete says whether the text may end here: no character is unfinished.
func (u *UTF8) Complete() bool { return u.need == 0 }

// resume goes on with a character that the pieces before have begun, and returns what follows it.
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

// lead returns how many bytes a character has by its first one, 0 where none begins so, and sets
// what its second byte must lie between (RFC 3629 section 4): that excludes overlong forms,
// surrogates, and what is above U+10FFFF.
func (u *UTF8) lead(c byte) int {
	u.lo, u.hi = 0x80, 0xBF
	switch {
	case c < 0xC2:
		return 0
	case c < 0xE0:
		return 2
	case c < 0xF0:
		switch c {
		case 0xE0:
			u.lo = 0xA0
		case 0xED:
			u.hi = 0x9F
		}
		return 3
	case c < 0xF5:
		switch c {
		case 0xF0:
			u.lo = 0x90
		case 0xF4:
			u.hi = 0x8F
		}
		return 4
	}
	return 0
}

// asciiPrefix returns how many bytes of ASCII a text begins with.
func asciiPrefix(b []byte) int {
	const high = 0x8080_8080_8080_8080
	n := 0
	for len(b)-n >= 16 {
		s := b[n : n+16]
		if (binary.LittleEndian.Uint64(s)|binary.LittleEndian.Uint64(s[8:]))&high != 0 {
			break
		}
		n += 16
	}
	for len(b)-n >= 8 && binary.LittleEndian.Uint64(b[n:])&high == 0 {
		n += 8
	}
	for n < len(b) && b[n] < 0x80 {
		n++
	}
	return n
}
