//go:build linux

package hostile

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/curfew-go/curfew/internal/netloop/netlooptest"
)

// strangeToken has the form of a token, of a session that nobody knows.
func strangeToken() string {
	var b [56]byte
	_, _ = rand.Read(b[:])
	text := base64.RawURLEncoding.EncodeToString
	return text(b[:24]) + "." + text(b[24:])
}

// forgeries are tokens that are nearly good.
func forgeries(session, old, good string) []string {
	flipped := []byte(good)
	flipped[len(flipped)-2] ^= 1
	other := []byte(good)
	other[0] ^= 1
	return []string{
		old, string(flipped), string(other) + "=", good[:len(good)-1], good + "A", good[:33],
		session, session + ".", session + "." + strings.Repeat("A", 43), session + "." + good,
		strings.ToUpper(good), "", ".", "\n", strings.Repeat(".", len(good)),
		good + "\n", " " + good, strings.Repeat("A", 60_000),
	}
}

// Who guesses tokens hears the same whatever is wrong with them, is not listened to after a while,
// and does not disturb the session whose token it guesses.
func TestResume_Guesses(t *testing.T) {
	const most = 20
	eachMode(t, setup{args: []string{
		"--max-refused-hellos", strconv.Itoa(most),
	}}, func(d *daemon) {
		t := d.t
		first, ack := begin(t, d.addr, resumable)
		old := ack.ResumeToken
		p, ack := begin(t, d.addr, resuming(old, "0"))
		if got := first.said(); got != "close 4300 session resumed elsewhere" {
			t.Fatalf("the old connection is told %q", got)
		}
		if err := p.talk(0, 1); err != nil { // the old token is dead for sure
			t.Fatal(err)
		}
		tries, list := 0, forgeries(ack.SessionID, old, ack.ResumeToken)
		for ; tries < 3*most; tries++ { // the minute may have ended on the way, once
			c := reachFrom(t, attacker, d.addr)
			status, err := c.ask(netlooptest.Handshake("/ws"))
			if status == http.StatusTooManyRequests {
				break
			} else if err != nil || status != http.StatusSwitchingProtocols {
				t.Fatalf("upgrade: %d, %v", status, err)
			}
			token := list[tries%len(list)]
			if got := c.refusal(resuming(token, "0")); got != unknownToken {
				t.Errorf("token %.100q is answered by %q", token, got)
			}
			_ = c.nc.Close()
			if err := p.talk(tries+1, tries+2); err != nil {
				t.Fatalf("the session's owner noticed: %v", err)
			}
		}
		if tries < most || tries == 3*most {
			t.Errorf("stopped after %d guesses, want %d", tries, most)
		}
		_ = p.nc.Close()
		q, ack := begin(t, d.addr, resuming(ack.ResumeToken, strconv.Itoa(tries+1)))
		if !ack.Resumed || ack.Gap || ack.Seq != uint64(tries+1) {
			t.Errorf("the owner comes back to %+v", ack)
		}
		if err := q.talk(tries+1, tries+2); err != nil {
			t.Error(err)
		}
	})
}

// After a restart everybody comes with a token of a session that nobody knows: that is no guess,
// and costs little.
func TestResume_UnknownSessions(t *testing.T) {
	const workers, each = 4, 300
	eachMode(t, setup{}, func(d *daemon) {
		t := d.t
		var attack sync.WaitGroup
		for range workers {
			attack.Go(func() {
				for range each {
					c, err := open(attacker, d.addr)
					if err != nil {
						t.Error(err)
						return
					}
					if got := c.refusal(resuming(strangeToken(), "7")); got != unknownToken {
						t.Errorf("an unknown session is refused by %q", got)
						return
					}
					_ = c.nc.Close()
				}
			})
		}
		attack.Wait()
		c, err := open(attacker, d.addr)
		if err != nil {
			t.Fatal(err)
		}
		if ack, err := c.greet(resumable); err != nil || !ack.OK {
			t.Errorf("then a hello without a token gets %+v, %v", ack, err)
		}
		c.reset()
		if _, err := c.frame(); err == nil {
			t.Error("a connection lives on")
		}
		if grown := d.grown(); grown > 2<<20 {
			t.Errorf("%d unknown sessions cost %d bytes", workers*each, grown)
		}
	})
}

// rival is one of many clients that come with the same token.
type rival struct {
	*peer
	ack    frame
	frames []frame // that it got after the hello_ack
	end    string  // "": it is connected
}

// compete says hello and reads on until the connection ends, or so many frames have come.
func (r *rival) compete(hello string, frames int) (err error) {
	if r.ack, err = r.greet(hello); err != nil {
		return err
	}
	for len(r.frames) < frames || !r.ack.OK {
		said := r.said()
		text, ok := strings.CutPrefix(said, "text ")
		if !ok {
			r.end = said
			return nil
		}
		f, err := frameFrom(text)
		if err != nil {
			return err
		}
		if f.Seq > 0 {
			r.frames = append(r.frames, f)
		}
	}
	return nil
}

