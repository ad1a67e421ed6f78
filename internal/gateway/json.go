package gateway

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// object is a JSON object as it came: valid, and not taken apart before somebody asks. Values are
// found by the exact name; of a name that comes twice the last counts.
type object []byte

// parseObject takes text that should be a JSON object.
func parseObject(text []byte) (object, bool) {
	text = bytes.TrimLeft(text, " \t\r\n")
	if len(text) == 0 || text[0] != '{' || !json.Valid(text) {
		return nil, false
	}
	return object(text), true
}

// each calls f with every name and value, in order.
func (o object) each(f func(name, value []byte)) {
	i := skipSpace(o, 1)
	for o[i] != '}' {
		end := skipString(o, i)
		name := o[i+1 : end-1]
		if bytes.IndexByte(name, '\\') >= 0 {
			name = []byte(unquote(o[i:end]))
		}
		i = skipSpace(o, end)
		i = skipSpace(o, i+1) // the colon
		end = skipValue(o, i)
		f(name, o[i:end])
		i = skipSpace(o, end)
		if o[i] == ',' {
			i = skipSpace(o, i+1)
		}
	}
}

func skipSpace(b []byte, i int) int {
	for b[i] == ' ' || b[i] == '\t' || b[i] == '\r' || b[i] == '\n' {
		i++
	}
	return i
}

// skipString gives the index behind the string that begins at i.
func skipString(b []byte, i int) int {
	for i++; b[i] != '"'; i++ {
		if b[i] == '\\' {
			i++
		}
	}
	return i + 1
}

// skipValue gives the index behind the value that begins at i.
func skipValue(b []byte, i int) int {
	switch b[i] {
	case '"':
		return skipString(b, i)
	case '{', '[':
		for depth := 0; ; {
			switch b[i] {
			case '"':
				i = skipString(b, i)
				continue
			case '{', '[':
				depth++
			case '}', ']':
				depth--
			}
			if i++; depth == 0 {
				return i
			}
		}
	}
	for b[i] != ',' && b[i] != '}' && b[i] != ' ' && b[i] != '\t' && b[i] != '\r' && b[i] != '\n' {
		i++
	}
	return i
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
