package admin

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestList_Sorts(t *testing.T) {
	at := func(minutes int) time.Time { return epoch.Add(time.Duration(minutes) * time.Minute) }
	s := newServer(t, options(newMemory(
		&member{Session: Session{ID: "a", Created: at(1), LastActivity: at(9), Deadline: at(20)}},
		&member{Session: Session{ID: "b", Created: at(2), LastActivity: at(7)}}, // never ends
		&member{Session: Session{ID: "c", Created: at(3), LastActivity: at(8), Deadline: at(15)}},
		&member{Session: Session{ID: "d", Created: at(3), LastActivity: at(8), Deadline: at(15)}},
	)))
	for sort, want := range map[string]string{
		"": "abcd", "created_at": "abcd", "-created_at": "dcba", "last_activity": "bcda",
		"-last_activity": "adcb", "deadline": "cdab", "-deadline": "badc",
	} {
		for limit := 1; limit <= 5; limit++ {
			got, cursor := "", ""
			for pages := 0; pages == 0 || cursor != ""; pages++ {
				w := ask(s, get, fmt.Sprintf("/v1/sessions?sort=%s&limit=%d&cursor=%s",
					sort, limit, cursor), "")
				ids, next := decode(t, w.Body.String())
				if pages > 4 || next != "" && len(ids) != limit {
					t.Fatalf("sort %q, limit %d: page %d has %q", sort, limit, pages, ids)
				}
				got, cursor = got+strings.Join(ids, ""), next
			}
			if got != want {
				t.Errorf("sort %q, limit %d: %s, want %s", sort, limit, got, want)
			}
		}
	}
}

func TestList_FilterAndLimit(t *testing.T) {
	m := newMemory()
	for i := range 1500 {
		id := fmt.Sprintf("%04d", i)
		s := Session{ID: id, State: StateLive, Created: epoch}
		if i%3 == 0 {
			s.State, s.User = StateGrace, "ada"
		}
		m.mu.sessions[id] = &member{Session: s}
	}
	s := newServer(t, options(m))
	for _, c := range []struct {
		query string
		want  int
		more  bool
	}{
		{"", 100, true},
		{"?limit=1000", 1000, true},
		{"?limit=1", 1, true},
		{"?state=grace&limit=1000", 500, false},
		{"?state=live&limit=1000", 1000, false},
		{"?user=ada&limit=499", 499, true},
		{"?user=eve", 0, false},
		{"?state=detached", 0, false},
		{"?state=live&user=ada", 0, false},
		{"?limit=&sort=&cursor=&user=&state=", 100, true},
	} {
		w := ask(s, get, "/v1/sessions"+c.query, "")
		ids, next := decode(t, w.Body.String())
		if w.Code != 200 || len(ids) != c.want || !slices.IsSorted(ids) || (next != "") != c.more {
			t.Errorf("%s: %d with %d sessions, next %q, want %d and %v", c.query, w.Code, len(ids),
				next, c.want, c.more)
		}
	}
	wantAnswer(t, ask(s, get, "/v1/sessions?user=eve", ""), 200, `{"sessions":[],"next_cursor":""}`)
}

func TestList_BadQueries(t *testing.T) {
	s := newServer(t, options(newMemory()))
	cursor := order{by: byActivity}.cursor(key{1, 1})
	for _, bad := range []string{
		"limit=0", "limit=1001", "limit=-1", "limit=x", "limit=1.5", "limit=%2B5",
		"limit=99999999999999999999", "state=dead", "state=LIVE", "sort=id", "sort=--deadline",
		"sort=+deadline", "sort=deadline-", "offset=1", "Limit=1", "limit=1&limit=2", "%zz", "a;b",
		"user=" + strings.Repeat("x", 256), "=", "cursor=x", "cursor=!!!!", "cursor=" + cursor,
		"sort=-last_activity&cursor=" + cursor, "sort=last_activity&cursor=" + cursor + "%0A",
		"sort=last_activity&cursor=" + cursor + "=", "sort=last_activity&cursor=" + cursor[:12],
		"cursor=" + order{}.cursor(key{0, 0}), "cursor=" + order{}.cursor(key{1, 1}),
	} {
		wantError(t, ask(s, get, "/v1/sessions?"+bad, ""), 400, "bad_request")
	}
	wantAnswer(t, ask(s, get, "/v1/sessions?sort=last_activity&cursor="+cursor, ""), 200,
		`{"sessions":[],"next_cursor":""}`)
}

// Sessions begin and end between two pages, and during one. Those that live throughout are shown
// once, in order, whatever the limit.
func TestList_PagingSkipsNobody(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		q := listQuery{
			order: rapid.SampledFrom(slices.Collect(orders)).Draw(rt, "order"),
			limit: rapid.IntRange(1, 8).Draw(rt, "limit"),
		}
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 0))
		m, born := newMemory(), 0
		begin := func() string {
			id := fmt.Sprintf("%d-%d", random.IntN(10), born)
			born++
			// Few moments for many sessions, so that IDs decide as well.
			created := epoch.Add(time.Duration(random.IntN(6)) * time.Microsecond)
			m.mu.sessions[id] = &member{Session: Session{
				ID: id, Created: created, LastActivity: created, Deadline: created,
			}}
			return id
		}
		lasting := make(map[string]bool)
		for range rapid.IntRange(0, 40).Draw(rt, "lasting") {
			lasting[begin()] = true
		}
		var passing []string
		m.between = func() {
			if born < 200 && random.IntN(3) == 0 { // else the newest are always one page ahead
				passing = append(passing, begin())
			}
			if n := len(passing); n > 0 && random.IntN(3) == 0 {
				i := random.IntN(n)
				m.Kick(passing[i])
				passing = slices.Delete(passing, i, i+1)
			}
		}
		s, err := New(options(m))
		if err != nil {
			rt.Fatal(err)
		}
		shown := walk(rt, s, q, m.between)
		for id := range lasting {
			if shown[id] != 1 {
				rt.Errorf("%s lived throughout and was shown %d times", id, shown[id])
			}
		}
		for id, n := range shown {
			if n > 1 {
				rt.Errorf("%s was shown %d times", id, n)
			}
		}
	})
}

