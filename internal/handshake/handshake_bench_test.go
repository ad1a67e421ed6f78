package handshake

import (
	"io"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"github.com/curfew-go/curfew/internal/netloop/netlooptest"
)

var benchRules = &Rules{
	Paths: []string{"/ws"}, Protocols: []string{"curfew.v1", "curfew.raw"},
	Origin: SameOrigin(nil, false), Compression: true,
}

var benchHeads = []struct{ name, head string }{
	{"browser", browser},
	{"plain", netlooptest.Handshake("/ws")},
}

// BenchmarkParse finds the end of a head and takes it apart.
func BenchmarkParse(b *testing.B) {
	for _, c := range benchHeads {
		b.Run("head="+c.name, func(b *testing.B) {
			head := []byte(c.head)
			b.SetBytes(int64(len(head)))
			b.ReportAllocs()
			var p Parser
			for b.Loop() {
				var s Scanner
				end, r := s.Scan(head)
				if r == nil {
					_, r = p.Parse(benchRules, head[:end])
				}
				if r != nil {
					b.Fatal(r)
				}
			}
		})
	}
}

// BenchmarkAnswer reads and answers, beside what gobwas/ws alone needs for the same, without the
// checks.
func BenchmarkAnswer(b *testing.B) {
	for _, c := range benchHeads {
		b.Run("impl=handshake/head="+c.name, func(b *testing.B) { answerHeads(b, c.head) })
		b.Run("impl=gobwas/head="+c.name, func(b *testing.B) {
			b.SetBytes(int64(len(c.head)))
			b.ReportAllocs()
			var in strings.Reader
			rw := readWriter{in: &in}
			u := ws.Upgrader{Protocol: func(p []byte) bool { return string(p) == "curfew.v1" }}
			for b.Loop() {
				in.Reset(c.head)
				rw.out = rw.out[:0]
				if _, err := u.Upgrade(&rw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func answerHeads(b *testing.B, text string) {
	b.Helper()
	head := []byte(text)
	b.SetBytes(int64(len(head)))
	b.ReportAllocs()
	out := make([]byte, 0, 1<<10)
	var p Parser
	for b.Loop() {
		var s Scanner
		end, r := s.Scan(head)
		if r == nil {
			_, r = p.Parse(benchRules, head[:end])
		}
		if r != nil {
			b.Fatal(r)
		}
		if _, err := p.AppendAnswer(out[:0], []byte("Session: x\r\n")); err != nil {
			b.Fatal(err)
		}
	}
}

// readWriter is what a test's upgrader reads and writes.
type readWriter struct {
	in  io.Reader
	out []byte
}

func (rw *readWriter) Read(p []byte) (int, error) { return rw.in.Read(p) }

func (rw *readWriter) Write(p []byte) (int, error) {
	rw.out = append(rw.out, p...)
	return len(p), nil
}