// inOrder wants frames that begin with seq 1 and leave none out.
func inOrder(frames []frame) error {
	for i, f := range frames {
		if f.Seq != uint64(i+1) {
			return fmt.Errorf("frame %d has seq %d", i, f.Seq)
		}
	}
	return nil
}

// The same token on many connections at once gives the session to one after the other, as often as
// the token is good, and what comes meanwhile is lost for none of them.
func TestResume_OneTokenManyTimes(t *testing.T) {
	const rounds, rivals, said, called = 6, 50, 5, 3
	eachMode(t, setup{args: []string{
		"--max-refused-hellos", strconv.Itoa(rounds * rivals),
	}}, func(d *daemon) {
		t := d.t
		for range rounds {
			p, ack := begin(t, d.addr, resumable)
			if err := p.talk(0, said); err != nil {
				t.Fatal(err)
			}
			for n := range called { // whose results come while the session moves
				err := p.text(fmt.Sprintf(`{"op":"call_tool","name":"sleep","request_id":"s%d",`+
					`"arguments":{"ms":%d}}`, n, 5+20*n))
				if err != nil {
					t.Fatal(err)
				}
			}
			if _, err := p.frameOf("call_tool_res"); err != nil {
				t.Fatal(err)
			}
			list := make([]*rival, rivals)
			for i := range list {
				c, err := open(attacker, d.addr)
				if err != nil {
					t.Fatal(err)
				}
				list[i] = &rival{peer: c}
			}
			var attack sync.WaitGroup
			for _, r := range list {
				attack.Go(func() {
					err := r.compete(resuming(ack.ResumeToken, "0"), said+called)
					if err != nil {
						t.Error(err)
					}
				})
			}
			attack.Wait()
			judgeRivals(t, list, said+called)
			_ = p.nc.Close()
		}
	})
}

// judgeRivals wants two of many to have had the session, the second for good.
func judgeRivals(t *testing.T, list []*rival, frames int) {
	t.Helper()
	winners := make(map[uint32]*rival)
	for _, r := range list {
		if r.ack.OK {
			winners[r.ack.Epoch] = r
			if err := inOrder(r.frames); err != nil {
				t.Errorf("epoch %d: %v", r.ack.Epoch, err)
			}
		} else if r.ack.refused() != "resume_unknown" || r.end != "close 4203 resume_unknown" {
			t.Errorf("a loser is told %q and %q", r.ack.Error, r.end)
		}
	}
	a, b := winners[2], winners[3]
	if len(winners) != 2 || a == nil || b == nil {
		t.Fatalf("%d got the session: %+v", len(winners), winners)
	}
	if b.end != "" || len(b.frames) != frames {
		t.Errorf("the last owner has %d frames of %d, and %q", len(b.frames), frames, b.end)
	}
	if a.end == "" {
		a.end = a.said() // it has all frames, and more can come of a call
	}
	if a.end != "close 4300 session resumed elsewhere" {
		t.Errorf("the owner before is told %q", a.end)
	}
	if err := b.say(99, 10); err != nil {
		t.Fatal(err)
	}
	if seq, err := b.heard(99); err != nil || seq != uint64(frames+1) {
		t.Errorf("the last owner's message is answered under %d, %v", seq, err)
	}
	for _, r := range list {
		r.reset()
	}
}

// A session that is taken over again and again stays where it is after the fifth time.
func TestTakeover_Flood(t *testing.T) {
	const attackers, each = 8, 10
	eachMode(t, setup{}, func(d *daemon) {
		t := d.t
		p, ack := begin(t, d.addr, resumable)
		for n := range 5 {
			q, next := begin(t, d.addr, resuming(ack.ResumeToken, strconv.Itoa(n)))
			if got := p.said(); got != "close 4300 session resumed elsewhere" {
				t.Fatalf("takeover %d: the old connection is told %q", n, got)
			}
			if err := q.talk(n, n+1); err != nil {
				t.Fatal(err)
			}
			p, ack = q, next
		}
		var attack sync.WaitGroup
		for range attackers {
			attack.Go(func() {
				for range each {
					c, err := open("", d.addr)
					if err != nil {
						t.Error(err)
						return
					}
					got, err := c.greet(resuming(ack.ResumeToken, "5"))
					end := c.said()
					if err != nil || got.OK || got.refused() != "takeover_limit" ||
						got.RetryAfter < 1 || got.RetryAfter > 30 ||
						end != "close 1013 takeover_limit" {
						t.Errorf("one too many gets %+v, %v, %q", got, err, end)
						return
					}
					_ = c.nc.Close()
				}
			})
		}
		if err := p.talk(5, 200); err != nil {
			t.Errorf("the owner noticed: %v", err)
		}
		attack.Wait()
		if err := p.talk(200, 201); err != nil {
			t.Errorf("the owner noticed: %v", err)
		}
		p.reset()
		d.detached(ack.SessionID, 1)
		if _, got := begin(t, d.addr, resuming(ack.ResumeToken, "201")); got.Epoch != 7 || got.Gap {
			t.Errorf("who is away comes back to %+v", got)
		}
	})
}
