package load

import (
	"strconv"
	"strings"

	"github.com/curfew-go/curfew/internal/wsframe"
)

// codeName is a close code as reports have it: 1005 stands for none (RFC 6455, 7.1.5).
func codeName(c wsframe.Code) string {
	if c == wsframe.NoCode {
		return "1005"
	}
	return strconv.Itoa(int(c))
}

// wordBytesMax bounds what a server can have us call things.
const wordBytesMax = 48

// snake is a few words as one.
func snake(words string) string {
	words = words[:min(len(words), wordBytesMax)]
	return strings.Join(strings.FieldsFunc(strings.ToLower(words), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9')
	}), "_")
}
