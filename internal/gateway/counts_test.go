package gateway

import (
	"fmt"
	"log/slog"
	"maps"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/curfew-go/curfew/engine"
	"github.com/curfew-go/curfew/internal/backend"
	"github.com/curfew-go/curfew/internal/netloop/netlooptest"
)

// diary keeps the events of each session.
type diary struct {
	mu        sync.Mutex
	bySession map[string][]Event
}

func (d *diary) add(e Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.bySession == nil {
		d.bySession = make(map[string][]Event)
	}
	d.bySession[e.Session] = append(d.bySession[e.Session], e)
}

// check looks at the events of sessions that all have ended, for these reasons: the first of each
// is its creation, and one is its end.
func (d *diary) check(t *testing.T, reasons map[string]Reason) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.bySession == nil && len(reasons) > 0 {
		t.Errorf("nothing was told of %d sessions", len(reasons))
	}
	for id, events := range d.bySession {
		created, ended := 0, 0
		for _, e := range events {
			switch {
			case e.Type == EventCreate:
				created++
			case e.Type == EventEnd && e.Reason == reasons[id]:
				ended++
			case e.Type == EventEnd, (e.Type == EventDetach) != (e.Reason != ""):
				t.Errorf("session %s ended for %q, and the event is %+v", id, reasons[id], e)
			}
		}
		if events[0].Type != EventCreate || created != 1 || ended != 1 {
			t.Errorf("of session %s was told %+v", id, events)
		}
	}
	for id := range reasons {
		if len(d.bySession[id]) == 0 {
			t.Errorf("nothing was told of session %s", id)
		}
	}
}

// checkCounts compares the counts of a gateway that is closed with what its ledger says.
func (w *world) checkCounts(t *testing.T) {
	t.Helper()
	n := w.Counts()
	want := make(map[Reason]uint64)
	for _, r := range reasons {
		want[r] = 0
	}
	for _, r := range w.reasonsLocked() {
		want[r]++
	}
	if !maps.Equal(n.Ended, want) {
		t.Errorf("ended by reason: %v, want %v", n.Ended, want)
	}
	if n.Live != 0 || n.Detached != 0 || n.Grace != 0 || w.counters.graced.Load() != 0 ||
		n.Pending != 0 || n.Waiting != 0 || n.CallsRunning != 0 || n.Users != 0 {
		t.Errorf("of a closed gateway, %+v", n)
	}
}

// byState counts the sessions that can be seen.
func (w *world) byState() (live, detached, grace int) {
	for d := range w.Sessions() {
		switch d.State {
		case StateLive:
			live++
		case StateDetached:
			detached++
		case StateGrace:
			grace++
		}
	}
	return live, detached, grace
}

// TestCounts_Model plays random lives of some sessions. After each step the counts by state are
// what a look at all sessions finds, and those of what happened are what was done.
func TestCounts_Model(t *testing.T) {
	for _, waits := range []bool{false, true} {
		t.Run(fmt.Sprintf("waits=%v", waits), func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				steps := rapid.SliceOfN(rapid.Custom(drawCountsStep), 1, 150).Draw(rt, "steps")
				var problem error
				o := Options{
					IdleTimeout: 10 * time.Second, Grace: 8 * time.Second,
					ResumeWindow: 25 * time.Second, MaxLifetime: 2 * time.Minute,
					MaxSessions: 5, EvictIdle: true, Backend: newPatient(waits),
				}
				synctest.Test(t, func(t *testing.T) {
					p := &populace{w: newWorld(t, o)}
					for i, s := range steps {
						p.do(s)
						if problem = p.check(); problem != nil {
							problem = fmt.Errorf("step %d, %s: %w", i, s, problem)
							break
						}
					}
					p.leave()
					if err := p.w.Drain(t.Context(), 0); err != nil {
						t.Error(err)
					}
					p.w.wantNothingLeft()
				})
				if problem != nil {
					rt.Fatal(problem)
				}
			})
		})
	}
}

