package server

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/curfew-go/curfew/internal/netloop/netlooptest"
)

// pair is a certificate and its key, in files. The first has the serial number 1.
type pair struct {
	t         *testing.T
	cert, key string
	roots     *x509.CertPool // all certificates that were written
}

var farFuture = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)

func newPair(t *testing.T) *pair {
	t.Helper()
	dir := t.TempDir()
	p := &pair{t, filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), x509.NewCertPool()}
	p.write(1, farFuture)
	return p
}

func (p *pair) write(serial int64, notAfter time.Time) {
	p.t.Helper()
	cert, key := netlooptest.Certificate(p.t, serial, notAfter)
	p.writeFile(p.cert, cert)
	p.writeFile(p.key, key)
	p.roots.AppendCertsFromPEM(cert)
}

func (p *pair) writeFile(name string, content []byte) {
	p.t.Helper()
	if err := os.WriteFile(name, content, 0o600); err != nil {
		p.t.Fatal(err)
	}
}

func (p *pair) args(more ...string) []string {
	return append([]string{"--tls-cert", p.cert, "--tls-key", p.key}, more...)
}

// dial connects by TLS, with a version, and checks whom it talks to.
func (p *pair) dial(addr string, version uint16) (*tls.Conn, error) {
	d := &net.Dialer{Timeout: patience}
	return tls.DialWithDialer(d, "tcp", addr, &tls.Config{
		RootCAs: p.roots, ServerName: "localhost", NextProtos: []string{"http/1.1"},
		MinVersion: version, MaxVersion: version,
	})
}

// open is a WebSocket connection by TLS, and the serial number of the certificate that it saw.
func (p *pair) open(addr string, version uint16) (c *netlooptest.Client, serial int64) {
	p.t.Helper()
	nc, err := p.dial(addr, version)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { nc.Close() })
	c = netlooptest.New(p.t, nc)
	c.Patience = patience
	if r := c.Upgrade("/ws", "Sec-WebSocket-Protocol: curfew.raw"); r.StatusCode != 101 {
		p.t.Fatalf("upgrade: %s", r.Status)
	}
	return c, nc.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

func TestTLS_Echo(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	r := start(t, p.args(), nil)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		c, _ := p.open(r.addr, version)
		for _, text := range []string{"hello", strings.Repeat("x", 40_000)} {
			c.Text(text)
			c.Want("text " + text)
		}
		c.Close(1000)
		c.Want("close 1000", "eof")
	}
}

func TestTLS_WhomItRefuses(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	r := start(t, p.args(), nil)
	if nc, err := p.dial(r.addr, tls.VersionTLS11); err == nil {
		nc.Close()
		t.Error("TLS 1.1 was spoken")
	}
	nc, err := tls.Dial("tcp", r.addr, &tls.Config{
		RootCAs: p.roots, ServerName: "localhost", NextProtos: []string{"h2"},
	})
	if err == nil {
		nc.Close()
		t.Error("HTTP/2 was agreed on")
	}
	plain, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	c := netlooptest.New(t, plain)
	c.Write([]byte(netlooptest.Handshake("/ws")))
	if err := plain.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	answer, _ := io.ReadAll(plain)
	if strings.Contains(string(answer), "101") {
		t.Errorf("without TLS the answer is %q", answer)
	}
	refusal, _ := p.open(r.addr, tls.VersionTLS13) // the daemon lives
	refusal.Text("x")
	refusal.Want("text x")
}

// A refusal arrives by TLS too, and the connection ends in order.
func TestTLS_Refusal(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	r := start(t, p.args(), nil)
	nc, err := p.dial(r.addr, tls.VersionTLS13)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	c := netlooptest.New(t, nc)
	c.Patience = patience
	if answer := c.Upgrade("/nowhere"); answer.StatusCode != 404 {
		t.Errorf("the answer is %s, want 404", answer.Status)
	}
	c.Want("eof")
}

