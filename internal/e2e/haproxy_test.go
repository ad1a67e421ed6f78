//go:build e2e

package e2e

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gorilla "github.com/gorilla/websocket"
)

// way is how HAProxy stands before the daemon: a configuration that deploy/haproxy holds.
type way struct {
	name   string
	config string
	edit   []string // pairs of what the configuration says and what is tried instead
	flags  []string // of the daemon
	port   bool     // the daemon learns the client's port too
	mode   string   // of the daemon, filled in by ways
}

var (
	proxyVersion2 = way{
		name: "TLS ended, PROXY version 2", config: "terminate-tls.cfg",
		flags: []string{"--proxy-protocol", "127.0.0.0/8"}, port: true,
	}
	proxyVersion1 = way{
		name: "TLS ended, PROXY version 1", config: "terminate-tls.cfg",
		edit:  []string{"send-proxy-v2", "send-proxy"},
		flags: []string{"--proxy-protocol", "127.0.0.0/8"}, port: true,
	}
	forwardedFor = way{
		name: "TLS ended, X-Forwarded-For", config: "forwarded-for.cfg",
		flags: []string{"--trusted-proxies", "127.0.0.1/32"},
	}
	passedTLS = way{ // in goroutines, as TLS is served
		name: "TLS passed, PROXY version 2", config: "pass-tls.cfg", mode: "goroutine",
		flags: []string{"--proxy-protocol", "127.0.0.0/8"}, port: true,
	}
)

func (w way) String() string { return w.name + "/" + w.mode }

// ways are all ways in all modes.
func ways() []way {
	all := []way{passedTLS}
	for _, mode := range modes {
		for _, w := range []way{proxyVersion2, proxyVersion1, forwardedFor} {
			w.mode = mode
			all = append(all, w)
		}
	}
	return all
}

// daemon starts the daemon with HAProxy before it, and gives the addresses of both.
func (w way) daemon(t *testing.T, more ...string) (d *program, direct, url string) {
	t.Helper()
	d, l := w.listen(t, more...)
	return d, l.Address, "wss://" + w.haproxy(t, l).address + "/"
}

// listen starts the daemon as it must be for HAProxy to stand before it.
func (w way) listen(t *testing.T, more ...string) (*program, line) {
	t.Helper()
	args := slices.Concat(w.flags, more)
	if w.name == passedTLS.name {
		args = append(args, "--tls-cert", certificate.cert, "--tls-key", certificate.key)
	}
	return listen(t, w.mode, args...)
}

// balancer is an HAProxy that runs.
type balancer struct {
	address string // for clients
	stats   string // the URL of what it says of itself
}

// edited is the file of a configuration that stands before one daemon or more.
func (w way) edited(t *testing.T, daemons int) string {
	t.Helper()
	config, err := os.ReadFile("../../deploy/haproxy/" + w.config)
	if err != nil {
		t.Fatal(err)
	}
	text := string(config)
	// Health checks come all the time between what clients do.
	edit := append([]string{"inter 2s", "inter 200ms"}, w.edit...)
	for pair := range slices.Chunk(edit, 2) {
		if !strings.Contains(text, pair[0]) {
			t.Fatalf("%s does not say %q", w.config, pair[0])
		}
		text = strings.ReplaceAll(text, pair[0], pair[1])
	}
	server := text[strings.LastIndex(text, "    server c1 "):]
	for i := 2; i <= daemons; i++ {
		text += strings.NewReplacer("c1", fmt.Sprint("c", i), "CURFEWD", fmt.Sprint("CURFEWD", i),
			"ADMIN_PORT", fmt.Sprint("ADMIN_PORT", i)).Replace(server)
	}
	edited := filepath.Join(t.TempDir(), w.config)
	if err := os.WriteFile(edited, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return edited
}

// haproxy starts HAProxy before daemons. What it says is kept, and must be nothing but that daemons
// are down.
func (w way) haproxy(t *testing.T, daemons ...line) balancer {
	t.Helper()
	var said strings.Builder
	cmd := exec.Command("haproxy", "-db", "-dW", // a warning is an error
		"-f", w.edited(t, len(daemons)), "-f", "../../deploy/haproxy/stats.cfg")
	cmd.Env = append(os.Environ(), "LISTEN=fd@3", "STATS=fd@4", "CERT="+certificate.both,
		"ADMIN=127.0.0.1")
	for i, d := range daemons {
		number := ""
		if i > 0 {
			number = fmt.Sprint(i + 1)
		}
		_, port, err := net.SplitHostPort(d.Admin)
		if err != nil {
			t.Fatal(err)
		}
		cmd.Env = append(cmd.Env, "CURFEWD"+number+"="+d.Address, "ADMIN_PORT"+number+"="+port)
	}
	// Sockets are handed over, so that no port has to be guessed and nobody comes too early.
	var addresses [2]string
	for i := range addresses {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = listener.Close() }()
		file, err := listener.(*net.TCPListener).File()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = file.Close() }()
		cmd.ExtraFiles = append(cmd.ExtraFiles, file)
		addresses[i] = listener.Addr().String()
	}
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v (make e2e-tools installs it)", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		for l := range strings.Lines(said.String()) {
			if len(daemons) == 1 || !strings.Contains(l, "Server curfew/c1 is DOWN") {
				t.Errorf("HAProxy says: %s", l)
			}
		}
	})
	return balancer{addresses[0], "http://" + addresses[1]}
}

