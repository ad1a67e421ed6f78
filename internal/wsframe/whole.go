package wsframe

import (
	"encoding/binary"

	"github.com/gobwas/ws"
)

// wholeKinds are the frames that [whole] reads, by their first byte.
var wholeKinds = [256]Kind{0x81: Text, 0x82: Binary, 0x89: Ping, 0x8A: Pong}

// whole reads what nearly all frames are: a short message in one frame that lies whole in b, or a
// ping or pong. It returns how many bytes that has, or 0 where it is anything else, which the
// parser then reads as it reads all. It does the same in fewer steps and keeps no state.
func whole(r *Rules, b []byte) (e Event, n int) {
	if len(b) < 2 || wholeKinds[b[0]] == None {
		return Event{}, 0
	}
	e.Kind = wholeKinds[b[0]]
	length, key := int(b[1]), 0
	if r.Role == Server {
		length, key = length-0x80, 4
	}
	head := 2 + key
	if length == 126 && len(b) >= 4 && e.Kind <= Binary {
		length = int(binary.BigEndian.Uint16(b[2:]))
		head += 2
		if length < 126 {
			return Event{}, 0
		}
	} else if length > 125 {
		return Event{}, 0
	}
	// A negative length is that of a frame that is not masked and should be.
	if length < 0 || len(b)-head < length || e.Kind <= Binary && r.tooLong(length) {
		return Event{}, 0
	}
	n = head + length
	e.Payload, e.Frames = b[head:n:n], 1
	if r.Role == Server {
		ws.Cipher(e.Payload, [4]byte(b[head-4:]), 0)
	}
	if e.Kind == Text && r.checksText() {
		var u UTF8
		if !u.Check(e.Payload) || !u.Complete() {
			return Event{Kind: Failed, Fault: FaultUTF8, Frames: 1}, 0
		}
	}
	return e, n
}

// tooLong says whether a message in one frame is longer than allowed.
func (r *Rules) tooLong(n int) bool {
	return int64(n) > r.maxMessageBytes() || r.MaxFrameBytes > 0 && int64(n) > r.MaxFrameBytes
}
