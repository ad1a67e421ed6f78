package conform

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"slices"
	"testing"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestFrameBytes holds the encoder against the examples of RFC 6455, 5.7 and its own faults.
func TestFrameBytes(t *testing.T) {
	key := [4]byte{0x37, 0xfa, 0x21, 0x3d}
	for _, tt := range []struct {
		frame frame
		want  string // the header
	}{
		{frame{op: opText, payload: []byte("Hello")}, "818537fa213d"},
		{frame{op: opText, payload: []byte("Hello"), bare: true}, "8105"},
		{frame{op: opText, payload: []byte("Hel"), bare: true, more: true}, "0103"},
		{frame{op: opPing, payload: []byte("Hello"), rsv: rsv1}, "c98537fa213d"},
		{frame{op: opBinary, payload: make([]byte, 125), bare: true}, "827d"},
		{frame{op: opBinary, payload: make([]byte, 126), bare: true}, "827e007e"},
		{frame{op: opBinary, payload: make([]byte, 65535), bare: true}, "827effff"},
		{frame{op: opBinary, payload: make([]byte, 65536), bare: true}, "827f0000000000010000"},
		{frame{op: opText, form: form16, bare: true}, "817e0000"},
		{frame{op: opText, form: form64, bare: true}, "817f0000000000000000"},
		{frame{op: opText, declared: 1 << 63, bare: true}, "817f8000000000000000"},
	} {
		if got := tt.frame.appendHeader(nil, key); !bytes.Equal(got, unhex(t, tt.want)) {
			t.Errorf("header of %s = %x, want %s", &tt.frame, got, tt.want)
		}
	}
	p := []byte("Hello")
	mask(p[:2], key, 0)
	mask(p[2:], key, 2)
	if want := unhex(t, "7f9f4d5158"); !bytes.Equal(p, want) {
		t.Errorf("masked Hello = %x, want %x", p, want)
	}
}

// TestReceiver feeds server frames and says what a case would see, whatever the cut.
func TestReceiver(t *testing.T) {
	for _, tt := range []struct {
		name, bytes string
		want        []string
	}{
		{"text", "810548656c6c6f", []string{`text message of 5 bytes "Hello"`}},
		{
			"fragments and a ping", "010348656c" + "8900" + "80026c6f",
			[]string{"ping of 0 bytes", `text message of 5 bytes "Hello"`},
		},
		{"a pong", "8a0161", []string{`pong of 1 bytes "a"`}},
		{"a close", "880203e8", []string{"close frame 1000"}},
		{"a close with a reason", "880303e961", []string{
			`close frame 1001 with reason of 1 bytes "a"`,
		}},
		{"an empty close", "8800", []string{"close frame without a code"}},
		{"a masked frame", "818000000000", []string{
			"the server sent a masked frame (RFC 6455, 5.1)",
		}},
		{"a reserved opcode", "8300", []string{
			"the server sent a frame with the reserved opcode 3 (RFC 6455, 5.2)",
		}},
		{"RSV 1 that was not agreed", "c100", []string{
			"the server sent a text frame with RSV 4 (RFC 6455, 5.2)",
		}},
		{"a fragmented ping", "0900", []string{
			"the server sent a fragmented control frame (RFC 6455, 5.5)",
		}},
		{"a long ping", "897e007e", []string{
			"the server sent a control frame of 126 bytes (RFC 6455, 5.5)",
		}},
		{"a long length", "817e0001", []string{
			"the server sent a length that is not written as short as it goes (RFC 6455, 5.2)",
		}},
		{"a length of 64 bits with the top one set", "827f8000000000000000", []string{
			"the server sent a length with its highest bit set (RFC 6455, 5.2)",
		}},
		{"a bomb", "827f0000000100000000", []string{
			"the server sent a message of over 33554432 bytes",
		}},
		{"nothing to continue", "8000", []string{
			"the server sent a continuation frame with nothing to continue (RFC 6455, 5.4)",
		}},
		{"a message inside another", "01008200", []string{
			"the server sent a new message inside another one (RFC 6455, 5.4)",
		}},
		{"text that is none", "8101ff", []string{
			"the server sent a text message that is not UTF-8 (RFC 6455, 5.6)",
		}},
		{"a close of one byte", "880103", []string{
			"the server sent a close frame of one byte (RFC 6455, 5.5.1)",
		}},
		{"a code that may not travel", "880203ee", []string{
			"the server sent a close frame with the code 1006 (RFC 6455, 7.4)",
		}},
		{"a reason that is none", "880303e8ff", []string{
			"the server sent a close reason that is not UTF-8 (RFC 6455, 5.5.1)",
		}},
		{"a frame after the close", "8800" + "8100", []string{
			"close frame without a code",
			"the server sent a text frame after its close frame (RFC 6455, 5.5.1)",
		}},
		{"an end inside a header", "817e01", []string{
			"the end of the TCP connection inside a frame",
		}},
		{"an end inside a payload", "810541", []string{
			"the end of the TCP connection inside a frame",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wire := unhex(t, tt.bytes)
			for at := range wire {
				in := io.MultiReader(bytes.NewReader(wire[:at]), bytes.NewReader(wire[at:]))
				c := &receiver{r: bufio.NewReader(in)}
				var got []string
				for {
					e := c.next()
					if e.kind == evEnd && len(got) > 0 {
						break
					}
					got = append(got, e.String())
					if e.kind == evBreach || e.kind == evEnd {
						break
					}
				}
				if !slices.Equal(got, tt.want) {
					t.Fatalf("cut after byte %d: %q, want %q", at, got, tt.want)
				}
			}
		})
	}
}

