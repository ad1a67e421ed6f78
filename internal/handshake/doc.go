// Package handshake is the HTTP side of a WebSocket connection: it finds the end of a request in
// what arrives, takes the request apart strictly, and writes the answer. It does no input or
// output, starts no goroutine and reads no clock. One Parser serves all connections of a loop.
//
//	rules := &handshake.Rules{Paths: []string{"/ws"}, Origin: handshake.SameOrigin(nil, false)}
//	var p handshake.Parser    // for a loop
//	var s handshake.Scanner   // for a connection, until its head is whole
//
//	end, refusal := s.Scan(b) // b is all that came; 0 and nil: more is needed
//	r, refusal := p.Parse(rules, b[:end])
//	out, err := p.AppendAnswer(out, []byte("Session: x\r\n"))
//	out = handshake.AppendRefusal(out, refusal) // instead, and then close
//
// # Terms
//
// The head is an HTTP request up to and with its blank line. What follows it belongs to WebSocket
// already. A refusal is an HTTP answer other than 101, after which the connection ends.
//
// # Design
//
// gobwas/ws makes the answer. What it leaves to its user is done here, before it: limits on the
// head before anything is stored, strict HTTP, an answer to every malformed request. It is given a
// request that says what was found and nothing else, so nothing depends on what it reads less
// strictly.
//
// The rule for doubtful requests: whatever two readers of HTTP might understand differently is
// refused, since somebody may stand in between who understood it the other way. What is merely
// unusual, as lists in several lines, or a target with scheme and host, is understood.
//
// # Guarantees
//
// H1, any split: the verdict about a head does not depend on how it was cut when it arrived.
//
// H2, early: a line feed without its carriage return, a line too many, and a head too long are
// refused when they are seen, not when the head is whole.
//
// H3, no garbage: reading a request allocates nothing, but for a Host that is an IPv6 address;
// answering one allocates what ws.Upgrader does, one slice of 32 bytes; refusing one, nothing.
//
// # Concurrency
//
// A Scanner and a Parser belong to one goroutine at a time. Rules and refusals are shared and only
// read; functions may be called from anywhere.
//
// # Limits
//
// A head has at most [MaxHeadBytes] and 64 header lines. A Parser keeps room for lists that came
// in several lines, which that bounds too.
package handshake
