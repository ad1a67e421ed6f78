// Package conform holds WebSocket servers against RFC 6455 (WebSocket) and RFC 7692
// (permessage-deflate). It drives any echo server from outside, by its URL:
//
//	report, err := conform.Run(ctx, "ws://127.0.0.1:8079/ws", conform.Options{
//		Only:        "6.*",
//		Subprotocol: "curfew.raw",
//	})
//	for _, c := range report.Cases {
//		fmt.Println(c.ID, c.Outcome, c.Description, c.Detail)
//	}
//
// It imports the standard library and nothing else: frames, handshake and compression are its own,
// so that it shares no bug with the server that it judges.
//
// # Terms
//
// A case is one question to the server, on a connection of its own. Its ID is that of the Autobahn
// testsuite where that one has the case: sections 1 (framing), 2 (pings), 3 (reserved bits), 4
// (reserved opcodes), 5 (fragments), 6 (UTF-8), 7 (closing), 9 (limits), 10 (many fragments), 12
// and 13 (compression). Section 14 is ours: masking, the form of lengths, close codes registered
// since, the handshake, and the fine points of compression. The cases are written from the RFCs
// and from what those sections are about; the counts of messages in 9, 12 and 13 are smaller.
//
// The server fails a connection when it ends it for a fault: by a close frame with a code that
// names the fault, or by dropping the TCP connection.
//
// A remark is a Detail of a case that passed.
//
// # How a case is judged
//
//  1. What comes back must be what was sent: kind, bytes, order, nothing else. Of several pings
//     the newest answer suffices (RFC 6455, 5.5.3), with a remark; so does a pong that overtakes a
//     message.
//  2. Every byte from the server is held against RFC 6455, 5: no masks, no reserved bits and
//     opcodes, short control frames in one piece, lengths as short as they go, text that is UTF-8,
//     nothing after its close frame. A breach fails the case whatever it is about.
//  3. A fault must make the server fail the connection (RFC 6455, 7.1.7) with the code that stands
//     for it: 1002, or 1007 for bad text. Any other code fails the case. To drop the TCP connection
//     is allowed and remarked, and so is to leave the message before the fault without an answer.
//  4. A close frame is answered with its code, or 1000, or with none, which is remarked
//     (RFC 6455, 5.5.1). Then the server ends the TCP connection at once (7.1.1).
//  5. Bad text may be refused when all of it has come (RFC 6455, 8.1): the cases of 6.4 then pass
//     with a remark.
//  6. A message of 1 KiB or more that is refused with 1009 is a limit of the server: skip. Cases
//     about compression are skipped where the server declines what they offer. It may decline any
//     offer, but must not accept what it does not keep to (RFC 7692, 7.1).
//  7. Silence is judged after Options.Timeout without a byte in either direction. Where less than
//     a quarter of the cases fail by silence they run once more before they count.
//
// # Concurrency
//
// Run may be called from several goroutines. It starts Options.Parallel workers, each with a
// goroutine more that reads, and all have ended when it returns.
//
// # Limits
//
// A message from the server may be 32 MiB long, a case may take 30 s, and the first handshake 3 s.
// compress/flate has one size of window: a smaller one that was agreed is kept to by what is sent,
// and of what is received references to messages before are checked against it, those inside a
// message are not.
package conform
