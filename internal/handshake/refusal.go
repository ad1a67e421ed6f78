package handshake

import (
	"net/http"
	"strconv"
)

// Refusal is an HTTP answer other than 101. Many connections share one: it is only read.
type Refusal struct {
	Status int
	Reason string // the body, one sentence
	Header string // further header lines, each ended by \r\n
}

// What is refused, in the order of the checks.
var (
	refusedLong     = &Refusal{Status: tooLarge, Reason: "request is too large"}
	refusedLines    = &Refusal{Status: tooLarge, Reason: "too many header lines"}
	refusedLineFeed = malformed("line does not end in CR LF")

	refusedRequestLine = malformed("malformed request line")
	refusedTarget      = malformed("malformed request target")
	refusedHTTP        = &Refusal{
		Status: http.StatusHTTPVersionNotSupported, Reason: "only HTTP/1.1 is spoken",
	}
	refusedMethod = &Refusal{
		Status: http.StatusMethodNotAllowed, Reason: "only GET is understood",
		Header: "Allow: GET\r\n",
	}

	refusedHeader   = malformed("malformed header line")
	refusedControl  = malformed("control character in a header")
	refusedLength   = malformed("malformed Content-Length")
	refusedProtocol = malformed("malformed Sec-WebSocket-Protocol")

	refusedHost = malformed("missing or malformed Host")
	refusedBody = &Refusal{
		Status: http.StatusRequestEntityTooLarge, Reason: "a handshake has no body",
	}
	refusedPath = &Refusal{
		Status: http.StatusNotFound, Reason: "nothing is served at this path",
	}
	refusedNoUpgrade = upgradeRequired("this is a WebSocket endpoint")
	refusedVersion   = upgradeRequired("WebSocket version 13 is spoken")
	refusedKey       = malformed("Sec-WebSocket-Key is not 16 bytes of base64")
	refusedProtocols = malformed("no known subprotocol")
	refusedOrigin    = &Refusal{
		Status: http.StatusForbidden, Reason: "Origin is not allowed",
	}
)

const tooLarge = http.StatusRequestHeaderFieldsTooLarge

func malformed(reason string) *Refusal {
	return &Refusal{Status: http.StatusBadRequest, Reason: reason}
}

func upgradeRequired(reason string) *Refusal {
	return &Refusal{
		Status: http.StatusUpgradeRequired, Reason: reason,
		Header: "Sec-WebSocket-Version: 13\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n",
	}
}

// AppendRefusal appends the whole answer. The connection ends after it.
func AppendRefusal(dst []byte, r *Refusal) []byte {
	dst = append(dst, "HTTP/1.1 "...)
	dst = strconv.AppendInt(dst, int64(r.Status), 10)
	dst = append(dst, ' ')
	dst = append(dst, http.StatusText(r.Status)...)
	dst = append(dst, "\r\n"...)
	dst = append(dst, r.Header...)
	dst = append(dst, "Content-Type: text/plain; charset=utf-8\r\nContent-Length: "...)
	dst = strconv.AppendInt(dst, int64(len(r.Reason)+1), 10)
	dst = append(dst, "\r\nConnection: close\r\n\r\n"...)
	dst = append(dst, r.Reason...)
	return append(dst, '\n')
}
