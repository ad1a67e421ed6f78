package gateway

import (
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-go/curfew/internal/netloop/netlooptest"
)

// TestTranscripts plays the conversations in testdata. Their lines are:
//
//	# remark
//	! OPTION DURATION   grace or lifetime of the gateway
//	= PROTOCOL          connects, asking for a subprotocol or for none
//	> TEXT              the client sends a text message
//	>> HEX              the client sends a binary message
//	< {JSON}            the server sends a text message; S is its session's ID
//	                    and N the time until it ends
//	< WORDS             the server sends something else, in the words of netlooptest
//	+ DURATION          time passes; it begins at 2000-01-01
func TestTranscripts(t *testing.T) {
	transcripts(t, func(t *testing.T, file string, lines []string) {
		t.Helper()
		bubble(t, transcriptOptions(t, lines), func(w *world) {
			p := player{w: w}
			p.playAll(file, lines)
		})
	})
}

// TestTranscripts_OverSockets plays the same conversations in real time, which is why no line may
// need to be on time: a transcript waits for no more than two thirds of what ends its session.
func TestTranscripts_OverSockets(t *testing.T) {
	const hurry = 200 // how many times faster than written
	transcripts(t, func(t *testing.T, file string, lines []string) {
		t.Helper()
		t.Parallel()
		for name, mode := range modes() {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				o := transcriptOptions(t, lines)
				o.IdleTimeout = idle / hurry
				o.Grace /= hurry
				o.MaxLifetime /= hurry
				o.Net.Mode = mode
				overSockets(t, o, func(w *world) {
					p := player{w: w, hurry: hurry}
					p.playAll(file, lines)
				})
			})
		}
	})
}

// transcripts runs f for each conversation.
func transcripts(t *testing.T, f func(t *testing.T, file string, lines []string)) {
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
		lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
		t.Run(filepath.Base(file), func(t *testing.T) { f(t, file, lines) })
	}
}

func transcriptOptions(t *testing.T, lines []string) (o Options) {
	t.Helper()
	for _, line := range lines {
		var name, value string
		if n, _ := fmt.Sscanf(line, "! %s %s", &name, &value); n != 2 {
			continue
		}
		d, err := time.ParseDuration(value)
		if err != nil {
			t.Fatal(err)
		}
		switch name {
		case "grace":
			o.Grace = d
		case "lifetime":
			o.MaxLifetime = d
		default:
			t.Fatalf("no option %s", name)
		}
	}
	return o
}

// player plays one transcript.
type player struct {
	w  *world
	c  *netlooptest.Client
	id string // the session's, once it was seen
	// Over sockets time is real, and passes this many times faster than written; 0: in a bubble.
	hurry int
}

// playAll plays a transcript up to the end of its connection.
func (p *player) playAll(file string, lines []string) {
	p.w.t.Helper()
	for i, line := range lines {
		if err := p.play(line); err != nil {
			p.w.t.Fatalf("%s:%d: %v", file, i+1, err)
		}
	}
	p.c.Close(1000)
	p.c.Want("eof")
	p.w.mu.Lock()
	last := p.w.last
	p.w.mu.Unlock()
	p.w.want(p.w.t, 1, last)
}

var (
	sessionID = regexp.MustCompile(`"session_id":"([A-Za-z0-9_-]{32})"`)
	inMS      = regexp.MustCompile(`"in_ms":\d+`)
	idleS     = regexp.MustCompile(`"idle_s":([\d.]+)`)

	// timely is what differs where time is real.
	timely = regexp.MustCompile(
		`"(t|idle_s)":[\d.]+|"(created_at|last_activity|deadline|uptime_human)":"[^"]*"`)
)

func (p *player) play(line string) error {
	mark, rest, _ := strings.Cut(line, " ")
	switch mark {
	case "#", "!":
	case "=":
		var headers []string
		if rest != "" {
			headers = append(headers, "Sec-WebSocket-Protocol: "+rest)
		}
		p.c = p.w.upgrade(headers...)
	case ">":
		p.c.Text(p.hurried(rest))
	case ">>":
		b, err := hex.DecodeString(rest)
		if err != nil {
			return err
		}
		p.c.Binary(b)
	case "+":
		d, err := time.ParseDuration(rest)
		if err != nil {
			return err
		}
		p.pass(d)
	case "<":
		return p.expect(rest)
	default:
		return fmt.Errorf("%q is no line of a transcript", line)
	}
	return nil
}

func (p *player) expect(want string) error {
	if strings.HasPrefix(want, "{") {
		want = "text " + want
	}
	got := strings.TrimSpace(p.c.Next())
	if m := sessionID.FindStringSubmatch(got); m != nil && p.id == "" {
		p.id = m[1]
	}
	if p.id != "" {
		got = strings.ReplaceAll(got, p.id, "S")
	}
	got = inMS.ReplaceAllString(got, `"in_ms":N`)
	if p.hurry > 0 {
		got = timely.ReplaceAllString(got, `"$1$2":N`)
		want = timely.ReplaceAllString(want, `"$1$2":N`)
	}
	if got != want {
		return fmt.Errorf("the server said\n%s\nwant\n%s", got, want)
	}
	return nil
}

// pass lets time pass, in which the server must be quiet.
func (p *player) pass(d time.Duration) {
	p.w.t.Helper()
	if p.hurry > 0 {
		p.c.Quiet(d / time.Duration(p.hurry))
		return
	}
	time.Sleep(d)
	synctest.Wait()
}

// hurried is what a client says whose time passes faster.
func (p *player) hurried(text string) string {
	if p.hurry == 0 {
		return text
	}
	return idleS.ReplaceAllStringFunc(text, func(s string) string {
		seconds, err := strconv.ParseFloat(idleS.FindStringSubmatch(s)[1], 64)
		if err != nil {
			return s
		}
		return fmt.Sprintf(`"idle_s":%g`, seconds/float64(p.hurry))
	})
}
