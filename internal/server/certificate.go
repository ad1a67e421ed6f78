package server

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
)

// errNoCertificate ends handshakes before load; newDaemon loads before it listens.
var errNoCertificate = errors.New("no certificate is loaded")

// certificate is what the daemon shows to TLS clients. It can be replaced while they come and go:
// who is connected keeps what it has.
type certificate struct {
	log *slog.Logger

	// Set by load, then only read.
	certFile, keyFile string

	current atomic.Pointer[tls.Certificate] // replaced by reload, read by handshakes
}

// load reads the certificate with its chain, and its key, from PEM files.
func (c *certificate) load(certFile, keyFile string) error {
	c.certFile, c.keyFile = certFile, keyFile
	return c.reload()
}

// reload reads the files again. Where that fails, what was there stays. A key that belongs to
// another certificate is an error; a certificate that is not valid at this time is not, since
// clients may not mind, but it is logged.
func (c *certificate) reload() error {
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("certificate %s with key %s: %w", c.certFile, c.keyFile, err)
	}
	c.current.Store(&pair)
	leaf, t := pair.Leaf, now()
	switch {
	case t.After(leaf.NotAfter):
		c.log.Warn("the certificate has expired", "file", c.certFile, "since", leaf.NotAfter)
	case t.Before(leaf.NotBefore):
		c.log.Warn("the certificate is not valid yet", "file", c.certFile, "until", leaf.NotBefore)
	}
	return nil
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
