package command

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// conformRun runs curfew conform and gives its exit code and its outputs.
func conformRun(t *testing.T, signals <-chan os.Signal, args ...string) (int, string, string) {
	t.Helper()
	var out, errs bytes.Buffer
	code := Run(t.Context(), Process{
		Args: append([]string{"conform"}, args...), Stdout: &out, Stderr: &errs,
		Signals: signals, Version: "test",
	})
	return code, out.String(), errs.String()
}

// steady takes what differs from run to run out of an output.
func steady(s string) string {
	s = regexp.MustCompile(`127\.0\.0\.1:\d+`).ReplaceAllString(s, "HOST")
	return regexp.MustCompile(`in [0-9.µms]+`).ReplaceAllString(s, "in TIME")
}

func TestConformTable(t *testing.T) {
	code, out, errs := conformRun(t, nil, "--only", "[12].*", "--timeout", "10s",
		conformServer{}.start(t))
	// Of section 2 the server has no refusal.
	const want = `ws://HOST/echo held against RFC 6455 and RFC 7692

    pass  fail  skip  remarks  section
      16     -     -        -   1 framing
      10     1     -        -   2 pings and pongs
      26     1     -        -     all

failed
  2.5      a ping of 126 bytes is refused (RFC 6455, 5.5)
           because   unexpected: the server sent a control frame of 126 bytes (RFC 6455, 5.5)
`
	if code != 1 || errs != "" {
		t.Errorf("exit %d, stderr %q, want 1 and nothing", code, errs)
	}
	out = steady(out)
	if !strings.HasPrefix(out, want) {
		t.Errorf("output:\n%s\nwant in front:\n%s", out, want)
	}
	for _, part := range []string{
		"\n           sent      ping frame of 126 bytes ",
		"\n           expected  close frame 1002, or the end of the TCP connection\n",
		"\n           seen      the server sent a control frame of 126 bytes",
		"\n26 passed, 1 failed, 0 skipped in TIME\n",
	} {
		if !strings.Contains(out, part) {
			t.Errorf("output:\n%s\nlacks %q", out, part)
		}
	}
}

// TestConformAllPass: no failure is exit 0, what was skipped is summed up, remarks are counted or
// shown.
func TestConformAllPass(t *testing.T) {
	url := conformServer{}.start(t)
	code, out, errs := conformRun(t, nil, "--only", "1[23].*", url)
	for _, part := range []string{
		"skipped\n  the server declines permessage-deflate: 12.*, 13.*\n",
		"0 passed, 0 failed, 216 skipped in",
	} {
		if code != 0 || errs != "" || !strings.Contains(out, part) {
			t.Errorf("exit %d, %q, output:\n%s\nlacks %q", code, errs, out, part)
		}
	}
	code, out, _ = conformRun(t, nil, "--only", "14.4.4", url)
	if want := "1 case passed with a remark; --remarks shows them"; code != 0 ||
		!strings.Contains(out, want) {
		t.Errorf("exit %d, output:\n%s\nlacks %q", code, out, want)
	}
	_, out, _ = conformRun(t, nil, "--only", "14.4.4", "--remarks", url)
	want := "remarks\n  the server answered 404 Not Found: 14.4.4\n"
	if !strings.Contains(out, want) {
		t.Errorf("output:\n%s\nlacks %q", out, want)
	}
	code, out, errs = conformRun(t, nil, "--quiet", "--only", "1.*", url)
	if want = "16 passed, 0 failed, 0 skipped in TIME\n"; code != 0 || errs != "" ||
		steady(out) != want {
		t.Errorf("exit %d, %q, output %q, want %q", code, errs, out, want)
	}
}

func TestConformCase(t *testing.T) {
	url := conformServer{}.start(t)
	code, out, _ := conformRun(t, nil, "--case", "2.2", url)
	const want = `ws://HOST/echo held against RFC 6455 and RFC 7692

pass  2.2      a ping with text is answered with the same payload (RFC 6455, 5.5.3)
           sent      ping frame of 12 bytes "Hello, echo!"; close frame of 2 bytes "\x03\xe8"
           expected  pong of 12 bytes "Hello, echo!"; close frame 1000 and END
           seen      pong of 12 bytes "Hello, echo!"; close frame 1000; END

1 passed, 0 failed, 0 skipped in TIME
`
	out = strings.ReplaceAll(steady(out), "the end of the TCP connection", "END")
	if code != 0 || out != want {
		t.Errorf("exit %d, output:\n%s\nwant:\n%s", code, out, want)
	}
	_, out, _ = conformRun(t, nil, "--only", "2.[23]", "--verbose", url)
	if n := strings.Count(out, "\n           expected "); n != 2 {
		t.Errorf("output:\n%s\nshows %d cases in full, want 2", out, n)
	}
}

