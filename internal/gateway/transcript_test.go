package gateway

import (
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
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
		bubble(t, transcriptOptions(t, lines), func(w *world) {
			p := player{w: w}
			for i, line := range lines {
				if err := p.play(line); err != nil {
					w.t.Fatalf("%s:%d: %v", file, i+1, err)
				}
			}
			p.c.Close(1000)
			p.c.Want("eof")
			w.mu.Lock()
			last := w.last
			w.mu.Unlock()
			w.want(w.t, 1, last)
		})
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
}

var (
	sessionID = regexp.MustCompile(`"session_id":"([A-Za-z0-9_-]{32})"`)
	inMS      = regexp.MustCompile(`"in_ms":\d+`)
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
		p.c.Text(rest)
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
		time.Sleep(d)
		synctest.Wait()
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
	if got != want {
		return fmt.Errorf("the server said\n%s\nwant\n%s", got, want)
	}
	return nil
}
