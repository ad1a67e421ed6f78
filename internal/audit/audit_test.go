package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

// gate is an output that waits, or fails, as long as it is told to.
type gate struct {
	mu      sync.Mutex
	text    bytes.Buffer
	fail    error
	cut     int // of a failing write, how much of it arrives
	entered chan struct{}
	leave   chan struct{} // nil: writes do not wait
}

func (g *gate) Write(p []byte) (int, error) {
	if g.leave != nil {
		g.entered <- struct{}{}
		<-g.leave
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.fail != nil {
		n := min(g.cut, len(p))
		g.text.Write(p[:n])
		return n, g.fail
	}
	return g.text.Write(p)
}

func (g *gate) set(fail error, cut int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.fail, g.cut = fail, cut
}

// lines are the lines that were written; each must be one of JSON unless it is torn.
func (g *gate) lines() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return strings.Split(strings.TrimSuffix(g.text.String(), "\n"), "\n")
}

func openTo(t *testing.T, o Options) *Log {
	t.Helper()
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	l, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeLog(t, l) })
	return l
}

func closeLog(t *testing.T, l *Log) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := l.Close(ctx); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func TestLog_Lines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g gate
		l := openTo(t, Options{Path: Stdout, Output: &g})
		l.End(End{
			Session: "s1", User: "ann", Reason: "idle", ByTime: true, Late: 3100 * time.Microsecond,
			Remote: netip.MustParseAddrPort("[2001:db8::1]:9"),
		})
		l.End(End{Session: "s2", Reason: "bye"})
		l.End(End{Session: "s\"\x00\xff\u2028", User: "ü", Reason: "lost"})
		l.Action(Action{
			At:     time.Date(2026, 1, 2, 3, 4, 5, 678_901_234, time.FixedZone("x", 3600)),
			Method: "DELETE", Path: "/v1/sessions/s%22", Remote: "127.0.0.1:9", Status: 404,
			Error: "not_found", Missed: 3,
		})
		l.Action(Action{At: time.Now(), Method: "POST", Path: "/v1/drain", Status: 202})
		closeLog(t, l)
		at := `{"at":"` + time.Now().UTC().Format("2006-01-02T15:04:05.000000Z07:00") + `","event":`
		want := []string{
			at + `"session_end","session":"s1","user":"ann","remote":"[2001:db8::1]:9",` +
				`"reason":"idle","late_ms":3.1}`,
			at + `"session_end","session":"s2","reason":"bye"}`,
			at + `"session_end","session":"s\"\u0000\ufffd\u2028","user":"ü","reason":"lost"}`,
			`{"at":"2026-01-02T02:04:05.678901Z","event":"admin_action","method":"DELETE",` +
				`"path":"/v1/sessions/s%22","remote":"127.0.0.1:9","status":404,` +
				`"error":"not_found","missed":3}`,
			at + `"admin_action","method":"POST","path":"/v1/drain","status":202}`,
		}
		got := g.lines()
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("wrote\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		for _, line := range got {
			if !json.Valid([]byte(line)) {
				t.Errorf("%s is no JSON", line)
			}
		}
		if s := l.Stats(); s != (Stats{Written: 5}) {
			t.Errorf("stats %+v", s)
		}
	})
}