// TestConformJSON holds the shape of the report to the byte.
func TestConformJSON(t *testing.T) {
	url := conformServer{deaf: true}.start(t)
	two := []string{"--only", "2.[17]", "--timeout", "300ms", url, "--json"}
	code, out, errs := conformRun(t, nil, append(two, "-")...)
	const want = `{"server":"ws://HOST/echo","cases":[
{"id":"2.1","description":"a ping without payload is answered (RFC 6455, 5.5.2)","result":"fail",` +
		`"detail":"the server sent nothing more | sent: ping frame of 0 bytes | ` +
		`expected: pong of 0 bytes | seen: nothing"},
{"id":"2.7","description":"an empty pong that nobody asked for is ignored (RFC 6455, 5.5.3)",` +
		`"result":"pass","detail":""}
],"passed":1,"failed":1,"skipped":0}
`
	if code != 1 || steady(out) != want {
		t.Errorf("exit %d, JSON:\n%s\nwant:\n%s", code, steady(out), want)
	}
	if !strings.Contains(errs, "1 passed, 1 failed") {
		t.Errorf("stderr:\n%s\nlacks the table", errs)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "report.json")
	if err := os.WriteFile(file, []byte("what was there before"), 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link.json")
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	conformRun(t, nil, append(two, link)...)
	b, err := os.ReadFile(file)
	if err != nil || steady(string(b)) != want {
		t.Errorf("file: %v\n%s\nwant:\n%s", err, b, want)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 2 {
		t.Errorf("left in the directory: %v, %v, want the report and the link", left, err)
	}
	code, _, errs = conformRun(t, nil, "--only", "1.1.1", "--json", os.DevNull, url)
	if code != 0 {
		t.Errorf("--json %s: exit %d, %s", os.DevNull, code, errs)
	}
}

func TestConformUsage(t *testing.T) {
	url := conformServer{}.start(t)
	dir := t.TempDir()
	noPEM := filepath.Join(dir, "no.pem")
	if err := os.WriteFile(noPEM, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ args, want string }{
		{"", "which server? give its URL"},
		{"ws://a/ ws://b/", "one URL at a time, not 2"},
		{"http://a:1/ws?token=hidden", "not http://: write ws://a:1/ws\n"},
		{"https://u:hidden@a/ws", "not https://: write wss://a/ws\n"},
		{"ftp://a/", `"ftp" is no scheme`},
		{"127.0.0.1:8079/ws", "lacks its scheme: write it as ws://"},
		{"ws:///x", "names no host"},
		{"ws://u:hidden@a/", "holds no user and password"},
		{"ws://a/#f", "no fragment"},
		{"ws://u:hidden/x@a/", "this is no URL: one looks like"},
		{"ws://a:port/", `this is no URL: invalid port ":port" after host; one looks like`},
		{"ws://a/%zz?hidden", "this is no URL"},
		{"--only 7.9 URL", `no case is called "7.9" (near it: 7.9.1, 7.9.2, 7.9.3, 7.9.4, 7.9.5;`},
		{"--only 7.9.12 URL", "near it: 7.9.1;"},
		{"--only x URL", `no case is called "x" (--list shows all)`},
		{"--only [1 URL", "is no glob: a [ lacks its ]"},
		{"--case 8.1 --list", `no case is called "8.1"`},
		{"--only 1.* --case 1.1.1 URL", "name the cases twice"},
		{"--quiet --verbose URL", "--quiet contradicts"},
		{"--list URL", "--list asks no server"},
		{"--list --json x", "--list makes no report"},
		{"--parallel 0 URL", "--parallel is 0: must be 1 to 256"},
		{"--parallel 257 URL", "--parallel is 257"},
		{"--parallel x URL", "invalid argument"},
		{"--timeout 1ns URL", "--timeout is 1ns: must be 50ms to 10s"},
		{"--timeout 1h URL", "--timeout is 1h0m0s"},
		{"--nonsense URL", "unknown flag: --nonsense"},
		{"--header hidden URL", "a --header lacks its name"},
		{"--header Sec-WebSocket-Key:hidden URL", "Sec-Websocket-Key is the suite's own"},
		{"--header Sec-WebSocket-Protocol:x URL", "asked for by --subprotocol"},
		{"--header a@b:hidden URL", "is no name of a header field"},
		{"--header Authorization:hidden --token hidden URL", "give Authorization twice"},
		{"--token hidden --token-file NOPEM URL", "give two tokens: leave one out"},
		{"--token-file NODIR/x URL", "no/x cannot be read: no such file"},
		{"--subprotocol a/b URL", "is no list of names"},
		{"--insecure URL", "this URL is not wss://"},
		{"--insecure --ca x wss://a/", "leave it or --ca out"},
		{"--ca NODIR/x wss://a/", "cannot be read: no such file"},
		{"--ca NOPEM wss://a/", "holds no certificate in PEM"},
		{"--json NODIR/x URL", "cannot be written: no such file or directory; choose another"},
		{"--json DIR URL", "is a directory"},
	} {
		t.Run(tt.args, func(t *testing.T) {
			place := strings.NewReplacer("URL", url, "NODIR", dir+"/no", "DIR", dir, "NOPEM", noPEM)
			args := strings.Fields(tt.args)
			for i := range args {
				args[i] = place.Replace(args[i])
			}
			code, out, errs := conformRun(t, nil, args...)
			if code != 2 || out != "" || !strings.Contains(errs, tt.want) {
				t.Errorf("exit %d, %q, stderr %q, want 2 and %q", code, out, errs, tt.want)
			}
			if strings.Contains(errs, "hidden") || strings.Count(errs, "\n") != 1 {
				t.Errorf("stderr %q, want a line without what may be secret", errs)
			}
		})
	}
}

func TestConformNoServer(t *testing.T) {
	const nobody = "ws://127.0.0.1:1/" // a port that is not given to others meanwhile
	answers := func(status int, header, value string) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set(header, value)
			w.WriteHeader(status)
			_, _ = w.Write([]byte("so it is\n"))
		}))
		t.Cleanup(s.Close)
		return "ws" + strings.TrimPrefix(s.URL, "http") + "/?q=hidden"
	}
	speaks := func(what string) string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				_, _ = c.Write([]byte(what))
				c.Close()
			}
		}()
		return "ws://" + l.Addr().String() + "/"
	}
	for _, tt := range []struct {
		name, url string
		flags     []string
		want      string
	}{
		{"nobody listens", nobody, nil, "nobody listens there: start the server"},
		{"no such host", "ws://no-such-host.invalid/", nil, "no-such-host.invalid: "},
		{"401", answers(401, "x", "y"), nil, "401 Unauthorized: so it is: give a --token-file"},
		{
			"401 for the token", answers(401, "x", "y"),
			[]string{"--token", "hidden"},
			"does not accept this token",
		},
		{"403", answers(403, "x", "y"), nil, "--header 'Origin: ...'"},
		{"404", answers(404, "x", "y"), nil, "is the URL's path that of the WebSocket?"},
		{"503", answers(503, "x", "y"), nil, "try again later"},
		{"moved", answers(301, "Location", "/there"), nil, "give the URL that it redirects to"},
		{"no HTTP", speaks("220 mail.example.org ESMTP\r\n"), nil, "is this the port of a Web"},
		{"TLS", speaks("\x15\x03\x01\x00\x02\x02\x28"), nil, "it wants TLS, so try wss://"},
		{
			"no subprotocol", conformServer{}.start(t),
			[]string{"--subprotocol", "chat"},
			`chose no subprotocol of "chat": give --subprotocol a name that the server knows`,
		},
		{
			"another subprotocol", conformServer{protocol: "odd"}.start(t),
			[]string{"--subprotocol", "chat"},
			`chose the subprotocol "odd" of "chat"`,
		},
		{
			"a subprotocol unasked", conformServer{protocol: "odd"}.start(t), nil,
			"of none: ask for it by --subprotocol",
		},
		{
			"curfew.v1", conformServer{greeting: `{"error":"invalid_hello"}`}.start(t), nil,
			"curfewd echoes in its raw protocol: use --subprotocol curfew.raw",
		},
		{
			"no echo", conformServer{greeting: "welcome, stranger"}.start(t), nil,
			"the suite needs an endpoint that sends each message back",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "report.json")
			code, out, errs := conformRun(t, nil,
				slices.Concat(tt.flags, []string{"--json", file, tt.url})...)
			if code != 2 || out != "" || !strings.Contains(errs, tt.want) ||
				strings.Contains(errs, "hidden") || strings.Count(errs, "\n") != 1 {
				t.Errorf("exit %d, %q, stderr %q, want 2 and %q", code, out, errs, tt.want)
			}
			if _, err := os.Stat(file); err == nil {
				t.Error("there is a report, want none")
			}
		})
	}
}

