package engine_test

import (
	"encoding/base64"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/curfew-go/curfew/engine"
)

func TestContract_Sessions(t *testing.T) {
	runContracts(t, []contract{
		{"created IDs are random base64url", secondIdle, testCreatedIDs},
		{"a session ends and says how", secondIdle, testExpiredFields},
		{"Info shows a session", secondIdle, testInfoFields},
		{"Ensure finds or creates", secondIdle, testEnsure},
		{"Lookup and At", secondIdle, testLookupAt},
		{"Remove gives the value once", secondIdle, testRemove},
		{"SetValue", secondIdle, testSetValue},
		{"Renew keeps all but the ID", secondIdle, testRenew},
		{"Renew in a full table", engine.Options[int]{MaxSessions: 1}, testRenewFull},
		{"IDs of 1 to 255 bytes of anything", secondIdle, testAnyID},
		{"bad IDs", secondIdle, testBadID},
		{"a full table", engine.Options[int]{MaxSessions: 3, IdleTimeout: time.Second}, testFull},
		{"sessions in grace count", engine.Options[int]{
			MaxSessions: 1, IdleTimeout: time.Second, Grace: time.Second,
		}, testFullOfGrace},
		{"All while sessions come and go", secondIdle, testAllChanging},
		{"Stats add up", engine.Options[int]{
			IdleTimeout: time.Second, MaxLifetime: 3 * time.Second, MaxSessions: 30,
		}, testStats},
	})
}

func testCreatedIDs(w *world) {
	seen := map[string]bool{}
	for i := range 2000 {
		id := w.create(i).ID()
		if _, err := base64.RawURLEncoding.DecodeString(id); err != nil || len(id) != 32 {
			w.Fatalf("ID %q, want 32 characters of base64url", id)
		}
		if seen[id] {
			w.Fatalf("ID %q twice", id)
		}
		seen[id] = true
	}
	w.wantLen(2000)
}

func testExpiredFields(w *world) {
	w.sleep(100 * time.Millisecond)
	created := time.Now()
	s := w.ensure("an id", 42)
	w.sleep(400 * time.Millisecond)
	touched := time.Now()
	s.Touch()
	w.wantEnds(s, time.Second)
	e := w.wantOneEnded()
	if e.id != "an id" || e.Ref != s.Ref() || e.Value != 42 || e.Reason != engine.ReasonIdle {
		w.Errorf("Expired = %q %#x %d %v, want \"an id\" %#x 42 idle",
			e.id, e.Ref, e.Value, e.Reason, s.Ref())
	}
	wantTime(w.T, "Created", e.Created, created, 0)
	wantTime(w.T, "LastTouch", e.LastTouch, touched, 10*time.Millisecond)
	wantTime(w.T, "Due", e.Due, touched.Add(time.Second), 10*time.Millisecond)
	if e.at.Before(e.Due) {
		w.Errorf("OnExpire ran %v before Due", e.Due.Sub(e.at))
	}
}

// wantTime checks that a time is want or up to tick before it: times have a tick's resolution.
func wantTime(t *testing.T, name string, got, want time.Time, tick time.Duration) {
	t.Helper()
	if got.After(want) || got.Before(want.Add(-tick)) {
		t.Errorf("%s is %v off, want between %v and 0", name, got.Sub(want), -tick)
	}
}

func testInfoFields(w *world) {
	w.sleep(123456 * time.Microsecond)
	created := time.Now()
	s := w.create(1)
	w.sleep(500 * time.Millisecond)
	touched := time.Now()
	s.Touch()
	w.sleep(100 * time.Millisecond)
	i := w.info(s)
	if i.ID != s.ID() || i.State != engine.StateActive || i.IdleTimeout != time.Second {
		w.Errorf("Info = %+v, want ID %q, active, 1s", i, s.ID())
	}
	wantTime(w.T, "Created", i.Created, created, 0)
	wantTime(w.T, "LastTouch", i.LastTouch, touched, 10*time.Millisecond)
	wantTime(w.T, "Deadline", i.Deadline, touched.Add(time.Second), 10*time.Millisecond)
	if got := string(s.AppendID([]byte("x"))); got != "x"+i.ID {
		w.Errorf("AppendID(x) = %q, want x%s", got, i.ID)
	}
}