// TestCounts_GraceOfDetachedSessions goes through what the model comes by seldom.
func TestCounts_GraceOfDetachedSessions(t *testing.T) {
	o := Options{
		IdleTimeout: 10 * time.Second, Grace: 8 * time.Second, ResumeWindow: time.Minute,
		Backend: newPatient(true),
	}
	bubble(t, o, func(w *world) {
		p := &populace{w: w}
		for _, s := range []step{
			{"resumable", 0},
			{"cut", 0},
			{"wait", 3},
			{"touch", 0},
			{"wait", 3},
			{"resume", 0},
			{"wait", 3},
			{"cut", 0},
			{"touch", 0},
			{"wait", 3},
			{"plain", 0},
			{"wait", 3},
			{"resumable", 0},
			{"call", 2},
			{"cut", 2},
			{"wait", 1},
			{"wait", 3},
			{"kick", 2},
			{"wait", 3},
		} {
			p.do(s)
			if err := p.check(); err != nil {
				t.Fatalf("%s: %v", s, err)
			}
		}
		p.leave()
		w.wantNothingLeft()
	})
}

func drawCountsStep(t *rapid.T) step {
	return step{
		verb: rapid.SampledFrom([]string{
			"plain", "resumable", "resumable", "raw", "cut", "cut", "resume",
			"wrong", "touch", "touch", "kick", "say", "call", "push", "bye", "wait", "wait", "wait",
		}).Draw(t, "verb"),
		n: rapid.IntRange(0, 99).Draw(t, "n"),
	}
}

// inhabitant is one client.
type inhabitant struct {
	session string
	token   string // "": it cannot resume
	raw     bool
	conn    *heard // nil: its connection is lost
}

// populace is some clients, and what was done.
type populace struct {
	w       *world
	members []*inhabitant

	resumed, takenOver, refused, detached uint64
	pushed, pushRefused                   uint64
	calls                                 uint64
}

func (p *populace) leave() {
	for _, m := range p.members {
		if m.conn != nil {
			_ = m.conn.c.Conn.Close()
		}
	}
	synctest.Wait()
}

func (p *populace) enter(m *inhabitant, c *netlooptest.Client) {
	m.conn = &heard{c: c}
	go m.conn.listen()
	p.members = append(p.members, m)
}

// do does a step, if it can be done.
func (p *populace) do(s step) {
	w := p.w
	switch s.verb {
	case "plain":
		c, id := w.hello(`,"want":{"expiring":true}`)
		p.enter(&inhabitant{session: id}, c)
	case "resumable":
		c, id, token := w.resumable("")
		p.enter(&inhabitant{session: id, token: token}, c)
	case "raw":
		c := w.upgrade(raw())
		p.enter(&inhabitant{session: c.Response.Header.Get("Curfew-Session"), raw: true}, c)
	case "wait":
		seconds := []float64{0.5, 3, 9.5, 10.5, 12, 61}[s.n%6]
		time.Sleep(time.Duration(seconds * float64(time.Second)))
	case "wrong":
		c, _ := w.greeted(`{"op":"hello","resume":{"token":"nobody's"}}`)
		_ = c.Conn.Close()
		p.refused++
	default:
		if len(p.members) > 0 {
			p.with(p.members[s.n%len(p.members)], s)
		}
	}
	synctest.Wait()
}

// with does a step that is about one client.
func (p *populace) with(m *inhabitant, s step) {
	w := p.w
	d, alive := w.Session(m.session)
	switch s.verb {
	case "touch":
		w.Touch(m.session)
	case "kick":
		w.Kick(m.session)
	case "push":
		switch err := w.Push(m.session, backend.Message{Kind: backend.Binary}); {
		case err == nil:
			p.pushed++
		case alive:
			p.pushRefused++
		}
	case "resume":
		if m.token != "" {
			p.resume(m, alive)
		}
	}
	if m.conn == nil {
		return
	}
	c := m.conn.c.Conn
	var text string
	switch s.verb {
	case "cut":
		_ = c.Close()
		m.conn = nil
		if alive && m.token != "" && d.State != StateDetached {
			p.detached++
		}
	case "say":
		text = `{"op":"message","data":1}`
	case "call":
		text = `{"op":"call_tool","name":"sleep","arguments":{"ms":3000}}`
		if alive && !m.raw && d.InFlight < 8 {
			p.calls++
		}
	case "bye":
		text = `{"op":"bye"}`
	}
	if text != "" {
		_, _ = c.Write(netlooptest.Frame(netlooptest.OpText, true, []byte(text)))
	}
}

