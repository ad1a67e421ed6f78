package gateway

import (
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing/synctest"
	"time"

	"github.com/curfew-go/curfew/internal/backend"
	"github.com/curfew-go/curfew/internal/netloop/netlooptest"
)

// player plays one transcript.
type player struct {
	w     *world
	conns [256]*netlooptest.Client // by their letter; 0: the one without
	words map[string]string        // what $NAMEs stand for
	// Over sockets time is real, and passes this many times faster than written; 0: in a bubble.
	hurry   int
	drained chan error // what a drain gave
	at      string     // which line is being played
}

var (
	lineParts = regexp.MustCompile(`^([a-z]?)(=|>>|>|~|<|\+|\*|%|!|#) ?(.*)$`)
	variable  = regexp.MustCompile(`\$\w+`)
	series    = regexp.MustCompile(`^\[(\d+)\.\.(\d+)\] (.*)$`)
	idleS     = regexp.MustCompile(`"idle_s":([\d.]+)`)

	// timely is what differs where time is real.
	timely = regexp.MustCompile(`"(t|idle_s|resume_window_s|in_ms|retry_after)":[\d.]+|` +
		`"(created_at|last_activity|deadline|uptime_human)":"[^"]*"`)
)

func (p *player) play(line string) error {
	parts := lineParts.FindStringSubmatch(line)
	if parts == nil {
		return fmt.Errorf("%q is no line of a transcript", line)
	}
	name, mark, rest := byte(0), parts[2], parts[3]
	if parts[1] != "" {
		name = parts[1][0]
	}
	c := p.conns[name]
	if c == nil && strings.Contains("> >> ~ <", mark) {
		return fmt.Errorf("there is no such connection")
	}
	switch mark {
	case "#", "!":
	case "=":
		var headers []string
		if rest != "" {
			headers = append(headers, "Sec-WebSocket-Protocol: "+rest)
		}
		p.conns[name] = p.w.upgrade(headers...)
	case ">":
		c.Text(p.hurried(p.spoken(rest)))
	case ">>", "~":
		b, err := hex.DecodeString(rest)
		if err != nil {
			return err
		}
		if mark == "~" {
			c.Write(b)
		} else {
			c.Binary(b)
		}
	case "+":
		d, err := time.ParseDuration(rest)
		if err != nil {
			return err
		}
		p.pass(d)
	case "<":
		return p.expectAll(c, rest)
	case "*":
		return p.command(strings.SplitN(p.spoken(rest), " ", 3))
	case "%":
		reason, id, _ := strings.Cut(p.spoken(rest), " ")
		p.w.await("the end of the session", func() bool { return p.w.reason(id) != "" })
		if got := p.w.reason(id); got != Reason(reason) {
			return fmt.Errorf("the session ended for %q", got)
		}
	}
	return nil
}

// spoken is a text with words in place of their names.
func (p *player) spoken(text string) string {
	return variable.ReplaceAllStringFunc(text, func(name string) string {
		if word, ok := p.words[name]; ok {
			return word
		}
		return name
	})
}

func (p *player) expectAll(c *netlooptest.Client, want string) error {
	parts := series.FindStringSubmatch(want)
	if parts == nil {
		return p.expect(c, want)
	}
	from, _ := strconv.Atoi(parts[1]) // they are digits
	to, _ := strconv.Atoi(parts[2])
	for i := from; i <= to; i++ {
		if err := p.expect(c, strings.ReplaceAll(parts[3], "%d", strconv.Itoa(i))); err != nil {
			return err
		}
	}
	return nil
}

func (p *player) expect(c *netlooptest.Client, want string) error {
	if strings.HasPrefix(want, "{") {
		want = "text " + want
	}
	got := strings.TrimSpace(c.Next())
	if p.hurry > 0 {
		got = timely.ReplaceAllString(got, `"$1$2":N`)
		want = timely.ReplaceAllString(want, `"$1$2":N`)
	}
	pattern, names := p.pattern(want)
	found := pattern.FindStringSubmatch(got)
	if found == nil {
		return fmt.Errorf("the server said\n%s\nwant\n%s", got, p.spoken(want))
	}
	for i, name := range names {
		p.words[name] = found[i+1]
	}
	return nil
}

