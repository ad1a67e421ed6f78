//go:build linux

package hostile

import (
	"fmt"
	"strings"
	"testing"
)

// absurd is a way to write a seq, after three frames.
type absurd struct {
	seq    string
	frames int  // that come again; -1: the hello is refused
	gap    bool // the client is told that it lacks others
}

func absurdities() []absurd {
	digits := strings.Repeat("9", 60_000)
	return []absurd{
		{"0", 3, false},
		{"3", 0, false},
		{"-0", 3, false},
		{"-0.0e-0", 3, false},
		{"1e0", 2, false},
		{"2.0", 1, false},
		{"20E-1", 1, false},
		{"1e-999999", 3, false},
		{"1, \"seq\":3", 0, false}, // of a name that comes twice the last counts
		{"4", 3, true},
		{"-1", 3, true},
		{"-1e999", 3, true},
		{"1e999", 3, true},
		{"1e999999999999", 3, true},
		{"9007199254740993", 3, true},
		{"9223372036854775808", 3, true},
		{"18446744073709551615", 3, true},
		{"18446744073709551616", 3, true},
		{digits, 3, true},
		{"-" + digits, 3, true},
		{"1.5", -1, false},
		{`"1"`, -1, false},
		{`""`, -1, false},
		{"true", -1, false},
		{"[1]", -1, false},
		{`{"seq":1}`, -1, false},
		{"[" + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + "]", -1, false},
		{"01", -1, false},
		{"+1", -1, false},
		{".5", -1, false},
		{"1.", -1, false},
		{"0x1", -1, false},
		{"NaN", -1, false},
		{"Infinity", -1, false},
		{"", -1, false},
	}
}

// A seq that no frame can have gets a gap or a refusal, and the session lives on.
func TestHello_AbsurdSeq(t *testing.T) {
	const frames = 3
	const invalid = `text {"op":"hello_ack","ok":false,"error":"invalid_hello"}, ` +
		"close 4000 invalid_hello"
	eachMode(t, setup{args: []string{"--max-refused-hellos", "1000"}}, func(d *daemon) {
		t := d.t
		for _, c := range absurdities() {
			p, ack := begin(t, d.addr, resumable)
			if err := p.talk(0, frames); err != nil {
				t.Fatal(err)
			}
			p.reset()
			d.detached(ack.SessionID, 1)
			if c.frames < 0 {
				q, err := open("", d.addr)
				if err != nil {
					t.Fatal(err)
				}
				if got := q.refusal(resuming(ack.ResumeToken, c.seq)); got != invalid {
					t.Errorf("seq %.50s: %q", c.seq, got)
				}
				_ = q.nc.Close()
				c = absurd{"0", frames, false} // which must still be good
			}
			q, ack := begin(t, d.addr, resuming(ack.ResumeToken, c.seq))
			if ack.Gap != c.gap || ack.Seq != frames || !ack.Resumed {
				t.Errorf("seq %.50s: %+v", c.seq, ack)
			}
			for n := frames - c.frames; n < frames; n++ {
				if seq, err := q.heard(n); err != nil || seq != uint64(n+1) {
					t.Errorf("seq %.50s: frame %d has seq %d, %v", c.seq, n, seq, err)
				}
			}
			if err := q.talk(frames, frames+1); err != nil {
				t.Errorf("seq %.50s: then %v", c.seq, err)
			}
			_ = q.text(`{"op":"bye"}`)
			_ = q.said()
			_ = q.nc.Close()
		}
		d.settle()
	})
}

// An ack of what never was forgets nothing, and its sender is told where it is no number.
func TestHello_AbsurdAck(t *testing.T) {
	const frames = 3
	eachMode(t, setup{args: []string{"--max-refused-hellos", "1000"}}, func(d *daemon) {
		t := d.t
		p, ack := begin(t, d.addr, resumable)
		if err := p.talk(0, frames); err != nil {
			t.Fatal(err)
		}
		for n, c := range absurdities() {
			if c.frames < frames && c.frames >= 0 {
				continue // it is a proper one
			}
			err := p.text(fmt.Sprintf(`{"op":"ack","seq":%s}`, c.seq))
			if err != nil {
				t.Fatal(err)
			}
			if c.frames < 0 {
				if f, err := p.frame(); err != nil || f.code() != "INVALID_REQUEST" {
					t.Errorf("ack of %.50s: %+v, %v", c.seq, f, err)
				}
			}
			if err := p.text(fmt.Sprintf(`{"op":"ping","request_id":%d}`, n)); err != nil {
				t.Fatal(err)
			}
			if f, err := p.frame(); err != nil || string(f.RequestID) != fmt.Sprint(n) {
				t.Errorf("ack of %.50s: then %+v, %v", c.seq, f, err)
			}
		}
		p.reset()
		d.detached(ack.SessionID, 1)
		q, ack := begin(t, d.addr, resuming(ack.ResumeToken, "0"))
		if ack.Gap {
			t.Error("something was forgotten")
		}
		for n := range frames {
			if _, err := q.heard(n); err != nil {
				t.Error(err)
			}
		}
	})
}