func (p *populace) resume(m *inhabitant, alive bool) {
	c, ack := p.w.greeted(fmt.Sprintf(`{"op":"hello","resume":{"token":%q,"seq":0}}`, m.token))
	if !ack.OK {
		_ = c.Conn.Close()
		p.refused++
		return
	}
	p.resumed++
	if m.conn != nil {
		_ = m.conn.c.Conn.Close()
		if alive {
			p.takenOver++
		}
	}
	m.token = ack.ResumeToken
	m.conn = &heard{c: c}
	go m.conn.listen()
}

// check compares the counts with what there is.
func (p *populace) check() error {
	n := p.w.Counts()
	live, detached, grace := p.w.byState()
	if n.Live != live || n.Detached != detached || n.Grace != grace {
		return fmt.Errorf("counted %d live, %d detached, %d in grace, there are %d, %d and %d",
			n.Live, n.Detached, n.Grace, live, detached, grace)
	}
	graced := int64(0)
	for s := range p.w.table.All() {
		v, _ := s.View()
		st := v.Value.state
		if st != nil && st.leaveBy.Load() != 0 && v.State == engine.StateGrace {
			graced++
		}
	}
	if got := p.w.counters.graced.Load(); got != graced {
		return fmt.Errorf("%d detached sessions are counted as in grace, there are %d", got, graced)
	}
	var refused, ended uint64
	for _, k := range n.ResumeRefused {
		refused += k
	}
	for _, k := range n.Ended {
		ended += k
	}
	if created := n.Created; created != ended+uint64(live+detached+grace) {
		return fmt.Errorf("%d began, %d ended, %d are there", created, ended, live+detached+grace)
	}
	if n.Resumed != p.resumed || n.TakenOver != p.takenOver || refused != p.refused ||
		n.DetachedEver != p.detached {
		return fmt.Errorf("counted %+v, want %+v", n, p)
	}
	if n.Pushed != p.pushed || n.PushRefused != p.pushRefused {
		return fmt.Errorf("%d pushed, %d refused, want %d and %d",
			n.Pushed, n.PushRefused, p.pushed, p.pushRefused)
	}
	calls := uint64(n.CallsRunning)
	for _, k := range n.Calls {
		calls += k
	}
	if calls != p.calls {
		return fmt.Errorf("calls are %v and %d running, want %d", n.Calls, n.CallsRunning, p.calls)
	}
	return nil
}

// TestCounts_CallsByOutcome has calls come to each end there is, with an application that answers
// at once and with one that takes its time.
func TestCounts_CallsByOutcome(t *testing.T) {
	for _, waits := range []bool{false, true} {
		o := Options{
			Backend: newPatient(waits), BackendTimeout: 5 * time.Second, SessionMaxInflight: 2,
		}
		bubble(t, o, func(w *world) {
			c, _ := w.hello("")
			h := &heard{c: c}
			go h.listen()
			call := func(rest string) {
				c.Text(`{"op":"call_tool",` + rest + `}`)
				synctest.Wait()
			}
			call(`"name":"echo","arguments":{"text":"x"}`)  // ok
			call(`"name":"fail"`)                           // error
			call(`"name":"panic"`)                          // error
			call(`"name":"nothing"`)                        // refused: no such tool
			call(`"name":7`)                                // refused
			call(`"name":"echo","arguments":[]`)            // refused
			call(`"name":"wait","arguments":{"on":"late"}`) // timeout
			time.Sleep(6 * time.Second)
			call(`"name":"wait","arguments":{"on":"a"},"request_id":1`) // canceled
			call(`"name":"wait","arguments":{"on":"a"},"request_id":1`) // a duplicate: not one more
			call(`"name":"wait","arguments":{"on":"b"}`)                // canceled
			call(`"name":"wait","arguments":{"on":"c"}`)                // refused: too many
			if n := w.Counts().CallsRunning; n != 2 {
				t.Errorf("%d calls run", n)
			}
			_ = c.Conn.Close()
			synctest.Wait()
			want := map[string]uint64{
				"ok": 1, "error": 2, "timeout": 1, "refused": 4, "canceled": 2,
			}
			if got := w.Counts().Calls; !maps.Equal(got, want) {
				t.Errorf("waits=%v: calls %v, want %v", waits, got, want)
			}
		})
	}
}

