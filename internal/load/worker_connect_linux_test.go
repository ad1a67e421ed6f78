package load

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/curfew-go/curfew/internal/load/result"
)

// switched is how the answer to an upgrade begins, with two spellings that are allowed.
const switched = "HTTP/1.1 101 x\r\nUPGRADE: WebSocket\r\nConnection: keep-alive, Upgrade\r\n"

// head answers the upgrade by some bytes, and hangs up when the client does.
func head(answer string) func(c *guest) {
	return func(c *guest) {
		if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil && c.send([]byte(answer)) {
			c.swallow()
		}
	}
}

// TestWorker_ConnectFaults has servers refuse all connections, in every way.
func TestWorker_ConnectFaults(t *testing.T) {
	t.Parallel()
	failed := func(why string) counts { return counts{"failed": 2, "error " + why: 2} }
	nothing := func(t testing.TB, o *outcome) {
		t.Helper()
		r := result.Of(o.part)
		if r.Judge(0); r.ExitCode != result.ExitUsage {
			t.Errorf("exit %d for %q, want %d", r.ExitCode, r.Broken, result.ExitUsage)
		}
	}
	scenarios := []scenario{
		{name: "503", want: failed("upgrade_503"), talk: head("HTTP/1.1 503 No\r\n\r\n")},
		{name: "200", want: failed("upgrade_200"), talk: head("HTTP/1.1 200\r\n\r\n")},
		{
			name: "HTTP/1.0", want: failed("upgrade_101"),
			talk: head("HTTP/1.0 101 x\r\n\r\n"),
		},
		{
			name: "garbage", want: failed("upgrade_answered_by_no_http"),
			talk: head("SSH-2.0-OpenSSH_9\r\n\r\n"),
		},
		{
			name: "too long", want: failed("upgrade_answer_too_long"),
			talk: head("HTTP/1.1 101 x\r\nA: " + strings.Repeat("x", 20000)),
		},
		{
			name: "key", want: failed("wrong_accept_key"),
			talk: head(switched + "Sec-WebSocket-Accept: x\r\n\r\n"),
		},
		{name: "no key", want: failed("wrong_accept_key"), talk: head(switched + "\r\n")},
		{
			name: "upgraded to something", want: failed("upgrade_to_something_else"),
			talk: head("HTTP/1.1 101 x\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n"),
		},
		{
			name: "not upgraded", want: failed("connection_not_upgraded"),
			talk: head("HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: close\r\n\r\n"),
		},
		{
			name: "extension", want: failed("extension_not_offered"),
			talk: head(switched + "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"),
		},
		{name: "hung up on", want: failed("upgrade_eof"), talk: func(c *guest) {
			_, _ = http.ReadRequest(bufio.NewReader(c))
		}},
		{name: "reset", want: failed("econnreset"), talk: func(c *guest) {
			_, _ = http.ReadRequest(bufio.NewReader(c))
			c.reset()
		}},
		{
			name: "no subprotocol", want: failed("wrong_subprotocol"),
			plan: Plan{Protocol: SpeakRaw},
			talk: func(c *guest) { _, _ = new(ws.Upgrader).Upgrade(c.Conn); c.swallow() },
		},
		{
			name: "another subprotocol", want: failed("wrong_subprotocol"),
			plan: Plan{Subprotocol: "a, b"},
			talk: func(c *guest) {
				u := ws.Upgrader{ProtocolCustom: func([]byte) (string, bool) { return "c", true }}
				_, _ = u.Upgrade(c.Conn)
				c.swallow()
			},
		},
		{
			name: "hello refused", plan: Plan{Protocol: SpeakJSON},
			want: failed("hello_session_limit"),
			talk: answers(func(*guest, int, []byte) []byte {
				return text(`{"op":"hello_ack","ok":false,"error":"session_limit"}`)
			}),
		},
		{
			name: "closed in place of a welcome", plan: Plan{Protocol: SpeakJSON},
			want: failed("eof"),
			talk: answers(func(*guest, int, []byte) []byte { return nil }),
		},
	}
	for i := range scenarios {
		scenarios[i].check = nothing
	}
	// One of two is refused, and the other goes on.
	scenarios = append(scenarios, scenario{
		name: "one of two", want: counts{
			"connected": 1, "failed": 1, "error upgrade_503": 1,
			"sent": 25, "received": 25,
		},
		talk: func(c *guest) {
			if c.number == 0 {
				head("HTTP/1.1 503 No\r\n\r\n")(c)
				return
			}
			goodTalk(c)
		},
		check: func(t testing.TB, o *outcome) {
			t.Helper()
			r := result.Of(o.part)
			if r.Judge(0); r.ExitCode != result.ExitBroken && r.ExitCode != result.ExitSchedule {
				t.Errorf("exit %d for %q", r.ExitCode, r.Broken)
			}
		},
	}, scenario{
		name: "in pieces", want: counts{"connected": 2, "sent": 25, "received": 25},
		talk: func(c *guest) {
			c.Conn = &slowWriter{Conn: c.Conn}
			goodTalk(c)
		},
	})
	runAll(t, scenarios)
}

