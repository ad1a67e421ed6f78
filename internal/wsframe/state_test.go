package wsframe

import (
	"errors"
	"strings"
	"testing"
)

// TestStateAtEachSplit moves a parser to another one between any two bytes.
func TestStateAtEachSplit(t *testing.T) {
	in := fromClient().text("a").frame(0x01, "abc\xf0\x9f").ping("12345").frame(0x00, "\x98\x80").
		frame(0x80, "ef").frame(0x42, "\xf2\x48\xcd").frame(0x80, "\xc9\xc9\x07\x00").
		binary(strings.Repeat("x", 200)).close(1000, "bye").text("dropped").b
	want := transcript(t, deflating, in)
	for i := range in {
		s := newSession(t, deflating)
		s.feed(in[:i])
		state := s.p.AppendState(nil)
		if s.p.Idle() != (len(state) == 0) {
			t.Fatalf("cut at %d: idle is %v and the state has %d bytes", i, s.p.Idle(), len(state))
		}
		for n := range state {
			var p Parser
			if err := p.RestoreState(&s.rules, state[:n]); n > 0 && !errors.Is(err, ErrState) {
				t.Fatalf("cut at %d: %d of %d bytes: %v, want ErrState", i, n, len(state), err)
			}
		}
		s.p.Reset(&s.rules)
		if err := s.p.RestoreState(&s.rules, state); err != nil {
			t.Fatalf("cut at %d: %v", i, err)
		}
		s.feed(in[i:])
		if got := s.end(); got != want {
			t.Fatalf("cut at %d: transcript\n%s\nwant\n%s", i, got, want)
		}
	}
}

func TestStateRefused(t *testing.T) {
	s := newSession(t, Rules{})
	s.feed(fromClient().text("hello").cut(1).b)
	state := s.p.AppendState(nil)
	var p Parser
	if err := p.RestoreState(&Rules{Buffers: refusing{}}, state); !errors.Is(err, ErrNoBuffer) {
		t.Errorf("without buffers: %v, want ErrNoBuffer", err)
	}
	if err := p.RestoreState(&Rules{MaxMessageBytes: 3}, state); !errors.Is(err, ErrState) {
		t.Errorf("over the limit: %v, want ErrState", err)
	}
	s.end()
}

// FuzzState: whatever a state is, going on with it does not panic.
func FuzzState(f *testing.F) {
	s := newSession(f, Rules{})
	s.feed(fromClient().frame(0x01, "abc\xf0").ping("12345").cut(2).b)
	f.Add(s.p.AppendState(nil), []byte("more"))
	f.Fuzz(func(t *testing.T, state, more []byte) {
		r := &Rules{Deflate: true}
		var p Parser
		if p.RestoreState(r, state) != nil {
			return
		}
		for e, rest := p.Next(r, more); e.Kind != None; {
			e, rest = p.Next(r, rest)
		}
	})
}
