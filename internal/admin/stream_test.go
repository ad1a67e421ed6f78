package admin

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// listener is who reads a stream of events in a bubble, or does not.
type listener struct {
	header http.Header
	status int
	cancel context.CancelFunc
	done   chan struct{} // closed when the answer is over

	mu       sync.Mutex
	text     strings.Builder
	flushed  int // bytes
	deadline time.Time
	stuck    bool // reads nothing
}

func (l *listener) Header() http.Header { return l.header }

func (l *listener) WriteHeader(status int) { l.status = status }

func (l *listener) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stuck {
		time.Sleep(time.Until(l.deadline))
		return 0, os.ErrDeadlineExceeded
	}
	return l.text.Write(b)
}

func (l *listener) FlushError() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.flushed = l.text.Len()
	return nil
}

func (l *listener) SetWriteDeadline(t time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.deadline = t
	return nil
}

// wantDescribed holds what a stream tells against the description.
func wantDescribed(t *testing.T, told string) {
	t.Helper()
	schema := ""
	for line := range strings.SplitSeq(told, "\n") {
		if name, ok := strings.CutPrefix(line, "event: "); ok {
			schema = map[bool]string{true: "Lost", false: "Event"}[name == "lost"]
		}
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			err := theDescription().validate([]byte(data), "components", "schemas", schema)
			if err != nil {
				t.Errorf("%s: %v", data, err)
			}
		}
	}
}

// listen asks for events in a bubble, with a token ("": none), and waits until they are told.
func listen(s *Server, target, token string) *listener {
	ctx, cancel := context.WithCancel(context.Background())
	r := httptest.NewRequestWithContext(ctx, get, target, http.NoBody)
	r.Host = "localhost"
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	l := &listener{header: http.Header{}, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(l.done)
		s.ServeHTTP(l, r)
	}()
	synctest.Wait()
	return l
}

// told is what a listener has got since it was asked the last time, when nothing moves any more.
func (l *listener) told() string {
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	text := l.text.String()
	if len(text) != l.flushed {
		return "not flushed: " + text
	}
	l.text.Reset()
	l.flushed = 0
	return text
}

func TestEvents_Wire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := joined(newMemory())
		s := newServer(t, o)
		o.Events.Publish(Event{Type: EventCreate, Session: "nobody listens"})
		if o.Events.Watched() {
			t.Error("somebody is told before anybody asks")
		}
		l := listen(s, "/v1/events", "")
		if !o.Events.Watched() {
			t.Error("nobody is told after somebody asked")
		}
		if got := l.header.Get("Content-Type"); got != "text/event-stream" {
			t.Errorf("Content-Type: %s", got)
		}
		if got, want := l.told(), "retry: 2000\n\n"; got != want {
			t.Errorf("it begins %q, want %q", got, want)
		}
		time.Sleep(eventPause)
		o.Events.Publish(Event{
			Type: EventCreate, At: epoch, Session: "a", User: "u\n\nevent: x", Remote: "[::1]:5",
			Protocol: "curfew.v1",
		})
		o.Events.Publish(Event{Type: EventDetach, At: epoch, Session: "a", Reason: "lost"})
		if got, want := l.told(), `event: create
id: 1
data: {"type":"create","at":"2026-05-04T02:02:01.987Z","session_id":"a","user":"u\n\nevent: x",`+
			`"remote":"[::1]:5","protocol":"curfew.v1"}

`; got != want && !strings.HasPrefix(got, want) {
			t.Errorf("told %q, want %q", got, want)
		}
		time.Sleep(eventPause)
		if got, want := l.told(), `event: detach
id: 2
data: {"type":"detach","at":"2026-05-04T02:02:01.987Z","session_id":"a","reason":"lost"}

`; got != want && got != "" {
			t.Errorf("told %q, want %q", got, want)
		}
		time.Sleep(2 * alivePause)
		if got := l.told(); !strings.HasPrefix(got, ": alive\n\n") || strings.Contains(got, "ev") {
			t.Errorf("after silence %q", got)
		}
		l.cancel()
		<-l.done
		if o.Events.Watched() {
			t.Error("somebody is told who has gone")
		}
	})
}

