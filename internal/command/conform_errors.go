package command

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"

	"github.com/curfew-go/curfew/internal/conform"
)

// wrongURL says what is wrong with a server's URL and how it should look, or "". It shows no more
// of it than scheme, host and path, since the rest may hold secrets.
func wrongURL(raw string) string {
	const example = "ws://127.0.0.1:8079/ws"
	scheme, rest, ok := strings.Cut(raw, "://")
	switch scheme = strings.ToLower(scheme); {
	case !ok && strings.HasPrefix(raw, "-"):
		return "the URL is missing: give one such as " + example
	case !ok:
		return "the URL lacks its scheme: write it as " + example
	case scheme == "http":
		return "a WebSocket URL begins with ws://, not http://: write ws://" + beforeQuery(rest)
	case scheme == "https":
		return "a WebSocket URL begins with wss://, not https://: write wss://" +
			beforeQuery(rest)
	case scheme != "ws" && scheme != "wss":
		return fmt.Sprintf("%q is no scheme of WebSocket URLs: ws:// and wss:// are", scheme)
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil && strings.Contains(raw, "@"): // What cannot be read may be a password.
		return "this is no URL: one looks like " + example
	case err != nil:
		return "this is no URL: " + cause(err).Error() + "; one looks like " + example
	case u.User != nil:
		return "a WebSocket URL holds no user and password: pass them by " +
			"--header 'Authorization: ...'"
	case u.Hostname() == "":
		return "the URL names no host: write it as " + example
	case u.Fragment != "":
		return "a WebSocket URL has no fragment: leave the # and what follows out"
	}
	return ""
}

// beforeQuery is what may be shown of a URL without its scheme.
func beforeQuery(rest string) string {
	rest, _, _ = strings.Cut(rest, "?")
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		rest = rest[at+1:]
	}
	return rest
}

// cause is what an error says without the URL, the address or the files that it is about.
func cause(err error) error {
	var inURL *url.Error
	var op *net.OpError
	var path *os.PathError
	var link *os.LinkError
	var call *os.SyscallError
	switch {
	case errors.As(err, &inURL):
		return cause(inURL.Err)
	case errors.As(err, &op):
		return cause(op.Err)
	case errors.As(err, &path):
		return path.Err
	case errors.As(err, &link):
		return link.Err
	case errors.As(err, &call):
		return call.Err
	}
	return err
}

// wrongPattern is the error of a pattern that names no case.
func wrongPattern(pattern string, near []conform.Case) error {
	if strings.Count(pattern, "[") > strings.Count(pattern, "]") {
		return fmt.Errorf("%q is no glob: a [ lacks its ]", pattern)
	}
	var ids []string
	for _, c := range near {
		ids = append(ids, c.ID)
	}
	hint := "--list shows all"
	if len(ids) > 0 {
		hint = "near it: " + strings.Join(ids, ", ") + "; " + hint
	}
	return fmt.Errorf("no case is called %q (%s)", pattern, hint)
}

// trusted are the system's certificates and those of a file.
func trusted(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("--ca: %s cannot be read: %w", file, cause(err))
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("--ca: %s holds no certificate in PEM", file)
	}
	return roots, nil
}

// explainConform says in one sentence why there was no run, and what may help.
func explainConform(err error, f *conformFlags, raw string) error {
	host := raw
	if u, bad := url.Parse(raw); bad == nil {
		host = u.Host
	}
	var refused *conform.RefusedError
	switch {
	case errors.Is(err, conform.ErrNoEcho):
		return notEchoing(err, f)
	case errors.As(err, &refused):
		return fmt.Errorf("no WebSocket at %s: %w%s", host, refused, remedy(refused, f))
	case errors.Is(err, conform.ErrNoServer):
		what, hint := unreachable(err)
		return fmt.Errorf("no connection to %s: %s: %s", host, what, hint)
	}
	return errors.New(strings.ReplaceAll(err.Error(), "conform: ", ""))
}

// notEchoing is the error of a server that does not echo.
func notEchoing(err error, f *conformFlags) error {
	said := strings.TrimPrefix(err.Error(), conform.ErrNoEcho.Error()+": ")
	hint := "the suite needs an endpoint that sends each message back"
	switch {
	case f.subprotocol == "curfew.v1", f.subprotocol == "" && strings.Contains(said, "hello"):
		hint = "curfewd echoes in its raw protocol: use --subprotocol curfew.raw"
	case f.subprotocol == "":
		hint += "; perhaps it does so under a --subprotocol"
	}
	return fmt.Errorf("this server does not echo: %s: %s", said, hint)
}

// remedy is what may help against a refusal, with what joins it to the refusal, or "".
func remedy(no *conform.RefusedError, f *conformFlags) string {
	switch {
	case no.TLS:
		return ": it wants TLS, so try wss://"
	case no.Subprotocol && f.subprotocol == "":
		return ": ask for it by --subprotocol"
	case no.Subprotocol:
		return ": give --subprotocol a name that the server knows, or leave it out"
	case no.Location != "":
		return ": the server moved, so give the URL that it redirects to"
	}
	switch no.StatusCode {
	case http.StatusUnauthorized:
		if f.token != "" || f.tokenFile != "" {
			return ": the server does not accept this token"
		}
		return ": give a --token-file or a --header"
	case http.StatusForbidden:
		return ": the server may want a --token-file, or a --header 'Origin: ...' that it knows"
	case http.StatusNotFound, http.StatusOK, http.StatusMethodNotAllowed:
		return ": is the URL's path that of the WebSocket?"
	case http.StatusBadRequest:
		return ": does the path serve WebSocket, and the --subprotocol exist there?"
	case http.StatusUpgradeRequired:
		return ": the server speaks another version of the protocol"
	case http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusBadGateway,
		http.StatusGatewayTimeout:
		return ": the server or one behind it is full or down, so try again later"
	case 0:
		return ": is this the port of a WebSocket server?"
	}
	return ""
}

// unreachable says why no connection could be opened, and what may help.
func unreachable(err error) (what, hint string) {
	var dns *net.DNSError
	var record tls.RecordHeaderError
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var timeout interface{ Timeout() bool }
	switch {
	case errors.As(err, &dns):
		return "there is no host " + dns.Name, "check its name"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nobody listens there", "start the server, or check host and port"
	case errors.As(err, &record):
		return "the server does not speak TLS", "use ws:// in place of wss://"
	case errors.As(err, &authority):
		return "nobody known vouches for its certificate",
			"--ca FILE trusts whoever does, --insecure trusts anybody"
	case errors.As(err, &name):
		return name.Error(), "use the name that the certificate is for, or --insecure"
	case errors.As(err, &invalid):
		return invalid.Error(), "renew the certificate, or use --insecure"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "there was no answer in time",
			"does the server speak WebSocket there, and does no firewall stand before it?"
	}
	return cause(err).Error(), "is this the port of a WebSocket server?"
}