func TestConformSilentServer(t *testing.T) {
	code, out, _ := conformRun(t, nil, "--only", "1.*", "--timeout", "200ms",
		conformServer{silent: true}.start(t))
	for _, part := range []string{
		"is this an endpoint that echoes? curfewd is one with --subprotocol curfew.raw.",
		"because   the server sent nothing more", "0 passed, 16 failed",
	} {
		if code != 1 || !strings.Contains(out, part) {
			t.Errorf("exit %d, output:\n%s\nlacks %q", code, out, part)
		}
	}
}

// TestConformManyFailures: more than a screen of failures is shown in full only when asked for.
func TestConformManyFailures(t *testing.T) {
	url := conformServer{silent: true}.start(t)
	args := []string{"--only", "6.[56].*", "--timeout", "100ms", "--parallel", "64"}
	for flag, want := range map[string]int{"--cut-each=false": 16, "--verbose": 16} {
		_, out, _ := conformRun(t, nil, slices.Concat(args, []string{flag, url})...)
		if n := strings.Count(out, "\n           because "); n != want {
			t.Errorf("%s: %d failures in full, want %d:\n%s", flag, n, want, out)
		}
	}
	args[1] = "6.1?.*"
	_, out, _ := conformRun(t, nil, append(args, url)...)
	if n := strings.Count(out, "\n           because "); n != inFullMax ||
		!strings.Contains(out, "(--verbose shows the last ") {
		t.Errorf("%d failures in full, want %d and a word on the rest:\n%s", n, inFullMax, out)
	}
}

