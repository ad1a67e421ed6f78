package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-go/curfew/engine"
	"github.com/curfew-go/curfew/internal/backend"
	"github.com/curfew-go/curfew/internal/netloop"
	"github.com/curfew-go/curfew/internal/netloop/netlooptest"
)

const idle = 5 * time.Minute

// tick is the table's default, and late is how late fake time may end a session.
const (
	tick = 10 * time.Millisecond
	late = 2 * tick
)

func raw() string { return "Sec-WebSocket-Protocol: curfew.raw" }

// wantPassed says how long something took in fake time: not less, and hardly more.
func wantPassed(t *testing.T, start time.Time, want time.Duration) {
	t.Helper()
	wantPassedWithin(t, start, want, late)
}

func wantPassedWithin(t *testing.T, start time.Time, want, late time.Duration) {
	t.Helper()
	if d := time.Since(start); d < want || d > want+late {
		t.Errorf("it took %v, want %v and at most %v more", d, want, late)
	}
}

// TestHello_Refusals has the first frame and what it leads to.
func TestHello_Refusals(t *testing.T) {
	var tokens Tokens
	tokens.Set([]string{"one", "two"})
	for _, c := range []struct{ first, name, closed string }{
		{`{"op":"hello"`, "invalid_hello", "close 4000 invalid_hello"},
		{`hello`, "invalid_hello", "close 4000 invalid_hello"},
		{`[{"op":"hello"}]`, "invalid_hello", "close 4000 invalid_hello"},
		{`{"token":"one"}`, "invalid_hello", "close 4000 invalid_hello"},
		{`{"op":null}`, "invalid_hello", "close 4000 invalid_hello"},
		{`{"op":"hello","token":1}`, "invalid_hello", "close 4000 invalid_hello"},
		{`{"op":"hello","want":[]}`, "invalid_hello", "close 4000 invalid_hello"},
		{`{"op":"hello","want":{"resume":1}}`, "invalid_hello", "close 4000 invalid_hello"},
		{`{"op":"hello","want":{"expiring":"yes"}}`, "invalid_hello", "close 4000 invalid_hello"},
		{`{"op":"hello","want":{"idle_s":"5"}}`, "invalid_hello", "close 4000 invalid_hello"},
		{`{"op":"hello","want":{"idle_s":0}}`, "invalid_hello", "close 4000 invalid_hello"},
		{`{"op":"hello","want":{"idle_s":-5}}`, "invalid_hello", "close 4000 invalid_hello"},
		{`{"op":"hello","resume":"T"}`, "invalid_hello", "close 4000 invalid_hello"},
		{`{"op":"hello","resume":{"token":7}}`, "invalid_hello", "close 4000 invalid_hello"},
		{
			`{"op":"hello","resume":{"token":"T","seq":"1"}}`,
			"invalid_hello", "close 4000 invalid_hello",
		},
		{`{"op":"ping"}`, "missing_hello", "close 4001 missing_hello"},
		{`{"op":"message","data":1}`, "missing_hello", "close 4001 missing_hello"},
		{`{"op":"hello"}`, "unauthorized", "close 4003 unauthorized"},
		{`{"op":"hello","token":"three"}`, "unauthorized", "close 4003 unauthorized"},
		{
			`{"op":"hello","token":"two","resume":{"token":"T","seq":0}}`,
			"resume_unknown", "close 4203 resume_unknown",
		},
	} {
		bubble(t, Options{Tokens: &tokens}, func(w *world) {
			t := w.t
			client := w.upgrade()
			client.Text(c.first)
			client.Want(`text {"op":"hello_ack","ok":false,"error":"`+c.name+`"}`, c.closed)
			client.Text(`{"op":"hello","token":"one"}`) // too late
			client.Close(1000)
			client.Want("eof")
			w.want(t, 0, "")
		})
	}
}

