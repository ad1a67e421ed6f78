//go:build linux

package hostile

import (
	"bufio"
	"encoding/json"
	"io"
	"strings"
	"sync"
	"testing"
)

// logBook is what a daemon has logged.
type logBook struct {
	done chan struct{} // closed when the daemon has closed its log

	mu struct {
		sync.Mutex
		listening, operators string
		sessions             map[string]account
		open                 int
		other                strings.Builder // lines that are no JSON: panics, races
		counts               map[string]int  // lines by message
	}
}

// account is what the log says about one session.
type account struct {
	began, ended int
	detached     int // how often its connection was lost and it was not
	resumed      int // how often it was resumed when it was detached
	takenOver    int // how often it was resumed when it was connected
	reason       string
}

// sound says whether a session can have lived such a life. The lines of one life may come in any
// order, since several goroutines write them; their numbers are sure.
func (a *account) sound() bool {
	away := a.detached - a.resumed // how often it was left alone at the end
	return a.began == 1 && a.ended == 1 && (away == 0 || away == 1) &&
		(a.reason != "window" || away == 1)
}

// read takes the log apart.
func (l *logBook) read(r io.Reader) {
	defer close(l.done)
	lines := bufio.NewReader(r)
	for {
		b, err := lines.ReadBytes('\n')
		l.line(b)
		if err != nil {
			return
		}
	}
}

func (l *logBook) line(b []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.sessions == nil {
		l.mu.sessions, l.mu.counts = make(map[string]account), make(map[string]int)
	}
	var line struct {
		Msg, Address, Admin, Session, Level, Reason string
		Takeover                                    bool
	}
	if json.Unmarshal(b, &line) != nil {
		l.mu.other.Write(b)
		return
	}
	l.mu.counts[line.Msg]++
	if line.Level == "ERROR" {
		l.mu.other.Write(b)
	}
	a := l.mu.sessions[line.Session]
	switch line.Msg {
	case "listening":
		l.mu.listening, l.mu.operators = line.Address, line.Admin
		return
	case "session began":
		l.mu.open++
		a.began++
	case "session detached":
		a.detached++
	case "session resumed":
		if line.Takeover {
			a.takenOver++
		} else {
			a.resumed++
		}
	case "session ended":
		l.mu.open--
		a.ended++
		a.reason = line.Reason
	default:
		return
	}
	l.mu.sessions[line.Session] = a
}

// addresses are where the daemon listens for clients, "" before it does, and for operators.
func (l *logBook) addresses() (clients, operators string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mu.listening, l.mu.operators
}

// live is how many sessions have begun and not ended.
func (l *logBook) live() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mu.open
}

// count is how many lines have a message.
func (l *logBook) count(message string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mu.counts[message]
}

// has says whether a session has begun.
func (l *logBook) has(session string) bool { return l.of(session).began > 0 }

// of is what was logged about a session so far.
func (l *logBook) of(session string) account {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mu.sessions[session]
}

// audit is called when the daemon is gone.
func (l *logBook) audit(t *testing.T) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, a := range l.mu.sessions {
		if !a.sound() {
			t.Errorf("session %q has an impossible life: %+v", id, a)
		}
	}
	if l.mu.other.Len() > 0 {
		t.Errorf("the daemon complains:\n%s", l.mu.other.String())
	}
}