// TestCounts_OfWhatIsKept counts messages that wait, replay and users.
func TestCounts_OfWhatIsKept(t *testing.T) {
	o := Options{Backend: newPatient(true), ResumeWindow: time.Minute, BackendTimeout: time.Hour}
	bubble(t, o, func(w *world) {
		c, id, token := w.resumable(`,"token":"user ann"`)
		h := &heard{c: c}
		go h.listen()
		for range 3 {
			c.Text(`{"op":"message","data":{"wait":"gate"}}`)
		}
		synctest.Wait()
		n := w.Counts()
		if n.Waiting != 3 || n.WaitingBytes < 3*waitingOverhead || n.Users != 1 {
			t.Errorf("%d messages of %d bytes wait, %d users", n.Waiting, n.WaitingBytes, n.Users)
		}
		w.o.Backend.(*patient).open("gate")
		w.cut(c)
		synctest.Wait()
		if n := w.Counts(); n.Waiting != 0 || n.WaitingBytes != 0 || n.ReplayBytes == 0 {
			t.Errorf("%d messages of %d bytes wait, %d bytes of replay",
				n.Waiting, n.WaitingBytes, n.ReplayBytes)
		}
		for i := range replayFramesMax {
			m := backend.Message{Kind: backend.JSON, Data: fmt.Append(nil, i)}
			if err := w.Push(id, m); err != nil {
				t.Fatal(err)
			}
		}
		c, ack := w.greeted(fmt.Sprintf(`{"op":"hello","resume":{"token":%q,"seq":0}}`, token))
		bytes := 0
		for range replayFramesMax {
			bytes += len(c.Next()) - len("text ")
		}
		n = w.Counts()
		if n.Replayed != replayFramesMax || n.ReplayedBytes != uint64(bytes) || n.ReplayGaps != 1 ||
			n.Pushed != replayFramesMax || !ack.Gap {
			t.Errorf("%+v after a resume with a gap, of %d bytes", n, bytes)
		}
		w.Kick(id)
		c.Want("close 4301 session revoked")
		synctest.Wait()
		if n := w.Counts(); n.Tombstones != 1 || n.ReplayBytes != 0 || n.Users != 0 ||
			n.Ended[ReasonRevoked] != 1 {
			t.Errorf("%+v after a kick", n)
		}
		time.Sleep(2 * tombstoneLife)
		if n := w.Counts(); n.Tombstones != 0 {
			t.Errorf("%d tombstones are left", n.Tombstones)
		}
	})
}

// TestCounts_OfRefusedHellos counts them by what the client was told.
func TestCounts_OfRefusedHellos(t *testing.T) {
	tokens := new(Tokens)
	tokens.Set([]string{"secret"})
	o := Options{Tokens: tokens, MaxSessions: 1, ResumeWindow: time.Minute}
	bubble(t, o, func(w *world) {
		say := func(first, want string) {
			c, ack := w.greeted(first)
			if ack.Error != want {
				t.Errorf("%s is answered by %+v, want %q", first, ack, want)
			}
			_ = c.Conn.Close()
		}
		say(`hello`, "invalid_hello")
		say(`{"op":"ping"}`, "missing_hello")
		say(`{"op":"hello","token":"wrong"}`, "unauthorized")
		say(`{"op":"hello","resume":{"token":"t"},"token":"wrong"}`, "unauthorized")
		say(`{"op":"hello","resume":{"token":"t"},"token":"secret"}`, "resume_unknown")
		_, id, token := w.resumable(`,"token":"secret"`)
		say(`{"op":"hello","token":"secret"}`, "session_limit")
		w.Kick(id)
		say(fmt.Sprintf(`{"op":"hello","token":"secret","resume":{"token":%q}}`, token),
			"session_revoked")
		n := w.Counts()
		for name, k := range n.HelloRefused {
			want := uint64(0)
			switch name {
			case "invalid_hello", "missing_hello", "unauthorized", "session_limit":
				want = 1
			}
			if k != want {
				t.Errorf("%d hellos refused as %s, want %d", k, name, want)
			}
		}
		for name, k := range n.ResumeRefused {
			want := uint64(0)
			switch name {
			case "unauthorized", "resume_unknown", "session_revoked":
				want = 1
			}
			if k != want {
				t.Errorf("%d resumes refused as %s, want %d", k, name, want)
			}
		}
	})
}

