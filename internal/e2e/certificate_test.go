//go:build e2e

package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// certificate is a certificate for 127.0.0.1 that vouches for itself. All clients trust it.
var certificate struct {
	cert, key string // PEM files
	both      string // the two in one file, as HAProxy has it
}

// certify makes the certificate in a directory. The environment then tells OpenSSL, crypto/x509 and
// Node to trust it.
func certify(dir string) error {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "curfew end-to-end tests"},
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore:             time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:              time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		return err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return err
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	key := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
	c := &certificate
	c.cert, c.key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	c.both = filepath.Join(dir, "both.pem")
	return errors.Join(
		os.WriteFile(c.cert, cert, 0o600), os.WriteFile(c.key, key, 0o600),
		os.WriteFile(c.both, slices.Concat(cert, key), 0o600),
		os.Setenv("SSL_CERT_FILE", c.cert), os.Setenv("NODE_EXTRA_CA_CERTS", c.cert),
	)
}