func TestEvents_Filter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := joined(newMemory())
		s := newServer(t, o)
		listeners := map[string]*listener{}
		for _, query := range []string{
			"", "?type=expire,disconnect", "?user=u", "?session=b", "?type=create&user=u&session=a",
			"?type=&user=&session=",
		} {
			listeners[query] = listen(s, "/v1/events"+query, "")
		}
		time.Sleep(eventPause)
		for _, e := range []Event{
			{Type: EventCreate, Session: "a", User: "u"},
			{Type: EventCreate, Session: "b"},
			{Type: EventExpire, Session: "b", Reason: "idle"},
			{Type: EventDisconnect, Session: "a", User: "u", Reason: "bye"},
		} {
			o.Events.Publish(e)
		}
		time.Sleep(2 * eventPause)
		for query, want := range map[string][]string{
			"": {"1", "2", "3", "4"}, "?type=expire,disconnect": {"3", "4"}, "?user=u": {"1", "4"},
			"?session=b": {"2", "3"}, "?type=create&user=u&session=a": {"1"},
			"?type=&user=&session=": {"1", "2", "3", "4"},
		} {
			var ids []string
			told := listeners[query].told()
			wantDescribed(t, told)
			for line := range strings.SplitSeq(told, "\n") {
				if id, ok := strings.CutPrefix(line, "id: "); ok {
					ids = append(ids, id)
				}
			}
			if !slices.Equal(ids, want) {
				t.Errorf("%q is told of %q, want %q", query, ids, want)
			}
			listeners[query].cancel()
		}
		for _, bad := range []string{
			"type=end", "type=create,", "type=create&type=expire", "x=1", "type=CREATE",
			"type=lost",
			"user=" + strings.Repeat("x", 256), "session=" + strings.Repeat("x", 256),
		} {
			wantError(t, ask(s, get, "/v1/events?"+bad, ""), 400, "bad_request")
		}
		if w := ask(s, http.MethodHead, "/v1/events", ""); w.Code != 200 {
			t.Errorf("HEAD gives %d", w.Code)
		}
		synctest.Wait()
		if o.Events.Watched() {
			t.Error("somebody is told who has gone")
		}
	})
}

// Who does not keep up loses events, and is told how many, where they are missing.
func TestEvents_Lost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := joined(newMemory())
		s := newServer(t, o)
		l := listen(s, "/v1/events?type=create", "")
		time.Sleep(eventPause)
		synctest.Wait()
		const more = 5
		for range 2 {
			o.Events.Publish(Event{Type: EventCreate, Session: "first"})
			l.told() // and a pause has begun
			for i := range backlogMax + more {
				o.Events.Publish(Event{Type: EventCreate, Session: fmt.Sprint(i)})
				o.Events.Publish(Event{Type: EventDetach})
			}
			time.Sleep(eventPause)
			synctest.Wait()
			o.Events.Publish(Event{Type: EventCreate, Session: "later"})
			time.Sleep(eventPause)
			got := l.told()
			wantDescribed(t, got[max(0, strings.LastIndex(got, "event: lost")):])
			lost := fmt.Sprintf("event: lost\ndata: {\"lost\":%d}\n\nevent: create\n", more)
			if n := strings.Count(got, "event: create"); n != backlogMax+1 ||
				!strings.Contains(got, lost) || strings.Count(got, "event: lost") != 1 {
				t.Errorf("%d events and %q", n, got[max(0, len(got)-400):])
			}
			time.Sleep(eventPause)
		}
		l.cancel()
		<-l.done
	})
}

// Who keeps up is told of everything, also where all that a daemon holds ends at once.
func TestEvents_Burst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := joined(newMemory())
		s := newServer(t, o)
		l := listen(s, "/v1/events", "")
		time.Sleep(eventPause)
		const sessions = 20_000
		for range 3 {
			l.told()
			for range sessions {
				o.Events.Publish(Event{Type: EventExpire, Session: "x"})
			}
			time.Sleep(eventPause)
			synctest.Wait()
			got := l.told()
			if n := strings.Count(got, "event: expire"); n != sessions {
				t.Errorf("told of %d of %d: %q", n, sessions, got[max(0, len(got)-100):])
			}
		}
		l.cancel()
		<-l.done
	})
}

