package server

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/curfew-go/curfew/internal/config"
)

// errNoCertificate ends handshakes before use; newDaemon has one before it listens.
var errNoCertificate = errors.New("no certificate is loaded")

// certificate is what the daemon shows to TLS clients. It can be replaced while they come and go:
// who is connected keeps what it has.
type certificate struct {
	log *slog.Logger

	current atomic.Pointer[tls.Certificate] // replaced by use, read by handshakes
}

// load reads the configuration, and the certificate that it names; nil: none. Its error is a
// *[config.Error] that says all that is wrong with both.
func load(p *Process) (*config.Loaded, *tls.Certificate, error) {
	loaded, err := config.Load(p.Args, p.Env)
	var bad *config.Error
	if err != nil && !errors.As(err, &bad) {
		return nil, nil, err
	}
	if loaded.TLSCert == "" || loaded.TLSKey == "" {
		return loaded, nil, err
	}
	pair, certErr := readCertificate(loaded.TLSCert, loaded.TLSKey)
	if certErr != nil {
		if bad == nil {
			bad = new(config.Error)
		}
		bad.Problems = append(bad.Problems, loaded.Origin("tls-cert")+": "+certErr.Error())
		err = bad
	}
	return loaded, pair, err
}

// readCertificate reads a certificate with its chain, and its key, from PEM files. A key that
// belongs to another certificate is an error.
func readCertificate(certFile, keyFile string) (*tls.Certificate, error) {
	cert, certErr := config.ReadFile(certFile)
	key, keyErr := config.ReadFile(keyFile)
	pair, err := tls.Certificate{}, errors.Join(certErr, keyErr)
	if err == nil {
		pair, err = tls.X509KeyPair(cert, key)
	}
	if err != nil {
		return nil, fmt.Errorf("certificate %s with key %s: %s", certFile, keyFile, oneLine(err))
	}
	return &pair, nil
}

// use shows pair, which was read from certFile, from now on. One that is not valid at this time is
// shown, since clients may not mind, but it is logged.
func (c *certificate) use(certFile string, pair *tls.Certificate) {
	c.current.Store(pair)
	leaf, t := pair.Leaf, now()
	switch {
	case t.After(leaf.NotAfter):
		c.log.Warn("the certificate has expired", "file", certFile, "since", leaf.NotAfter)
	case t.Before(leaf.NotBefore):
		c.log.Warn("the certificate is not valid yet", "file", certFile, "until", leaf.NotBefore)
	}
}

// config is the server's side of TLS.
func (c *certificate) config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		// A client that offers only others, such as h2, learns so in the handshake.
		NextProtos: []string{"http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			if pair := c.current.Load(); pair != nil {
				return pair, nil
			}
			return nil, errNoCertificate
		},
	}
}
