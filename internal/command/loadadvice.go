package command

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/curfew-go/curfew/internal/load/result"
)

// advice says what an error means and what to do about it, by the name under which it is counted.
var advice = map[string]string{
	"econnrefused": "nothing listens at the server's address: start it, or mend the URL's host " +
		"and port",
	"econnreset": "the server reset the connection: see its log, and its limits of connections",
	"etimedout": "the server did not answer the connection: it is unreachable, or its queue of " +
		"connections is full (raise net.core.somaxconn and its backlog, or give --ramp)",
	"connect_timeout": "the server took too long to take the connection: give --ramp, or raise " +
		"its backlog and net.core.somaxconn",
	"ehostunreach": "no way leads to the server's address: mend the URL, or the route",
	"enetunreach":  "no way leads to the server's network: mend the URL, or the route",
	"emfile": "the harness may open no more files: use more --processes, or raise the limit by " +
		"`ulimit -n`",
	"enfile": "this machine may open no more files: raise fs.file-max by sysctl",
	"eaddrnotavail": "no port is left on the harness's side: give more addresses by --source, or " +
		"widen net.ipv4.ip_local_port_range",
	"eaddrinuse": "a port is in use on the harness's side: give more addresses by --source, or " +
		"widen net.ipv4.ip_local_port_range",
	"enobufs": "the kernel had no memory for sockets: raise net.ipv4.tcp_mem, or hold fewer " +
		"--connections",
	"enomem":      "the kernel had no memory: hold fewer --connections",
	"eacces":      "the system forbids the connection: a firewall, or a broadcast address",
	"eperm":       "the system forbids the connection: see the firewall of this machine",
	"epipe":       "the server closed the connection while it was written to: see its log",
	"eof":         "the server closed the connection without a close frame: see its log",
	"upgrade_200": "the server answered as a plain web server: mend the path of the URL",
	"upgrade_301": "the server redirects: give the URL that it redirects to",
	"upgrade_302": "the server redirects: give the URL that it redirects to",
	"upgrade_307": "the server redirects: give the URL that it redirects to",
	"upgrade_308": "the server redirects: give the URL that it redirects to",
	"upgrade_400": "the server did not understand the upgrade: is it TLS (wss://), and does it " +
		"want a --subprotocol or a --header?",
	"upgrade_401": "the server wants to know who connects: give --token-file or --header " +
		"'Authorization: ...'",
	"upgrade_403": "the server refused: give --header 'Origin: ...' that it accepts, or another " +
		"token",
	"upgrade_404": "the server knows no WebSocket at this path: mend the path of the URL",
	"upgrade_405": "the server knows no WebSocket at this path: mend the path of the URL",
	"upgrade_408": "the server waited too long for the request: give --ramp",
	"upgrade_426": "the server wants another version or protocol: give --subprotocol",
	"upgrade_429": "the server had too many connections of one address, or refused too many " +
		"before: raise its limit, connect from several by --source, wait, or give --ramp",
	"upgrade_500": "the server failed at the upgrade: see its log",
	"upgrade_502": "a proxy found no server behind it: start that",
	"upgrade_503": "the server was full or draining: raise its limit of sessions, or ask for " +
		"fewer --connections",
	"upgrade_504": "a proxy waited too long for the server behind it: see that one's log",
	"upgrade_eof": "the server closed the connection in place of an answer: is it TLS " +
		"(wss://)?",
	"upgrade_bad_status": "the server's answer has a status that is none: mend the port",
	"upgrade_answered_by_no_http": "what listens there speaks no HTTP: mend the port, or write " +
		"wss:// where the server has TLS",
	"upgrade_answer_too_long": "the server's answer to the upgrade has no end: mend the port",
	"no_upgrade_answer":       "the server took the connection and never answered: mend the port",
	"wrong_accept_key":        "the answer to the upgrade is one to another: a cache?",
	"wrong_subprotocol": "the server did not agree on the subprotocol: give the --protocol or " +
		"--subprotocol that it speaks",
	"no_hello_answer": "the server never answered the hello: does it speak curfew.v1? If not, " +
		"give --protocol plain",
	"bad_hello_answer": "the server answered the hello with something else: does it speak " +
		"curfew.v1? If not, give --protocol plain",
	"hello_unauthorized":  "the server wants its shared secret: give --token-file",
	"hello_session_limit": "the server was full: raise its limit of sessions",
	"hello_unavailable": "the server's application was not there: start it; or it refused too " +
		"many hellos of one address before: wait a minute",
	"tls_certificate": "the server's certificate is not one that is trusted: give --ca FILE, or " +
		"--insecure to accept any",
	"tls_not_spoken": "the server speaks no TLS on this port: write ws://",
	"tls_timeout":    "the server took too long to shake hands: give --ramp",
	"tls_eof": "the server closed the connection while shaking hands: does it speak TLS there, " +
		"and want a certificate of its clients?",
	"never_begun": "given up, since none of the first connections was answered in time",
	"extension_not_offered": "the server agreed on an extension that nobody had offered (RFC " +
		"6455, 4.1)",
	"upgrade_to_something_else": "the server's 101 has no Upgrade: websocket (RFC 6455, 4.1)",
	"connection_not_upgraded":   "the server's 101 has no Connection: Upgrade (RFC 6455, 4.1)",
	"numbers_left_out": "the server left numbers out between the frames of a session that can " +
		"be resumed",
	"expired_without_a_word": "the server closed with 4200 without session_expired before it",
	"no_answer_to_close":     "the server did not answer close frames: see its log",
}

