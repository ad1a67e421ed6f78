package gateway

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/curfew-go/curfew/internal/backend"
	"github.com/curfew-go/curfew/internal/netloop/netlooptest"
)

// TestResume_Model plays random lives of one session, step by step beside a model of what section
// "Fine points of the protocol" promises: the client that follows the rules loses no frame and gets
// none twice unless a gap was said, old tokens are good exactly as long as they may be, and a
// request runs again only when its answer is forgotten.
func TestResume_Model(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		steps := rapid.SliceOfN(rapid.Custom(drawStep), 1, 40).Draw(rt, "steps")
		var problem error
		o := Options{
			IdleTimeout: 100 * time.Hour, ResumeWindow: 2 * time.Minute, Backend: newPatient(false),
		}
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, o)
			m := newModel(w)
			for i, s := range steps {
				if problem = m.do(s); problem == nil {
					problem = m.check()
				}
				if problem != nil {
					problem = fmt.Errorf("step %d, %s: %w", i, s, problem)
					break
				}
			}
			m.leave()
			w.wantNothingLeft()
		})
		if problem != nil {
			rt.Fatal(problem)
		}
	})
}

// step is one thing that happens, and a number that says more.
type step struct {
	verb string
	n    int
}

func (s step) String() string { return fmt.Sprint(s.verb, " ", s.n) }

func drawStep(t *rapid.T) step {
	return step{
		verb: rapid.SampledFrom([]string{
			"send", "send", "again", "push", "push", "flood", "ack", "cut", "cut", "resume",
			"resume", "lose", "spare", "old", "wait",
		}).Draw(t, "verb"),
		n: rapid.IntRange(0, 99).Draw(t, "n"),
	}
}

// heard is what a client hears on one connection.
type heard struct {
	c      *netlooptest.Client
	mu     sync.Mutex
	frames []string
}

func (h *heard) listen() {
	for {
		f := h.c.Next()
		h.mu.Lock()
		h.frames = append(h.frames, f)
		h.mu.Unlock()
		if f == "eof" {
			return
		}
	}
}

// take is what was heard since the last time, once everybody waits.
func (h *heard) take() []string {
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	f := h.frames
	h.frames = nil
	return f
}

// model is one session as it must be, and its client.
type model struct {
	w       *world
	session string
	conn    *heard // nil: it is detached
	tokens  []string

	// The session. What is sent is frames[seq-1]; of these the ones after gone are kept.
	frames  []string
	gone    int
	counted int   // how many requests ran
	ran     []int // by request: the number of the frame that answers it, 0: none
	newest  string
	spare   string // "": none
	spareTo time.Time
	taken   []time.Time
	leaveBy time.Time
	ended   bool

	// The client.
	has int // the number of its last frame
}

func newModel(w *world) *model {
	m := &model{w: w}
	c, session, token := w.resumable("")
	m.session, m.newest, m.tokens = session, token, []string{token}
	m.connect(c)
	return m
}

func (m *model) connect(c *netlooptest.Client) {
	m.conn = &heard{c: c}
	go m.conn.listen()
}

func (m *model) leave() {
	if m.conn != nil {
		_ = m.conn.c.Conn.Close()
	}
}

// do does a step, if it can be done.
func (m *model) do(s step) error {
	switch s.verb {
	case "send":
		return m.send(len(m.ran))
	case "again":
		if len(m.ran) > 0 {
			return m.send(s.n % len(m.ran))
		}
	case "push":
		return m.push(1 + s.n%3)
	case "flood":
		return m.push(s.n)
	case "ack":
		return m.ack(m.has - s.n%3)
	case "cut":
		m.cut()
	case "resume":
		return m.resume(m.tokens[len(m.tokens)-1], false)
	case "lose":
		return m.resume(m.tokens[len(m.tokens)-1], true)
	case "spare":
		if m.spare != "" {
			return m.resume(m.spare, false)
		}
	case "old":
		return m.resume(m.tokens[s.n%len(m.tokens)], false)
	case "wait":
		seconds := []float64{0.3, 1.1, 5.3, 11.7, 31.3}[s.n%5]
		time.Sleep(time.Duration(seconds * float64(time.Second)))
		if m.conn == nil && !m.ended && !time.Now().Before(m.leaveBy) {
			m.ended = true
		}
	}
	return nil
}

// sent notes a frame that the session sends.
func (m *model) sent(frame string) {
	m.frames = append(m.frames, frame)
	m.gone = max(m.gone, len(m.frames)-replayFramesMax)
}

// says is what the client says. Then the token before the newest is no good.
func (m *model) says(text string) {
	m.conn.c.Text(text)
	m.spare = ""
}

