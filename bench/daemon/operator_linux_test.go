package daemon

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// sessionsEnv is how many sessions an operator's daemon holds; a million where it is not set.
const sessionsEnv = "CURFEW_BENCH_N"

// asks are what an operator asks for.
var asks = []struct{ name, path string }{
	{"metrics", "/metrics"},
	{"status", "/v1/status"},
	{"page", "/v1/sessions?limit=100"},
	{"sorted", "/v1/sessions?limit=100&sort=-last_activity"},
	{"filtered", "/v1/sessions?limit=100&state=live"},
}

// BenchmarkOperator is how long an operator waits for an answer of a daemon that holds very many
// sessions, and how long a client waits for its pong meanwhile.
func BenchmarkOperator(b *testing.B) {
	n := sessionsWanted(b, 1_000_000)
	d := start(b, "--admin", "127.0.0.1:0", "--max-sessions", "0", "--resume-window", "24h",
		"--idle-timeout", "24h")
	d.hold(b, n)
	talker := d.talk(b)
	b.Run(fmt.Sprintf("impl=curfewd/ask=nothing/n=%d", n), func(b *testing.B) {
		for b.Loop() {
			talker.ping(b)
		}
		talker.report(b)
	})
	for _, a := range asks {
		b.Run(fmt.Sprintf("impl=curfewd/ask=%s/n=%d", a.name, n), func(b *testing.B) {
			stop := make(chan struct{})
			var pinging sync.WaitGroup
			pinging.Go(func() { talker.pingUntil(b, stop) })
			for b.Loop() {
				d.ask(b, a.path)
			}
			close(stop)
			pinging.Wait()
			b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/answer")
			talker.report(b)
		})
	}
}

// BenchmarkOperatorIdle is what the operator's side costs while nobody asks, and while a dashboard
// is open: the share of a processor that the whole daemon takes, which serves nobody else. The
// benchmark's own waking is in it, so it wakes seldom where nobody asks.
func BenchmarkOperatorIdle(b *testing.B) {
	for _, c := range []struct {
		dashboards int
		pause      time.Duration
	}{{0, 30 * time.Second}, {1, time.Second}} {
		b.Run(fmt.Sprintf("impl=curfewd/dashboards=%d", c.dashboards), func(b *testing.B) {
			d := start(b, "--admin", "127.0.0.1:0")
			d.ask(b, "/v1/status")
			before, begun := d.cpu(b), time.Now()
			for b.Loop() {
				wait := time.NewTimer(c.pause)
				<-wait.C
				if c.dashboards > 0 {
					d.ask(b, "/v1/status") // as its page does once a second
				}
			}
			spent := d.cpu(b) - before
			b.ReportMetric(0, "ns/op") // Says nothing, so it is not shown.
			b.ReportMetric(100*float64(spent)/float64(time.Since(begun)), "%-of-a-core")
		})
	}
}

// TestOperator holds the benchmarks to measuring what they say: the sessions are there, and every
// answer is one.
func TestOperator(t *testing.T) {
	const n = 200
	d := start(t, "--admin", "127.0.0.1:0", "--resume-window", "1h")
	d.hold(t, n)
	if page := d.ask(t, "/v1/sessions?state=detached&limit=1000"); strings.Count(page,
		`"session_id"`) != n {
		t.Errorf("%d sessions are listed, want %d", strings.Count(page, `"session_id"`), n)
	}
	for _, a := range asks {
		if got := d.ask(t, a.path); got == "" {
			t.Errorf("%s is answered with nothing", a.path)
		}
	}
	talker := d.talk(t)
	talker.ping(t)
	if len(talker.waits) != 1 || talker.waits[0] <= 0 {
		t.Errorf("one ping took %v", talker.waits)
	}
}

func sessionsWanted(tb testing.TB, otherwise int) int {
	tb.Helper()
	text := os.Getenv(sessionsEnv)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		tb.Fatalf("%s is %q, want a number above 0", sessionsEnv, text)
	}
	return n
}

// ask asks the operator's API and gives the answer.
func (d daemon) ask(tb testing.TB, path string) string {
	tb.Helper()
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet,
		"http://"+d.admin+path, http.NoBody)
	if err != nil {
		tb.Fatal(err)
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		tb.Fatal(err)
	}
	body, err := io.ReadAll(a.Body)
	if err := errors.Join(err, a.Body.Close()); err != nil || a.StatusCode != http.StatusOK {
		tb.Fatalf("%s: %s, %v: %.200s", path, a.Status, err, body)
	}
	return string(body)
}

