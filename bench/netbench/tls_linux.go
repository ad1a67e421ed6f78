package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// tlsConnections is how many connections are compared with and without TLS.
const tlsConnections = 3000

// handshake is a request for an upgrade.
const handshake = "GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n" +
	"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: curfew.raw\r\n\r\n"

// compareTLS measures what TLS costs the daemon, a connection: memory and the time of accepting.
func compareTLS(s settings) error {
	dir, err := os.MkdirTemp("", "netbench")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	cert, key, err := certificate(dir)
	if err != nil {
		return err
	}
	found := results{baseline: "gnet"}
	for round := 1; round <= s.rounds; round++ {
		for _, v := range daemons(s.curfewd) {
			if err := measureTLS(v, nil, round, &found); err != nil {
				return err
			}
		}
		v := server{
			name: "curfewd-tls", binary: s.curfewd,
			args: []string{
				"--log-level", "error", "--ping-interval", "10m",
				"--tls-cert", cert, "--tls-key", key,
			},
		}
		config := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13}
		if err := measureTLS(v, config, round, &found); err != nil {
			return err
		}
	}
	return found.print(os.Stdout)
}

// measureTLS connects to a daemon, with TLS where there is a config, and takes two figures.
func measureTLS(v server, config *tls.Config, round int, found *results) (err error) {
	r, address, err := v.launch()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.stop()) }()
	before, errCPU := r.CPU()
	rest, errAnon := r.AnonBytes()
	if err := errors.Join(errCPU, errAnon); err != nil {
		return err
	}
	for range tlsConnections {
		nc, err := upgraded(address, config)
		if err != nil {
			return err
		}
		defer nc.Close()
	}
	after, errCPU := r.CPU()
	held, errAnon := r.AnonBytes()
	m := measurement{server: v, round: round, found: found}
	where := fmt.Sprintf("conns=%d", tlsConnections)
	m.figure("cpu_us_accept", where, micros(after-before)/tlsConnections, "")
	m.figure("bytes_conn", where, float64(held-rest)/tlsConnections, "")
	return errors.Join(errCPU, errAnon)
}

// upgraded is a connection on which WebSocket is spoken.
func upgraded(address string, config *tls.Config) (net.Conn, error) {
	nc, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	if config != nil {
		nc = tls.Client(nc, config)
	}
	if _, err := nc.Write([]byte(handshake)); err != nil {
		return nil, errors.Join(err, nc.Close())
	}
	answer, err := http.ReadResponse(bufio.NewReader(nc), nil)
	if err != nil {
		return nil, errors.Join(err, nc.Close())
	}
	if answer.StatusCode != http.StatusSwitchingProtocols {
		return nil, errors.Join(fmt.Errorf("answered %s", answer.Status), nc.Close())
	}
	return nc, nil
}

// certificate writes a certificate that nobody trusts, and its key.
func certificate(dir string) (cert, key string, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(24 * time.Hour),
		DNSNames: []string{"localhost"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		return "", "", err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return "", "", err
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	write := func(name, kind string, b []byte) {
		text := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b})
		err = errors.Join(err, os.WriteFile(name, text, 0o600))
	}
	write(cert, "CERTIFICATE", der)
	write(key, "PRIVATE KEY", secret)
	return cert, key, err
}
