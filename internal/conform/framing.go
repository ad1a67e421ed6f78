package conform

import (
	"bytes"
	"fmt"
)

// hello is the payload of messages whose content does not matter.
var hello = []byte("Hello, echo!")

// whole is a message in one frame.
func whole(op byte, payload []byte) frame {
	return frame{op: op, payload: payload}
}

// text is a text message in one frame.
func text(s string) frame {
	return whole(opText, []byte(s))
}

// ping is a ping.
func ping(s string) frame {
	return whole(opPing, []byte(s))
}

// fragmented is a message in frames of at most so many bytes.
func fragmented(op byte, payload []byte, size int) []frame {
	var frames []frame
	for {
		n := min(size, len(payload))
		frames = append(frames, frame{op: op, payload: payload[:n], more: n < len(payload)})
		payload = payload[n:]
		if len(payload) == 0 {
			return frames
		}
		op = opContinuation
	}
}

// framingCases is section 1: one message of each length at which the header changes its form.
func framingCases() []*testCase {
	var all []*testCase
	kinds := []struct {
		op   byte
		fill byte
	}{{opText, '*'}, {opBinary, 0xFE}}
	sizes := []struct {
		bytes int
		cut   cutting
	}{
		{0, 0}, {125, 0}, {126, 0}, {127, 0}, {128, 0}, {65535, 0}, {65536, 0}, {65536, 997},
	}
	for k, kind := range kinds {
		for i, size := range sizes {
			payload := bytes.Repeat([]byte{kind.fill}, size.bytes)
			what := fmt.Sprintf("a %s message of %d bytes comes back", opName(kind.op), size.bytes)
			if size.cut > 0 {
				what += fmt.Sprintf(", sent %d bytes at a time", size.cut)
			}
			all = append(all, &testCase{
				id:   fmt.Sprintf("1.%d.%d", k+1, i+1),
				rfc:  "5.2",
				what: what,
				script: []step{{
					cut:  size.cut,
					send: []frame{whole(kind.op, payload)},
					want: []event{message(kind.op, payload)},
				}},
			})
		}
	}
	return all
}
