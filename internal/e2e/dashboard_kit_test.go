//go:build e2e

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gorilla "github.com/gorilla/websocket"
)

// desk is a daemon with somebody at its dashboard.
type desk struct {
	*inspector
	program *program
	clients string // where they connect
	admin   string // where the operator's API is
}

// sitDown starts a daemon and opens its dashboard.
func sitDown(t *testing.T, args ...string) *desk {
	t.Helper()
	d := &desk{inspector: inspect(t)}
	d.serve(args...)
	d.show("light", 1280)
	d.open("http://" + d.admin + "/")
	return d
}

// serve starts a daemon.
func (d *desk) serve(args ...string) {
	d.t.Helper()
	d.program = start(d.t, stderr, slices.Concat([]string{
		curfewd, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--path", "/",
		"--log-format", "json",
		"--ping-interval", "10m", // visitors read, and so answer, when a test has them do so
	}, args)...)
	l := d.program.logged("listening")
	d.clients, d.admin = l.Address, l.Admin
}

// until waits until an expression is true in the page.
func (d *desk) until(expression string) {
	d.t.Helper()
	var got bool
	d.eval(fmt.Sprintf(`new Promise((r) => {
		const late = Date.now() + %d;
		const look = () => {
			let is = false;
			try { is = Boolean(%s); } catch {}
			if (is || Date.now() > late) r(is);
			else setTimeout(look, 30);
		};
		look();
	})`, (patience/2).Milliseconds(), expression), &got)
	if !got {
		d.look("failed-" + strings.ReplaceAll(d.t.Name(), "/", "-"))
		d.t.Fatalf("the page does not come to %s; it says:\n%s\n%s", expression,
			d.text("body"), strings.Join(d.complaints, "\n"))
	}
}

// says waits until what an element says matches a pattern, which means the same in Go and there.
func (d *desk) says(selector, pattern string) {
	d.t.Helper()
	d.until(fmt.Sprintf("new RegExp(%q).test(document.querySelector(%q).innerText)",
		pattern, selector))
}

// rows waits until so many sessions are listed.
func (d *desk) rows(n int) {
	d.t.Helper()
	d.until(fmt.Sprintf("document.querySelectorAll('#rows tr').length === %d", n))
}

// text is what an element says.
func (d *desk) text(selector string) (text string) {
	d.t.Helper()
	d.eval(fmt.Sprintf("document.querySelector(%q)?.innerText ?? '(none)'", selector), &text)
	return text
}

// click presses an element as a mouse does, so that whatever covers it would be pressed instead.
func (d *desk) click(selector string) {
	d.t.Helper()
	d.until(fmt.Sprintf("document.querySelector(%q)?.disabled !== true", selector))
	var at struct{ X, Y float64 }
	d.eval(fmt.Sprintf(`(() => {
		const e = document.querySelector(%q);
		e.scrollIntoView({ block: 'center' });
		const box = e.getBoundingClientRect();
		return { x: box.x + Math.min(box.width / 2, 40), y: box.y + box.height / 2 };
	})()`, selector), &at)
	for _, kind := range []string{"mouseMoved", "mousePressed", "mouseReleased"} {
		how := with{"type": kind, "x": at.X, "y": at.Y}
		if kind != "mouseMoved" {
			how["button"], how["clickCount"] = "left", 1
		}
		d.call("Input.dispatchMouseEvent", how, nil)
	}
	d.call("Input.dispatchMouseEvent", with{"type": "mouseMoved", "x": 1, "y": 1}, nil)
}

// enter puts text into a field, as if it were typed.
func (d *desk) enter(selector, text string) {
	d.t.Helper()
	d.eval(fmt.Sprintf("(() => { const e = document.querySelector(%q); e.focus(); e.select(); })()",
		selector), nil)
	d.call("Input.insertText", with{"text": text}, nil)
}

// press presses a key.
func (d *desk) press(key string) {
	d.t.Helper()
	code := map[string]int{"Enter": 13, "Escape": 27, "Tab": 9, "ArrowRight": 39}[key]
	how := with{"key": key, "code": key, "windowsVirtualKeyCode": code}
	if key == "Enter" {
		how["text"] = "\r"
	}
	for _, kind := range []string{"keyDown", "keyUp"} {
		how["type"] = kind
		d.call("Input.dispatchKeyEvent", how, nil)
	}
}

