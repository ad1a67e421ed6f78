package conform

import "fmt"

// reservedCases is sections 3 and 4: bits and opcodes that mean nothing yet.
func reservedCases() []*testCase {
	all := reservedBits()
	for group, base := range []byte{3, 11} {
		for i := range byte(5) {
			odd := frame{op: base + i}
			if i == 1 || i == 3 {
				odd.payload = []byte("reserved payload")
			}
			c := &testCase{
				id:   fmt.Sprintf("4.%d.%d", group+1, i+1),
				rfc:  "5.2",
				what: fmt.Sprintf("a frame with the reserved opcode %d is refused", odd.op),
			}
			if i < 2 {
				c.script = []step{{send: []frame{odd}}}
				c.end = refusal(protocolError)
			} else {
				c.what += ", the message before it answered, the ping after it not"
				c.faultAfterMessage(0, odd)
			}
			all = append(all, c)
		}
	}
	return all
}

// faultAfterMessage makes a case send a message, a faulty frame and a ping.
func (c *testCase) faultAfterMessage(cut cutting, fault frame) {
	c.script = []step{{cut: cut, send: []frame{whole(opText, hello), fault, ping("")}}}
	c.end = refusal(protocolError, message(opText, hello))
}

// reservedBits is section 3.
func reservedBits() []*testCase {
	odd := func(f frame, rsv byte) frame {
		f.rsv = rsv
		return f
	}
	bytes := whole(opBinary, []byte{0x00, 0xFF, 0xFE, 0xFD, 0xFC, 0xFB, 0x00, 0xFF})
	alone := []struct {
		id, what string
		fault    frame
	}{
		{"3.1", "a text message with RSV 1 is refused", odd(whole(opText, hello), 1)},
		{"3.5", "a binary message with RSV 5 is refused", odd(bytes, 5)},
		{"3.6", "a ping with RSV 6 is refused", odd(whole(opPing, hello), 6)},
		{"3.7", "a close frame with RSV 7 is refused", odd(frame{op: opClose}, 7)},
	}
	var all []*testCase
	for _, a := range alone {
		all = append(all, &testCase{
			id: a.id, rfc: "5.2", what: a.what,
			script: []step{{send: []frame{a.fault}}},
			end:    refusal(protocolError),
		})
	}
	after := []*testCase{
		{id: "3.2", rfc: "5.2", what: "a text message with RSV 2 between a message and a ping " +
			"is refused"},
		{id: "3.3", rfc: "5.2", what: "the same with RSV 3, frame by frame"},
		{id: "3.4", rfc: "5.2", what: "the same with RSV 4, byte by byte"},
	}
	for i, cut := range []cutting{0, wholeFrames, 1} {
		after[i].faultAfterMessage(cut, odd(whole(opText, hello), byte(i+2)))
	}
	return append([]*testCase{all[0], after[0], after[1], after[2]}, all[1:]...)
}
