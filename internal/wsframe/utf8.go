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
		c := leads[b[0]&0x7F]
		n := int(c.bytes)
		if n > len(b) {
			*u = UTF8{need: c.bytes - 1, lo: c.lo, hi: c.hi}
			_, ok := u.resume(b[1:])
			return ok
		}
		if n == 0 || b[1] < c.lo || c.hi < b[1] {
			return false
		}
		if n > 2 && b[2]&0xC0 != 0x80 || n > 3 && b[3]&0xC0 != 0x80 {
			return false
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

// lead is what the first byte of a character says: how many bytes that has, 0 where none begins so,
// and what the second must lie between.
type lead struct{ bytes, lo, hi uint8 }

// leads has the first bytes from 0x80 on, by RFC 3629 section 4, which excludes overlong forms,
// surrogates, and what is above U+10FFFF.
var leads = func() (all [128]lead) {
	fill := func(from, to int, l lead) {
		for c := from; c <= to; c++ {
			all[c&0x7F] = l
		}
	}
	fill(0xC2, 0xDF, lead{2, 0x80, 0xBF})
	fill(0xE0, 0xEF, lead{3, 0x80, 0xBF})
	fill(0xE0, 0xE0, lead{3, 0xA0, 0xBF})
	fill(0xED, 0xED, lead{3, 0x80, 0x9F})
	fill(0xF0, 0xF4, lead{4, 0x80, 0xBF})
	fill(0xF0, 0xF0, lead{4, 0x90, 0xBF})
	fill(0xF4, 0xF4, lead{4, 0x80, 0x8F})
	return all
}()

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
