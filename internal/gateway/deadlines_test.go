package gateway

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestDeadlines_OfOneWhoFlaps breaks off and resumes often within one window: what holds is one
// deadline.
func TestDeadlines_OfOneWhoFlaps(t *testing.T) {
	bubble(t, Options{ResumeWindow: 2 * time.Minute}, func(w *world) {
		c, _, token := w.resumable("")
		for range 300 {
			w.cut(c)
			time.Sleep(100 * time.Millisecond)
			var ack helloAck
			c, ack = w.greeted(`{"op":"hello","resume":{"token":"` + token + `","seq":0}}`)
			token = ack.ResumeToken
		}
		w.cut(c)
		synctest.Wait()
		w.deadlines.mu.Lock()
		defer w.deadlines.mu.Unlock()
		if n := len(w.deadlines.mu.agenda.heap); n > 10 {
			w.t.Errorf("%d deadlines of one session are entered", n)
		}
	})
}