func testEnsure(w *world) {
	s := w.ensure("a", 1)
	got, created, err := w.tab.Ensure("a", 2)
	if got != s || created || err != nil {
		w.Errorf("second Ensure = %v, %v, %v, want the same session", got, created, err)
	}
	if v, ok := s.Value(); v != 1 || !ok {
		w.Errorf("Value = %d, %v, want 1, true", v, ok)
	}
	w.sleep(time.Second + w.late)
	if again := w.ensure("a", 3); again == s {
		w.Error("a session that ended came alive again")
	}
	w.wantDead(s, "after another took its ID")
}

func testLookupAt(w *world) {
	s := w.ensure("a", 1)
	if got, ok := w.tab.Lookup("a"); got != s || !ok {
		w.Errorf("Lookup = %v, %v, want %v", got, ok, s)
	}
	if got := w.tab.At(s.Ref()); got != s || got.ID() != "a" {
		w.Errorf("At = %v, want %v", got, s)
	}
	if s.Ref() == 0 {
		w.Error("a session has the zero Ref")
	}
	for _, id := range []string{"", "b", strings.Repeat("a", 256)} {
		if _, ok := w.tab.Lookup(id); ok {
			w.Errorf("Lookup(%q) = true, want false", id)
		}
	}
}

func testRemove(w *world) {
	a, b := w.ensure("a", 1), w.ensure("b", 2)
	if v, ok := w.tab.Remove("a"); v != 1 || !ok {
		w.Errorf("Remove = %d, %v, want 1, true", v, ok)
	}
	if v, ok := b.Remove(); v != 2 || !ok {
		w.Errorf("handle's Remove = %d, %v, want 2, true", v, ok)
	}
	wantAllFalse(w.T, w.tab, a)
	wantAllFalse(w.T, w.tab, b)
	wantNoID(w.T, w.tab, "a")
	w.sleep(3 * time.Second)
	if n := len(w.ended()); n != 0 {
		w.Errorf("OnExpire got %d removed sessions, want 0", n)
	}
	if st := w.tab.Stats(); st.Removed != 2 || st.Ended != 2 {
		w.Errorf("Removed = %d, Ended = %d, want 2, 2", st.Removed, st.Ended)
	}
}

func testSetValue(w *world) {
	s := w.create(1)
	if !s.SetValue(5) {
		w.Error("SetValue = false, want true")
	}
	if v, ok := s.Value(); v != 5 || !ok {
		w.Errorf("Value = %d, %v, want 5, true", v, ok)
	}
	w.sleep(time.Second + w.late)
	if v := w.wantOneEnded().Value; v != 5 {
		w.Errorf("Expired.Value = %d, want 5", v)
	}
}

func testRenew(w *world) {
	for _, id := range []string{"a", strings.Repeat("b", 32), strings.Repeat("c", 200)} {
		s := w.ensure(id, 7)
		before := w.info(s)
		got, err := w.tab.Renew(id)
		if err != nil || got != s {
			w.Fatalf("Renew(%q) = %v, %v, want %v", id, got, err, s)
		}
		wantNoID(w.T, w.tab, id)
		after := w.info(s)
		if after.ID == id || len(after.ID) != 32 {
			w.Errorf("ID after Renew = %q, want a new one", after.ID)
		}
		if v, _ := s.Value(); v != 7 {
			w.Errorf("Value after Renew = %d, want 7", v)
		}
		if found, ok := w.tab.Lookup(after.ID); !ok || found != s {
			w.Errorf("Lookup of the new ID = %v, %v, want %v", found, ok, s)
		}
		if after.ID = before.ID; after != before {
			w.Errorf("Info after Renew = %+v, want %+v", after, before)
		}
		for range 9 { // More often than a word can tell renewals apart.
			if _, err := w.tab.Renew(s.ID()); err != nil {
				w.Fatal(err)
			}
		}
		w.wantAlive(s, "renewed ten times")
		w.ensure(id, 8) // The old ID is free.
	}
	for _, id := range []string{"", "none", strings.Repeat("a", 256)} {
		if _, err := w.tab.Renew(id); !errors.Is(err, engine.ErrNotFound) {
			w.Errorf("Renew(%q) = %v, want ErrNotFound", id, err)
		}
	}
	if n := w.tab.Stats().Renewed; n != 30 {
		w.Errorf("Renewed = %d, want 30", n)
	}
}