// TestCounts_WhatNeverBegan does not count as created who was not let in.
func TestCounts_WhatNeverBegan(t *testing.T) {
	app := newPatient(true)
	bubble(t, Options{Backend: app}, func(w *world) {
		want := func(when string, created uint64) {
			t.Helper()
			synctest.Wait()
			n := w.Counts()
			there := uint64(n.Live)
			for _, k := range n.Ended {
				there += k
			}
			if n.Created != created || there != created {
				t.Errorf("%s: %d were created, of which %d live or ended, want %d", when,
					n.Created, there, created)
			}
		}
		w.greeted(`{"op":"hello","token":"refuse"}`)
		want("refused", 0)
		w.hello(`,"token":"user ada"`)
		want("let in", 1)
		c := w.upgrade()
		c.Text(`{"op":"hello","token":"wait gate"}`)
		want("asking", 1)
		app.open("gate")
		c.Next()
		want("let in late", 2)
		_ = c.Conn.Close()
		want("gone", 2)
	})
}

// TestCounts_Rejected counts who found no room in the end, not who found it in another's place.
func TestCounts_Rejected(t *testing.T) {
	for _, evict := range []bool{false, true} {
		for _, app := range []backend.Backend{backend.Echo{}, newPatient(true)} {
			o := Options{Backend: app, MaxSessions: 2, EvictIdle: evict}
			bubble(t, o, func(w *world) {
				want := uint64(0)
				for i := range 5 {
					if _, ack := w.greeted(`{"op":"hello"}`); !ack.OK {
						want++
					}
					time.Sleep(time.Duration(i) * time.Second)
				}
				if n := w.Counts().Rejected; n != want || evict != (want == 0) {
					t.Errorf("evict %v, %T: %d are counted, %d were told", evict, app, n, want)
				}
			})
		}
	}
}

// TestEvents_OfOneLife tells of what happens, whom it is about and where.
func TestEvents_OfOneLife(t *testing.T) {
	for _, waits := range []bool{false, true} {
		o := Options{Backend: newPatient(waits), ResumeWindow: time.Minute}
		bubble(t, o, func(w *world) {
			c, id, token := w.resumable(`,"token":"user ann"`)
			w.cut(c)
			c, _ = w.greeted(fmt.Sprintf(`{"op":"hello","resume":{"token":%q,"seq":0}}`, token))
			w.Kick(id)
			c.Want("close 4301 session revoked")
			r := w.upgrade(raw())
			rawID := r.Response.Header.Get("Curfew-Session")
			_ = r.Conn.Close()
			synctest.Wait()
			user := ""
			if waits {
				user = "ann"
			}
			want := []Event{
				{Type: EventCreate, Session: id, User: user, Protocol: ProtocolJSON},
				{
					Type: EventDetach, Session: id, User: user, Protocol: ProtocolJSON,
					Reason: ReasonLost,
				},
				{Type: EventResume, Session: id, User: user, Protocol: ProtocolJSON},
				{
					Type: EventEnd, Session: id, User: user, Protocol: ProtocolJSON,
					Reason: ReasonRevoked,
				},
			}
			if got := w.events.bySession[id]; fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("waits=%v: told %+v, want %+v", waits, got, want)
			}
			want = []Event{
				{Type: EventCreate, Session: rawID, Protocol: ProtocolRaw},
				{Type: EventEnd, Session: rawID, Protocol: ProtocolRaw, Reason: ReasonLost},
			}
			if got := w.events.bySession[rawID]; fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("waits=%v: told %+v, want %+v", waits, got, want)
			}
			c, id, _ = w.resumable(`,"token":"user ann"`)
			w.cut(c)
			time.Sleep(2 * time.Minute)
			synctest.Wait()
			want = []Event{{
				Type: EventEnd, Session: id, User: user, Protocol: ProtocolJSON,
				Reason: ReasonWindow,
			}}
			if got := w.events.bySession[id]; fmt.Sprint(got[2:]) != fmt.Sprint(want) {
				t.Errorf("waits=%v: told %+v, want %+v at the end", waits, got, want)
			}
		})
	}
}