// dialFrom connects from an address of the loopback network. Where the server refuses, conn is nil.
func dialFrom(t *testing.T, source, url string, header http.Header) (
	*gorilla.Conn, *http.Response,
) {
	t.Helper()
	return dialAs(t, "curfew.raw", source, url, header)
}

// dialAs connects with a subprotocol.
func dialAs(t *testing.T, protocol, source, url string, header http.Header) (
	*gorilla.Conn, *http.Response,
) {
	t.Helper()
	d := gorilla.Dialer{
		HandshakeTimeout: patience, Subprotocols: []string{protocol},
		NetDialContext: (&net.Dialer{
			LocalAddr: &net.TCPAddr{IP: net.ParseIP(source)},
		}).DialContext,
	}
	conn, response, err := d.DialContext(t.Context(), url, header)
	if response == nil {
		t.Fatalf("from %s to %s: %v", source, url, err)
	}
	if err == nil {
		t.Cleanup(func() { _ = conn.Close() })
	}
	return conn, response
}

// TestHAProxy_TellsWhoTheClientIs to the daemon, for each kind of client.
func TestHAProxy_TellsWhoTheClientIs(t *testing.T) {
	t.Parallel()
	for _, w := range ways() {
		t.Run(w.String(), func(t *testing.T) {
			t.Parallel()
			d, _, url := w.daemon(t, "--log-level", "debug")
			conn, response := dialFrom(t, "127.0.0.2", url, nil)
			if conn == nil {
				t.Fatalf("through HAProxy: %s", response.Status)
			}
			want := conn.LocalAddr().String()
			if !w.port {
				want = "127.0.0.2:0"
			}
			if l := d.logged("session began"); l.Remote != want {
				t.Errorf("the log says that the client is %s, want %s", l.Remote, want)
			}
			for name := range clients {
				c := client(t, name, "raw", url, "127.0.0.3")
				if l := c.event("text"); l.Data != "zwölf €" {
					t.Errorf("%s: text comes back as %q", name, l.Data)
				}
				if l := c.event("binary"); l.Data != "0001ff" {
					t.Errorf("%s: binary comes back as %s", name, l.Data)
				}
				if l := c.event("close"); l.Code != 1000 {
					t.Errorf("%s: the close code is %d, want 1000", name, l.Code)
				}
				l := d.logged("session began")
				if host, _, err := net.SplitHostPort(l.Remote); host != "127.0.0.3" || err != nil {
					t.Errorf("the log says that %s is %s, want 127.0.0.3", name, l.Remote)
				}
			}
		})
	}
}