func testRenewFull(w *world) {
	s := w.create(1)
	if got, err := w.tab.Renew(s.ID()); err != nil || got != s {
		w.Errorf("Renew in a full table = %v, %v, want %v", got, err, s)
	}
}

func testAnyID(w *world) {
	ids := []string{"\x00", "\x00\x00", "a", "a\x00", "\xff", "\xff\xfe\x00\xff", "\n", "é"}
	for n := 1; n <= 255; n++ {
		ids = append(ids, strings.Repeat("z", n), strings.Repeat("\x00", n),
			strings.Repeat(string([]byte{byte(n)}), n))
	}
	seen := map[string]engine.Session[int]{}
	for i, id := range ids {
		s, created, err := w.tab.Ensure(id, i)
		old, had := seen[id]
		if err != nil || created == had || had && s != old {
			w.Fatalf("Ensure(%q) = created %v, %v, want created %v", id, created, err, !had)
		}
		seen[id] = s
	}
	w.wantLen(len(seen))
	for id, s := range seen {
		if got, ok := w.tab.Lookup(id); !ok || got != s || got.ID() != id {
			w.Fatalf("Lookup(%q) = %q, %v", id, got.ID(), ok)
		}
		if !w.tab.TouchBytes([]byte(id)) || string(s.AppendID(nil)) != id {
			w.Fatalf("TouchBytes(%q) = false, or AppendID = %q", id, s.AppendID(nil))
		}
	}
	w.sleep(time.Second + w.late)
	for _, e := range w.ended() {
		if s, ok := seen[e.id]; !ok || s.Ref() != e.Ref {
			w.Fatalf("OnExpire got %q, Ref %#x, want Ref %#x", e.id, e.Ref, s.Ref())
		}
		delete(seen, e.id)
	}
	if len(seen) != 0 {
		w.Errorf("OnExpire did not get %d sessions", len(seen))
	}
}

func testBadID(w *world) {
	for _, id := range []string{"", strings.Repeat("a", 256), strings.Repeat("a", 10000)} {
		s, created, err := w.tab.Ensure(id, 1)
		if !errors.Is(err, engine.ErrBadID) || created || s != (engine.Session[int]{}) {
			w.Errorf("Ensure(%d bytes) = %v, %v, %v, want ErrBadID", len(id), s, created, err)
		}
		wantNoID(w.T, w.tab, id)
	}
	w.wantLen(0)
}

func testFull(w *world) {
	s := w.ensure("a", 1)
	w.ensure("b", 2)
	w.ensure("c", 3)
	for range 3 {
		if _, err := w.tab.Create(4); !errors.Is(err, engine.ErrFull) {
			w.Errorf("Create in a full table = %v, want ErrFull", err)
		}
		_, created, err := w.tab.Ensure("d", 4)
		if created || !errors.Is(err, engine.ErrFull) {
			w.Errorf("Ensure in a full table = %v, %v, want ErrFull", created, err)
		}
	}
	if got, created, err := w.tab.Ensure("a", 5); got != s || created || err != nil {
		w.Errorf("Ensure of a session that is there = %v, %v, %v", got, created, err)
	}
	w.wantLen(3)
	for id, want := range map[string]int{"a": 1, "b": 2, "c": 3} {
		found, _ := w.tab.Lookup(id)
		if v, ok := found.Value(); v != want || !ok {
			w.Errorf("%q: Value = %d, %v, want %d", id, v, ok, want)
		}
	}
	if n := w.tab.Stats().Rejected; n != 6 {
		w.Errorf("Rejected = %d, want 6", n)
	}
	s.Remove()
	w.ensure("d", 4) // Free again at once.
	w.sleep(time.Second + w.late)
	for i := range 3 {
		w.create(i)
	}
}

func testFullOfGrace(w *world) {
	s := w.create(1)
	w.sleep(1500 * time.Millisecond)
	if i := w.info(s); i.State != engine.StateGrace {
		w.Fatalf("State = %v, want grace", i.State)
	}
	if _, err := w.tab.Create(2); !errors.Is(err, engine.ErrFull) {
		w.Errorf("Create beside a session in grace = %v, want ErrFull", err)
	}
	w.wantLen(1)
	w.sleep(time.Second)
	w.create(2)
}