// TestEvents_EndWhileTheBeginningIsTold ends a session in each way while who watches is being told
// of it: the end is told after that, and once.
func TestEvents_EndWhileTheBeginningIsTold(t *testing.T) {
	for name, end := range map[string]func(w *world, c *netlooptest.Client){
		"lost":    func(_ *world, c *netlooptest.Client) { _ = c.Conn.Close() },
		"kicked":  func(w *world, _ *netlooptest.Client) { w.KickUser("ann") },
		"evicted": func(w *world, _ *netlooptest.Client) { w.evictOf("ann") },
		"expired": func(*world, *netlooptest.Client) { time.Sleep(10 * time.Minute) },
		"drained": func(w *world, _ *netlooptest.Client) { w.endAll() },
	} {
		t.Run(name, func(t *testing.T) {
			gate := make(chan struct{})
			var w *world
			o := Options{Backend: newPatient(true), MaxLifetime: 5 * time.Minute}
			o.OnEvent = func(e Event) {
				if e.Type == EventCreate {
					<-gate
				}
				w.events.add(e)
			}
			synctest.Test(t, func(t *testing.T) {
				gate = make(chan struct{})
				w = newWorld(t, o)
				c := w.upgrade()
				h := &heard{c: c}
				go h.listen()
				c.Text(`{"op":"hello","token":"user ann"}`)
				synctest.Wait()
				end(w, c)
				synctest.Wait()
				if n := len(w.events.bySession); n != 0 || w.last != "" {
					t.Errorf("before the beginning was told of %d sessions, the end was", n)
				}
				close(gate)
				synctest.Wait()
				if n := len(w.events.bySession); n != 1 {
					t.Errorf("told of %d sessions", n)
				}
				_ = c.Conn.Close()
				w.wantNothingLeft()
			})
		})
	}
}

// TestEvents_LostWhileItEnds loses the connection of a session that is no longer in the table, and
// whose end is not told yet: it is not detached any more.
func TestEvents_LostWhileItEnds(t *testing.T) {
	bubble(t, Options{ResumeWindow: time.Minute}, func(w *world) {
		c, id, _ := w.resumable("")
		s, _ := w.table.Lookup(id)
		l, _ := s.Value()
		conn, _ := w.net.Conn(l.state.conn)
		s.Remove()
		w.detach(conn, s, l.state, ReasonLost)
		if n := w.Counts(); n.Detached != 0 || n.DetachedEver != 0 {
			t.Errorf("%d are detached, %d were", n.Detached, n.DetachedEver)
		}
		w.took(l.state, End{Session: id, Reason: ReasonIdle})
		_ = c.Conn.Close()
		w.wantNothingLeft()
	})
}

// TestEvents_EndAfterTheLastMessage says where a session was whose connection was gone when its
// last message was answered.
func TestEvents_EndAfterTheLastMessage(t *testing.T) {
	for name, mode := range modes() {
		t.Run(name, func(t *testing.T) {
			o := Options{Backend: newPatient(true)}
			o.Net.Mode = mode
			overSockets(t, o, func(w *world) {
				c, id := w.hello("")
				c.Text(`{"op":"message","data":{"wait":"gate"}}`)
				for w.Counts().Waiting == 0 {
					runtime.Gosched()
				}
				_ = c.Conn.Close()
				for w.NetStats().Open > 0 {
					runtime.Gosched()
				}
				w.o.Backend.(*patient).open("gate")
				w.await("the end of the session", func() bool { return w.reason(id) != "" })
				want := c.Conn.LocalAddr().String()
				w.wantNothingLeft()
				if got := w.told[id].Remote.String(); got != want {
					t.Errorf("the end is told of a session on %s, want %s", got, want)
				}
				events := w.events.bySession[id]
				if got := events[len(events)-1].Remote; got != want {
					t.Errorf("the event of the end is of a session on %q, want %s", got, want)
				}
			})
		})
	}
}

