package server

import (
	"io"
	"testing"
)

// Who was told that the daemon drains finds that it does, however soon it looks.
func TestAskDrain_IsSeenAtOnce(t *testing.T) {
	p := Process{
		Args:   []string{"--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"},
		Stdout: io.Discard, Stderr: io.Discard,
	}
	loaded, pair, err := load(&p)
	if err != nil {
		t.Fatal(err)
	}
	d, err := newDaemon(loaded, pair, p)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.ready(); err != nil {
		t.Errorf("ready: %v", err)
	}
	d.askDrain() // which nobody has taken up yet
	if err := d.ready(); err == nil {
		t.Error("it is ready")
	}
	if s := d.status(); s.Drain == nil || s.Drain.StartedAt.IsZero() {
		t.Errorf("status: %+v", s.Drain)
	}
	begun := d.drainStarted()
	d.askDrain()
	if err := d.run(t.Context()); err != nil {
		t.Error(err)
	}
	if again := d.drainStarted(); !again.Equal(begun) {
		t.Errorf("the drain began at %v, and then at %v", begun, again)
	}
}
