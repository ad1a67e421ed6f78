package load

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"testing"
	"time"
)

// certify makes a certificate for this machine, for a server, and what a client must trust.
func certify(t *testing.T) (config *tls.Config, roots []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	config = &tls.Config{Certificates: []tls.Certificate{{
		Certificate: [][]byte{der}, PrivateKey: key,
	}}}
	return config, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func TestWorker_TLS(t *testing.T) {
	t.Parallel()
	config, roots := certify(t)
	old := config.Clone()
	old.MaxVersion = tls.VersionTLS12
	server := serveFaulty(t, "127.0.0.1:0", config, goodTalk).url
	server12 := serveFaulty(t, "127.0.0.1:0", old, goodTalk).url
	plain := "wss" + serveFaulty(t, "127.0.0.1:0", nil, head("HTTP/1.1 400 No\r\n\r\n")).url[2:]
	garbage := "wss" + serveFaulty(t, "127.0.0.1:0", nil, func(c *guest) {
		c.send([]byte("220 mail.example ESMTP ready\r\n"))
		c.swallow()
	}).url[2:]
	hangsUp := "wss" + serveFaulty(t, "127.0.0.1:0", nil, func(*guest) {}).url[2:]
	strict := config.Clone()
	strict.ClientAuth = tls.RequireAnyClientCert
	strict.MaxVersion = tls.VersionTLS12
	wants := serveFaulty(t, "127.0.0.1:0", strict, goodTalk).url
	fine := counts{"connected": 2, "sent": 25, "received": 25}
	for name, c := range map[string]struct {
		url  string
		plan Plan
		want counts
	}{
		"trusted":      {server, Plan{Roots: roots}, fine},
		"1.2":          {server12, Plan{Roots: roots}, fine},
		"unchecked":    {server, Plan{Insecure: true}, fine},
		"untrusted":    {server, Plan{}, counts{"failed": 2, "error tls_certificate": 2}},
		"not spoken":   {garbage, Plan{}, counts{"failed": 2, "error tls_not_spoken": 2}},
		"hung up on":   {hangsUp, Plan{}, counts{"failed": 2}},
		"spoken plain": {plain, Plan{}, counts{"failed": 2}},
		"wants ours": {wants, Plan{Roots: roots}, counts{
			"failed": 2,
		}},
		"slow reader": {server, Plan{Roots: roots, Profile: ProfileSlowReader}, counts{
			"connected": 2, "injected": 1, "held": 1, "sent": some, "received": some,
			"flooded": some,
		}},
		"churn": {server, Plan{Roots: roots, Profile: ProfileChurn}, counts{
			"connected": some, "sent": 25, "received": 25, "close 1000": some,
		}},
		"reconnect": {server, Plan{
			Roots: roots, Profile: ProfileReconnect, Connections: 20,
		}, counts{
			"connected": some, "sent": 25, "received": 25, "dropped": some,
		}},
		"large": {server, Plan{Roots: roots, Size: 1 << 20, Rate: 12}, counts{
			"connected": 2, "sent": 3, "received": 3,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := scenario{plan: c.plan, want: c.want}
			steadily(t, func(t testing.TB) {
				t.Helper()
				s.overTLS(t, c.url)
			})
		})
	}
}

func (s *scenario) overTLS(t testing.TB, url string) {
	t.Helper()
	o := s.run(t.Context(), s.planFor(url))
	if o.err != nil {
		t.Fatal(o.err)
	}
	got := counters(o.part)
	if len(s.want) == 1 { // whatever it is called
		t.Log(o.part.Errors)
		for what := range o.part.Errors {
			delete(got, "error "+what)
		}
	}
	s.want.differ(t, got)
	o.addsUp(t)
}

// TestWorker_TLSCutAnywhere has records come in pieces of every size.
func TestWorker_TLSCutAnywhere(t *testing.T) {
	t.Parallel()
	config, roots := certify(t)
	server := serveFaulty(t, "127.0.0.1:0", config, goodTalk)
	// A proxy between them cuts what the server sends.
	between := serveFaulty(t, "127.0.0.1:0", nil, func(c *guest) {
		up, err := net.Dial("tcp", server.address)
		if err != nil {
			return
		}
		defer up.Close()
		go func() { _, _ = io.Copy(up, c.Conn); up.Close() }()
		buf := make([]byte, 1+c.number*5)
		for {
			n, err := up.Read(buf)
			if err != nil || !c.send(buf[:n]) {
				return
			}
		}
	})
	s := scenario{
		plan: Plan{Roots: roots, Connections: 12, Size: 3000},
		want: counts{"connected": 12, "sent": 25, "received": 25},
	}
	steadily(t, func(t testing.TB) {
		t.Helper()
		s.judge(t, s.run(t.Context(), s.planFor("wss"+between.url[2:])))
	})
}