// closeAdvice is what a close code means that a server ends connections with unasked, and what to
// do. Those that are the end of a session are not among them.
var closeAdvice = map[string]string{
	"1002": "the server found the protocol broken: does it speak this --protocol?",
	"1003": "the server takes no binary messages: give --protocol json, or another server",
	"1007": "the server found text that is no UTF-8: does it speak this --protocol?",
	"1009": "the messages are longer than the server takes: give a smaller --size",
	"1011": "the server failed: see its log",
	"4000": "the server wants a hello: give --protocol json",
	"4001": "the server wants a hello: give --protocol json",
	"4002": "the server had no hello in time: give --protocol json",
	"4003": "the server wants its shared secret: give --token-file",
}

// adviceMax is how many kinds of errors are explained; the JSON has all of them.
const adviceMax = 8

// explain is a line for each kind of error, the most frequent first.
func explain(errors map[string]uint64) []string {
	kinds := slices.SortedFunc(maps.Keys(errors), func(a, b string) int {
		return cmp.Or(cmp.Compare(errors[b], errors[a]), cmp.Compare(a, b))
	})
	var lines []string
	for i, kind := range kinds {
		if i == adviceMax {
			return append(lines, fmt.Sprintf("and %d more kinds", len(kinds)-i))
		}
		line := fmt.Sprintf("%d %s", errors[kind], kind)
		if means := meaning(kind); means != "" {
			line += ": " + means
		}
		lines = append(lines, line)
	}
	return lines
}

// meaning is what is known of a kind of error.
func meaning(kind string) string {
	if known := advice[kind]; known != "" {
		return known
	}
	switch {
	case strings.HasPrefix(kind, "upgrade_"):
		return "the server refused the upgrade with this status: see its log"
	case strings.HasPrefix(kind, "hello_"):
		return "the server refused the hello: see its log"
	case strings.HasPrefix(kind, "tls_") || strings.Contains(kind, "x509"):
		return "TLS could not be agreed on: see the server's log"
	}
	return ""
}

// verdict is why the exit code is what it is, a line each.
func verdict(r *result.Result) []string {
	if len(r.Broken) > 0 {
		return r.Broken
	}
	if r.Interrupted {
		return []string{"interrupted: what was measured until then is fine"}
	}
	return []string{"fine: the server kept every promise, and the harness its schedule"}
}
