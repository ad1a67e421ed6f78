package gateway

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/curfew-go/curfew/internal/backend"
	"github.com/curfew-go/curfew/internal/netloop/netlooptest"
)

// TestCrowd has many clients that can be resumed talk, call, break off, come back and take over,
// while an operator kicks, touches, pushes and lists, and drains the gateway in the end. Every
// client checks that it gets each frame once; afterwards each session has ended once and nothing is
// left.
func TestCrowd(t *testing.T) {
	for name, mode := range modes() {
		for _, slow := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/slow=%v", name, slow), func(t *testing.T) {
				o := Options{
					IdleTimeout: time.Minute, ResumeWindow: time.Minute,
					Backend: newPatient(slow), GlobalMaxInflight: 100, MaxSessions: 45,
					EvictIdle: true,
				}
				o.Net.Mode = mode
				before := runtime.NumGoroutine()
				overSockets(t, o, crowd)
				t.Cleanup(func() { waitForGoroutines(t, before) })
			})
		}
	}
}

// waitForGoroutines returns when there are no more than that many, some of others' aside.
func waitForGoroutines(t *testing.T, n int) {
	t.Helper()
	for start := time.Now(); runtime.NumGoroutine() > n+2; runtime.Gosched() {
		if time.Since(start) > patience {
			t.Errorf("%d goroutines are left of %d more", runtime.NumGoroutine(), n)
			return
		}
	}
}

func crowd(w *world) {
	const clients, steps = 50, 60
	var over atomic.Bool
	var talk, operate sync.WaitGroup
	for i := range clients {
		talk.Go(func() {
			f := &follower{w: w, random: rand.New(rand.NewPCG(1, uint64(i)))}
			for range steps {
				f.step()
			}
			f.rest()
		})
	}
	for range 2 {
		operate.Go(func() {
			random := rand.New(rand.NewPCG(2, 2))
			for !over.Load() {
				operateOnce(w, random)
			}
		})
	}
	talk.Wait()
	over.Store(true)
	operate.Wait()
	if err := w.Drain(w.t.Context(), 0); err != nil {
		w.t.Errorf("Drain = %v", err)
	}
	w.wantNothingLeft()
	w.mu.Lock()
	w.t.Logf("%d sessions, ends: %v", len(w.ends), tally(w.reasonsLocked()))
	w.mu.Unlock()
}

func tally(reasons map[string]Reason) map[Reason]int {
	n := make(map[Reason]int)
	for _, r := range reasons {
		n[r]++
	}
	return n
}

// operateOnce does something to all sessions, and ends one of them.
func operateOnce(w *world, random *rand.Rand) {
	ids := make(map[string]bool) // whether it can be pushed to
	for d := range w.Sessions() {
		if len(d.ID) != sessionIDBytes || d.State != StateLive && d.State != StateDetached {
			w.t.Errorf("listed: %+v", d)
		}
		ids[d.ID] = d.Resumable
	}
	for id, begun := range ids {
		switch random.IntN(1000) {
		case 0:
			w.Kick(id)
		case 1, 2, 3, 4, 5, 6, 7, 8, 9, 10:
			w.Touch(id)
		case 11, 12, 13, 14, 15, 16, 17, 18, 19, 20:
			if !begun {
				break
			}
			data := fmt.Append(nil, random.IntN(1000))
			_ = w.Push(id, backend.Message{Kind: backend.JSON, Data: data}) // it may have ended
		default:
			w.Session(id)
		}
	}
	user := fmt.Sprint(random.IntN(9))
	if random.IntN(200) == 0 {
		w.KickUser(user)
	}
	w.PushAll(StateDetached, "", backend.Message{Kind: backend.JSON, Data: []byte(`"away"`)})
	runtime.Gosched()
}

// follower is a client that follows the rules.
type follower struct {
	w       *world
	random  *rand.Rand
	c       *netlooptest.Client // nil: none
	session string
	token   string // "": it has no session
	has     uint64 // the number of its last frame
	request int
}

// step does one of the things that clients do.
func (f *follower) step() {
	if f.c == nil {
		f.connect()
		return
	}
	switch f.random.IntN(10) {
	case 0, 1, 2:
		f.ask(`{"op":"message","data":"count","request_id":%d}`)
	case 3, 4:
		f.ask(`{"op":"call_tool","name":"echo","arguments":{"text":"x"},"request_id":%d}`)
	case 5:
		f.ask(`{"op":"call_tool","name":"sleep","arguments":{"ms":2},"request_id":%d}`)
	case 6:
		f.tell(fmt.Sprintf(`{"op":"ack","seq":%d}`, f.has))
	case 7: // breaks off in the middle of a request
		f.tell(`{"op":"message","data":"count","request_id":"in the middle"}`)
		_ = f.c.Conn.Close()
		f.c = nil
	case 8: // takes over from itself
		old := f.c
		f.connect()
		_ = old.Conn.Close()
	case 9:
		if f.random.IntN(8) == 0 {
			f.tell(`{"op":"bye"}`)
			f.until(func(map[string]json.RawMessage) bool { return false })
			f.token = ""
		}
	}
}

