//go:build e2e

package e2e

import (
	"encoding/json"
	"errors"
	"net"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"

	gorilla "github.com/gorilla/websocket"
)

// applications are the examples of docs/applications.md, which behave alike.
var applications = map[string]func(t *testing.T) []string{
	"go": func(t *testing.T) []string {
		t.Helper()
		binary := filepath.Join(t.TempDir(), "app")
		build := exec.Command("go", "build", "-o", binary, "../../docs/examples/app-go")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("go build: %v\n%s", err, out)
		}
		return []string{binary}
	},
	"python": func(*testing.T) []string {
		return []string{"python3", "../../docs/examples/app-python/app.py"}
	},
}

// freeAddress is one at which nobody listens for now.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// guest is a client of the chat room.
type guest struct {
	t *testing.T
	*gorilla.Conn
}

func visit(t *testing.T, address, token string) *guest {
	t.Helper()
	g := &guest{t: t, Conn: dialGuest(t, address)}
	g.say(`{"op":"hello","token":"` + token + `"}`)
	return g
}

func dialGuest(t *testing.T, address string) *gorilla.Conn {
	t.Helper()
	c, _, err := gorilla.DefaultDialer.DialContext(t.Context(), "ws://"+address+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func (g *guest) say(frame string) {
	g.t.Helper()
	if err := g.WriteMessage(gorilla.TextMessage, []byte(frame)); err != nil {
		g.t.Fatal(err)
	}
}

// hears reads up to a frame with an op that holds what is wanted.
func (g *guest) hears(op, want string) {
	g.t.Helper()
	var heard []string
	for {
		_, text, err := g.ReadMessage()
		if err != nil {
			g.t.Fatalf("waiting for %s %s: %v, after %s", op, want, err, heard)
		}
		heard = append(heard, string(text))
		var frame, wanted map[string]any
		if err := errors.Join(
			json.Unmarshal(text, &frame), json.Unmarshal([]byte(want), &wanted),
		); err != nil {
			g.t.Fatal(err)
		}
		same := frame["op"] == op
		for name, value := range wanted {
			same = same && reflect.DeepEqual(frame[name], value)
		}
		if same {
			return
		}
	}
}

// TestApplications_ChatRoom plays what docs/applications.md promises to whoever tries it.
func TestApplications_ChatRoom(t *testing.T) {
	t.Parallel()
	for name, command := range applications {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			admin := freeAddress(t)
			app := start(t, stdout, append(command(t),
				"--listen", "127.0.0.1:0", "--admin", "http://"+admin)...)
			d, address := daemon(t, "epoll", "--backend", "http://"+app.next().Msg,
				"--admin", admin, "--idle-timeout", "1h", "--drain-window", "0")

			stranger := visit(t, address, "who?")
			stranger.hears("hello_ack", `{"ok":false,"error":"unauthorized"}`)

			alice := visit(t, address, "wonderland")
			alice.hears("hello_ack", `{"ok":true}`)
			bob := visit(t, address, "builder")
			bob.hears("hello_ack", `{"ok":true}`)
			alice.hears("message", `{"data":{"joined":"bob"}}`)
			alice.say(`{"op":"message","data":{"text":"hello"},"request_id":1}`)
			alice.hears("message_res", `{"request_id":1,"data":{"sent":1}}`)
			bob.hears("message", `{"data":{"from":"alice","text":"hello"}}`)
			bob.say(`{"op":"call_tool","name":"who","request_id":2}`)
			bob.hears("call_tool_res", `{"request_id":2,"text":"alice\nbob"}`)
			bob.say(`{"op":"call_tool","name":"whisper","arguments":{"to":"alice","text":"psst"}}`)
			bob.hears("call_tool_res", `{}`)
			alice.hears("message", `{"data":{"from":"bob","whisper":"psst"}}`)
			bob.say(`{"op":"call_tool","name":"dig","request_id":3}`)
			bob.hears("error", `{"request_id":3}`)
			bob.say(`{"op":"bye"}`)
			alice.hears("message", `{"data":{"left":"bob"}}`)

			if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			alice.hears("goodbye", `{}`)
			_ = alice.Close()
			if code := d.exit(); code != 0 {
				t.Errorf("the daemon exits with %d", code)
			}
			if strings.Contains(app.name, "python") {
				return // its interpreter ends by signal
			}
			if err := app.cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			if code := app.exit(); code != 0 {
				t.Errorf("the application exits with %d", code)
			}
		})
	}
}
