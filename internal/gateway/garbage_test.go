package gateway

import (
	"io"
	"net"
	"runtime"
	"testing"
	"time"
)

// talk writes a frame and reads one of up to 125 bytes, without garbage.
func talk(t *testing.T, c net.Conn, frame, buf []byte) {
	t.Helper()
	if _, err := c.Write(frame); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, buf[:2]); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, buf[:buf[1]]); err != nil {
		t.Fatal(err)
	}
}

// TestGarbage counts what the echo of a message costs in allocations beyond a raw one: nothing,
// also where it is numbered and kept for replay.
func TestGarbage(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	for name, mode := range modes() {
		t.Run(name, func(t *testing.T) {
			o := Options{ResumeWindow: time.Minute}
			o.Net.Mode = mode
			overSockets(t, o, func(w *world) {
				bare := mallocsOf(t, w.upgrade(raw()).Conn, "0123456789")
				c, _ := w.hello("")
				plain := mallocsOf(t, c.Conn, `{"op":"message","data":"0123456789","request_id":1}`)
				c, _ = w.hello(`,"want":{"resume":true}`)
				// Without a request_id, or the first answer would come again.
				numbered := mallocsOf(t, c.Conn, `{"op":"message","data":"0123456789"}`)
				if plain > bare+0.4 || numbered > bare+0.4 {
					t.Errorf("an echo costs %.2f allocations, numbered %.2f, want %.2f as raw",
						plain, numbered, bare)
				}
			})
		})
	}
}

// mallocsOf is what the echo of one message costs on average, in allocations of all goroutines.
func mallocsOf(t *testing.T, c net.Conn, message string) float64 {
	t.Helper()
	const n = 20_000
	frame, buf := text(message), make([]byte, 256)
	for range n / 10 {
		talk(t, c, frame, buf)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range n {
		talk(t, c, frame, buf)
	}
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / n
}
