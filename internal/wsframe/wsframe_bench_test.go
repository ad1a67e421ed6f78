package wsframe

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// benchInputs are masked frames as a client sends them.
func benchInputs() []struct {
	name string
	in   []byte
} {
	inputs := []struct {
		name string
		in   []byte
	}{}
	add := func(name string, w *wire) {
		inputs = append(inputs, struct {
			name string
			in   []byte
		}{name, w.b})
	}
	for _, n := range []int{32, 1 << 10, 64 << 10} {
		payload := strings.Repeat("0123456789abcdef", n/16)
		add(fmt.Sprintf("op=binary/size=%d", n), fromClient().binary(payload))
		add(fmt.Sprintf("op=text/size=%d", n), fromClient().text(payload))
	}
	eight := fromClient()
	for range 8 {
		eight.text(strings.Repeat("0123456789abcdef", 2))
	}
	add("op=text/size=8x32", eight)
	return inputs
}

// BenchmarkParse reads masked frames that lie whole in the buffer.
func BenchmarkParse(b *testing.B) {
	for _, c := range benchInputs() {
		r := &Rules{MaxMessageBytes: 1 << 20}
		in := unchanging(c.in)
		b.Run("impl=wsframe/"+c.name, func(b *testing.B) {
			b.SetBytes(int64(len(in)))
			b.ReportAllocs()
			var p Parser
			for b.Loop() {
				for e, rest := p.Next(r, in); e.Kind != None; e, rest = p.Next(r, rest) {
					if e.Kind == Failed {
						b.Fatal(e.Fault)
					}
				}
			}
		})
		b.Run("impl=gobwas-header/"+c.name, func(b *testing.B) {
			b.SetBytes(int64(len(in)))
			b.ReportAllocs()
			benchGobwasHeader(b, in)
		})
		b.Run("impl=gobwas-wsutil/"+c.name, func(b *testing.B) {
			b.SetBytes(int64(len(in)))
			b.ReportAllocs()
			benchWsutil(b, in)
		})
	}
}

// unchanging gives all frames a mask of zeros, so that unmasking them in place does its work and
// the next round reads the same.
func unchanging(in []byte) []byte {
	var out []byte
	p, r := Parser{}, &Rules{MaxMessageBytes: 1 << 20}
	e, rest := p.Next(r, bytes.Clone(in))
	for ; e.Kind != None; e, rest = p.Next(r, rest) {
		op := OpText
		if e.Kind == Binary {
			op = OpBinary
		}
		head := Server.AppendFrame(nil, op, true, e.Payload)
		head[1] |= 0x80
		n := len(head) - len(e.Payload)
		out = append(out, head[:n]...)
		out = append(out, 0, 0, 0, 0)
		out = append(out, e.Payload...)
	}
	return out
}

// benchGobwasHeader is the least that a reader of gobwas/ws does: header, check, mask.
func benchGobwasHeader(b *testing.B, in []byte) {
	b.Helper()
	src := bytes.NewReader(in)
	var head [ws.MaxHeaderSize]byte
	for b.Loop() {
		src.Reset(in)
		for src.Len() > 0 {
			h, err := ws.ReadHeaderBuffer(src, head[:])
			if err != nil {
				b.Fatal(err)
			}
			if err := ws.CheckHeader(h, ws.StateServerSide); err != nil {
				b.Fatal(err)
			}
			at := len(in) - src.Len()
			ws.Cipher(in[at:at+int(h.Length)], h.Mask, 0)
			if _, err := src.Seek(h.Length, 1); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// benchWsutil is the blocking reader that most users of gobwas/ws have.
func benchWsutil(b *testing.B, in []byte) {
	b.Helper()
	src := bytes.NewReader(in)
	payload := make([]byte, 64<<10)
	r := wsutil.Reader{Source: src, State: ws.StateServerSide, CheckUTF8: true}
	for b.Loop() {
		src.Reset(in)
		for src.Len() > 0 {
			h, err := r.NextFrame()
			if err != nil {
				b.Fatal(err)
			}
			for n := 0; n < int(h.Length); {
				k, err := r.Read(payload[n:h.Length])
				if n += k; err != nil && n < int(h.Length) {
					b.Fatal(err)
				}
			}
		}
	}
}

// BenchmarkParseInTwo reads frames that come in two pieces, the first of which must be kept.
func BenchmarkParseInTwo(b *testing.B) {
	for _, c := range benchInputs() {
		r := &Rules{MaxMessageBytes: 1 << 20, Buffers: &Pool{}}
		in := unchanging(c.in)
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(in)))
			b.ReportAllocs()
			var p Parser
			for b.Loop() {
				for _, part := range [2][]byte{in[:len(in)/2], in[len(in)/2:]} {
					for e, rest := p.Next(r, part); e.Kind != None; {
						e, rest = p.Next(r, rest)
					}
				}
			}
		})
	}
}