// TestHAProxy_PassesTheEndOn: a silent client is told of its end at its time, and why.
func TestHAProxy_PassesTheEndOn(t *testing.T) {
	t.Parallel()
	for _, w := range ways() {
		t.Run(w.String(), func(t *testing.T) {
			t.Parallel()
			_, _, url := w.daemon(t)
			var silent []*program
			for name := range clients {
				silent = append(silent, client(t, name, "silent", url))
			}
			for _, c := range silent {
				c.event("hello_ack")
				l := c.event("session_expired")
				if l.Frame.Reason != "idle" || l.MS < ms(timeout) {
					t.Errorf("%s is told %+v, want idle after %v", c.name, l, timeout)
				}
				if l := c.event("close"); l.Code != 4200 {
					t.Errorf("%s: the close code is %d, want 4200", c.name, l.Code)
				}
			}
		})
	}
}

// TestHAProxy_LeavesLimitsToClients: they count each client's address, not the proxy's, and what
// a client claims to stand behind is no way around them.
func TestHAProxy_LeavesLimitsToClients(t *testing.T) {
	t.Parallel()
	lie := http.Header{"X-Forwarded-For": {"192.0.2.1"}}
	for _, w := range ways() {
		t.Run(w.String(), func(t *testing.T) {
			t.Parallel()
			_, _, url := w.daemon(t, "--max-connections-per-ip", "2", "--idle-timeout", "1h")
			for _, source := range []string{"127.0.0.2", "127.0.0.3"} {
				for i, header := range []http.Header{nil, lie, nil, lie} {
					want := http.StatusSwitchingProtocols
					if i >= 2 {
						want = http.StatusTooManyRequests
					}
					_, response := dialFrom(t, source, url, header)
					if got := response.StatusCode; got != want {
						t.Errorf("%d from %s is answered %d, want %d", i+1, source, got, want)
					}
				}
			}
		})
	}
}

// TestProxyHeader_IsDemandedFromProxiesAndRefusedFromOthers, HAProxy or not.
func TestProxyHeader_IsDemandedFromProxiesAndRefusedFromOthers(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			w := proxyVersion2
			w.mode = mode
			_, proxied, _ := w.daemon(t)
			conn, response := dialFrom(t, "127.0.0.1", "ws://"+proxied, nil)
			if conn != nil || response.StatusCode != http.StatusBadRequest {
				t.Errorf("without a header a proxy is answered %s, want 400", response.Status)
			}

			_, l := listen(t, mode, "--proxy-protocol", "127.0.0.9/32")
			direct, url := l.Address, "wss://"+w.haproxy(t, l).address
			conn, response = dialFrom(t, "127.0.0.2", url, nil)
			if conn != nil || response.StatusCode != http.StatusBadRequest {
				t.Errorf("a header from elsewhere is answered %s, want 400", response.Status)
			}
			if conn, response = dialFrom(t, "127.0.0.2", "ws://"+direct, nil); conn == nil {
				t.Errorf("whoever is no proxy is answered %s, want 101", response.Status)
			}
		})
	}
	t.Run("TLS", func(t *testing.T) {
		t.Parallel()
		_, proxied, _ := passedTLS.daemon(t)
		conn, err := tls.Dial("tcp", proxied, nil)
		if err == nil {
			_ = conn.Close()
			t.Error("TLS is spoken with a proxy that sent no header")
		}
	})
}

// TestForwardedFor_IsBelievedFromProxiesOnly: others are who they are, whatever they say.
func TestForwardedFor_IsBelievedFromProxiesOnly(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			d, address := daemon(t, mode, "--log-level", "debug", "--idle-timeout", "1h",
				"--trusted-proxies", "127.0.0.1/32", "--max-connections-per-ip", "2")
			tales := []string{"192.0.2.1", "192.0.2.2", "192.0.2.3, 127.0.0.1", "127.0.0.1"}
			for i, tale := range tales {
				header := http.Header{"X-Forwarded-For": {tale}}
				conn, response := dialFrom(t, "127.0.0.2", "ws://"+address, header)
				if i >= 2 {
					if conn != nil || response.StatusCode != http.StatusTooManyRequests {
						t.Errorf("the third liar is answered %s, want 429", response.Status)
					}
					continue
				}
				if conn == nil {
					t.Fatalf("a liar is answered %s, want 101", response.Status)
				}
				want := conn.LocalAddr().String()
				if l := d.logged("session began"); l.Remote != want {
					t.Errorf("the log says that the client is %s, want %s", l.Remote, want)
				}
			}
		})
	}
}
