package conform

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// furtherCases is section 14: what the RFCs demand and the Autobahn testsuite does not ask.
func furtherCases() []*testCase {
	all := slices.Concat(maskingCases(), lengthCases(), laterCodes(), handshakeCases(),
		deflateFaults(), deflateForms())
	for i, o := range []string{
		"permessage-deflate; server_max_window_bits=7",
		"permessage-deflate; server_max_window_bits=16",
		"permessage-deflate; server_max_window_bits",
		"permessage-deflate; client_max_window_bits=7",
		"permessage-deflate; server_no_context_takeover=1",
		"permessage-deflate; no_such_parameter",
		"permessage-deflate; client_max_window_bits; client_max_window_bits",
	} {
		all = append(all, &testCase{
			id: fmt.Sprintf("14.7.%d", i+1), rfc: "7692, 7.1",
			what: "the offer " + o + " is declined", offers: []offer{{raw: o}}, declined: true,
		})
	}
	return all
}

// maskingCases is 14.1.
func maskingCases() []*testCase {
	bare := func(f frame) frame {
		f.bare = true
		return f
	}
	var all []*testCase
	for i, c := range []struct {
		what  string
		fault []frame
	}{
		{"a text message", []frame{bare(whole(opText, hello))}},
		{"an empty binary message", []frame{bare(whole(opBinary, nil))}},
		{"a ping", []frame{bare(ping("ping"))}},
		{"a close frame", []frame{bare(closeFrame(1000, ""))}},
		{"the second of two fragments", []frame{
			part(opText, "part1", true), bare(part(opContinuation, "part2", false)),
		}},
	} {
		all = append(all, &testCase{
			id: fmt.Sprintf("14.1.%d", i+1), rfc: "5.1",
			what:   c.what + " that is not masked is refused",
			script: []step{{send: c.fault}},
			end:    refusal(protocolError),
		})
	}
	return all
}

// lengthCases is 14.2. That a length is written as short as it goes is the sender's duty; the RFC
// does not say what becomes of one that is not, so that to accept it is a remark.
func lengthCases() []*testCase {
	long := func(op byte, n int, form lengthForm) frame {
		return frame{op: op, payload: repeated("long", n), form: form}
	}
	var all []*testCase
	for i, f := range []frame{
		long(opText, 5, form16), long(opText, 5, form64), long(opText, 0, form16),
		long(opBinary, 125, form16), long(opBinary, 126, form64), long(opBinary, 65535, form64),
		long(opPing, 5, form16), long(opPing, 5, form64),
	} {
		bits := 16
		if f.form == form64 {
			bits = 64
		}
		answer := message(f.op, f.payload)
		if f.op == opPing {
			answer = pong(f.payload)
		}
		all = append(all, &testCase{
			id: fmt.Sprintf("14.2.%d", i+1), rfc: "5.2",
			what: fmt.Sprintf("a %s frame of %d bytes whose length takes %d bits is refused",
				opName(f.op), len(f.payload), bits),
			script: []step{{send: []frame{f}}},
			end:    refusalOr(answer, "the length was accepted all the same"),
		})
	}
	top := frame{op: opBinary, payload: hello, declared: 1<<63 | uint64(len(hello))}
	return append(all, &testCase{
		id: "14.2.9", rfc: "5.2", what: "a length whose highest of 64 bits is set is refused",
		script: []step{{send: []frame{top}}},
		end:    refusal([]int{1002, tooBig}),
	})
}

// refusalOr is the end of a case after which the server either fails the connection or answers as
// if nothing were wrong.
func refusalOr(answer event, remark string) func(*session) error {
	return func(s *session) error {
		s.log.expected.add("close frame 1002 or " + answer.String())
		e, err := s.next()
		switch {
		case err != nil:
			return err
		case e.is(answer):
			s.remark("%s", remark)
			return s.closeCleanly()
		case e.kind == evClose || e.kind == evEnd:
			return s.refusedBy(e, protocolError, nil)
		}
		return s.surprise(e)
	}
}

// laterCodes is 14.3. The codes 1012 to 1014 were registered with IANA after the RFC; a server
// that knows only the RFC may refuse them. 1015 may not travel.
func laterCodes() []*testCase {
	var all []*testCase
	for i, code := range []int{1012, 1013, 1014} {
		all = append(all, &testCase{
			id: fmt.Sprintf("14.3.%d", i+1), rfc: "7.4.2",
			what: fmt.Sprintf("a close frame with the code %d, registered after the RFC, is "+
				"answered", code),
			script: []step{{send: []frame{closeFrame(code, "")}}},
			end:    laterCode(code),
		})
	}
	return append(all, &testCase{
		id: "14.3.4", rfc: "7.4.1", what: "a close frame with the code 1015 is refused",
		script: []step{{send: []frame{closeFrame(1015, "")}}},
		end:    refusal(protocolError),
	})
}