func BenchmarkWrite(b *testing.B) {
	dst := make([]byte, 0, 1<<17)
	for _, n := range []int{32, 1 << 10, 64 << 10} {
		payload := bytes.Repeat([]byte("0123456789abcdef"), n/16)
		for role, name := range map[Role]string{Server: "server", Client: "client"} {
			b.Run(fmt.Sprintf("impl=wsframe/role=%s/size=%d", name, n), func(b *testing.B) {
				b.SetBytes(int64(n))
				b.ReportAllocs()
				for b.Loop() {
					dst = role.AppendFrame(dst[:0], OpBinary, true, payload)
				}
			})
		}
		b.Run(fmt.Sprintf("impl=gobwas/role=server/size=%d", n), func(b *testing.B) {
			b.SetBytes(int64(n))
			b.ReportAllocs()
			var out bytes.Buffer
			for b.Loop() {
				out.Reset()
				if err := ws.WriteFrame(&out, ws.NewBinaryFrame(payload)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDeflate(b *testing.B) {
	text := []byte(strings.Repeat("the quick brown fox jumps over the lazy dog. ", 1500))
	for _, n := range []int{1 << 10, 64 << 10} {
		message := text[:n]
		framed := Client.AppendMessage(nil, 15, OpText, message)
		b.Run(fmt.Sprintf("way=write/size=%d", n), func(b *testing.B) {
			b.SetBytes(int64(n))
			b.ReportAllocs()
			var dst []byte
			for b.Loop() {
				dst = Server.AppendMessage(dst[:0], 15, OpText, message)
			}
		})
		b.Run(fmt.Sprintf("way=read/size=%d", n), func(b *testing.B) {
			b.SetBytes(int64(n))
			b.ReportAllocs()
			r := &Rules{Deflate: true, Buffers: &Pool{}}
			var p Parser
			in := make([]byte, len(framed))
			for b.Loop() {
				copy(in, framed)
				for e, rest := p.Next(r, in); e.Kind != None; e, rest = p.Next(r, rest) {
					if e.Kind == Failed {
						b.Fatal(e.Fault)
					}
				}
			}
		})
	}
}

func BenchmarkUTF8(b *testing.B) {
	for name, text := range map[string]string{
		"ascii":    strings.Repeat("0123456789abcdef", 64),
		"cyrillic": strings.Repeat("Широкая электрификация ", 24),
		"cjk":      strings.Repeat("日本語の文字列", 48),
	} {
		in := []byte(text)
		b.Run("impl=wsframe/text="+name, func(b *testing.B) {
			b.SetBytes(int64(len(in)))
			for b.Loop() {
				var u UTF8
				if !u.Check(in) {
					b.Fatal("not UTF-8")
				}
			}
		})
		b.Run("impl=unicode-utf8/text="+name, func(b *testing.B) {
			b.SetBytes(int64(len(in)))
			for b.Loop() {
				if !utf8.Valid(in) {
					b.Fatal("not UTF-8")
				}
			}
		})
	}
}