func TestTLS_HangupReadsTheCertificateAgain(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	r := start(t, p.args(), nil)
	want := func(serial int64) {
		t.Helper()
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			if _, got := p.open(r.addr, version); got != serial {
				t.Errorf("a new connection sees certificate %d, want %d", got, serial)
			}
		}
	}
	old, serial := p.open(r.addr, tls.VersionTLS13)
	if serial != 1 {
		t.Fatalf("certificate %d, want 1", serial)
	}
	p.write(2, farFuture)
	want(1) // not before the signal
	r.signals <- syscall.SIGHUP
	r.logged("certificate read again")
	want(2)

	_, otherKey := netlooptest.Certificate(t, 3, farFuture)
	for what, broken := range map[string]func(){
		"no PEM":    func() { p.writeFile(p.cert, []byte("not a certificate")) },
		"no file":   func() { _ = os.Remove(p.cert) },
		"wrong key": func() { p.write(4, farFuture); p.writeFile(p.key, otherKey) },
	} {
		broken()
		r.signals <- syscall.SIGHUP
		line := r.logged("the old settings stay")
		if text, _ := line["error"].(string); !strings.Contains(text, p.cert) {
			t.Errorf("%s: logged %v, want the name of the file", what, line)
		}
		want(2)
	}
	p.write(5, farFuture)
	r.signals <- syscall.SIGHUP
	r.logged("certificate read again")
	want(5)
	old.Text("still here")
	old.Want("text still here")
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	if n := strings.Count(r.log.text.String(), "the old settings stay"); n != 3 {
		t.Errorf("%d errors were logged for 3 files", n)
	}
}

func TestTLS_ExpiredCertificateIsServedWithAWarning(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.write(2, time.Now().Add(-time.Hour))
	r := start(t, p.args(), nil)
	r.log.mu.Lock()
	text := r.log.text.String()
	r.log.mu.Unlock()
	if n := strings.Count(text, "the certificate has expired"); n != 1 {
		t.Errorf("%d warnings, want 1:\n%s", n, text)
	}
	nc, err := tls.Dial("tcp", r.addr, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatalf("the expired certificate is not served: %v", err)
	}
	nc.Close()
}

func TestTLS_BadCertificateIsNoStart(t *testing.T) {
	p := newPair(t)
	run := func() error {
		return Run(t.Context(), Process{
			Args:   p.args("--listen", "127.0.0.1:0", "--admin", ""),
			Stdout: io.Discard, Stderr: io.Discard,
		})
	}
	p.writeFile(p.key, []byte("no key"))
	if err := run(); ExitCode(err) != 2 || !strings.Contains(err.Error(), "--tls-cert: ") ||
		!strings.Contains(err.Error(), p.key) {
		t.Errorf("with a bad key Run = %v, want the name of the file", err)
	}
	if err := os.Remove(p.cert); err != nil {
		t.Fatal(err)
	}
	if err := run(); ExitCode(err) != 2 || !strings.Contains(err.Error(), p.cert+": no such") {
		t.Errorf("without a file Run = %v, want its name", err)
	}
}

// Who connects and does not shake hands is cut off at the hello timeout.
func TestTLS_HandshakeSlowloris(t *testing.T) {
	t.Parallel()
	const timeout = 300 * time.Millisecond
	p := newPair(t)
	r := start(t, p.args("--hello-timeout", timeout.String()), nil)
	for _, sent := range []string{"", "\x16\x03\x01\x02\x00\x01"} {
		begin := time.Now()
		nc, err := net.Dial("tcp", r.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		if _, err := io.WriteString(nc, sent); err != nil {
			t.Fatal(err)
		}
		if err := nc.SetReadDeadline(begin.Add(patience)); err != nil {
			t.Fatal(err)
		}
		if _, err := nc.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("after %q nothing cut the connection off", sent)
		}
		if d := time.Since(begin); d < timeout {
			t.Errorf("after %q cut off after %v, want %v", sent, d, timeout)
		}
	}
}

func TestSignal_HangupWithNothingToRead(t *testing.T) {
	t.Parallel()
	r := start(t, nil, nil)
	r.signals <- syscall.SIGHUP
	r.logged("nothing to read again")
}

// config check says what a start would say.
func TestTLS_CheckReadsTheCertificate(t *testing.T) {
	p := newPair(t)
	check := func() error {
		return Run(t.Context(), Process{
			Args: p.args("config", "check"), Stdout: io.Discard, Stderr: io.Discard,
		})
	}
	if err := check(); err != nil {
		t.Errorf("a good certificate: %v", err)
	}
	p.writeFile(p.key, []byte("no key"))
	if err := check(); ExitCode(err) != 2 || !strings.Contains(err.Error(), "--tls-cert: ") ||
		!strings.Contains(err.Error(), p.key) {
		t.Errorf("with a bad key: %v, want the name of the file", err)
	}
}

// What is wrong with the certificate is said with all the rest.
func TestTLS_BadCertificateIsSaidWithTheRest(t *testing.T) {
	p := newPair(t)
	p.writeFile(p.key, []byte("no key"))
	err := Run(t.Context(), Process{
		Args: p.args("--tick", "0", "config", "check"), Stdout: io.Discard, Stderr: io.Discard,
	})
	if ExitCode(err) != 2 || !strings.Contains(err.Error(), "--tick: ") ||
		!strings.Contains(err.Error(), "\n--tls-cert: ") {
		t.Errorf("exit code %d: %v", ExitCode(err), err)
	}
}
