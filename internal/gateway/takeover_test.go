package gateway

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-go/curfew/internal/netloop"
)

// TestTakeover_TheOldConnectionIsNotHeard brings what the network side could still bring of a
// connection that has lost its session: frames that were read already, and its end.
func TestTakeover_TheOldConnectionIsNotHeard(t *testing.T) {
	bubble(t, Options{ResumeWindow: time.Minute}, func(w *world) {
		t := w.t
		_, id, token := w.resumable("")
		var old netloop.Conn
		for c := range w.net.All() {
			old = c
		}
		c, ack := w.greeted(`{"op":"hello","resume":{"token":"` + token + `","seq":0}}`)
		before, _ := w.Session(id)
		time.Sleep(time.Second)
		for _, frame := range []string{
			`{"op":"message","data":1,"request_id":1}`, `{"op":"bye"}`, `{"op":"ping"}`, `{`,
			`{"op":"call_tool","name":"echo","arguments":{"text":"x"}}`,
		} {
			w.Message(old, netloop.Text, []byte(frame))
		}
		w.Message(old, netloop.Binary, nil)
		w.Closed(old, netloop.End{Cause: netloop.CauseLost})
		synctest.Wait()
		after, ok := w.Session(id)
		if !ok || after.State != StateLive || after.Epoch != 2 || after.Seq != 0 ||
			after.LastActivity != before.LastActivity {
			t.Errorf("the session is %+v, want it as it was: %+v", after, before)
		}
		// Nor has it cost the spare token.
		d, ack2 := w.greeted(`{"op":"hello","resume":{"token":"` + token + `","seq":0}}`)
		if !ack2.OK || ack2.ResumeToken == ack.ResumeToken {
			t.Errorf("with the spare token the hello is answered by %+v", ack2)
		}
		c.Want("close 4300 session resumed elsewhere")
		d.Text(`{"op":"message","data":2}`)
		d.Want(`text {"op":"message_res","seq":1,"data":2}`)
	})
}

// TestTakeover_TheTeardownIsStale has the old connection end while the session is detached again.
func TestTakeover_TheTeardownIsStale(t *testing.T) {
	bubble(t, Options{ResumeWindow: time.Minute}, func(w *world) {
		_, id, token := w.resumable("")
		var old netloop.Conn
		for c := range w.net.All() {
			old = c
		}
		c, ack := w.greeted(`{"op":"hello","resume":{"token":"` + token + `","seq":0}}`)
		w.cut(c)
		time.Sleep(30 * time.Second)
		w.Closed(old, netloop.End{Cause: netloop.CauseProtocol})
		time.Sleep(29 * time.Second)
		if d, ok := w.Session(id); !ok || d.State != StateDetached {
			w.t.Errorf("the session is %+v, want it detached", d)
		}
		_, ack = w.greeted(`{"op":"hello","resume":{"token":"` + ack.ResumeToken + `","seq":0}}`)
		if !ack.OK || ack.Epoch != 3 {
			w.t.Errorf("the hello is answered by %+v", ack)
		}
	})
}
