package gateway

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
)

// object is what should be a JSON object (RFC 8259), as it came.
type object []byte

// each calls f with every name and value, in order, as they stand there, and says whether it is an
// object in valid JSON; where it is not, what f was given before counts for nothing. Names are
// compared exactly; of one that comes twice the last counts. The text must be valid UTF-8.
func (o object) each(f func(name, value []byte)) bool {
	i := skipSpace(o, 0)
	if i == len(o) || o[i] != '{' {
		return false
	}
	i = skipSpace(o, i+1)
	if i < len(o) && o[i] == '}' {
		return skipSpace(o, i+1) == len(o)
	}
	for {
		start := i
		end := skipString(o, i)
		if i = skipName(o, start); i < 0 {
			return false
		}
		name := o[start+1 : end-1]
		if bytes.IndexByte(name, '\\') >= 0 {
			name = []byte(unquote(o[start:end]))
		}
		start = skipSpace(o, i)
		if end = skipValue(o, start); end < 0 {
			return false
		}
		f(name, o[start:end])
		i = skipSpace(o, end)
		switch {
		case i == len(o):
			return false
		case o[i] == '}':
			return skipSpace(o, i+1) == len(o)
		case o[i] != ',':
			return false
		}
		i = skipSpace(o, i+1)
	}
}

// unquote is the text of a JSON string, which must be valid.
func unquote(value []byte) string {
	if bytes.IndexByte(value, '\\') < 0 {
		return string(value[1 : len(value)-1])
	}
	var s string
	_ = json.Unmarshal(value, &s) // cannot fail: the value is valid and a string
	return s
}

func isString(value []byte) bool { return value[0] == '"' }
func isNull(value []byte) bool   { return value[0] == 'n' }
func isObject(value []byte) bool { return value[0] == '{' }
func isBool(value []byte) bool   { return value[0] == 't' || value[0] == 'f' }
func isNumber(value []byte) bool { return value[0] == '-' || '0' <= value[0] && value[0] <= '9' }

// number is the value of a JSON number, infinite where it is too large.
func number(value []byte) float64 {
	f, _ := strconv.ParseFloat(string(value), 64)
	return f
}

// quote is a text as a JSON string.
func quote(text string) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(text) // a string can always be written
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// seqNumber is the number of a frame as a client sends it.
type seqNumber struct {
	n    uint64
	wild bool // a number that no frame can have: negative, or too large
}

// parseSeq takes a JSON number; false: it is not a whole one.
func parseSeq(value []byte) (seqNumber, bool) {
	if n, err := strconv.ParseUint(string(value), 10, 64); err == nil {
		return seqNumber{n: n}, true
	}
	f := number(value)
	switch {
	case f != math.Trunc(f):
		return seqNumber{}, false
	case f < 0 || f >= 1<<53:
		return seqNumber{wild: true}, true
	}
	return seqNumber{n: uint64(f)}, true // as 1e3 or 5.0
}