// slowWriter writes every byte by itself.
type slowWriter struct{ net.Conn }

func (w *slowWriter) Write(b []byte) (n int, err error) {
	for n < len(b) && err == nil {
		_, err = w.Conn.Write(b[n : n+1])
		n++
	}
	return n, err
}

func TestWorker_NobodyListens(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	const want = 4
	for _, profile := range []Profile{ProfileEcho, ProfileChurn, ProfileReconnect} {
		s := scenario{plan: Plan{Profile: profile, Connections: want}}
		o := s.run(t.Context(), s.planFor("ws://"+l.Addr().String()+"/"))
		s.want = counts{"failed": want, "error econnrefused": want}
		s.judge(t, o)
	}
}

// TestWorker_WhoMakesNone holds that a process without a share of the connections ends.
func TestWorker_WhoMakesNone(t *testing.T) {
	t.Parallel()
	runAll(t, []scenario{{
		name: "none", plan: Plan{Connections: 1, Processes: 2, Process: 1}, talk: goodTalk,
	}})
}

// TestWorker_SlowWelcome has a server welcome nobody before all are there.
func TestWorker_SlowWelcome(t *testing.T) {
	t.Parallel()
	const n = 5
	all := make(chan struct{}, n)
	runAll(t, []scenario{{
		name: "slow", plan: Plan{Connections: n},
		want: counts{"connected": n, "sent": 25, "received": 25},
		talk: func(c *guest) {
			if c.number < n-1 {
				<-all
			} else {
				for range n - 1 {
					all <- struct{}{}
				}
			}
			goodTalk(c)
		},
		check: func(t testing.TB, o *outcome) {
			t.Helper()
			if c := o.part.Connect; c.Latency.Count() != n || c.TCP.Count() != n ||
				c.Upgrade.Count() != n {
				t.Errorf("%d, %d and %d latencies of %d", c.Latency.Count(), c.TCP.Count(),
					c.Upgrade.Count(), n)
			}
		},
	}})
}

// TestWorker_Asks holds that the upgrade has what the plan says.
func TestWorker_Asks(t *testing.T) {
	t.Parallel()
	asked := make(chan *http.Request, 1)
	runAll(t, []scenario{{
		name: "asks",
		plan: Plan{
			Connections: 1, Protocol: SpeakRaw, Token: "secret", Subprotocol: "a, b",
			Header: http.Header{"X-Y": {"1", "2"}, "Host": {"example.test"}},
		},
		want: counts{"failed": 1, "error upgrade_eof": 1},
		talk: func(c *guest) {
			if r, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
				asked <- r
			}
		},
	}})
	r := <-asked
	if r.Host != "example.test" || r.URL.Path != "/ws" || len(r.Header["X-Y"]) != 2 ||
		r.Header.Get("Authorization") != "Bearer secret" ||
		r.Header.Get("Sec-WebSocket-Protocol") != "a, b" {
		t.Errorf("asked for %s of %s with %v", r.URL, r.Host, r.Header)
	}
}

func TestWorker_IPv6(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skip("no IPv6 here")
	}
	l.Close()
	server := serveFaulty(t, "[::1]:0", nil, goodTalk)
	s := scenario{want: counts{"connected": 2, "sent": 25, "received": 25}}
	steadily(t, func(t testing.TB) {
		t.Helper()
		s.judge(t, s.run(t.Context(), s.planFor(server.url)))
	})
}

// TestWorker_SourceThatCannotBe has connections come from where this machine is not.
func TestWorker_SourceThatCannotBe(t *testing.T) {
	t.Parallel()
	s := scenario{plan: Plan{Sources: nowhere(), Connections: 3}}
	server := serveFaulty(t, "127.0.0.1:0", nil, goodTalk)
	s.want = counts{"failed": 3, "error eaddrnotavail": 3}
	s.judge(t, s.run(t.Context(), s.planFor(server.url)))
}

// interrupt is how a run is stopped early.
type interrupt struct {
	scenario
	stop func(cancel func()) func(c *guest) // the server, which stops it at some point
}