// TestConformInterrupted: what was judged until then is shown and written.
func TestConformInterrupted(t *testing.T) {
	signals := make(chan os.Signal, 1)
	var opened atomic.Int32
	var once sync.Once
	url := conformServer{opened: func(r *http.Request) {
		if opened.Add(1) < 8 { // Two look whether there is a server.
			return
		}
		once.Do(func() { signals <- os.Interrupt })
		<-r.Context().Done()
	}}.start(t)
	file := filepath.Join(t.TempDir(), "report.json")
	code, out, errs := conformRun(t, signals, "--only", "1.*", "--parallel", "1",
		"--timeout", "10s", "--json", file, url)
	if code != 130 || errs != "" ||
		!strings.Contains(out, "5 passed, 0 failed, 0 skipped in") ||
		!strings.Contains(out, "(interrupted: 5 of 16 cases ran)") {
		t.Errorf("exit %d, %q, output:\n%s", code, errs, out)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Cases  []struct{ ID, Result string }
		Passed int
	}
	if err := json.Unmarshal(b, &got); err != nil || len(got.Cases) != 5 || got.Passed != 5 {
		t.Errorf("report: %v\n%s", err, b)
	}
	signals <- os.Interrupt
	silent := speechless(t)
	code, out, errs = conformRun(t, signals, "--timeout", "10s", silent)
	if code != 130 || out != "" || !strings.Contains(errs, "interrupted before the first case") {
		t.Errorf("exit %d, %q, stderr %q, want 130", code, out, errs)
	}
}

// speechless is the URL of a server that accepts and never says a word.
func speechless(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return "ws://" + l.Addr().String() + "/"
}