// choose picks an option.
func (d *desk) choose(selector, value string) {
	d.t.Helper()
	d.eval(fmt.Sprintf(`(() => {
		const e = document.querySelector(%q);
		e.value = %q;
		e.dispatchEvent(new Event('change', { bubbles: true }));
	})()`, selector, value), nil)
}

// tile is an expression for the number in a tile.
func tile(label string) string {
	return fmt.Sprintf(`Number([...document.querySelectorAll('#tiles div')].find(
		(d) => d.querySelector('dt').textContent === %q).querySelector('b').textContent
		.replace(/[^0-9.]/g, ''))`, label)
}

// quiet holds that the browser complained of nothing but what is expected, and asked nobody but
// the daemon.
func (d *desk) quiet(expected ...string) {
	d.t.Helper()
	for _, complaint := range d.complaints {
		if !slices.ContainsFunc(expected, func(e string) bool {
			return strings.Contains(complaint, e)
		}) {
			d.t.Errorf("the browser complains: %s", complaint)
		}
	}
	for _, address := range d.asked {
		if !strings.HasPrefix(address, "http://"+d.admin+"/") && address != "about:blank" {
			d.t.Errorf("the page asks %s", address)
		}
	}
}

// visitor is a client of a daemon.
type visitor struct {
	*gorilla.Conn
	t  *testing.T
	id string
}

// join connects a client and says hello.
func (d *desk) join(hello string) *visitor {
	d.t.Helper()
	c, _, err := gorilla.DefaultDialer.DialContext(d.t.Context(), "ws://"+d.clients+"/", nil)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { _ = c.Close() })
	m := &visitor{Conn: c, t: d.t}
	if err := c.WriteMessage(gorilla.TextMessage, []byte(hello)); err != nil {
		d.t.Fatal(err)
	}
	var ack struct {
		OK        bool
		SessionID string `json:"session_id"`
		Error     string
	}
	_ = c.SetReadDeadline(time.Now().Add(patience))
	if err := c.ReadJSON(&ack); err != nil || !ack.OK {
		d.t.Fatalf("hello: %v, %+v", err, ack)
	}
	m.id = ack.SessionID
	return m
}

// talk sends a message now and then until the connection is gone; answers are thrown away.
func (m *visitor) talk(every time.Duration) {
	go func() {
		for {
			if _, _, err := m.ReadMessage(); err != nil {
				return
			}
		}
	}()
	go func() {
		for tick := time.NewTicker(every); ; <-tick.C {
			if m.WriteMessage(gorilla.TextMessage, []byte(`{"op":"message","data":1}`)) != nil {
				return
			}
		}
	}()
}

// hears reads a frame and gives its data.
func (m *visitor) hears() string {
	m.t.Helper()
	var frame struct{ Data json.RawMessage }
	_ = m.SetReadDeadline(time.Now().Add(patience))
	if err := m.ReadJSON(&frame); err != nil {
		m.t.Fatal(err)
	}
	return string(frame.Data)
}

// closed reads up to the end and gives the close code.
func (m *visitor) closed() int {
	m.t.Helper()
	_ = m.SetReadDeadline(time.Now().Add(patience))
	for {
		if _, _, err := m.ReadMessage(); err != nil {
			if e, ok := errors.AsType[*gorilla.CloseError](err); ok {
				return e.Code
			}
			m.t.Fatal(err)
		}
	}
}

// application names each client's user, and answers messages with themselves.
func application(t *testing.T, user string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Curfew-Event") == "connect" {
			w.Header().Set("Curfew-User", user)
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// leave makes sessions whose clients are gone but may come back.
func (d *desk) leave(many int) {
	d.t.Helper()
	const at = 64 // once
	var all sync.WaitGroup
	for i := range at {
		all.Go(func() {
			for n := i; n < many; n += at {
				if err := leaveOne(d.clients); err != nil {
					d.t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}

func leaveOne(clients string) error {
	c, _, err := gorilla.DefaultDialer.Dial("ws://"+clients+"/", nil)
	if err != nil {
		return err
	}
	defer c.Close()
	err = c.WriteMessage(gorilla.TextMessage, []byte(`{"op":"hello","want":{"resume":true}}`))
	if err != nil {
		return err
	}
	_, _, err = c.ReadMessage()
	return err
}
