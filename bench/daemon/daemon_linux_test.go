package daemon

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/curfew-go/curfew/internal/load"
	"github.com/curfew-go/curfew/internal/server"
)

// netbenchEnv names a binary of netbench; without it one is built.
const netbenchEnv = "CURFEW_NETBENCH"

// speeches are the ways to speak to the daemon.
var speeches = []struct {
	name   string
	client load.Options
}{
	{"raw", load.Options{Subprotocol: "curfew.raw"}},
	{"json", load.Options{Protocol: load.JSON}},
}

// exchange is how long clients talk in one operation.
const exchange = 100 * time.Millisecond

// BenchmarkEcho is what a message costs that comes and goes back.
func BenchmarkEcho(b *testing.B) {
	netbench := build(b)
	for _, p := range speeches {
		for _, n := range []int{100, 1000} {
			for _, size := range []int{32, 1024} {
				name := fmt.Sprintf("protocol=%s/conns=%d/size=%d", p.name, n, size)
				b.Run(name, func(b *testing.B) {
					d := start(b)
					c := d.client(b, netbench, p.client)
					c.connect(b, n)
					c.echo(b, size, exchange)
					messages, before := 0, d.cpu(b)
					for b.Loop() {
						messages += c.echo(b, size, exchange).Received
					}
					spent := d.cpu(b) - before
					b.ReportMetric(0, "ns/op") // Says nothing, so it is not shown.
					b.ReportMetric(micros(spent)/float64(messages), "cpu-us/msg")
				})
			}
		}
	}
}

// BenchmarkAccept is what a connection costs that is upgraded, gets a session, and goes.
func BenchmarkAccept(b *testing.B) {
	const connections = 1000
	netbench := build(b)
	for _, p := range speeches {
		b.Run("protocol="+p.name, func(b *testing.B) {
			d := start(b)
			before := d.cpu(b)
			for b.Loop() {
				c := d.client(b, netbench, p.client)
				c.connect(b, connections)
				c.stop(b)
			}
			spent := d.cpu(b) - before
			b.ReportMetric(0, "ns/op") // Says nothing, so it is not shown.
			b.ReportMetric(micros(spent)/float64(b.N*connections), "cpu-us/conn")
		})
	}
}

// TestEcho holds the benchmarks to measuring what they say: all messages come back.
func TestEcho(t *testing.T) {
	netbench := build(t)
	for _, p := range speeches {
		d := start(t)
		c := d.client(t, netbench, p.client)
		c.connect(t, 10)
		if e := c.echo(t, 32, exchange); e.Received == 0 || e.Received != e.Sent {
			t.Errorf("%s: %d of %d messages came back", p.name, e.Received, e.Sent)
		}
		if spent := d.cpu(t); spent <= 0 {
			t.Errorf("%s: the daemon took %v of processor time", p.name, spent)
		}
	}
}

// build returns a binary of netbench.
func build(tb testing.TB) string {
	tb.Helper()
	if binary := os.Getenv(netbenchEnv); binary != "" {
		return binary
	}
	binary := filepath.Join(tb.TempDir(), "netbench")
	out, err := exec.Command("go", "build", "-o", binary, "../netbench").CombinedOutput()
	if err != nil {
		tb.Fatalf("build netbench: %v\n%s", err, out)
	}
	return binary
}

// daemon is a daemon that runs in this process.
type daemon struct{ address, admin string }

// start starts a daemon that does nothing by itself, with further arguments, and stops it when the
// test is over.
func start(tb testing.TB, args ...string) daemon {
	tb.Helper()
	ctx, stop := context.WithCancel(context.Background())
	log, in := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := server.Run(ctx, server.Process{
			Args: append([]string{
				"--listen", "127.0.0.1:0", "--admin", "", "--log-format", "json",
				"--ping-interval", "10m", "--drain-window", "0",
			}, args...),
			Stdout: io.Discard, Stderr: in, Version: "bench",
		})
		ended <- errors.Join(err, in.Close())
	}()
	tb.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			tb.Errorf("the daemon: %v", err)
		}
	})
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		var line struct{ Msg, Address, Admin string }
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			tb.Fatalf("the daemon says %q: %v", lines.Text(), err)
		}
		if line.Msg == "listening" {
			go func() { _, _ = io.Copy(io.Discard, log) }() // the rest, so that nobody waits
			return daemon{line.Address, line.Admin}
		}
	}
	tb.Fatalf("the daemon does not listen: %v", lines.Err())
	return daemon{}
}

// cpu is the processor time of this process, which is the daemon's but for reading a line now and
// then.
func (daemon) cpu(tb testing.TB) time.Duration {
	tb.Helper()
	spent, err := load.Process(os.Getpid()).CPU()
	if err != nil {
		tb.Fatal(err)
	}
	return spent
}

// client is a process of netbench that carries out commands.
type client struct {
	process *exec.Cmd
	stdin   io.WriteCloser
	in      *json.Encoder
	out     *json.Decoder
	stopped bool
}

func (d daemon) client(tb testing.TB, netbench string, o load.Options) *client {
	tb.Helper()
	o.Address = d.address
	options, err := json.Marshal(o)
	if err != nil {
		tb.Fatal(err)
	}
	process := exec.Command(netbench, "-drive", string(options))
	process.Stderr = os.Stderr
	stdin, err := process.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	stdout, err := process.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := process.Start(); err != nil {
		tb.Fatal(err)
	}
	c := &client{
		process: process, stdin: stdin, in: json.NewEncoder(stdin), out: json.NewDecoder(stdout),
	}
	tb.Cleanup(func() { c.stop(tb) })
	return c
}

// command and answer are those of netbench's clients, as far as they are used here.
type command struct {
	Connect *load.ConnectOptions `json:",omitempty"`
	Echo    *load.EchoOptions    `json:",omitempty"`
}

type answer struct {
	Connect load.ConnectReport
	Echo    load.EchoReport
	Error   string
}

func (c *client) do(tb testing.TB, do command) answer {
	tb.Helper()
	var a answer
	if err := c.in.Encode(do); err != nil {
		tb.Fatalf("tell the client: %v", err)
	}
	if err := c.out.Decode(&a); err != nil {
		tb.Fatalf("hear from the client: %v", err)
	}
	if a.Error != "" {
		tb.Fatalf("the client: %s", a.Error)
	}
	return a
}

func (c *client) connect(tb testing.TB, n int) {
	tb.Helper()
	a := c.do(tb, command{Connect: &load.ConnectOptions{
		Connections: n, Rate: 20000, GiveUp: 10 * time.Second,
	}})
	if a.Connect.OK != n {
		tb.Fatalf("%d of %d connected: %v", a.Connect.OK, n, a.Connect.Errors)
	}
}

func (c *client) echo(tb testing.TB, size int, d time.Duration) load.EchoReport {
	tb.Helper()
	e := c.do(tb, command{Echo: &load.EchoOptions{Bytes: size, Duration: d}}).Echo
	if e.Lost+e.Wrong+len(e.Closes) > 0 {
		tb.Fatalf("%d lost, %d wrong, of %d sent; closed: %v", e.Lost, e.Wrong, e.Sent, e.Closes)
	}
	return e
}

// stop lets the client close its connections and end. Twice is fine.
func (c *client) stop(tb testing.TB) {
	tb.Helper()
	if c.stopped {
		return
	}
	c.stopped = true
	if err := errors.Join(c.stdin.Close(), c.process.Wait()); err != nil {
		tb.Errorf("the client: %v", err)
	}
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
