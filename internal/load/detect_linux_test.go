package load

import (
	"net"
	"sync"
	"testing"
	"time"
)

func TestDetect(t *testing.T) {
	t.Parallel()
	json := (&v1Server{t: t}).start()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	serve := func(talk func(c *guest)) string {
		return serveFaulty(t, "127.0.0.1:0", nil, talk).address
	}
	var all sync.WaitGroup
	for name, c := range map[string]struct{ address, want string }{
		"json":     {json, SpeakJSON},
		"echo":     {serve(goodTalk), SpeakPlain},
		"nobody":   {closed.Addr().String(), SpeakPlain},
		"refuses":  {serve(head("HTTP/1.1 503 No\r\n\r\n")), SpeakPlain},
		"silent":   {serve(func(c *guest) { c.upgrade(); c.swallow() }), SpeakPlain},
		"hangs up": {serve(func(c *guest) { c.upgrade(); c.next() }), SpeakPlain},
		"json that refuses": {serve(answers(func(*guest, int, []byte) []byte {
			return text(`{"op":"hello_ack","ok":false,"error":"unauthorized"}`)
		})), SpeakJSON},
	} {
		all.Go(func() {
			p := Plan{URL: "ws://" + c.address + "/ws", Connections: 1, Size: 1}
			p.Duration = time.Second
			got, err := Detect(t.Context(), p)
			if err != nil || got != c.want {
				t.Errorf("%s: Detect() = %q, %v, want %q", name, got, err, c.want)
			}
		})
	}
	all.Wait()
	if _, err := Detect(t.Context(), Plan{URL: "ws://nobody.invalid/"}); err == nil {
		t.Error("Detect of a server that has no address gives no error")
	}
}

// TestPast_ForgetsTheOldest holds that what was given up is known once, and for long enough.
func TestPast_ForgetsTheOldest(t *testing.T) {
	var p past
	if p.take(1) {
		t.Error("something is known from the start")
	}
	for i := range uint64(3 * pastMax) {
		p.add(i)
	}
	if n := len(p.young) + len(p.old); n > 2*pastMax {
		t.Errorf("%d are known, want at most %d", n, 2*pastMax)
	}
	if last := uint64(3*pastMax - 1); !p.take(last) || p.take(last) {
		t.Error("the last one is not known once")
	}
	if !p.take(2*pastMax) || p.take(0) {
		t.Error("what is known is not what is new")
	}
}