func testAllChanging(w *world) {
	lasting := map[engine.Session[int]]int{}
	var leaving []engine.Session[int]
	for i := range 3000 {
		s := w.create(i)
		if i%3 == 0 {
			leaving = append(leaving, s)
		} else {
			lasting[s] = 0
		}
	}
	others := map[engine.Session[int]]int{}
	for s := range w.tab.All() {
		if _, ok := lasting[s]; ok {
			lasting[s]++
			continue
		}
		if others[s]++; others[s] > 1 {
			w.Fatal("All yields a session twice")
		}
		leaving[len(others)%len(leaving)].Remove()
		w.create(-1)
		if len(others) > 5000 {
			w.Fatal("All does not end while sessions are created")
		}
	}
	for s, n := range lasting {
		if n != 1 {
			w.Fatalf("All yields session %#x %d times, want once", s.Ref(), n)
		}
	}
	for range w.tab.All() {
		break
	}
}

func testStats(w *world) {
	var all []engine.Session[int]
	for i := range 30 {
		all = append(all, w.create(i))
	}
	w.create2Full()
	for _, s := range all[:10] {
		s.Remove()
	}
	for range 4 {
		w.sleep(900 * time.Millisecond)
		for _, s := range all[20:] {
			s.Touch()
		}
	}
	st := w.tab.Stats()
	if st.Created != 30 || st.Removed != 10 || st.Idle != 10 || st.Lifetime != 10 ||
		st.Ended != 30 || st.Rejected != 2 || st.Live != 0 || st.CallbackPanics != 0 {
		w.Errorf("Stats = %+v, want 30 created; 10 removed, idle, lifetime; 2 rejected", st)
	}
	h := st.Lateness
	if h.Count() != 20 || h.Max() > w.late+10*time.Millisecond || h.Quantile(0.5) > h.Max() {
		w.Errorf("Lateness: Count %d, p50 %v, Max %v, want 20 of at most %v",
			h.Count(), h.Quantile(0.5), h.Max(), w.late)
	}
	if st.Bytes <= 0 {
		w.Errorf("Bytes = %d, want more than 0", st.Bytes)
	}
}

// create2Full is two refusals.
func (w *world) create2Full() {
	w.Helper()
	_, err := w.tab.Create(0)
	_, _, err2 := w.tab.Ensure("x", 0)
	if !errors.Is(err, engine.ErrFull) || !errors.Is(err2, engine.ErrFull) {
		w.Errorf("Create, Ensure in a full table = %v, %v, want ErrFull", err, err2)
	}
}

func TestContract_AnyValueType(t *testing.T) {
	type big struct {
		a [100]int
		p *int
		s string
	}
	checkValues(t, []struct{}{{}, {}})
	checkValues(t, []string{"a", "bc"})
	checkValues(t, []*int{new(int), new(int)})
	checkValues(t, []big{{s: "x", p: new(int)}, {a: [100]int{99: 1}}})
	checkValues(t, []float64{1.5, math.Inf(1)})
	checkValues(t, []any{1, "two"})
}

func checkValues[V comparable](t *testing.T, vs []V) {
	t.Helper()
	var got []V
	tab, err := engine.New(engine.Options[V]{
		Manual: true, IdleTimeout: time.Second, Logger: quiet,
		OnExpire: func(b []engine.Expired[V]) { got = append(got, b[0].Value) },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer tab.Close()
	s, _, _ := tab.Ensure("a", vs[0])
	if v, ok := s.Value(); v != vs[0] || !ok {
		t.Errorf("%T: Value = %v, %v, want %v", vs[0], v, ok, vs[0])
	}
	if v, ok := s.Remove(); v != vs[0] || !ok {
		t.Errorf("%T: Remove = %v, %v, want %v", vs[0], v, ok, vs[0])
	}
	s, _, _ = tab.Ensure("a", vs[0])
	if !s.SetValue(vs[1]) {
		t.Errorf("%T: SetValue = false", vs[0])
	}
	tab.Advance(2 * time.Second)
	if len(got) != 1 || got[0] != vs[1] {
		t.Errorf("%T: Expired.Value = %v, want %v", vs[0], got, vs[1])
	}
}