// Tokens of any length are refused alike, until the message is too big.
func TestHello_TokensOfAnyLength(t *testing.T) {
	eachMode(t, setup{args: []string{"--max-refused-hellos", "1000"}}, func(d *daemon) {
		t := d.t
		around := len(resuming("", "0"))
		for _, n := range []int{
			0, 1, 31, 32, 33, 34, 75, 76, 77, 255, 1000, 65_000, messageBytesMax - around,
			messageBytesMax - around + 1,
		} {
			for _, part := range []string{"A", ".", "é"} {
				if n%len(part) > 0 {
					continue
				}
				token := strings.Repeat(part, n/len(part))
				want := unknownToken
				if n+around > messageBytesMax {
					want = "close 1009 message is too big, eof"
				}
				p, err := open("", d.addr)
				if err != nil {
					t.Fatal(err)
				}
				if got := p.refusal(resuming(token, "0")); got != want {
					t.Errorf("a token of %d bytes: %q, want %q", n, got, want)
				}
				_ = p.nc.Close()
			}
		}
		d.settle()
	})
}

// What no hello is, and what only looks absurd, in a first frame.
func TestHello_Shapes(t *testing.T) {
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	objects := strings.Repeat(`{"op":`, 9000) + `"hello"` + strings.Repeat("}", 9000)
	names := strings.Repeat(`"token":"x",`, 4000)
	token := fmt.Sprintf("%q", strangeToken())
	eachMode(t, setup{args: []string{"--max-refused-hellos", "1000"}}, func(d *daemon) {
		t := d.t
		for _, c := range []struct{ hello, want string }{ // want "": it is welcome
			{`{"op":"hello","x":` + deep(5000) + `}`, ""},
			{`{"op":"hello","x":` + deep(30_000) + `}`, "invalid_hello"},
			{`{"op":"hello","resume":` + deep(5000) + `}`, "invalid_hello"},
			{`{"op":"hello","want":{"resume":` + deep(5000) + `}}`, "invalid_hello"},
			{objects, "invalid_hello"},
			{strings.Repeat("[", 60_000), "invalid_hello"},
			{`{` + names + `"op":"hello"}`, ""},
			{`{"op":"x","op":"hello"}`, ""},
			{`{"op":"hello","op":"x"}`, "missing_hello"},
			{`{"op":"hello","op":null}`, "invalid_hello"},
			{`{"op":"hello","resume":{},"resume":null}`, "resume_unknown"},
			{`{"op":"hello","resume":null}`, ""},
			{`{"op":"hello","resume":{}}`, "resume_unknown"},
			{`{"op":"hello","resume":{"token":null}}`, "invalid_hello"},
			{`{"op":"hello","resume":{"token":7}}`, "invalid_hello"},
			{`{"op":"hello","resume":{"token":7,"token":` + token + `}}`, "invalid_hello"},
			{`{"op":"hello","resume":{"token":` + token + `,"seq":-1}}`, "resume_unknown"},
			{`{"op":"hello","resume":"` + strangeToken() + `"}`, "invalid_hello"},
			{`{"op":"hello","resume":[]}`, "invalid_hello"},
			{`{"op":"hello","want":{"resume":1}}`, "invalid_hello"},
			{`{"op":"hello","want":{"idle_s":0}}`, "invalid_hello"},
			{`{"op":"hello","want":{"idle_s":-1e999}}`, "invalid_hello"},
			{`{"op":"hello","want":{"idle_s":1e999}}`, ""},
			{`{"op":"hello","session_id":{"a":[null]}}`, ""},
			{`{"op":"hello"}{"op":"hello"}`, "invalid_hello"},
			{`[{"op":"hello"}]`, "invalid_hello"},
			{`"hello"`, "invalid_hello"},
			{"", "invalid_hello"},
			{"\ufeff" + `{"op":"hello"}`, "invalid_hello"},
			{`{"\u006fp":"\u0068ello"}`, ""},
			{`{"OP":"hello"}`, "invalid_hello"},
			{`{"op":"hello\u0000"}`, "missing_hello"},
		} {
			p, err := open("", d.addr)
			if err != nil {
				t.Fatal(err)
			}
			f, err := p.greet(c.hello)
			if err != nil || f.OK != (c.want == "") || f.refused() != c.want {
				t.Errorf("%.80q gets %.200q, %v, want %q", c.hello, f.Error, err, c.want)
			}
			if err := p.text(`{"op":"message","data":` + deep(9000) + `}`); err == nil && f.OK {
				if f, err := p.frame(); err != nil || string(f.Data) != deep(9000) {
					t.Errorf("deep data comes back as %.100q, %v", f.Data, err)
				}
				_ = p.text(`{"op":"message","data":` + deep(20_000) + `}`)
				if f, err := p.frame(); err != nil || f.code() != "INVALID_REQUEST" {
					t.Errorf("data too deep gets %+v, %v", f, err)
				}
			}
			_ = p.nc.Close()
		}
		d.settle()
	})
}
