package gateway

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestEnds_SayHowLate has sessions end by each kind of time, and by hand.
func TestEnds_SayHowLate(t *testing.T) {
	bubble(t, Options{MaxLifetime: time.Hour, ResumeWindow: time.Minute}, func(w *world) {
		idle, idleID := w.hello("")
		detached, detachedID, _ := w.resumable("")
		w.cut(detached)
		bye, byeID := w.hello("")
		bye.Text(`{"op":"bye"}`)
		bye.Want("close 1000")
		talker, talkerID := w.hello("")
		for w.reason(talkerID) == "" {
			talker.Text(`{"op":"ping"}`)
			if got := talker.Next(); !strings.HasPrefix(got, `text {"op":"pong"`) {
				break // its lifetime is over
			}
			time.Sleep(time.Minute)
		}
		idle.Next()
		synctest.Wait()
		w.mu.Lock()
		defer w.mu.Unlock()
		for id, want := range map[string]Reason{
			idleID: ReasonIdle, talkerID: ReasonLifetime,
			detachedID: ReasonWindow, byeID: ReasonBye,
		} {
			e := w.told[id]
			if e.Reason != want || e.Late < 0 || e.Late > late || want == ReasonBye && e.Late != 0 {
				t.Errorf("ended for %q, %v late, want %q", e.Reason, e.Late, want)
			}
		}
		if h := w.Stats().Lateness; h.Count() != 3 || h.Max() > late {
			t.Errorf("%d have ended, at most %v late, want 3 by time", h.Count(), h.Max())
		}
	})
}

// TestDeadlines_OutliveAResume has a session detached, resumed and detached again within seconds,
// while others are detached: its window ends all the same.
func TestDeadlines_OutliveAResume(t *testing.T) {
	bubble(t, Options{ResumeWindow: 2 * time.Minute}, func(w *world) {
		c, id, token := w.resumable("")
		for range 2 { // the second loss finds what the first resume left to be forgotten
			w.cut(c)
			var ack helloAck
			c, ack = w.greeted(`{"op":"hello","resume":{"token":"` + token + `","seq":0}}`)
			token = ack.ResumeToken
		}
		for range 8 { // each drops from the agenda what does not hold
			other, _, _ := w.resumable("")
			w.cut(other)
		}
		w.cut(c)
		time.Sleep(2*time.Minute + time.Second)
		synctest.Wait()
		if why := w.reason(id); why != ReasonWindow {
			w.t.Errorf("after its window the session has ended for %q", why)
		}
	})
}

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