// TestWorker_Interrupted stops runs in each of their phases: the ledger adds up, what was counted
// is kept, and nothing is charged to the server that had no time to do it.
func TestWorker_Interrupted(t *testing.T) {
	t.Parallel()
	for _, s := range []interrupt{
		{scenario{name: "connect", want: counts{}}, func(cancel func()) func(*guest) {
			return func(c *guest) { cancel(); c.swallow() }
		}},
		{
			scenario{name: "wait", wait: time.Hour, want: counts{"connected": 2}},
			func(cancel func()) func(*guest) {
				return func(c *guest) {
					if c.upgrade() && c.number == 1 {
						cancel()
					}
					c.echo()
				}
			},
		},
		{
			scenario{
				name: "wait with a keep-alive in flight", wait: time.Hour,
				plan: Plan{ExpectIdle: 300 * time.Millisecond, Connections: 1},
				want: counts{"connected": 1},
			},
			func(cancel func()) func(*guest) {
				return answers(func(*guest, int, []byte) []byte { cancel(); return []byte{} })
			},
		},
		{
			scenario{
				name: "run", plan: Plan{Duration: time.Hour},
				want: counts{"sent": some, "received": some, "connected": 2},
			},
			func(cancel func()) func(*guest) {
				return answers(func(_ *guest, nth int, m []byte) []byte {
					if nth == 5 {
						cancel()
					}
					return echo(m)
				})
			},
		},
		{
			scenario{
				name: "idle", plan: Plan{Profile: ProfileIdle, ExpectIdle: time.Hour},
				want: counts{"connected": 2},
			},
			func(cancel func()) func(*guest) {
				return func(c *guest) {
					if c.upgrade() && c.number == 1 {
						cancel()
					}
					c.echo()
				}
			},
		},
		{
			scenario{
				// On a busy machine it is interrupted before the first message is sent.
				name: "slow reader", want: counts{
					"connected": 2, "injected": 1, "held": 1, "sent": anyNumber,
					"received": anyNumber, "flooded": some, "unsent": anyNumber,
				},
				plan: Plan{Profile: ProfileSlowReader, Duration: time.Hour},
			},
			func(cancel func()) func(*guest) {
				return answers(func(_ *guest, nth int, m []byte) []byte {
					if nth == 5 {
						cancel()
					}
					return echo(m)
				})
			},
		},
		{
			scenario{
				name: "reconnect", want: counts{
					"connected": some, "sent": some, "received": some, "dropped": some,
				},
				plan: Plan{Profile: ProfileReconnect, Duration: time.Hour, Connections: 20},
			},
			func(cancel func()) func(*guest) {
				return answers(func(c *guest, _ int, m []byte) []byte {
					if c.number == 22 {
						cancel()
					}
					return echo(m)
				})
			},
		},
	} {
		t.Run(s.name, func(t *testing.T) { steadily(t, s.test) })
	}
}

func (s *interrupt) test(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	server := serveFaulty(t, "127.0.0.1:0", nil, s.stop(cancel))
	done := make(chan *outcome, 1)
	go func() { done <- s.run(ctx, s.planFor(server.url)) }()
	var o *outcome
	select {
	case o = <-done:
	case <-time.After(20 * time.Second):
		cancel()
		s.judge(t, <-done)
		t.Fatal("it did not come so far within 20 seconds")
	}
	s.judge(t, o)
	if o.part == nil || !o.part.Interrupted {
		t.Error("the part does not say that it was interrupted")
	}
}

// files is how many descriptors this process has.
func files(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("no /proc")
	}
	return len(all)
}

// TestWorker_LeavesNothing holds that no descriptor and no goroutine is left after a run. It does
// not run beside others.
func TestWorker_LeavesNothing(t *testing.T) {
	certificate, roots := certify(t)
	for name, s := range map[string]scenario{
		"echo":   {talk: goodTalk},
		"tls":    {talk: goodTalk, plan: Plan{Roots: roots}},
		"failed": {talk: head("HTTP/1.1 503 No\r\n\r\n")},
		"tls is not spoken": {
			talk: func(c *guest) { c.swallow() }, plan: Plan{Address: "x", Roots: roots},
		},
		"churn":     {talk: goodTalk, plan: Plan{Profile: ProfileChurn, Rate: 1000}},
		"reconnect": {talk: goodTalk, plan: Plan{Profile: ProfileReconnect, Connections: 40}},
	} {
		before, routines := files(t), runtime.NumGoroutine()
		server := serveFaulty(t, "127.0.0.1:0", nil, s.talk)
		url := server.url
		if s.plan.Roots != nil {
			server.stop()
			server = serveFaulty(t, "127.0.0.1:0", certificate, s.talk)
			url = server.url
		}
		if s.plan.Address != "" { // one that speaks no TLS
			server.stop()
			server = serveFaulty(t, "127.0.0.1:0", nil, s.talk)
			url, s.plan.Address = "wss"+server.url[2:], ""
		}
		ctx, cancel := context.WithCancel(t.Context())
		if url != server.url { // it would wait for a long time
			go func() {
				waitFor(t, "connections", func() bool { return server.accepted() == 2 })
				cancel()
			}()
		}
		done := make(chan *outcome, 1)
		go func() { done <- s.run(ctx, s.planFor(url)) }() // its thread ends with it
		o := <-done
		cancel()
		if o.err != nil {
			t.Errorf("%s: %v", name, o.err)
		}
		server.stop()
		waitFor(t, name+": the descriptors", func() bool { return files(t) <= before })
		waitFor(t, name+": the goroutines", func() bool {
			return runtime.NumGoroutine() <= routines
		})
	}
}

// waitFor waits for something that will be so soon.
func waitFor(t *testing.T, what string, so func() bool) {
	t.Helper()
	for range 3000 {
		if so() {
			return
		}
		select {
		case <-t.Context().Done():
			return
		case <-time.After(time.Millisecond):
		}
	}
	t.Errorf("%s: it does not come to that", what)
}