// send sends a request, or sends one again.
func (m *model) send(request int) error {
	if m.conn == nil {
		return nil
	}
	m.says(fmt.Sprintf(`{"op":"message","data":"count","request_id":%d}`, request))
	if request == len(m.ran) {
		m.ran = append(m.ran, 0)
	}
	if seq := m.ran[request]; seq > m.gone {
		got := m.conn.take()
		if len(got) != 1 || got[0] != m.frames[seq-1] {
			return fmt.Errorf("a request that ran is answered by %q, want %q", got, m.frames[seq-1])
		}
		return nil
	}
	m.counted++
	m.ran[request] = len(m.frames) + 1
	m.sent(fmt.Sprintf(`text {"op":"message_res","seq":%d,"request_id":%d,"data":%d}`,
		len(m.frames)+1, request, m.counted))
	return nil
}

func (m *model) push(n int) error {
	for range n {
		data := fmt.Sprint(len(m.frames))
		err := m.w.Push(m.session, backend.Message{Kind: backend.JSON, Data: []byte(data)})
		if m.ended != (err != nil) {
			return fmt.Errorf("push = %w", err)
		}
		if m.ended {
			return nil
		}
		m.sent(fmt.Sprintf(`text {"op":"message","seq":%d,"data":%s}`, len(m.frames)+1, data))
	}
	return nil
}

func (m *model) ack(seq int) error {
	if m.conn == nil {
		return nil
	}
	m.says(fmt.Sprintf(`{"op":"ack","seq":%d}`, seq))
	if seq >= 0 {
		m.gone = max(m.gone, seq)
	}
	return nil
}

func (m *model) cut() {
	if m.conn == nil {
		return
	}
	m.w.cut(m.conn.c)
	m.conn, m.leaveBy = nil, time.Now().Add(m.w.o.ResumeWindow)
}

// allowed says how a hello with a token must be answered.
func (m *model) allowed(token string) string {
	now := time.Now()
	var lately []time.Time
	for _, at := range m.taken {
		if now.Sub(at) < takeoversTime {
			lately = append(lately, at)
		}
	}
	m.taken = lately
	switch {
	case token != m.newest && (token != m.spare || !m.ended && !now.Before(m.spareTo)):
		return "resume_unknown"
	case m.ended && now.Before(m.leaveBy.Add(tombstoneLife)):
		return "resume_window"
	case m.ended:
		return "resume_unknown"
	case m.conn != nil && len(m.taken) == takeoversMax:
		return "takeover_limit"
	}
	return ""
}

// resume says hello with a token. If it is lost, the client learns nothing of the answer.
func (m *model) resume(token string, lost bool) error {
	want := m.allowed(token)
	c, ack := m.w.greeted(fmt.Sprintf(
		`{"op":"hello","resume":{"token":%q,"seq":%d}}`, token, m.has))
	if ack.Error != want {
		return fmt.Errorf("the hello is answered by %+v, want the error %q", ack, want)
	}
	if want != "" {
		_ = c.Conn.Close()
		return nil
	}
	if old := m.conn; old != nil {
		m.taken = append(m.taken, time.Now())
		got := old.take()
		if len(got) != 1 || got[0] != "close 4300 session resumed elsewhere" {
			return fmt.Errorf("the old connection hears %q", got)
		}
		_ = old.c.Conn.Close()
	}
	if token == m.newest {
		m.spare, m.spareTo = m.newest, time.Now().Add(spareTime)
	} else {
		m.spare = ""
	}
	m.newest = ack.ResumeToken
	gap := m.has < m.gone
	if ack.Gap != gap || int(ack.Seq) != len(m.frames) || ack.SessionID != m.session {
		return fmt.Errorf("the hello is answered by %+v, want gap %v and seq %d",
			ack, gap, len(m.frames))
	}
	m.gone = max(m.gone, m.has)
	m.connect(c)
	if lost {
		m.cut()
		return nil
	}
	m.has = m.gone // it was told of the gap, if there is one
	m.tokens = append(m.tokens, m.newest)
	return nil
}

// check has the client read. It must have everything afterwards.
func (m *model) check() error {
	if m.conn == nil {
		if d, ok := m.w.Session(m.session); ok == m.ended || ok && d.State != StateDetached {
			return fmt.Errorf("the session is %+v", d)
		}
		return nil
	}
	for _, got := range m.conn.take() {
		var frame struct {
			Seq int `json:"seq"`
		}
		err := json.Unmarshal([]byte(strings.TrimPrefix(got, "text ")), &frame)
		if err != nil || frame.Seq != m.has+1 || got != m.frames[frame.Seq-1] {
			return fmt.Errorf("after frame %d comes %s", m.has, got)
		}
		m.has++
	}
	d, _ := m.w.Session(m.session)
	if m.has != len(m.frames) || d.State != StateLive || int(d.Seq) != len(m.frames) {
		return fmt.Errorf("the client has %d of %d frames, its session is %+v",
			m.has, len(m.frames), d)
	}
	return nil
}