func TestHello_TimesOut(t *testing.T) {
	bubble(t, Options{}, func(w *world) {
		t := w.t
		start := time.Now()
		c := w.upgrade()
		c.Want("close 4002 no hello") // and no frame before it
		wantPassed(t, start, 15*time.Second)
	})
}

func TestBinaryWhereJSONIsSpoken(t *testing.T) {
	bubble(t, Options{}, func(w *world) {
		t := w.t
		first := w.upgrade()
		first.Binary([]byte("{}"))
		first.Want("close 1003 JSON in text frames is spoken here")
		c, _ := w.hello("")
		c.Binary([]byte(`{"op":"ping"}`))
		c.Want("close 1003 JSON in text frames is spoken here")
		w.want(t, 1, ReasonPolicy)
	})
}

func TestTokens(t *testing.T) {
	var tokens Tokens
	tokens.Set([]string{"one", "two"})
	bubble(t, Options{Tokens: &tokens}, func(w *world) {
		t := w.t
		w.hello(`,"token":"one"`)
		w.hello(`,"token":"t\u0077o"`)
		w.upgrade(raw(), "Authorization: bearer two")
		for _, header := range []string{
			"X: y", "Authorization: Bearer three", "Authorization: Basic two",
		} {
			r := w.dial().Upgrade("/ws", raw(), header)
			if r.StatusCode != 401 || r.Header.Get("WWW-Authenticate") != "Bearer" {
				t.Errorf("%s: %s", header, r.Status)
			}
		}
		tokens.Set([]string{"three"})
		w.upgrade(raw(), "Authorization: Bearer three")
		c := w.upgrade()
		c.Text(`{"op":"hello","token":"one"}`)
		c.Want(`text {"op":"hello_ack","ok":false,"error":"unauthorized"}`,
			"close 4003 unauthorized")
	})
	if !new(Tokens).Allow("") {
		t.Error("without tokens somebody is asked for one")
	}
}

// TestExpiry_ToldAndClosedAtItsTimeAndNotBefore has one client that talks and one that does not.
func TestExpiry_ToldAndClosedAtItsTimeAndNotBefore(t *testing.T) {
	for wheel, late := range map[engine.WheelKind]time.Duration{
		engine.WheelNative: late, engine.WheelRussellLuo: 2 * late, // the latter promises no bound
	} {
		bubble(t, Options{Wheel: wheel}, func(w *world) {
			t := w.t
			start := time.Now()
			silent, silentID := w.hello("")
			talker, talkerID := w.hello("")
			var talked sync.WaitGroup
			talked.Go(func() {
				for range 10 {
					time.Sleep(idle - time.Second)
					talker.Text(`{"op":"ping"}`)
					if got := talker.Next(); !strings.HasPrefix(got, `text {"op":"pong"`) {
						t.Errorf("the talker is told %s", got)
					}
				}
			})
			silent.Want(`text {"op":"session_expired","session_id":"`+silentID+`","reason":"idle"}`,
				"close 4200 session idle")
			wantPassedWithin(t, start, idle, late)
			w.want(t, 1, ReasonIdle)
			talked.Wait()
			talker.Want(`text {"op":"session_expired","session_id":"`+talkerID+`","reason":"idle"}`,
				"close 4200 session idle")
			wantPassedWithin(t, start, 10*(idle-time.Second)+idle, late)
			w.want(t, 2, ReasonIdle)
		})
	}
}

