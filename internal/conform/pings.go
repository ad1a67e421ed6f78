package conform

import (
	"bytes"
	"fmt"
)

// pingCases is section 2.
func pingCases() []*testCase {
	longest := bytes.Repeat([]byte{0xFE}, controlBytesMax)
	binary := []byte{0x00, 0xFF, 0xFE, 0xFD, 0xFC, 0xFB, 0x00, 0xFF}
	unasked := whole(opPong, []byte("a pong that nobody asked for"))
	answered := func(cut cutting, payload []byte) []step {
		return []step{{cut, []frame{whole(opPing, payload)}, []event{pong(payload)}}}
	}
	return []*testCase{
		{
			id: "2.1", rfc: "5.5.2", what: "a ping without payload is answered",
			script: answered(0, nil),
		},
		{
			id: "2.2", rfc: "5.5.3", what: "a ping with text is answered with the same payload",
			script: answered(0, hello),
		},
		{
			id: "2.3", rfc: "5.5.3", what: "a ping with bytes that are no text is answered alike",
			script: answered(0, binary),
		},
		{
			id: "2.4", rfc: "5.5", what: "a ping of 125 bytes is answered",
			script: answered(0, longest),
		},
		{
			id: "2.5", rfc: "5.5", what: "a ping of 126 bytes is refused",
			script: []step{{send: []frame{whole(opPing, append(longest, 0xFE))}}},
			end:    refusal(protocolError),
		},
		{
			id: "2.6", rfc: "5.5", what: "a ping of 125 bytes, sent byte by byte, is answered",
			script: answered(1, longest),
		},
		{
			id: "2.7", rfc: "5.5.3", what: "an empty pong that nobody asked for is ignored",
			script: []step{{send: []frame{{op: opPong}}}},
		},
		{
			id: "2.8", rfc: "5.5.3", what: "a pong with payload that nobody asked for is ignored",
			script: []step{{send: []frame{unasked}}},
		},
		{
			id: "2.9", rfc: "5.5.3", what: "after such a pong, a ping is answered",
			script: []step{{0, []frame{unasked, ping("ping")}, []event{pong([]byte("ping"))}}},
		},
		{id: "2.10", rfc: "5.5.3", what: "ten pings at once are answered", script: tenPings(0)},
		{
			id: "2.11", rfc: "5.5.3", what: "ten pings, sent byte by byte, are answered",
			script: tenPings(1),
		},
	}
}

func tenPings(cut cutting) []step {
	s := step{cut: cut}
	for i := range 10 {
		payload := fmt.Sprintf("ping %d", i)
		s.send = append(s.send, ping(payload))
		s.want = append(s.want, pong([]byte(payload)))
	}
	return []step{s}
}