func TestConformTLS(t *testing.T) {
	s := httptest.NewTLSServer(conformServer{})
	t.Cleanup(s.Close)
	s.Config.ErrorLog = nil
	url := "wss" + strings.TrimPrefix(s.URL, "https") + "/echo"
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{
		Type: "CERTIFICATE", Bytes: s.Certificate().Raw,
	}), 0o600); err != nil {
		t.Fatal(err)
	}
	other := strings.Replace(url, "127.0.0.1", "localhost", 1)
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{url}, 2, "--ca FILE trusts whoever does, --insecure trusts anybody"},
		{[]string{"--ca", ca, url}, 0, "16 passed"},
		{[]string{"--insecure", url}, 0, "16 passed"},
		{[]string{"--ca", ca, other}, 2, "use the name that the certificate is for"},
		{[]string{"ws" + strings.TrimPrefix(url, "wss")}, 2, "it wants TLS, so try wss://"},
		{
			[]string{"wss" + strings.TrimPrefix(conformServer{}.start(t), "ws")},
			2,
			"does not speak TLS: use ws://",
		},
	} {
		code, out, errs := conformRun(t, nil, append([]string{"--only", "1.*"}, tt.args...)...)
		if code != tt.code || !strings.Contains(out+errs, tt.want) {
			t.Errorf("%v: exit %d, %s%s, want %d and %q", tt.args, code, out, errs, tt.code,
				tt.want)
		}
	}
}

// TestConformHandshake: header fields, the token and the subprotocol reach the server, and no
// output shows what may be a secret.
func TestConformHandshake(t *testing.T) {
	var seen sync.Map
	url := conformServer{protocol: "chat", opened: func(r *http.Request) {
		for name, values := range r.Header {
			seen.Store(name+": "+values[0], true)
		}
		seen.Store("Host: "+r.Host, true)
	}}.start(t)
	code, out, errs := conformRun(t, nil, "--only", "2.*", "--verbose", "--json", "-",
		"--subprotocol", "talk, chat", "--token", "hidden", "--header", "X-Key: hidden",
		"--header", "Host: echo.example.org", url+"?key=hidden")
	if code != 1 || strings.Contains(out+errs, "hidden") {
		t.Errorf("exit %d, output:\n%s%s", code, out, errs)
	}
	if !strings.Contains(out, "?key=xxxxx") {
		t.Errorf("the report lacks the server's URL: %s", out)
	}
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errs = conformRun(t, nil, "--only", "2.1", "--subprotocol", "chat", "--token-file",
		file, url)
	if code == exitUsage {
		t.Errorf("exit %d with a file of tokens, output:\n%s%s", code, out, errs)
	}
	for _, want := range []string{
		"Authorization: Bearer secret", "Authorization: Bearer hidden", "X-Key: hidden",
		"Host: echo.example.org",
		"Sec-Websocket-Protocol: talk, chat",
	} {
		if _, ok := seen.Load(want); !ok {
			t.Errorf("no handshake had %q", want)
		}
	}
}

func TestConformList(t *testing.T) {
	code, out, errs := conformRun(t, nil, "--list")
	if code != 0 || errs != "" || !strings.HasSuffix(out, "\n576 cases\n") {
		t.Errorf("exit %d, %q, output:\n%s", code, errs, out)
	}
	_, out, _ = conformRun(t, nil, "--list", "--only", "3.[67]")
	const want = `3 reserved bits
  3.6      a ping with RSV 6 is refused (RFC 6455, 5.2)
  3.7      a close frame with RSV 7 is refused (RFC 6455, 5.2)
2 cases
`
	if out != want {
		t.Errorf("output:\n%s\nwant:\n%s", out, want)
	}
}

// TestFolded: a whole section or group is one glob, a part of one is not.
func TestFolded(t *testing.T) {
	for _, tt := range []struct{ ids, want string }{
		{"2.1", "2.1"},
		{"10.1.1", "10.1.1"},
		{"7.13.1 7.13.2", "7.13.*"},
		{"7.13.1 7.9.1 7.9.2", "7.13.1 7.9.1 7.9.2"},
		{"3.1 3.2 3.3 3.4 3.5 3.6 3.7 4.1.1", "3.* 4.1.1"},
	} {
		if got := folded(strings.Fields(tt.ids)); fmt.Sprint(got) != "["+tt.want+"]" {
			t.Errorf("folded(%s) = %v, want %s", tt.ids, got, tt.want)
		}
	}
}