func laterCode(code int) func(*session) error {
	return func(s *session) error {
		s.log.expected.add("close frame " + anyOf([]int{code, 1000}) +
			" and the end of the TCP connection")
		e, err := s.next()
		switch {
		case err != nil:
			return err
		case e.kind != evClose:
			return s.surprise(e)
		case e.code == 1002:
			s.remark("the code was refused with 1002")
		case e.code != code && e.code != 1000 && e.code != noCode:
			return failed("the close frame was answered with %d", e.code)
		}
		return s.expectEnd()
	}
}

// handshakeCases is 14.4. The method and the version of HTTP come first, then what is missing or
// wrong in the header. There are servers that speak an older version of the protocol, too, so the
// wrong one is none that was ever proposed.
func handshakeCases() []*testCase {
	var all []*testCase
	for i, c := range []struct {
		what string
		edit edit
	}{
		{"with the method POST", edit{"", "POST %s HTTP/1.1"}},
		{"in HTTP/1.0", edit{"", "GET %s HTTP/1.0"}},
		{"without Host", edit{"Host", ""}},
		{"without Upgrade", edit{"Upgrade", ""}},
		{"with the wrong Upgrade", edit{"Upgrade", "h2c"}},
		{"without Connection", edit{"Connection", ""}},
		{"without Sec-WebSocket-Key", edit{"Sec-WebSocket-Key", ""}},
		{"with a key that is not base64", edit{"Sec-WebSocket-Key", "!!!!!!!!!!!!!!!!!!!!!!!!"}},
		{"with a key of 15 bytes", edit{"Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAA"}},
		{"without Sec-WebSocket-Version", edit{"Sec-WebSocket-Version", ""}},
		{"with a version that nobody speaks", edit{"Sec-WebSocket-Version", "99"}},
	} {
		lenient := ""
		if strings.HasPrefix(c.what, "with a key") {
			lenient = "a server need not decode the key (RFC 6455, 4.2.2)"
		}
		all = append(all, &testCase{
			id: fmt.Sprintf("14.4.%d", i+1), rfc: "4.2.1",
			what:      "a handshake " + c.what + " is answered with an HTTP error",
			handshake: []edit{c.edit}, lenient: lenient,
		})
	}
	return all
}

// helloDeflated is "Hello" as RFC 7692, 7.2.3.1 has it.
const helloDeflated = "\xf2\x48\xcd\xc9\xc9\x07\x00"

// deflateFaults is 14.5: what must be refused once compression is agreed. Which code stands for
// data that cannot be inflated, no RFC says.
func deflateFaults() []*testCase {
	squeezed := func(op byte, payload string, rsv byte, more bool) frame {
		return frame{op: op, payload: []byte(payload), rsv: rsv, more: more}
	}
	badUTF8 := newDeflater(&agreed{}).message([]byte(greek + surrogate + "edited"))
	cases := []struct {
		what, rfc string
		codes     []int
		send      []frame
	}{
		{"RSV 1 on a continuation frame", "7692, 6", protocolError, []frame{
			squeezed(opText, helloDeflated[:3], rsv1, true),
			squeezed(opContinuation, helloDeflated[3:], rsv1, false),
		}},
		{"RSV 1 on a ping", "7692, 6", protocolError, []frame{squeezed(opPing, "", rsv1, false)}},
		{"RSV 1 on a close frame", "7692, 6", protocolError, []frame{
			squeezed(opClose, "\x03\xe8", rsv1, false),
		}},
		{"RSV 2 on a message", "5.2", protocolError, []frame{
			squeezed(opText, "Hello", rsv2, false),
		}},
		{"RSV 1 and 3 on a message", "5.2", protocolError, []frame{
			squeezed(opText, helloDeflated, rsv1|rsv3, false),
		}},
		{"text that is not UTF-8 once inflated", "8.1", badData, []frame{
			squeezed(opText, string(badUTF8), rsv1, false),
		}},
		{"a block of the type that there is not", "7692, 7.2.2", nil, []frame{
			squeezed(opBinary, "\xff\xff\xff\xff", rsv1, false),
		}},
		{"a reference to before the beginning", "7692, 7.2.2", nil, []frame{
			squeezed(opBinary, "\xf2\x00\x11\x00\x00", rsv1, false),
		}},
		{cutOffData, "7692, 7.2.2", nil, []frame{
			squeezed(opBinary, helloDeflated[:4], rsv1, false),
		}},
		{"a stored block that is shorter than it says", "7692, 7.2.2", nil, []frame{
			squeezed(opBinary, "\x00\x05\x00\xfa\xffHe", rsv1, false),
		}},
	}
	var all []*testCase
	for i, c := range cases {
		all = append(all, &testCase{
			id: fmt.Sprintf("14.5.%d", i+1), rfc: c.rfc, what: c.what + " is refused",
			offers: []offer{plainOffer},
			script: []step{{send: c.send}},
			end:    refusal(c.codes),
		})
		if c.what == cutOffData {
			all[i].end = cutOffEnd
		}
	}
	return all
}