// Who does not read at all is cut off.
func TestEvents_Stuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := joined(newMemory())
		s := newServer(t, o)
		l := listen(s, "/v1/events", "")
		l.mu.Lock()
		l.stuck = true
		l.mu.Unlock()
		o.Events.Publish(Event{Type: EventCreate})
		begun := time.Now()
		<-l.done
		if took := time.Since(begun); took < streamPatience || took > streamPatience+eventPause {
			t.Errorf("cut off after %v, want %v", took, streamPatience)
		}
		if o.Events.Watched() {
			t.Error("somebody is told who was cut off")
		}
	})
}

func TestEvents_AtMostSoMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, joined(newMemory()))
		all := make([]*listener, subscribersMax)
		for i := range all {
			all[i] = listen(s, "/v1/events", "")
		}
		w := ask(s, get, "/v1/events", "")
		wantError(t, w, 429, "over_capacity")
		if w.Header().Get("Retry-After") == "" {
			t.Error("429 without Retry-After")
		}
		all[0].cancel()
		<-all[0].done
		again := listen(s, "/v1/events", "")
		if again.told() == "" {
			t.Error("nobody takes the place of who has gone")
		}
		for _, l := range append(all, again) {
			l.cancel()
			<-l.done
		}
	})
}

// Whose token is taken away is told of nothing more, though the stream began before that.
func TestEvents_TokenTakenAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := joined(newMemory())
		o.Tokens = []string{"one", "two"}
		s := newServer(t, o)
		one := listen(s, "/v1/events", "one")
		idle := listen(s, "/v1/events?user=nobody", "one")
		two := listen(s, "/v1/events", "two")
		o.Events.Publish(Event{Type: EventDetach, Session: "a"})
		for _, l := range []*listener{one, two} {
			if told := l.told(); !strings.Contains(told, "event: detach") {
				t.Errorf("with a good token it tells %q", told)
			}
		}
		if err := s.SetTokens([]string{"two", "three"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(eventPause)
		o.Events.Publish(Event{Type: EventResume, Session: "a"})
		synctest.Wait()
		if told := one.told(); told != "" {
			t.Errorf("without one it tells %q", told)
		}
		if told := two.told(); !strings.Contains(told, "event: resume") {
			t.Errorf("to whose token has stayed it tells %q", told)
		}
		time.Sleep(alivePause)
		synctest.Wait()
		for name, l := range map[string]*listener{"one": one, "idle": idle} {
			select {
			case <-l.done:
			default:
				t.Errorf("%s goes on", name)
			}
		}
		for _, l := range []*listener{one, idle, two} {
			l.cancel()
			<-l.done
		}
	})
}

// Shutdown waits for no stream: each is told what happened until then, and ends.
func TestEvents_Shutdown(t *testing.T) {
	o := joined(newMemory())
	s, addr := serve(t, "127.0.0.1:0", func(other *Options) { other.Events = o.Events })
	response, err := client(t, addr).Get("http://" + addr.String() + "/v1/events")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() && lines.Text() != "" { // retry
	}
	const n = 3
	for range n {
		o.Events.Publish(Event{Type: EventDisconnect, Session: "a", Reason: "drained"})
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	told := 0
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		var e eventJSON
		if err := json.Unmarshal([]byte(data), &e); err != nil || e.Reason != "drained" {
			t.Errorf("%s: %v", data, err)
		}
		told++
	}
	if err := lines.Err(); err != nil || told != n {
		t.Errorf("%d events, %v, want %d and a proper end", told, err, n)
	}
}

// Publishing races with those who come and go; nobody waits for anybody.
func TestEvents_Race(t *testing.T) {
	var e Events
	var publishers, listeners sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		publishers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					e.Publish(Event{Type: EventCreate, Session: "a"})
				}
			}
		})
	}
	for range 8 {
		listeners.Go(func() {
			for range 50 {
				s := e.subscribe(eventFilter{})
				last, into := uint64(0), []*numbered(nil)
				for range 5 {
					<-s.wake
					into, _ = e.take(s, into)
					for _, v := range into {
						if v.id <= last {
							t.Errorf("event %d after %d", v.id, last)
						}
						last = v.id
					}
				}
				e.unsubscribe(s)
			}
		})
	}
	listeners.Wait()
	close(stop)
	publishers.Wait()
	if e.Watched() {
		t.Error("somebody is told who has gone")
	}
	if n := testing.AllocsPerRun(100, func() { e.Publish(Event{}) }); n > 0 {
		t.Errorf("an event that nobody is told of allocates %v times", n)
	}
}
