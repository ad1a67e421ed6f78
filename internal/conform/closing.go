package conform

import (
	"fmt"
	"slices"
	"strings"
)

// closeFrame is a close frame with a code and a reason.
func closeFrame(code int, reason string) frame {
	return whole(opClose, closePayload(code, reason))
}

// closed is the end of a case that has sent its close frame itself.
func closed(codes ...int) func(*session) error {
	return func(s *session) error {
		return s.expectClose(codes...)
	}
}

// closingCases is section 7.
func closingCases() []*testCase {
	all := slices.Concat(closeOrder(), closeFrames())
	valid := []int{
		1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999,
	}
	for i, code := range valid {
		all = append(all, &testCase{
			id: fmt.Sprintf("7.7.%d", i+1), rfc: "7.4",
			what:   fmt.Sprintf("a close frame with the code %d is answered", code),
			script: []step{{send: []frame{closeFrame(code, "")}}},
			end:    closed(code, 1000),
		})
	}
	for i, code := range []int{0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999} {
		all = append(all, &testCase{
			id: fmt.Sprintf("7.9.%d", i+1), rfc: "7.4",
			what:   fmt.Sprintf("a close frame with the code %d is refused", code),
			script: []step{{send: []frame{closeFrame(code, "")}}},
			end:    refusal(protocolError),
		})
	}
	for i, code := range []int{5000, 65535} {
		all = append(all, &testCase{
			id: fmt.Sprintf("7.13.%d", i+1), rfc: "7.4.2",
			what: fmt.Sprintf("a close frame with the code %d, of which the RFC says nothing, "+
				"ends the connection", code),
			script: []step{{send: []frame{closeFrame(code, "")}}},
			end:    anyEnd,
		})
	}
	return all
}

// anyEnd is the end of a case of whose outcome the RFC says nothing but that there is one.
func anyEnd(s *session) error {
	s.log.expected.add("a close frame or the end of the TCP connection")
	for {
		e, err := s.next()
		switch {
		case err != nil:
			return err
		case e.kind == evEnd:
			s.remark("the server ended the connection")
			return nil
		case e.kind == evClose:
			s.remark("the server sent a %s", e)
			return nil
		default:
			return s.surprise(e)
		}
	}
}

// closeOrder is 7.1: what comes before and after a close frame.
func closeOrder() []*testCase {
	normal := closeFrame(1000, "")
	return []*testCase{
		{
			id: "7.1.1", rfc: "5.5.1", what: "a message comes back before the close frame's answer",
			script: []step{{0, []frame{whole(opText, hello)}, []event{message(opText, hello)}}},
		},
		{
			id: "7.1.2", rfc: "5.5.1", what: "a second close frame is ignored",
			script: []step{{send: []frame{normal, {op: opClose}}}}, end: closed(1000),
		},
		{
			id: "7.1.3", rfc: "5.5.1", what: "a ping after a close frame is not answered",
			script: []step{{send: []frame{normal, ping("late")}}}, end: closed(1000),
		},
		{
			id: "7.1.4", rfc: "5.5.1", what: "a message after a close frame is ignored",
			script: []step{{send: []frame{normal, whole(opText, hello)}}}, end: closed(1000),
		},
		{
			id: "7.1.5", rfc: "5.5.1",
			what: "a close frame between fragments is answered, the rest ignored",
			script: []step{{send: []frame{
				part(opText, "part1", true), normal, part(opContinuation, "part2", false),
			}}},
			end: closed(1000),
		},
		{
			id: "7.1.6", rfc: "5.5.1",
			what: "messages, a close frame and a ping at once end the connection",
			run:  busyClose,
		},
	}
}

// busyClose is 7.1.6. A server may give up what it has not sent yet when a close frame comes.
func busyClose(s *session) error {
	const size = 256 << 10
	large := readable(size)
	before := []event{message(opText, large), message(opText, hello)}
	s.send(0, whole(opText, large), whole(opText, hello), closeFrame(1000, ""), ping(""))
	s.log.expected.add("any of the messages, close frame 1000 and the end of the TCP connection")
	for {
		e, err := s.next()
		if err != nil {
			return err
		}
		if at := slices.IndexFunc(before, e.is); at >= 0 {
			before = before[at+1:]
			continue
		}
		if len(before) > 0 {
			s.remark("%d of 2 messages were not echoed before the close", len(before))
		}
		switch {
		case e.kind == evEnd:
			s.remark("the TCP connection was dropped without a close frame")
			return nil
		case e.kind == evClose && (e.code == 1000 || e.code == noCode):
			return s.expectEnd()
		case e.kind == evClose && e.code != tooBig:
			return failed("the close frame was answered with %d", e.code)
		}
		return s.surprise(e)
	}
}

// closeFrames is 7.3 and 7.5.
func closeFrames() []*testCase {
	longest := controlBytesMax - 2
	return []*testCase{
		{
			id: "7.3.1", rfc: "5.5.1", what: "an empty close frame is answered",
			script: []step{{send: []frame{{op: opClose}}}}, end: closed(1000, noCode),
		},
		{
			id: "7.3.2", rfc: "5.5.1", what: "a close frame of one byte is refused",
			script: []step{{send: []frame{whole(opClose, []byte("a"))}}},
			end:    refusal(protocolError),
		},
		{
			id: "7.3.3", rfc: "5.5.1", what: "a close frame with a code is answered",
			script: []step{{send: []frame{closeFrame(1000, "")}}}, end: closed(1000),
		},
		{
			id: "7.3.4", rfc: "5.5.1", what: "a close frame with a code and a reason is answered",
			script: []step{{send: []frame{closeFrame(1000, "so long")}}}, end: closed(1000),
		},
		{
			id: "7.3.5", rfc: "5.5", what: "a close frame with a reason of 123 bytes is answered",
			script: []step{{send: []frame{closeFrame(1000, strings.Repeat("*", longest))}}},
			end:    closed(1000),
		},
		{
			id: "7.3.6", rfc: "5.5", what: "a close frame with a reason of 124 bytes is refused",
			script: []step{{send: []frame{closeFrame(1000, strings.Repeat("*", longest+1))}}},
			end:    refusal(protocolError),
		},
		{
			id: "7.5.1", rfc: "5.5.1", what: "a close frame whose reason is not UTF-8 is refused",
			script: []step{{send: []frame{closeFrame(1000, greek+surrogate+"edited")}}},
			end:    refusal([]int{1002, 1007}),
		},
	}
}