// hold gives the daemon n sessions whose clients have gone and might come back.
func (d daemon) hold(tb testing.TB, n int) {
	tb.Helper()
	const clients = 4
	failed := make(chan error, clients)
	for i := range clients {
		go func() {
			share := n / clients
			if i < n%clients {
				share++
			}
			var err error
			for ; share > 0 && err == nil; share-- {
				err = d.comeAndGo()
			}
			failed <- err
		}()
	}
	var err error
	for range clients {
		err = errors.Join(err, <-failed)
	}
	if err != nil {
		tb.Fatal(err)
	}
	look := time.NewTicker(10 * time.Millisecond) // the last ones are being noticed
	defer look.Stop()
	for !strings.Contains(d.ask(tb, "/v1/status"), fmt.Sprintf(`"detached":%d,`, n)) {
		<-look.C
	}
}

// comeAndGo says a hello that wants to be able to resume, and leaves by a reset, which leaves no
// port behind that cannot be used.
func (d daemon) comeAndGo() error {
	c, err := d.connect(`{"op":"hello","want":{"resume":true}}`)
	if err != nil {
		return err
	}
	return errors.Join(c.nc.SetLinger(0), c.nc.Close())
}

// connection is a WebSocket connection of which only short text frames are asked.
type connection struct {
	nc    *net.TCPConn
	r     *bufio.Reader
	waits []time.Duration
}

// connect upgrades, says a hello, and returns when it is answered.
func (d daemon) connect(hello string) (*connection, error) {
	nc, err := net.Dial("tcp", d.address)
	if err != nil {
		return nil, err
	}
	c := &connection{nc: nc.(*net.TCPConn), r: bufio.NewReader(nc)}
	request := "GET /ws HTTP/1.1\r\nHost: " + d.address + "\r\nUpgrade: websocket\r\n" +
		"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	if _, err := nc.Write(append([]byte(request), frame(hello)...)); err != nil {
		return nil, errors.Join(err, nc.Close())
	}
	status, err := textproto.NewReader(c.r).ReadLine()
	if err != nil || !strings.Contains(status, " 101 ") {
		return nil, errors.Join(fmt.Errorf("upgrade: %q, %w", status, err), nc.Close())
	}
	if _, err := textproto.NewReader(c.r).ReadMIMEHeader(); err != nil {
		return nil, errors.Join(err, nc.Close())
	}
	answer, err := c.read()
	if err != nil || !strings.Contains(answer, `"ok":true`) {
		return nil, errors.Join(fmt.Errorf("hello: %q, %w", answer, err), nc.Close())
	}
	return c, nil
}

// frame is a text frame of a client, masked with zeros (RFC 6455 section 5.3).
func frame(text string) []byte {
	b := []byte{0x81, 0x80 | byte(len(text)), 0, 0, 0, 0}
	return append(b, text...)
}

// read reads a text frame of at most 64 KiB.
func (c *connection) read() (string, error) {
	var head [4]byte
	if _, err := io.ReadFull(c.r, head[:2]); err != nil {
		return "", err
	}
	size := int(head[1])
	if size == 126 {
		if _, err := io.ReadFull(c.r, head[2:]); err != nil {
			return "", err
		}
		size = int(head[2])<<8 | int(head[3])
	}
	text := make([]byte, size)
	_, err := io.ReadFull(c.r, text)
	return string(text), err
}

// talk connects a client that stays.
func (d daemon) talk(tb testing.TB) *connection {
	tb.Helper()
	c, err := d.connect(`{"op":"hello"}`)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = c.nc.Close() })
	return c
}

// ping touches the client's session and notes how long the answer took.
func (c *connection) ping(tb testing.TB) {
	tb.Helper()
	begun := time.Now()
	if _, err := c.nc.Write(frame(`{"op":"ping"}`)); err != nil {
		tb.Error(err)
	}
	if _, err := c.read(); err != nil {
		tb.Error(err)
	}
	c.waits = append(c.waits, time.Since(begun))
}

func (c *connection) pingUntil(tb testing.TB, stop <-chan struct{}) {
	tb.Helper()
	for {
		select {
		case <-stop:
			return
		default:
			c.ping(tb)
		}
	}
}

// report says what the pings since the last report took.
func (c *connection) report(b *testing.B) {
	b.Helper()
	slices.Sort(c.waits)
	for _, q := range []struct {
		name string
		at   float64
	}{{"pong-p50-us", 0.5}, {"pong-p99-us", 0.99}, {"pong-max-us", 1}} {
		i := min(int(q.at*float64(len(c.waits))), len(c.waits)-1)
		b.ReportMetric(micros(c.waits[i]), q.name)
	}
	c.waits = c.waits[:0]
}