// Nobody waits for a disk that stands still; what finds no room is counted, and told of.
func TestLog_NobodyWaitsForTheDisk(t *testing.T) {
	g := &gate{entered: make(chan struct{}), leave: make(chan struct{})}
	l := openTo(t, Options{Path: Stdout, Output: g, queueMax: 10})
	l.End(End{Session: "first", Reason: "bye"})
	<-g.entered // from here on it stands still
	for range 1000 {
		l.End(End{Session: "x", Reason: "bye"})
	}
	if s := l.Stats(); s.Lost != 990 || s.Written != 0 {
		t.Errorf("stats %+v, want 990 lost of 1000 for which there was room for 10", s)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Close(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Close of one that stands still: %v", err)
	}
	go func() {
		for range g.entered {
		}
	}()
	close(g.leave)
	closeLog(t, l)
	close(g.entered)
	got := g.lines()
	if len(got) != 12 || !strings.HasSuffix(got[11], `"event":"lost","lost":990}`) {
		t.Errorf("%d lines were written, the last is %s", len(got), got[len(got)-1])
	}
	l.End(End{Session: "late"})
	if s := l.Stats(); s.Written != 11 || s.Lost != 991 {
		t.Errorf("stats %+v in the end, want 11 written and one more lost", s)
	}
}

// A line that a full disk cut in two spoils no other, and all that was lost is told of.
func TestLog_FailingDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g gate
		var log bytes.Buffer
		l := openTo(t, Options{
			Path: Stdout, Output: &g, Logger: slog.New(slog.NewTextHandler(&log, nil)),
		})
		g.set(errors.New("no space left"), 20)
		for range 5 {
			l.End(End{Session: "x", Reason: "bye"})
			synctest.Wait()
		}
		if n := strings.Count(log.String(), "no space left"); n != 1 {
			t.Errorf("%d lines in the log in one moment, want 1:\n%s", n, log.String())
		}
		time.Sleep(complaintGap)
		l.End(End{Session: "x", Reason: "bye"})
		synctest.Wait()
		if n := strings.Count(log.String(), "no space left"); n != 2 {
			t.Errorf("%d lines in the log a second later, want 2", n)
		}
		g.set(nil, 0)
		l.End(End{Session: "back", Reason: "bye"})
		closeLog(t, l)
		got := g.lines()
		last := got[len(got)-2:]
		if !json.Valid([]byte(last[0])) || !strings.Contains(last[0], `"session":"back"`) ||
			!strings.HasSuffix(last[1], `"event":"lost","lost":6}`) {
			t.Errorf("after the disk came back: %q", last)
		}
		if s := l.Stats(); s.Written != 1 || s.Lost != 6 || s.Errors < 6 {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestLog_FileIsOpenedAgain(t *testing.T) {
	dir := t.TempDir()
	path, old := filepath.Join(dir, "audit.jsonl"), filepath.Join(dir, "audit.jsonl.1")
	if err := os.WriteFile(path, []byte("before\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	l := openTo(t, Options{Path: path})
	l.End(End{Session: "one", Reason: "bye"})
	if err := os.Rename(path, old); err != nil {
		t.Fatal(err)
	}
	l.End(End{Session: "two", Reason: "bye"})
	l.Reopen()
	closeLog(t, l)
	read := func(path string) string {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Error(err)
		}
		return string(b)
	}
	if s := read(old); !strings.HasPrefix(s, "before\n") || strings.Count(s, "\n") != 3 {
		t.Errorf("the file that was moved away holds %q", s)
	}
	if s := read(path); s != "" {
		t.Errorf("the new file holds %q", s)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the new file has mode %v, %v", info.Mode(), err)
	}
}

// Where the file cannot be opened again, the old one stays.
func TestLog_ReopenFails(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "sub")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path, moved := filepath.Join(dir, "a"), dir+".moved"
	l := openTo(t, Options{Path: path})
	if err := os.Rename(dir, moved); err != nil {
		t.Fatal(err)
	}
	l.Reopen()
	closeLog(t, l)
	if s := l.Stats(); s.Errors != 1 {
		t.Errorf("stats %+v, want the error", s)
	}
	if b, err := os.ReadFile(filepath.Join(moved, "a")); err != nil || len(b) != 0 {
		t.Errorf("%q, %v", b, err)
	}
}

// busy is an output during whose every write another session ends, a hundred times.
type busy struct {
	log    *Log
	writes int
}

func (b *busy) Write(p []byte) (int, error) {
	if b.writes++; b.writes < 100 {
		b.log.End(End{Session: "next", Reason: "bye"})
	}
	return len(p), nil
}

// The file is opened again in the midst of a storm, and not only when the writer has caught up.
func TestLog_ReopenDuringStorm(t *testing.T) {
	l := &Log{
		o:   Options{Path: filepath.Join(t.TempDir(), "a"), queueMax: queueMax},
		log: slog.New(slog.DiscardHandler), poke: make(chan struct{}, 1), done: make(chan struct{}),
	}
	b := &busy{log: l}
	l.out = b
	l.End(End{Session: "first", Reason: "bye"})
	l.Reopen()
	go l.write()
	closeLog(t, l)
	if b.writes != 1 {
		t.Errorf("%d pieces went to the old output, want the one that came before Reopen", b.writes)
	}
}

// A file that ends within a line, as a full disk or a machine without power leaves it, spoils no
// line that comes after.
func TestOpen_AfterTornLine(t *testing.T) {
	for _, before := range []string{`{"at":"2026-`, "{}\n", "\n", ""} {
		path := filepath.Join(t.TempDir(), "a")
		if err := os.WriteFile(path, []byte(before), 0o600); err != nil {
			t.Fatal(err)
		}
		l := openTo(t, Options{Path: path})
		l.End(End{Session: "one", Reason: "bye"})
		closeLog(t, l)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if before != "" && !strings.HasSuffix(before, "\n") {
			before += "\n"
		}
		line, ok := strings.CutPrefix(string(b), before)
		if !ok || !json.Valid([]byte(line)) || strings.Count(line, "\n") != 1 {
			t.Errorf("after %q the file holds %q", before, b)
		}
	}
}

func TestOpen_Errors(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{dir, filepath.Join(dir, "none", "a"), ""} {
		if l, err := Open(Options{Path: path}); err == nil {
			closeLog(t, l)
			t.Errorf("Open(%q) = nil", path)
		} else if !strings.HasPrefix(err.Error(), "audit log: open "+path) {
			t.Errorf("Open(%q) = %v, want its name", path, err)
		}
	}
}

// A storm of ends from many goroutines: each is written or counted, and the file is whole.
func TestLog_Storm(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	l := openTo(t, Options{Path: path})
	const goroutines, each = 8, 10_000
	var all sync.WaitGroup
	for range goroutines {
		all.Go(func() {
			for range each {
				l.End(End{Session: "abcdefghijklmnopqrstuvwxyz01", Reason: "idle", ByTime: true})
			}
		})
	}
	all.Wait()
	closeLog(t, l)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var ends, lost uint64
	for line := range bytes.Lines(b) {
		var e struct {
			Event string
			Lost  uint64
		}
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if e.Event == "lost" {
			lost += e.Lost
		} else {
			ends++
		}
	}
	s := l.Stats()
	if ends+lost != goroutines*each || s.Written != ends || s.Lost != lost {
		t.Errorf("%d ends and %d lost in the file, stats %+v, want %d together", ends, lost, s,
			goroutines*each)
	}
}
