package wsframe_test

import (
	"fmt"

	"github.com/curfew-go/curfew/internal/wsframe"
)

// A server reads what a client wrote, in two pieces.
func Example() {
	var sent []byte
	sent = wsframe.Client.AppendFrame(sent, wsframe.OpText, false, []byte("Hel"))
	sent = wsframe.Client.AppendFrame(sent, wsframe.OpPing, true, []byte("still there?"))
	sent = wsframe.Client.AppendFrame(sent, wsframe.OpContinuation, true, []byte("lo"))
	sent = wsframe.Client.AppendClose(sent, wsframe.CodeNormal, "bye")

	rules := &wsframe.Rules{Buffers: &wsframe.Pool{}}
	var p wsframe.Parser
	for _, piece := range [][]byte{sent[:12], sent[12:]} {
		for e, b := p.Next(rules, piece); e.Kind != wsframe.None; e, b = p.Next(rules, b) {
			switch e.Kind {
			case wsframe.Text:
				fmt.Printf("text %q\n", e.Payload)
			case wsframe.Ping:
				fmt.Printf("ping %q\n", e.Payload)
			case wsframe.Closing:
				fmt.Printf("close %d %q\n", e.Code, e.Payload)
			}
		}
		fmt.Println("held:", p.Held())
	}
	p.Reset(rules)
	// Output:
	// held: 64
	// ping "still there?"
	// text "Hello"
	// close 1000 "bye"
	// held: 0
}

// Compression is negotiated in the handshake and then is a matter of one byte a connection.
func ExampleNegotiateDeflate() {
	d, answer := wsframe.NegotiateDeflate("permessage-deflate; client_max_window_bits")
	fmt.Println(d.On(), answer)
	// Output:
	// true permessage-deflate;server_no_context_takeover;client_no_context_takeover
}