// pattern is what a text with names in it matches, and which names are new.
func (p *player) pattern(text string) (pattern *regexp.Regexp, names []string) {
	var b strings.Builder
	at := 0
	for _, m := range variable.FindAllStringIndex(text, -1) {
		b.WriteString(regexp.QuoteMeta(text[at:m[0]]))
		at = m[1]
		name := text[m[0]:m[1]]
		word, known := p.words[name]
		switch {
		case known:
			b.WriteString(regexp.QuoteMeta(word))
		case name == "$_":
			b.WriteString(`[^",}\]]*`)
		default:
			names = append(names, name)
			b.WriteString(`([A-Za-z0-9_.-]+)`)
		}
	}
	b.WriteString(regexp.QuoteMeta(text[at:]))
	return regexp.MustCompile("^" + b.String() + "$"), names
}

// pass lets time pass, in which the server must be quiet.
func (p *player) pass(d time.Duration) {
	p.w.t.Helper()
	if p.hurry == 0 {
		time.Sleep(d)
		synctest.Wait()
		return
	}
	for _, c := range p.conns {
		if c != nil {
			c.Quiet(d / time.Duration(p.hurry))
			return
		}
	}
}

// hurried is what a client says whose time passes faster.
func (p *player) hurried(text string) string {
	if p.hurry <= 1 {
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

// command does one of the following:
//
//	push SESSION JSON     pushes data; [1..3] before it: so often, with %d for the numbers
//	words SESSION TEXT    pushes a text
//	bytes SESSION TEXT    pushes something binary
//	users USER JSON       pushes data to a user's sessions
//	kick SESSION          ends a session, and kick-user USER all of a user
//	touch SESSION         touches a session
//	state SESSION STATE   wants it to be in a state
//	cut CONN              breaks a connection off, until its session has noticed; -: the unnamed
//	leave CONN            breaks a connection off that has no session any more
//	open GATE             lets the application answer
//	drain WINDOW          drains, beside what follows
//	drained               waits for the end of that, sessions and connections included
//	trim NAME WORD        names a word without its last byte; flip: with another last byte but one
//	graft NAME A.B        names the token of A with the secret of B, both being names
func (p *player) command(words []string) error {
	for len(words) < 3 {
		words = append(words, "")
	}
	verb, on, rest := words[0], words[1], words[2]
	switch verb {
	case "push":
		return p.push(on, rest)
	case "words":
		return p.w.Push(on, backend.Message{Kind: backend.Text, Data: []byte(rest)})
	case "bytes":
		return p.w.Push(on, backend.Message{Kind: backend.Binary, Data: []byte(rest)})
	case "users":
		p.w.PushUser(on, backend.Message{Kind: backend.JSON, Data: []byte(rest)})
	case "kick":
		return must(p.w.Kick(on))
	case "kick-user":
		return must(p.w.KickUser(on) > 0)
	case "touch":
		return must(p.w.Touch(on))
	case "state":
		p.w.await("the state "+rest, func() bool {
			d, ok := p.w.Session(on)
			return ok && d.State == rest
		})
	case "cut":
		p.w.cut(p.conns[conn(on)])
		p.conns[conn(on)] = nil
	case "leave":
		_ = p.conns[conn(on)].Conn.Close()
		p.conns[conn(on)] = nil
	case "open":
		p.w.o.Backend.(*patient).open(on)
	case "draining":
		p.w.draining.Store(true)
	case "drain":
		window, err := time.ParseDuration(on)
		if err != nil {
			return err
		}
		p.drained = make(chan error, 1)
		go func() { p.drained <- p.w.Drain(p.w.t.Context(), window) }()
	case "drained":
		return <-p.drained
	case "trim":
		p.words["$"+on] = rest[:len(rest)-1]
	case "flip":
		p.words["$"+on] = rest[:len(rest)-2] + string(rest[len(rest)-2]^1) + rest[len(rest)-1:]
	case "graft":
		a, b, _ := strings.Cut(rest, " ")
		p.words["$"+on] = a[:sessionIDBytes] + b[sessionIDBytes:]
	default:
		return fmt.Errorf("no command %q", verb)
	}
	return nil
}

func conn(name string) byte {
	if name == "-" {
		return 0
	}
	return name[0]
}

func must(ok bool) error {
	if !ok {
		return fmt.Errorf("there is no such session")
	}
	return nil
}

func (p *player) push(session, data string) error {
	from, to := 1, 1
	if parts := series.FindStringSubmatch(data); parts != nil {
		from, _ = strconv.Atoi(parts[1]) // they are digits
		to, _ = strconv.Atoi(parts[2])
		data = parts[3]
	}
	for i := from; i <= to; i++ {
		text := strings.ReplaceAll(data, "%d", strconv.Itoa(i))
		err := p.w.Push(session, backend.Message{Kind: backend.JSON, Data: []byte(text)})
		if err != nil {
			return err
		}
	}
	return nil
}