const cutOffData = "compressed data that is cut off"

// cutOffEnd is the end of the case of such data. The four bytes that a receiver appends may
// complete it to something that can be inflated; no RFC wants that to be found out.
func cutOffEnd(s *session) error {
	s.log.expected.add("a close frame, or the end of the TCP connection")
	e, err := s.next()
	switch {
	case err != nil:
		return err
	case e.kind == evMessage:
		s.remark("the data was taken for complete: %s came back", e)
		return s.closeCleanly()
	case e.kind == evClose || e.kind == evEnd:
		return s.refusedBy(e, nil, nil)
	}
	return s.surprise(e)
}

// deflateForms is 14.6: the forms of a compressed message that RFC 7692, 7.2.3 shows.
func deflateForms() []*testCase {
	word := message(opText, []byte("Hello"))
	long := repeated("a much longer word ", 2000)
	bomb := bytes.Repeat([]byte{0}, 4<<10)
	form := func(rfc, what string, want event, frames ...frame) *testCase {
		return &testCase{
			rfc: "7692, " + rfc, what: what + " comes back", offers: []offer{plainOffer},
			script: []step{{0, frames, []event{want}}},
		}
	}
	of := func(op byte, deflated string, fragment int) []frame {
		return compressed(op, []byte(deflated), fragment)
	}
	deflate := func(p []byte) string { return string(newDeflater(&agreed{}).message(p)) }
	tail := of(opText, helloDeflated, 3)
	interleaved := form("6.1", "a compressed message with a ping between its fragments", word,
		tail[0], ping("between"), tail[1], tail[2])
	interleaved.script[0].want = []event{pong([]byte("between")), word}
	all := []*testCase{
		form("7.2.3.1", "a compressed message", word, of(opText, helloDeflated, 0)...),
		form("6", "a message that is not compressed", word, text("Hello")),
		form("7.2.3.1", "a compressed message in fragments of one byte", word,
			of(opText, helloDeflated, 1)...),
		interleaved,
		form("7.2.3.3", "a message in a block that is stored", word,
			of(opText, "\x00\x05\x00\xfa\xffHello\x00", 0)...),
		form("7.2.3.4", "a message in a block marked as the last", word,
			of(opText, "\xf3\x48\xcd\xc9\xc9\x07\x00\x00", 0)...),
		form("7.2.3.5", "a message in two blocks", word,
			of(opText, "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", 0)...),
		form("7.2.3.6", "an empty message in one byte", message(opText, nil),
			of(opText, "\x00", 0)...),
		form("7.2.3.6", "an empty message in an empty stored block", message(opBinary, nil),
			of(opBinary, "\x00\x00\x00\xff\xff\x00", 0)...),
		form("7.2.3.1", "a compressed message with an empty first fragment", word,
			append([]frame{{op: opText, rsv: rsv1, more: true}},
				fragmented(opContinuation, []byte(helloDeflated), 4)...)...),
		form("7.2.1", "a message that refers far back", message(opText, long),
			of(opText, deflate(long), 0)...),
		form("7.2.1", "a message that is all the same", message(opBinary, bomb),
			of(opBinary, deflate(bomb), 0)...),
		{
			rfc: "7692, 7.2.3.2", what: "a message that refers to the one before comes back",
			offers: []offer{{clientBits: anyBits}}, run: sharedWindow,
		},
	}
	for i, c := range all {
		c.id = fmt.Sprintf("14.6.%d", i+1)
	}
	return all
}

// sharedWindow sends the example of RFC 7692, 7.2.3.2.
func sharedWindow(s *session) error {
	if s.agreed.clientNoTakeover {
		return skipped("the server asks for client_no_context_takeover")
	}
	word := message(opText, []byte("Hello"))
	for _, deflated := range []string{helloDeflated, "\xf2\x00\x11\x00\x00"} {
		s.send(0, compressed(opText, []byte(deflated), 0)...)
		if err := s.expect(word); err != nil {
			return err
		}
	}
	return s.closeCleanly()
}