// TestEvents_NobodyWatches tells nothing, from the moment on that nobody wants to know.
func TestEvents_NobodyWatches(t *testing.T) {
	var watched atomic.Bool
	var told atomic.Int64
	o := Options{
		ResumeWindow: time.Minute, Backend: newPatient(true), Watched: watched.Load,
		OnEvent: func(Event) { told.Add(1) },
	}
	bubble(t, o, func(w *world) {
		life := func() {
			c, id, _ := w.resumable("")
			w.cut(c)
			w.Kick(id)
			synctest.Wait()
		}
		life()
		if n := told.Load(); n != 0 {
			t.Errorf("%d events were told, and nobody watched", n)
		}
		watched.Store(true)
		life()
		if n := told.Load(); n != 3 {
			t.Errorf("%d events were told, want 3", n)
		}
		watched.Store(false)
		if n := testing.AllocsPerRun(100, func() {
			if w.watched() {
				t.Error("nobody should watch")
			}
		}); n != 0 {
			t.Errorf("%v allocations where nobody watches", n)
		}
	})
}

// TestEvents_ExpiryIsFreeWhereNobodyWatches: a storm of expiries makes no string for nobody.
func TestEvents_ExpiryIsFreeWhereNobodyWatches(t *testing.T) {
	var told int
	watched := false
	g := newWorld(t, Options{
		Watched: func() bool { return watched }, OnEvent: func(Event) { told++ },
		Logger: slog.New(slog.DiscardHandler),
	})
	g.o.OnEnd = nil
	// Some that the table does not know: nothing else calls onExpire meanwhile.
	batch := make([]engine.Expired[link], 256)
	for i := range batch {
		batch[i] = engine.Expired[link]{Reason: engine.ReasonIdle}
	}
	const runs = 10
	if n := testing.AllocsPerRun(runs, func() { g.onExpire(batch) }); n != 0 {
		t.Errorf("%v allocations for %d expiries that nobody watches", n, len(batch))
	}
	if n := g.Counts().Ended[ReasonIdle]; n != uint64((runs+1)*len(batch)) || told != 0 {
		t.Errorf("%d are counted, %d events were told", n, told)
	}
}

// TestEvents_AreToldWithoutLocks has who is told look at everything, and change it.
func TestEvents_AreToldWithoutLocks(t *testing.T) {
	for _, waits := range []bool{false, true} {
		var w *world
		var told atomic.Int64 // by whatever goroutine it happens in
		o := Options{
			Backend: newPatient(waits), ResumeWindow: time.Minute, MaxSessions: 2, EvictIdle: true,
			MaxSessionsPerUser: 1, EvictUsersIdle: true,
		}
		o.OnEvent = func(e Event) {
			told.Add(1)
			for d := range w.Sessions() {
				w.Touch(d.ID)
				_ = w.Push(d.ID, backend.Message{Kind: backend.JSON, Data: []byte("1")})
			}
			if w.Counts(); e.Type == EventDetach {
				w.Kick(e.Session)
			}
			w.SetLimits(*w.limits.Load())
			w.KickUser("nobody")
			w.events.add(e)
		}
		synctest.Test(t, func(t *testing.T) {
			w = newWorld(t, o)
			for range 3 {
				c, _, _ := w.resumable(`,"token":"user ann"`)
				go (&heard{c: c}).listen()
			}
			c, id, _ := w.resumable(`,"token":"user bob"`)
			w.cut(c)
			synctest.Wait()
			if got := w.reason(id); got != ReasonRevoked {
				t.Errorf("waits=%v: ended by %q", waits, got)
			}
			c, id, token := w.resumable(`,"token":"user bob"`)
			go (&heard{c: c}).listen()
			w.greeted(fmt.Sprintf(`{"op":"hello","resume":{"token":%q}}`, token))
			w.Kick(id)
			synctest.Wait()
			w.wantNothingLeft()
			if n := told.Load(); n < 12 {
				t.Errorf("waits=%v: told %d times", waits, n)
			}
		})
	}
}

// TestCounts_KnowEveryRefusal and every reason by a number.
func TestCounts_KnowEveryRefusal(t *testing.T) {
	var by refusedBy
	all := []refusal{
		refusedInvalid, refusedMissing, refusedUnauthorized, refusedUnknown, refusedLimit,
		refusedUnavailable, refusedTakeover(1), refusedBlocked(1),
	}
	for i, r := range reasons {
		if r.number() != i {
			t.Errorf("the number of %q is %d, want %d", r, r.number(), i)
		}
		all = append(all, refusedEnded(r))
	}
	for _, r := range all {
		was := by.counts()[r.name]
		by.note(r)
		if got := by.counts()[r.name]; got != was+1 {
			t.Errorf("%d refusals as %s, want %d", got, r.name, was+1)
		}
	}
}