// walk turns all pages over, holds them against the order, and counts who was shown how often.
func walk(rt *rapid.T, s *Server, q listQuery, between func()) map[string]int {
	shown := make(map[string]int)
	var last key
	for pages := 0; ; pages++ {
		if pages > 1000 {
			rt.Fatal("the list has no end")
		}
		entries, next, err := s.scan(context.Background(), q)
		if err != nil || len(entries) > q.limit || next != "" && len(entries) < q.limit {
			rt.Fatalf("page of %d at limit %d, next %q, %v", len(entries), q.limit, next, err)
		}
		for _, e := range entries {
			if last.ref != 0 && q.order.compare(last, e.key) >= 0 {
				rt.Fatalf("%v comes after %v", e.key, last)
			}
			last = e.key
			if session, ok := s.o.Sessions.At(e.Ref); ok {
				shown[session.ID]++
			}
		}
		if next == "" {
			return shown
		}
		// As a client gets and sends it.
		parsed, err := parseList(url.Values{
			"cursor": {next}, "sort": {q.order.String()}, "limit": {fmt.Sprint(q.limit)},
		}.Encode())
		if err != nil {
			rt.Fatal(err)
		}
		q = parsed
		for range 5 {
			between()
		}
	}
}

// Whoever goes away does not keep the daemon busy.
func TestList_EndsWithItsClient(t *testing.T) {
	m := newMemory()
	for i := range 3 * scanStep {
		id := fmt.Sprint(i)
		m.mu.sessions[id] = &member{Session: Session{ID: id}}
	}
	ctx, cancel := context.WithCancel(t.Context())
	looked := 0
	m.between = func() {
		if looked++; looked == scanStep/2 {
			cancel()
		}
	}
	s := newServer(t, options(m))
	r := httptest.NewRequest(get, "/v1/sessions?sort=deadline", http.NoBody).WithContext(ctx)
	r.Host = "localhost"
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	wantError(t, w, 503, "unavailable")
	if looked > scanStep {
		t.Errorf("looked at %d sessions for nobody", looked)
	}
	for range scansMax {
		s.scans <- struct{}{}
	}
	filtered := listQuery{limit: 1, filter: Filter{User: "a"}}
	if _, _, err := s.scan(ctx, filtered); !errors.Is(err, errGaveUp) {
		t.Errorf("waiting for room gives %v", err)
	}
}

func FuzzCursor(f *testing.F) {
	for o := range orders {
		f.Add(o.cursor(key{epoch.UnixMicro(), 1}))
		f.Add(o.cursor(key{-1, math.MaxUint64}))
		f.Add(o.cursor(key{0, 7}))
	}
	f.Add("")
	f.Add("AgAAAAAAAAAAYQ\n")
	f.Add("AgAAAAAAAAAAYQ==")
	f.Fuzz(func(t *testing.T, text string) {
		taken := 0
		for o := range orders {
			k, err := parseCursor(text, o)
			if err != nil {
				if p, ok := errors.AsType[*problem](err); !ok || p.status != 400 {
					t.Errorf("%q: %v", text, err)
				}
				continue
			}
			taken++
			if k.ref == 0 || o.cursor(k) != text {
				t.Errorf("%q is %v, whose cursor is %q", text, k, o.cursor(k))
			}
		}
		if taken > 1 {
			t.Errorf("%q belongs to %d orders", text, taken)
		}
	})
}

func FuzzListQuery(f *testing.F) {
	f.Add("")
	f.Add("state=live&user=ada&sort=-deadline&limit=1000")
	f.Add("sort=created_at&cursor=" + order{by: byCreated}.cursor(key{5, 1}))
	f.Add("limit=0&limit=1;%zz")
	f.Fuzz(func(t *testing.T, raw string) {
		q, err := parseList(raw)
		if err != nil {
			if p, ok := errors.AsType[*problem](err); !ok || p.status != 400 {
				t.Errorf("%q: %v", raw, err)
			}
			return
		}
		if q.limit < 1 || q.limit > limitMax || q.order.by >= fields ||
			len(q.filter.User) > nameBytesMax {
			t.Errorf("%q gives %+v", raw, q)
		}
		again := url.Values{
			"state": {string(q.filter.State)}, "user": {q.filter.User}, "sort": {q.order.String()},
			"limit": {fmt.Sprint(q.limit)},
		}
		if q.after.ref != 0 {
			again.Set("cursor", q.order.cursor(q.after))
		}
		if r, err := parseList(again.Encode()); err != nil || r != q {
			t.Errorf("%q gives %+v, written again %+v, %v", raw, q, r, err)
		}
	})
}
