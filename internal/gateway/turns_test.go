package gateway

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestProgress_EndsWithTheCall has calls end in the moment in which their progress is due.
func TestProgress_EndsWithTheCall(t *testing.T) {
	for range 50 {
		bubble(t, Options{}, func(w *world) {
			c, _ := w.hello("")
			for range 4 {
				c.Text(`{"op":"call_tool","name":"sleep","arguments":{"ms":16000},"request_id":1}`)
				for !strings.HasPrefix(c.Next(), `text {"op":"call_tool_res"`) {
				}
				c.Text(`{"op":"ping"}`)
				if got := c.Next(); !strings.HasPrefix(got, `text {"op":"pong"`) {
					w.t.Fatalf("after the result of a call comes %s", got)
				}
			}
		})
	}
}

// TestExpiry_ResumeInTheSameTurn resumes a session that time has ended, before anybody was told:
// the reason is the true one.
func TestExpiry_ResumeInTheSameTurn(t *testing.T) {
	var w *world
	tokens := make(map[string]string) // by session
	unknown := 0
	o := Options{IdleTimeout: time.Minute, ResumeWindow: time.Hour}
	o.OnEnd = func(End) { // in the middle of a batch of expiries
		for _, token := range tokens {
			p := present(token)
			_, alive := w.table.Lookup(p.session)
			why, _ := w.tombstones.reason(&p, w.elapsed())
			if !alive && why == "" {
				unknown++
			}
		}
	}
	bubble(t, o, func(in *world) {
		w = in
		for range 50 {
			c, id, token := w.resumable("")
			tokens[id] = token
			w.cut(c)
		}
		time.Sleep(time.Minute + time.Second)
		synctest.Wait()
		if unknown > 0 {
			w.t.Errorf("%d times a session was neither alive nor known to have ended", unknown)
		}
	})
}