// TestExpiry_WhatTouches sends one kind of frame shortly before the end.
func TestExpiry_WhatTouches(t *testing.T) {
	for _, c := range []struct {
		name    string
		touchOn TouchOn
		send    []byte
		want    bool
	}{
		{"ping", TouchMessage, text(`{"op":"ping"}`), true},
		{"health", TouchMessage, text(`{"op":"health"}`), true},
		{"unknown op", TouchMessage, text(`{"op":"call_tool"}`), true},
		{"bad JSON", TouchMessage, text(`{`), true},
		{"session_info", TouchMessage, text(`{"op":"session_info"}`), false},
		{"ack", TouchMessage, text(`{"op":"ack","seq":1}`), false},
		{"WebSocket ping", TouchMessage, netlooptest.Frame(netlooptest.OpPing, true, nil), false},
		{"WebSocket ping", TouchAny, netlooptest.Frame(netlooptest.OpPing, true, nil), true},
		{"half a message", TouchMessage, netlooptest.Frame(netlooptest.OpText, false, nil), false},
	} {
		bubble(t, Options{TouchOn: c.touchOn}, func(w *world) {
			t := w.t
			start := time.Now()
			client, _ := w.hello("")
			time.Sleep(idle - time.Second)
			client.Write(c.send)
			for !strings.HasPrefix(client.Next(), "close 4200") {
			}
			want := idle
			if c.want {
				want += idle - time.Second
			}
			if d := time.Since(start); d < want || d > want+late {
				t.Errorf("%s (touch on %d): expired after %v, want %v", c.name, c.touchOn, d, want)
			}
		})
	}
}

func text(s string) []byte { return netlooptest.Frame(netlooptest.OpText, true, []byte(s)) }

func TestExpiry_Lifetime(t *testing.T) {
	bubble(t, Options{MaxLifetime: 12 * time.Minute}, func(w *world) {
		t := w.t
		start := time.Now()
		c, id := w.hello("")
		r := w.upgrade(raw())
		for range 5 {
			time.Sleep(2 * time.Minute)
			c.Text(`{"op":"ping"}`)
			c.Next()
			r.Text("x")
			r.Want("text x")
		}
		c.Want(`text {"op":"session_expired","session_id":"`+id+`","reason":"lifetime"}`,
			"close 4201 session lifetime")
		wantPassed(t, start, 12*time.Minute)
		r.Want("close 4201 session lifetime")
		w.want(t, 2, ReasonLifetime)
	})
}

// TestGrace_WarnsAndRevives lets a session fall into its grace twice.
func TestGrace_WarnsAndRevives(t *testing.T) {
	bubble(t, Options{Grace: time.Minute}, func(w *world) {
		t := w.t
		start := time.Now()
		unwarned, _ := w.hello("")
		c, _ := w.hello(`,"want":{"expiring":true}`)
		warned := c.Next()
		wantPassed(t, start, idle)
		var frame struct {
			Op     string `json:"op"`
			InMS   int    `json:"in_ms"`
			Reason string `json:"reason"`
		}
		err := json.Unmarshal([]byte(strings.TrimPrefix(warned, "text ")), &frame)
		if err != nil || frame.Op != "session_expiring" || frame.Reason != "idle" ||
			frame.InMS > 60_000 || frame.InMS < 59_900 {
			t.Fatalf("warned with %s", warned)
		}
		time.Sleep(30 * time.Second)
		c.Text(`{"op":"session_info"}`) // looks and does not touch
		if got := c.Next(); !strings.Contains(got, `"state":"grace"`) {
			t.Errorf("in grace session_info is %s", got)
		}
		revived := time.Now()
		c.Text(`{"op":"message","data":1}`)
		c.Want(`text {"op":"message_res","data":1}`)
		if got := unwarned.Next(); !strings.Contains(got, `"session_expired"`) {
			t.Errorf("who did not ask for a warning is told %s", got)
		}
		wantPassed(t, start, idle+time.Minute)
		if got := c.Next(); !strings.Contains(got, `"session_expiring"`) {
			t.Errorf("the revived session is told %s", got)
		}
		wantPassed(t, revived, idle)
		if got := c.Next(); !strings.Contains(got, `"session_expired"`) {
			t.Errorf("the session is told %s", got)
		}
		wantPassed(t, revived, idle+time.Minute)
	})
}

