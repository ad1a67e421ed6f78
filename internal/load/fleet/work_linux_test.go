package fleet

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/curfew-go/curfew/internal/load"
	"github.com/curfew-go/curfew/internal/load/result"
)

// worker runs Work in this process.
type worked struct {
	orders *json.Encoder
	in     *io.PipeWriter
	words  *json.Decoder
	done   chan error
}

func work(t *testing.T) *worked {
	t.Helper()
	in, ordersTo := io.Pipe()
	wordsFrom, out := io.Pipe()
	w := &worked{
		orders: json.NewEncoder(ordersTo), in: ordersTo,
		words: json.NewDecoder(bufio.NewReader(wordsFrom)), done: make(chan error, 1),
	}
	go func() {
		err := Work(t.Context(), in, out)
		out.Close()
		w.done <- err
	}()
	t.Cleanup(func() { ordersTo.Close(); wordsFrom.Close() })
	return w
}

// order gives an order.
func (w *worked) order(t *testing.T, o order) {
	t.Helper()
	if err := w.orders.Encode(o); err != nil {
		t.Fatal(err)
	}
}

// next is what it says next, intervals left out.
func (w *worked) next(t *testing.T) word {
	t.Helper()
	for {
		var said word
		if err := w.words.Decode(&said); err != nil {
			t.Fatal(err)
		}
		if said.Interval == nil {
			return said
		}
	}
}

// planOf is a plan for a server at an address, of two connections.
func planOf(address string) *load.Plan {
	return &load.Plan{
		URL: "ws://" + address + "/", Profile: load.ProfileEcho, Protocol: load.SpeakPlain,
		Connections: 2, Rate: 10, Size: 16, Duration: time.Hour, Processes: 1,
		Interval: 50 * time.Millisecond,
	}
}

// refusing is an address where nothing listens.
func refusing(t *testing.T) string {
	t.Helper()
	return "127.0.0.1:1" // a port that is not given to others meanwhile
}

func TestWork_Stops(t *testing.T) {
	w := work(t)
	w.order(t, order{Plan: planOf(refusing(t))})
	if said := w.next(t); !said.Ready {
		t.Fatalf("it says %+v, want that it is ready", said)
	}
	w.order(t, order{Connect: true})
	if said := w.next(t); said.Connected == nil || said.Connected.OK != 0 {
		t.Fatalf("it says %+v, want that none is connected", said)
	}
	w.order(t, order{Stop: true})
	said := w.next(t)
	if said.Part == nil || said.Part.Connect.Failed != 2 || said.Error != "" {
		t.Fatalf("it says %+v, want a part with two that failed", said)
	}
	w.in.Close()
	if err := <-w.done; err != nil {
		t.Errorf("Work = %v, want nil", err)
	}
}

// A worker ends with its parent, whatever it is at.
func TestWork_EndsWithItsParent(t *testing.T) {
	// It takes connections, and never says anything.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	w := work(t)
	w.order(t, order{Plan: planOf(l.Addr().String())})
	w.next(t)
	w.order(t, order{Connect: true})
	if _, err := l.Accept(); err != nil {
		t.Fatal(err)
	}
	w.in.Close()
	// What it still says is read, as by a pipe of the system's.
	for {
		var said word
		if w.words.Decode(&said) != nil {
			break
		}
	}
	if err := <-w.done; err != nil {
		t.Errorf("Work = %v, want nil", err)
	}
}

func TestWork_BadOrders(t *testing.T) {
	for in, want := range map[string]string{
		`{"connect":true}` + "\n":             `{"error":"fleet: the first order is no plan"}`,
		"":                                    `{"error":"fleet: the first order is no plan"}`,
		`{"plan":{"URL":"http://h/"}}` + "\n": "is no WebSocket URL",
	} {
		var out bytes.Buffer
		if err := Work(t.Context(), strings.NewReader(in), &out); err != nil {
			t.Errorf("Work(%q) = %v, want nil", in, err)
		}
		if !strings.Contains(out.String(), want) {
			t.Errorf("Work(%q) says %q, want %s", in, &out, want)
		}
	}
	err := Work(t.Context(), strings.NewReader("what?"), io.Discard)
	if err == nil || !strings.Contains(err.Error(), "an order makes no sense") {
		t.Errorf("Work(what?) = %v, want that an order makes no sense", err)
	}
}

// What is said is written whole and in order, though nobody waits for it.
func TestTeller(t *testing.T) {
	r, out := io.Pipe()
	tell := newTeller(out)
	const n = 1000
	for i := range n {
		tell.say(word{Interval: &result.Interval{Number: i}})
	}
	closed := make(chan error, 1)
	go func() {
		closed <- tell.close()
		out.Close()
	}()
	words := json.NewDecoder(r)
	for i := range n {
		var said word
		if err := words.Decode(&said); err != nil || said.Interval.Number != i {
			t.Fatalf("word %d is %+v (%v)", i, said, err)
		}
	}
	if err := <-closed; err != nil {
		t.Errorf("close() = %v, want nil", err)
	}
}

// A parent that is gone ends the writing, with an error.
func TestTeller_NobodyReads(t *testing.T) {
	r, out := io.Pipe()
	r.Close()
	tell := newTeller(out)
	tell.say(word{Ready: true})
	tell.say(word{Ready: true})
	if err := tell.close(); err == nil || !strings.Contains(err.Error(), "tell the parent") {
		t.Errorf("close() = %v, want that the parent cannot be told", err)
	}
}