// connect says hello, with the token if there is one. Afterwards there may be no connection.
func (f *follower) connect() {
	hello := fmt.Sprintf(
		`{"op":"hello","token":"user %d","want":{"resume":true}}`, f.random.IntN(9))
	if f.token != "" {
		hello = fmt.Sprintf(`{"op":"hello","resume":{"token":%q,"seq":%d}}`, f.token, f.has)
	}
	c := f.w.upgrade()
	c.Text(hello)
	text, ok := strings.CutPrefix(c.Next(), "text ")
	if !ok {
		f.c, f.token = nil, "" // it was kicked before it was greeted
		_ = c.Conn.Close()
		return
	}
	var ack helloAck
	if err := json.Unmarshal([]byte(text), &ack); err != nil {
		f.w.t.Errorf("the hello is answered by %s: %v", text, err)
	}
	switch {
	case ack.OK && f.token == "":
		f.session, f.has = ack.SessionID, 0
	case ack.OK:
		if !ack.Resumed || ack.SessionID != f.session || ack.Seq < f.has {
			f.w.t.Errorf("resuming %s after %d is answered by %+v", f.session, f.has, ack)
		}
		if ack.Gap && ack.Seq-f.has <= replayFramesMax {
			f.w.t.Errorf("resuming after %d there is a gap: %+v", f.has, ack)
		}
		if ack.Gap {
			f.has = ack.Seq - replayFramesMax
		}
	default:
		f.refused(ack)
		_ = c.Conn.Close()
		return
	}
	f.c, f.token = c, ack.ResumeToken
}

// refused is what becomes of it after a hello that was refused.
func (f *follower) refused(ack helloAck) {
	f.c = nil
	switch ack.Error {
	case "takeover_limit": // its connection is let go, then it is no takeover
	case "session_revoked", "session_evicted":
		f.w.await("the report", func() bool { return f.w.reason(f.session) != "" })
		if got := f.w.reason(f.session); "session_"+got != Reason(ack.Error) {
			f.w.t.Errorf("refused as %s, and ended for %q", ack.Error, got)
		}
		f.token = ""
	case "session_limit": // all others are busy
	case "unavailable": // it was kicked while the application was asked
		if f.token != "" {
			f.w.t.Errorf("session %s is unavailable", f.session)
		}
	default:
		f.w.t.Errorf("session %s, which ended for %q: the hello is answered by %+v",
			f.session, f.w.reason(f.session), ack)
		f.token = ""
	}
}

// tell says something. The connection may have been closed.
func (f *follower) tell(text string) {
	_, _ = f.c.Conn.Write(netlooptest.Frame(netlooptest.OpText, true, []byte(text)))
}

// ask sends a request and reads up to its answer.
func (f *follower) ask(request string) {
	f.request++
	f.tell(fmt.Sprintf(request, f.request))
	want := fmt.Sprint(f.request)
	f.until(func(frame map[string]json.RawMessage) bool {
		op := string(frame["op"])
		return string(frame["request_id"]) == want && op != `"progress"` && op != `"call_tool_ack"`
	})
}

// until reads up to a frame, or to the end of the connection, and checks the numbers.
func (f *follower) until(is func(frame map[string]json.RawMessage) bool) {
	for {
		got := f.c.Next()
		text, ok := strings.CutPrefix(got, "text ")
		if !ok {
			f.closed(got)
			return
		}
		var frame map[string]json.RawMessage
		if err := json.Unmarshal([]byte(text), &frame); err != nil {
			f.w.t.Errorf("%s: %v", text, err)
		}
		if seq, ok := frame["seq"]; ok {
			if f.has++; string(seq) != fmt.Sprint(f.has) {
				f.w.t.Errorf("session %s: want frame %d, got %s", f.session, f.has, text)
				_ = json.Unmarshal(seq, &f.has) // the next one is right again
			}
		}
		if is(frame) {
			return
		}
	}
}

// closed is for a connection that the server closes.
func (f *follower) closed(got string) {
	_ = f.c.Conn.Close()
	f.c = nil
	fine := []string{
		"close 1000", "close 4301 session revoked", "close 4302 session limit", "eof", "reset",
	}
	if !slices.Contains(fine, strings.TrimSpace(got)) {
		f.w.t.Errorf("session %s is closed by %q", f.session, got)
	}
}

// rest leaves in one of the ways.
func (f *follower) rest() {
	if f.c != nil && f.random.IntN(2) == 0 {
		_ = f.c.Conn.Close()
	} else if f.c != nil {
		f.tell(`{"op":"bye"}`)
		f.until(func(map[string]json.RawMessage) bool { return false })
	}
}