func TestWantIdle(t *testing.T) {
	bubble(t, Options{}, func(w *world) {
		t := w.t
		for give, want := range map[string]time.Duration{
			"90": 90 * time.Second, "2.5": 2500 * time.Millisecond, "1e300": idle, "300": idle,
			"100000": idle,
		} {
			start := time.Now()
			c := w.upgrade()
			c.Text(`{"op":"hello","want":{"idle_s":` + give + `}}`)
			end := fmt.Sprintf(`"idle_s":%v}`, want.Seconds())
			if got := c.Next(); !strings.HasSuffix(got, end) {
				t.Errorf("idle_s %s is answered by %s, want %s", give, got, end)
			}
			c.Next()
			c.Want("close 4200 session idle")
			wantPassed(t, start, want)
		}
	})
}

// TestSessionLimit fills the table and shows that each way of ending makes room at once.
func TestSessionLimit(t *testing.T) {
	bubble(t, Options{MaxSessions: 2}, func(w *world) {
		t := w.t
		full := func() {
			t.Helper()
			c := w.upgrade()
			c.Text(`{"op":"hello"}`)
			c.Want(`text {"op":"hello_ack","ok":false,"error":"session_limit","retry_after":5}`,
				"close 4302 session_limit")
			r := w.dial().Upgrade("/ws", raw())
			if r.StatusCode != http.StatusServiceUnavailable || r.Header.Get("Retry-After") != "5" {
				t.Errorf("full: %s, Retry-After %q", r.Status, r.Header.Get("Retry-After"))
			}
		}
		a, _ := w.hello("")
		b, _ := w.hello("")
		full()
		a.Text(`{"op":"bye"}`)
		a.Want("close 1000") // its connection is still there
		c := w.upgrade(raw())
		full()
		b.Close(1000)
		b.Want("close 1000")
		synctest.Wait() // it is answered before its session ends
		d, _ := w.hello("")
		full()
		if err := c.Conn.Close(); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		w.hello("")
		full()
		d.Next() // session_expired
		d.Want("close 4200 session idle")
		w.hello("")
	})
}

func TestEnds_HaveTheirReasons(t *testing.T) {
	for want, end := range map[Reason]func(c *netlooptest.Client){
		ReasonClosed: func(c *netlooptest.Client) { c.Close(1001) },
		ReasonLost:   func(c *netlooptest.Client) { _ = c.Conn.Close() },
		ReasonPolicy: func(c *netlooptest.Client) {
			c.Write(netlooptest.Frame(netlooptest.OpReserved, true, nil))
		},
		ReasonBye: func(c *netlooptest.Client) { c.Text(`{"op":"bye"}`) },
		ReasonSlow: func(c *netlooptest.Client) {
			message := netlooptest.Frame(netlooptest.OpText, true,
				[]byte(`{"op":"message","data":"`+strings.Repeat("x", 60_000)+`"}`))
			go func() { // more than may wait even before anything is written
				for range 12 {
					if _, err := c.Conn.Write(message); err != nil {
						return
					}
				}
			}()
		},
	} {
		bubble(t, Options{}, func(w *world) {
			t := w.t
			c, _ := w.hello("")
			end(c)
			synctest.Wait()
			w.want(t, 1, want)
		})
	}
	o := Options{}
	o.Net.PingInterval = 30 * time.Second
	bubble(t, o, func(w *world) {
		t := w.t
		c, _ := w.hello("")
		c.Want("ping", "close 4102 no pong")
		synctest.Wait() // until Closed was called
		w.want(t, 1, ReasonLost)
	})
}

// failing is an application that does not work.
type failing struct{ backend.Echo }

func (failing) Message(
	context.Context, backend.Session, backend.Message,
) (backend.Message, error) {
	return backend.Message{}, errors.New("out of order")
}

