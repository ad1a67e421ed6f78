package handshake

// field is a header that means something here.
type field uint8

const (
	fieldOther field = iota
	fieldHost
	fieldOrigin
	fieldAuthorization
	fieldUserAgent
	fieldForwardedFor
	fieldUpgrade
	fieldConnection
	fieldContentLength
	fieldTransferEncoding
	fieldKey
	fieldVersion
	fieldProtocol
	fieldExtensions
	fieldCount
)

// repeated refuses a second header of those where two readers might each take another one.
var repeated = [fieldCount]*Refusal{
	fieldHost:          malformed("more than one Host"),
	fieldOrigin:        malformed("more than one Origin"),
	fieldAuthorization: malformed("more than one Authorization"),
	fieldContentLength: malformed("more than one Content-Length"),
	fieldKey:           malformed("more than one Sec-WebSocket-Key"),
	fieldVersion:       malformed("more than one Sec-WebSocket-Version"),
}

// fieldOf finds a header by its name, in whatever case.
func fieldOf(name []byte) field {
	switch len(name) {
	case len("Host"):
		return ifNamed(name, "Host", fieldHost)
	case len("Origin"):
		return ifNamed(name, "Origin", fieldOrigin)
	case len("Upgrade"):
		return ifNamed(name, "Upgrade", fieldUpgrade)
	case len("Connection"): // and User-Agent
		return ifNamed(name, "Connection", fieldConnection) |
			ifNamed(name, "User-Agent", fieldUserAgent)
	case len("Authorization"):
		return ifNamed(name, "Authorization", fieldAuthorization)
	case len("Content-Length"):
		return ifNamed(name, "Content-Length", fieldContentLength)
	case len("X-Forwarded-For"):
		return ifNamed(name, "X-Forwarded-For", fieldForwardedFor)
	case len("Sec-WebSocket-Key"): // and Transfer-Encoding
		return ifNamed(name, "Sec-WebSocket-Key", fieldKey) |
			ifNamed(name, "Transfer-Encoding", fieldTransferEncoding)
	case len("Sec-WebSocket-Version"):
		return ifNamed(name, "Sec-WebSocket-Version", fieldVersion)
	case len("Sec-WebSocket-Protocol"):
		return ifNamed(name, "Sec-WebSocket-Protocol", fieldProtocol)
	case len("Sec-WebSocket-Extensions"):
		return ifNamed(name, "Sec-WebSocket-Extensions", fieldExtensions)
	}
	return fieldOther
}

func ifNamed(name []byte, want string, f field) field {
	if equalFold(name, want) {
		return f
	}
	return fieldOther
}
