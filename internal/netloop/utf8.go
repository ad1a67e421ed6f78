package netloop

import "unicode/utf8"

// utf8Stream checks text that comes in pieces, and fails at the first byte that cannot belong to
// valid UTF-8.
type utf8Stream struct {
	carry [utf8.UTFMax]byte // the beginning of a rune that the next piece must go on with
	n     int
}

// write takes the next piece and says whether all so far is good; last says that nothing follows.
func (u *utf8Stream) write(p []byte, last bool) bool {
	for u.n > 0 && len(p) > 0 {
		u.carry[u.n] = p[0]
		u.n++
		p = p[1:]
		if !utf8.FullRune(u.carry[:u.n]) {
			continue
		}
		if r, size := utf8.DecodeRune(u.carry[:u.n]); r == utf8.RuneError && size == 1 {
			return false
		}
		u.n = 0
	}
	if len(p) > 0 {
		whole := len(p) - cutRune(p)
		if !utf8.Valid(p[:whole]) {
			return false
		}
		u.n = copy(u.carry[:], p[whole:])
	}
	if last && u.n > 0 {
		return false
	}
	return true
}

// cutRune is how many bytes at the end of p begin a rune and do not end it.
func cutRune(p []byte) int {
	for i := 1; i < utf8.UTFMax && i <= len(p); i++ {
		if tail := p[len(p)-i:]; utf8.RuneStart(tail[0]) {
			if utf8.FullRune(tail) {
				return 0
			}
			return i
		}
	}
	return 0
}