func TestBackend_Fails(t *testing.T) {
	bubble(t, Options{Backend: failing{}}, func(w *world) {
		c, _ := w.hello("")
		c.Text(`{"op":"message","data":1,"request_id":7}`)
		c.Want(`text {"op":"error","error":{"code":"INTERNAL_ERROR",` +
			`"message":"the application failed"},"request_id":7}`)
		c.Text(`{"op":"ping"}`) // the session goes on
		c.Next()
		r := w.upgrade(raw())
		r.Text("x")
		r.Want("close 1011 the application failed")
	})
}

// TestStorm has many sessions fall due together: each client is told once, and late by little.
func TestStorm(t *testing.T) {
	bubble(t, Options{}, func(w *world) {
		t := w.t
		const n = 500
		start := time.Now()
		var told sync.WaitGroup
		for range n {
			c, id := w.hello("")
			told.Go(func() {
				c.Want(`text {"op":"session_expired","session_id":"`+id+`","reason":"idle"}`,
					"close 4200 session idle", "eof")
			})
		}
		told.Wait()
		wantPassed(t, start, idle+5*time.Second) // nobody answers the close frame
		w.want(t, n, ReasonIdle)
	})
}

// TestEnds_OnceHoweverTheyRace ends sessions by time and by hand at the same moment.
func TestEnds_OnceHoweverTheyRace(t *testing.T) {
	bubble(t, Options{}, func(w *world) {
		t := w.t
		const n = 200
		var clients sync.WaitGroup
		for i := range n {
			c, _ := w.hello("")
			clients.Go(func() {
				go func() {
					for c.Next() != "eof" {
					}
				}()
				time.Sleep(idle + time.Duration(i%4-1)*tick)
				if i%2 == 0 {
					_ = c.Conn.Close()
				} else {
					_, _ = c.Conn.Write(text(`{"op":"bye"}`))
				}
			})
		}
		clients.Wait()
		synctest.Wait()
		w.mu.Lock()
		last := w.last
		w.mu.Unlock()
		w.want(t, n, last)
		if s := w.Stats(); s.Live != 0 || s.Ended != n {
			t.Errorf("%d live, %d ended, want 0 and %d", s.Live, s.Ended, n)
		}
	})
}

func TestLogs_NoSummaryOfTheTable(t *testing.T) {
	var log strings.Builder
	o := Options{Logger: slog.New(slog.NewTextHandler(&log, nil)).With("a", 1).WithGroup("g")}
	bubble(t, o, func(w *world) {
		c, _ := w.hello("")
		c.Next()
		c.Want("close 4200 session idle", "eof")
	})
	if log.Len() > 0 {
		t.Errorf("logged %s", log.String())
	}
}

func TestLogs_NoSecrets(t *testing.T) {
	var log strings.Builder
	var tokens Tokens
	tokens.Set([]string{"hunter2"})
	level := slog.HandlerOptions{Level: slog.LevelDebug}
	o := Options{Tokens: &tokens, Logger: slog.New(slog.NewTextHandler(&log, &level))}
	bubble(t, o, func(w *world) {
		t := w.t
		c, id := w.hello(`,"token":"hunter2"`)
		wrong := w.upgrade()
		wrong.Text(`{"op":"hello","token":"hunter3"}`)
		wrong.Next()
		c.Text(`{"op":"bye"}`)
		c.Want("close 1000")
		if !strings.Contains(log.String(), id) || !strings.Contains(log.String(), "unauthorized") {
			t.Errorf("at debug level the log is %s", log.String())
		}
	})
	if strings.Contains(log.String(), "hunter") {
		t.Errorf("a token is in the log: %s", log.String())
	}
}

func TestNew_NamesEveryBadOption(t *testing.T) {
	_, err := New(Options{
		Tick: time.Hour, Net: netloop.Options{Paths: []string{"/"}},
	})
	for _, want := range []string{"Tick", "HelloTimeout", "MaxMessageBytes"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New = %v, want it to name %s", err, want)
		}
	}
}
