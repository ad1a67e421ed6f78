// Package wsframe reads and writes WebSocket frames (RFC 6455) and compresses messages (RFC 7692).
// Bytes come in, cut anywhere, and events come out; it does no input or output, starts no goroutine
// and reads no clock. The event loops, the goroutine mode and the load generator all use it.
//
//	rules := &wsframe.Rules{MaxMessageBytes: 64 << 10, Buffers: &pool} // for all connections
//	var p wsframe.Parser                                               // for one
//
//	n, err := unix.Read(fd, shared)
//	for e, b := p.Next(rules, shared[:n]); e.Kind != wsframe.None; e, b = p.Next(rules, b) {
//		switch e.Kind {
//		case wsframe.Text, wsframe.Binary:
//			out = wsframe.Server.AppendMessage(out, deflate, wsframe.OpText, answer(e.Payload))
//		case wsframe.Ping:
//			out = wsframe.Server.AppendFrame(out, wsframe.OpPong, true, e.Payload)
//		case wsframe.Closing, wsframe.Failed:
//			out = wsframe.Server.AppendClose(out, e.Code, "") // and write it, and close
//		}
//	}
//
// # Terms
//
//   - Frame, message, fragment, control frame: as in RFC 6455 section 5. An event is a message or a
//     control frame, never a fragment.
//   - Role: the side that one speaks for. A server reads masked frames and writes others, a client
//     the reverse.
//   - Rules: what many connections have in common: role, limits, compression, where buffers come
//     from.
//   - Kept bytes: the payload of what is not complete, unmasked, in a [Buffer].
//   - Idle: nothing is unfinished, not even a header. An idle parser equals its zero value.
//   - Fault: why a connection failed, which implies the close code.
//
// # Design
//
//	the caller's buffer    | head | payload | head | payload | he
//	                          |        |                        |
//	Next ─ whole ─────────────┴─ unmasked in place ──► event    |  aliases the buffer
//	  └─── begin ◄──────────────────────────────────────────────┘  kept in the parser: 14 bytes
//	         └── payload ── unmask, check ── keep ──► Buffer ──► event, or inflate ──► event
//
// The caller pulls: each call of Next gives one event and what follows it, so the caller may stop
// at any of them, and events before a fault are out before it. Most frames lie whole in the buffer;
// their payload is handed out where it lies. Otherwise bytes are kept as they come: a header in the
// parser, payload in a buffer that grows with what has come and not with what was announced.
// Between reads an idle parser need not be stored at all: where it is [Parser.Idle] the owner of a
// million connections drops it and takes a zero one at the next read.
//
// Headers are checked by ws.CheckHeader, masks applied by ws.Cipher, and compressed data framed by
// package wsflate, all of gobwas/ws. What those leave to their user is done here: limits, lengths
// in their shortest form, the close codes that were registered later, pieces, and text that fails
// at its first bad byte.
//
// # Guarantees
//
// W1, any split: the events of an input do not depend on where it is cut.
//
// W2, order: what came before a fault is delivered before it, and nothing after it or after a close
// frame is read.
//
// W3, early: a header fails by its first two bytes, a size by the length and before its mask, text
// at the first byte with which it cannot go on, even in an unfinished frame.
//
// W4, bounded: between reads, with a [Pool], less than twice what was sent is held, or 64 bytes for
// a message and as many for a control frame; and less than twice the limit on messages. Idle
// parsers hold nothing. Inflating stops at the first byte over the limit.
//
// W5, no garbage: reading what lies whole in the buffer, and writing, allocate nothing. Where bytes
// are kept, inflated or compressed, buffers are used again.
//
// # Concurrency
//
// A Parser belongs to one goroutine at a time. Rules are shared and only read. A [Pool] is safe for
// concurrent use, and so are all functions and the methods of [Role] and [Deflate].
//
// # Limits
//
// Messages: [Rules] say, 64 KiB where they do not. A compressed message may be longer as sent than
// inflated by 1/128 and 64 bytes. Control frames: 125 bytes. Compression never takes over context,
// so a connection has no state for it; our window is what was negotiated, down to 8 bits, by
// cutting long messages. Inflating costs up to 200 ns for each byte sent, where blocks are made to
// be expensive, so with large limits it is not for a loop that others wait for.
package wsframe