func TestAgree(t *testing.T) {
	nine := offer{serverBits: 9, clientBits: 10, serverNoTakeover: true}
	for _, tt := range []struct {
		answer string
		offers []offer
		want   string // the error; "" none
	}{
		{"", []offer{plainOffer}, ""},
		{"permessage-deflate", []offer{plainOffer}, ""},
		{`permessage-deflate; client_max_window_bits="12"`, []offer{plainOffer}, ""},
		{
			"permessage-deflate; server_max_window_bits=9;client_no_context_takeover",
			[]offer{plainOffer},
			"",
		},
		{"permessage-deflate", nil, "to no offer"},
		{"permessage-deflate, permessage-deflate", []offer{plainOffer}, "not what was offered"},
		{"x-webkit-deflate-frame", []offer{plainOffer}, "not what was offered"},
		{"permessage-deflate; what", []offer{plainOffer}, "no parameter"},
		{"permessage-deflate; server_max_window_bits", []offer{plainOffer}, "not 8 to 15"},
		{"permessage-deflate; server_max_window_bits=16", []offer{plainOffer}, "not 8 to 15"},
		{"permessage-deflate; server_max_window_bits=08", []offer{plainOffer}, "not 8 to 15"},
		{"permessage-deflate; server_no_context_takeover=1", []offer{plainOffer}, "no value"},
		{
			"permessage-deflate; server_max_window_bits=9; server_max_window_bits=9",
			[]offer{plainOffer},
			"twice",
		},
		{"permessage-deflate", []offer{nine}, "server_no_context_takeover was asked"},
		{"permessage-deflate; server_no_context_takeover", []offer{nine}, "bits was asked"},
		{
			"permessage-deflate; server_no_context_takeover; server_max_window_bits=10",
			[]offer{nine},
			"larger than offered",
		},
		{"permessage-deflate; server_no_context_takeover; server_max_window_bits=8; " +
			"client_max_window_bits=11", []offer{nine}, "client_max_window_bits is larger"},
		{"permessage-deflate", []offer{nine, {}}, ""},
		{"permessage-deflate; client_max_window_bits=8", []offer{{}}, "was not offered"},
		{"permessage-deflate", []offer{{raw: "permessage-deflate; x"}}, "must be declined"},
	} {
		h := map[string][]string{"Sec-Websocket-Extensions": {tt.answer}}
		a, err := agree(tt.offers, h)
		got := ""
		if err != nil {
			got = err.Error()
		}
		if (tt.want == "") != (err == nil) || !bytes.Contains([]byte(got), []byte(tt.want)) {
			t.Errorf("agree(%v, %q) = %v, %q, want %q", tt.offers, tt.answer, a, got, tt.want)
		}
	}
}

// TestDeflate: what the deflater makes, the inflater undoes, under every agreement.
func TestDeflate(t *testing.T) {
	text := corpora[0].data()[:40000]
	for bits := 8; bits <= windowBitsMax; bits++ {
		for _, noTakeover := range []bool{false, true} {
			a := &agreed{
				clientBits: bits, serverBits: bits,
				clientNoTakeover: noTakeover, serverNoTakeover: noTakeover,
			}
			d, in := newDeflater(a), newInflater(a)
			for _, p := range [][]byte{text, nil, text[:1], text[:300], text} {
				packed := d.message(p)
				got, err := in.message(packed)
				if err != nil || !bytes.Equal(got, p) {
					t.Fatalf("%d bits, %d bytes: %d bytes, %v", bits, len(p), len(got), err)
				}
				if len(p) > 1000 && len(packed) > len(p)*3/4 {
					t.Errorf("%d bits: %d bytes became %d", bits, len(p), len(packed))
				}
			}
			d.free()
		}
	}
}

// TestInflateForgets: without takeover, a reference to the message before is an error.
func TestInflateForgets(t *testing.T) {
	const again = "\xf2\x00\x11\x00\x00" // RFC 7692, 7.2.3.2
	for _, noTakeover := range []bool{false, true} {
		in := newInflater(&agreed{serverNoTakeover: noTakeover})
		if got, err := in.message([]byte(helloDeflated)); err != nil || string(got) != "Hello" {
			t.Fatalf("message = %q, %v", got, err)
		}
		got, err := in.message([]byte(again))
		if noTakeover != (err != nil) || !noTakeover && string(got) != "Hello" {
			t.Errorf("no takeover %t: %q, %v", noTakeover, got, err)
		}
	}
}

// TestCorpora: texts are ASCII, so that they may be cut anywhere, and all are long enough.
func TestCorpora(t *testing.T) {
	for _, c := range corpora {
		b := c.data()
		if len(b) < corpusBytes {
			t.Errorf("%s: %d bytes, want %d", c.name, len(b), corpusBytes)
		}
		if c.op == opText && slices.ContainsFunc(b, func(c byte) bool { return c >= 0x80 }) {
			t.Errorf("%s is not ASCII", c.name)
		}
	}
}

func TestEndReasons(t *testing.T) {
	if got := ended(errors.New("reset by peer")).String(); got !=
		"the end of the TCP connection (reset by peer)" {
		t.Errorf("ended = %q", got)
	}
}
