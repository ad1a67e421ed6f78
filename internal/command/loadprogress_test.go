package command

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/curfew-go/curfew/internal/load/fleet"
)

func TestProgress(t *testing.T) {
	l := fleet.Live{
		Run: 1, Runs: 1, Phase: "run", Elapsed: 5 * time.Second, Total: 10 * time.Second,
		Connections: 100, Open: 99, Sent: 1000, Received: 998, P99: 1500 * time.Microsecond,
		Expired: 3, Bad: 2,
	}
	const whole = "run      [##########----------] 5s/10s  998/s  p99 1.50ms  open 99/100" +
		"  expired 3  bad 2"
	for _, c := range []struct {
		width int
		want  string
	}{
		{200, whole},
		{70, whole[:69]},
		{59, "run      5s/10s  998/s  p99 1.50ms  open 99/100  expired 3"},
		{10, "run      "},
		{1, ""},
	} {
		var b bytes.Buffer
		p := newProgress(Process{Stderr: &b}, false)
		p.mu.line.width = func() int { return c.width }
		p.show(l)
		if got, ok := strings.CutPrefix(b.String(), "\r\x1b[K"); !ok || got != c.want {
			t.Errorf("%d columns show %q, want %q", c.width, got, c.want)
		}
		b.Reset()
		p.say("hear")
		if got, want := b.String(), "\r\x1b[Kcurfew: hear\n"; got != want {
			t.Errorf("say writes %q, want %q", got, want)
		}
		b.Reset()
		p.clear()
		if b.Len() > 0 {
			t.Errorf("clear writes %q where nothing is drawn", b.String())
		}
	}
}

// Where there is no terminal it is a line now and then, and with --quiet nothing at all.
func TestProgress_NoTerminal(t *testing.T) {
	var b bytes.Buffer
	process := Process{Stderr: &b}
	p, quiet := newProgress(process, false), newProgress(process, true)
	for range 2*plainEvery + 1 {
		p.show(fleet.Live{Run: 2, Runs: 3, Phase: "connect", Connections: 5, Stopping: true})
		quiet.show(fleet.Live{})
	}
	const line = "2/3 stopping 0s  0/s  p99 0  open 0/5\n"
	if got := b.String(); got != line+line {
		t.Errorf("%d calls show %q, want twice %q", 2*plainEvery+1, got, line)
	}
}

func TestShort(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0", 1: "0.00µs", 1234: "1.23µs", 12345: "12.3µs", 123456: "123µs", 999999: "1.00ms",
		time.Millisecond: "1.00ms", 99949 * time.Microsecond: "99.9ms", time.Second: "1.00s",
		90 * time.Second: "90.0s", time.Hour: "3600s",
	} {
		if got := short(d); got != want {
			t.Errorf("short(%d) = %s, want %s", d, got, want)
		}
	}
}
