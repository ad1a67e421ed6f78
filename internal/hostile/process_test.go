//go:build linux

package hostile

import (
	"bufio"
	"net/http"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/curfew-go/curfew/internal/netloop/netlooptest"
)

// A peer that vanishes answers no ping; its kernel goes on taking what is sent. Here it is a
// process that is stopped.
func TestFrozenPeer_IsLetGo(t *testing.T) {
	const wait = time.Second
	eachMode(t, setup{args: []string{
		"--ping-interval", wait.String(), "--ping-timeout", wait.String(), "--hello-timeout", "1h",
	}}, func(d *daemon) {
		t := d.t
		client := exec.Command(os.Args[0], d.addr)
		client.Env = append(os.Environ(), roleEnv+"=client")
		client.Stderr = os.Stderr
		out, err := client.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := client.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = client.Process.Kill()
			_ = client.Wait() // killed
		})
		if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
			t.Fatalf("the client says %q, %v", line, err)
		}
		// As long as it runs, it is alive: it outlives interval and timeout by answering pings.
		tick := time.NewTicker(wait)
		defer tick.Stop()
		for range 3 {
			<-tick.C
			if d.log.live() != d.base.live+1 {
				t.Fatal("the client was let go although it answers pings")
			}
		}
		if err := client.Process.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		d.settle() // the session, and the socket although nobody has closed its other end
	})
}

// filesMax is what a daemon gets that is to run out of files. A few dozen are for connections.
const filesMax = 64

// exhaust connects until the daemon does not answer with an upgrade, and gives those who got one
// and the one who did not, with the status that it got or 0.
func exhaust(t *testing.T, d *daemon) (served []*peer, refused *peer, status int) {
	t.Helper()
	for range 2 * filesMax {
		p := reach(t, d.addr)
		p.patience = time.Second
		status, err := p.upgrade()
		p.patience = patience
		if status != http.StatusSwitchingProtocols {
			t.Logf("%d connections are served, the next gets %d, %v", len(served), status, err)
			return served, p, status
		}
		served = append(served, p)
	}
	t.Fatalf("with %d files %d connections are served", filesMax, len(served))
	return nil, nil, 0
}

// Out of files, who is connected is served, the log stays short and the processor idle, and
// newcomers are served again once somebody has left.
func TestOutOfFiles_WhoIsConnectedIsServed(t *testing.T) {
	eachMode(t, setup{files: filesMax}, func(d *daemon) {
		t := d.t
		served, refused, _ := exhaust(t, d)
		waiting := []*peer{refused}
		for range 30 { // so that the listener has something to accept all the time
			p := reach(t, d.addr)
			err := p.write([]byte(netlooptest.Handshake("/ws", raw)))
			if err != nil && !isReset(err) {
				t.Fatal(err)
			}
			waiting = append(waiting, p)
		}
		begin, used := time.Now(), d.cpu()
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for n := 0; time.Since(begin) < 2*time.Second; n++ {
			<-tick.C
			if err := served[n%len(served)].echo("still"); err != nil {
				t.Fatalf("one who is connected: %v", err)
			}
		}
		took := time.Since(begin)
		if cpu := d.cpu() - used; cpu > took/2 {
			t.Errorf("in %v the daemon used %v of processor time", took, cpu)
		}
		if n := d.log.count("cannot accept"); n > 2+int(took/(5*time.Second)) {
			t.Errorf("%d lines in the log say that nobody can be accepted", n)
		}
		for _, p := range append(waiting, served[:len(served)/2]...) {
			p.reset()
		}
		eventually(t, "a newcomer is served", func() bool {
			p := reach(t, d.addr)
			p.patience = time.Second
			defer p.reset()
			status, err := p.upgrade()
			return err == nil && status == http.StatusSwitchingProtocols && p.echo("new") == nil
		})
		for _, p := range served {
			p.reset()
		}
		d.settle()
	})
}

// Out of files, a newcomer is told so.
func TestOutOfFiles_NewcomersAreRefused(t *testing.T) {
	eachMode(t, setup{files: filesMax}, func(d *daemon) {
		t := d.t
		served, refused, status := exhaust(t, d)
		if status != http.StatusServiceUnavailable || refused.header.Get("Retry-After") == "" {
			t.Errorf("a newcomer gets %d and Retry-After %q, want 503 and some seconds",
				status, refused.header.Get("Retry-After"))
		}
		for _, p := range append(served, refused) {
			p.reset()
		}
		d.settle()
	})
}
