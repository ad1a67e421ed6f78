package handshake

import "bytes"

// Classes of characters.
const (
	tokenChar  = 1 << iota // of a token (RFC 9110 section 5.6.2)
	valueChar              // of a header's value: no controls but the tab
	targetChar             // of a request target: visible, and no fragment
	nameChar               // of the name of a host, which is neither encoded nor part of a list
)

var (
	chars = classify()
	comma = []byte(",")
)

func classify() (t [256]uint8) {
	set := func(s string, class uint8) {
		for i := range len(s) {
			t[s[i]] |= class
		}
	}
	for i := range t {
		if c := byte(i); c >= ' ' && c != 0x7f || c == '\t' {
			t[c] |= valueChar
		}
		if c := byte(i); c > ' ' && c < 0x7f && c != '#' {
			t[c] |= targetChar
		}
	}
	set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", tokenChar|nameChar)
	set("!#$%&'*+-.^_`|~", tokenChar)
	set("-._~!$&'()*+;=", nameChar) // RFC 3986 section 3.2.2, without the comma and %
	return t
}

// all says whether b has only characters of a class.
func all(b []byte, class uint8) bool {
	for _, c := range b {
		if chars[c]&class == 0 {
			return false
		}
	}
	return true
}

func isToken(b []byte) bool { return len(b) > 0 && all(b, tokenChar) }

func isVersion(b []byte) bool {
	return len(b) == len("HTTP/1.1") && string(b[:5]) == "HTTP/" && b[6] == '.' &&
		isDigit(b[5]) && isDigit(b[7])
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// equalFold compares without regard to the case of ASCII letters. Other letters have none here:
// the Kelvin sign is no k.
func equalFold[A, B ~[]byte | ~string](a A, b B) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if a[i] != b[i] && lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c |= 0x20
	}
	return c
}

// trim is b without the white space around it. It is never nil.
func trim(b []byte) []byte {
	for len(b) > 0 && isSpace(b[0]) {
		b = b[1:]
	}
	for len(b) > 0 && isSpace(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' }

// nextItem takes the first item off a comma-separated list.
func nextItem(list []byte) (item, rest []byte) {
	item, rest, _ = bytes.Cut(list, comma)
	return trim(item), rest
}

// hasItem says whether a comma-separated list holds item, in whatever case.
func hasItem(list []byte, item string) bool {
	for len(list) > 0 {
		var v []byte
		if v, list = nextItem(list); equalFold(v, item) {
			return true
		}
	}
	return false
}
