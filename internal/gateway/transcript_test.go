package gateway

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestTranscripts plays the conversations in testdata in fake time. Their lines are:
//
//	# remark
//	! OPTION VALUE      an option of the gateway; see transcriptOptions
//	= PROTOCOL          connects, asking for a subprotocol or for none
//	> TEXT              the client sends a text message
//	>> HEX              the client sends a binary message
//	~ HEX               the client sends bytes that are no proper frame
//	< {JSON}            the server sends a text message
//	< WORDS             the server sends something else, in the words of netlooptest
//	+ DURATION          time passes; it begins at 2000-01-01
//	* COMMAND ...       something else happens; see player.command
//	% REASON $SESSION   the session ends, or has ended, for that reason
//
// A letter before =, >, >>, ~ or < names one of several connections. In what the server says, $NAME
// stands for a word that may be anything where the name comes for the first time, and must be the
// same from there on; $_ may always be anything. In what the client says it is that word. [1..3]
// before a text that the server sends stands for as many, with %d for the numbers.
//
// However a transcript ends, each of its sessions must then end once and leave nothing behind.
func TestTranscripts(t *testing.T) {
	transcripts(t, func(t *testing.T, s *script) {
		t.Helper()
		bubble(t, s.options(t, 1), func(w *world) { play(w, s, 0) })
	})
}

// TestTranscripts_OverSockets plays the same conversations over sockets in each mode. Where time
// must pass it passes faster than written, and no line may need to be on time: a transcript waits
// for no more than a third of what ends its session. What rests on times that nobody can set
// ("! time fake") cannot be played so.
func TestTranscripts_OverSockets(t *testing.T) {
	transcripts(t, func(t *testing.T, s *script) {
		t.Helper()
		if s.option("time") == "fake" {
			return
		}
		t.Parallel()
		hurry := 1
		if s.timed() {
			hurry = 200
		}
		for name, mode := range modes() {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				o := s.options(t, hurry)
				o.Net.Mode = mode
				overSockets(t, o, func(w *world) { play(w, s, hurry) })
			})
		}
	})
}

// script is a transcript as it is written.
type script struct {
	file  string
	lines []string
}

// transcripts runs f for each conversation.
func transcripts(t *testing.T, f func(t *testing.T, s *script)) {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s := &script{file, strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")}
		t.Run(filepath.Base(file), func(t *testing.T) { f(t, s) })
	}
}

// option is the value of an option, "" where it is not set.
func (s *script) option(name string) string {
	for _, line := range s.lines {
		if value, ok := strings.CutPrefix(line, "! "+name+" "); ok {
			return value
		}
	}
	return ""
}

// timely is what a script waits for.
var timed = regexp.MustCompile(`^\+|session_expir|close 420[012]|^% (idle|lifetime|window)`)

// timed says whether something must pass.
func (s *script) timed() bool {
	return slices.ContainsFunc(s.lines, timed.MatchString)
}

// options are those of the gateway. Times that end sessions are shortened.
func (s *script) options(t *testing.T, hurry int) Options {
	t.Helper()
	d := func(name, standard string) time.Duration {
		value := s.option(name)
		if value == "" {
			value = standard
		}
		d, err := time.ParseDuration(value)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	n := func(name string) int {
		value := s.option(name)
		if value == "" {
			return 0
		}
		n, err := strconv.Atoi(value)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	short := time.Duration(hurry)
	o := Options{
		IdleTimeout: d("idle", "5m") / short, Grace: d("grace", "0s") / short,
		MaxLifetime: d("lifetime", "0s") / short, ResumeWindow: d("window", "2m") / short,
		BackendTimeout: d("timeout", "30s"),
		MaxSessions:    n("sessions"), MaxSessionsPerUser: n("user-sessions"),
		EvictIdle:      s.option("on-session-limit") == "evict-idle",
		EvictUsersIdle: s.option("on-user-limit") == "evict-idle",
		Backend:        newPatient(s.option("application") == "slow"),
	}
	o.Net.PingInterval = d("ping", "0s")
	if s.option("hello") != "" {
		o.Net.HelloTimeout = d("hello", "") / short
	}
	if s.option("touch") == "any" {
		o.TouchOn = TouchAny
	}
	if token := s.option("token"); token != "" {
		o.Tokens = new(Tokens)
		o.Tokens.Set([]string{token})
	}
	return o
}

// play plays a transcript up to the end of its gateway.
func play(w *world, s *script, hurry int) {
	w.t.Helper()
	p := player{w: w, hurry: hurry, words: make(map[string]string)}
	for i, line := range s.lines {
		p.at = fmt.Sprintf("%s:%d: %s", s.file, i+1, line)
		if err := p.play(line); err != nil {
			w.t.Fatalf("%s\n%v", p.at, err)
		}
	}
	for i := range p.conns {
		if c := p.conns[i]; c != nil {
			_ = c.Conn.Close()
		}
	}
	w.wantNothingLeft()
}
