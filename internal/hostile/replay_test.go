//go:build linux

package hostile

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
)

// replayBytesMax and replayFramesMax are what the daemon keeps of one session for a resume.
const (
	replayBytesMax  = 64 << 10
	replayFramesMax = 64
)

// Sessions without a client hold no more than they may, and nothing when they have ended.
func TestReplay_ManyWithoutClients(t *testing.T) {
	const workers, each, frames, size = 4, 100, 5, 12_900 // nearly all that is kept
	eachMode(t, setup{args: append([]string{"--resume-window", "10m"}, operators...)},
		func(d *daemon) {
			t := d.t
			ids := make([][]string, workers)
			var attack sync.WaitGroup
			for w := range workers {
				attack.Go(func() {
					for range each {
						id, err := fillReplay(d.addr, frames, size)
						if err != nil {
							t.Error(err)
							return
						}
						ids[w] = append(ids[w], id)
					}
				})
			}
			attack.Wait()
			const n = workers * each
			eventually(t, "all are detached", func() bool {
				return d.log.count("session detached") == n
			})
			if grown := d.grown(); grown > n*replayBytesMax*3/2 || grown < n*frames*size {
				t.Errorf("%d sessions of %d bytes hold %d bytes", n, frames*size, grown)
			}
			for w := range workers {
				attack.Go(func() {
					for _, id := range ids[w] {
						status, _, err := d.operate(http.MethodDelete, "/v1/sessions/"+id, "", "")
						if err != nil || status != http.StatusNoContent {
							t.Errorf("a kick gets %d, %v", status, err)
							return
						}
					}
				})
			}
			attack.Wait()
			http.DefaultClient.CloseIdleConnections()
			d.settle()
			if grown := d.grown(); grown > 4<<20 { // what is remembered of their ends is in it
				t.Errorf("when they have ended %d bytes are held", grown)
			}
		})
}

// fillReplay begins a session, has messages answered, acknowledges none, and goes.
func fillReplay(addr string, frames, size int) (id string, err error) {
	p, err := open("", addr)
	if err != nil {
		return "", err
	}
	defer p.nc.Close()
	ack, err := p.greet(resumable)
	for n := 0; n < frames && err == nil; n++ {
		if err = p.say(n, size); err == nil {
			_, err = p.heard(n)
		}
	}
	return ack.SessionID, err
}

// Clients that say much, read nothing and acknowledge nothing are closed. Their sessions keep the
// newest frames, and no memory beyond that.
func TestReplay_NeverReading(t *testing.T) {
	const clients = 6
	eachMode(t, setup{args: []string{
		"--ping-interval", "1s", "--ping-timeout", "1s",
	}}, func(d *daemon) {
		t := d.t
		var flood sync.WaitGroup
		for range clients {
			flood.Go(func() {
				p, err := open("", d.addr)
				if err != nil {
					t.Error(err)
					return
				}
				defer p.reset()
				ack, err := p.greet(resumable)
				if err != nil {
					t.Error(err)
					return
				}
				said := 0
				for ; err == nil; said++ {
					err = p.say(said, 900)
				}
				if errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("after %d messages: %v", said, err)
					return
				}
				d.detached(ack.SessionID, 1)
				if err := comeBack(d.addr, ack.ResumeToken); err != nil {
					t.Error(err)
				}
			})
		}
		flood.Wait()
		if grown := d.grown(); grown > clients*4*writeBufferBytes {
			t.Errorf("%d clients cost %d bytes", clients, grown)
		}
		d.settle()
	})
}

// comeBack resumes without anything, and wants as many of the newest frames as are kept.
func comeBack(addr, token string) error {
	p, err := open("", addr)
	if err != nil {
		return err
	}
	defer p.reset()
	ack, err := p.greet(resuming(token, "0"))
	if err != nil || !ack.OK || !ack.Gap {
		return fmt.Errorf("resume gets %+v, %w", ack, err)
	}
	first := uint64(0)
	for n := uint64(0); first == 0 || first+n <= ack.Seq; n++ {
		f, err := p.frameOf("message_res")
		if err != nil {
			return err
		}
		if first == 0 {
			first = f.Seq
		}
		if f.Seq != first+n || string(f.RequestID) != fmt.Sprint(f.Seq-1) {
			return fmt.Errorf("frame %d of %d is %d and answers %s", n, first, f.Seq, f.RequestID)
		}
	}
	if kept := ack.Seq - first + 1; kept > replayFramesMax || kept < replayFramesMax/2 {
		return fmt.Errorf("%d frames of %d are kept", kept, ack.Seq)
	}
	_ = p.text(`{"op":"bye"}`)
	if got := p.said(); got != "close 1000 " {
		return fmt.Errorf("bye gets %q", got)
	}
	return nil
}

// A storm of clients that break off at any moment and come back: each request is answered once,
// under its own number, however often it is sent, and in the end nothing is left.
func TestDetach_Storm(t *testing.T) {
	const clients, rounds = 150, 12
	eachMode(t, setup{args: []string{
		"--resume-window", "5s", "--max-refused-hellos", "100000",
	}}, func(d *daemon) {
		t := d.t
		var storm sync.WaitGroup
		var mu sync.Mutex
		ends := make(map[string]int)
		for i := range clients {
			storm.Go(func() {
				s := &stormer{addr: d.addr, last: make(map[string]uint64)}
				err := s.run(i, rounds)
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					ends[err.Error()]++
				} else {
					ends["well"]++
				}
			})
		}
		storm.Wait()
		t.Logf("%v", ends)
		unlucky := ends[errTakeovers.Error()] + ends[errOvertaken.Error()]
		if ends["well"]+unlucky != clients || unlucky > clients/4 {
			t.Errorf("clients ended so: %v", ends)
		}
		d.settle()
		if n := d.log.count("session resumed"); n < clients*rounds/4 {
			t.Errorf("only %d resumes", n)
		}
	})
}

// stormer is a client of the storm.
type stormer struct {
	addr    string
	token   string
	seq     uint64            // of the last frame that it has
	next    int               // number of its next request
	waiting []int             // requests without an answer
	last    map[string]uint64 // answers, by request
}

// errTakeovers is met by a client that was back so often before the daemon knew that it had gone
// that it has to wait.
var errTakeovers = errors.New("takeover_limit")

// errOvertaken is met by a client that said hello and went, and whose next hello came first.
var errOvertaken = errors.New("its own hello came late")

// run lives through some connections.
func (s *stormer) run(seed, rounds int) error {
	rng := rand.New(rand.NewPCG(uint64(seed), 1))
	blind := 0 // above 0: a hello of which it does not know may still be heard
	for round := range rounds {
		p, err := open("", s.addr)
		if err != nil {
			return err
		}
		hello := resumable
		if s.token != "" {
			hello = resuming(s.token, fmt.Sprint(s.seq))
		}
		if s.token != "" && blind < 2 && rng.IntN(4) == 0 {
			blind = 2
			_ = p.text(hello) // and it does not wait for the answer
			p.cut(rng.IntN(4))
			continue
		}
		err = s.visit(p, hello, rng, round == rounds-1)
		if blind > 0 && err != nil && (strings.Contains(err.Error(), "close 4300 ") ||
			strings.Contains(err.Error(), "resume_unknown")) {
			err = errOvertaken
		}
		blind--
		p.cut(rng.IntN(3))
		if err != nil {
			return err
		}
	}
	return nil
}

// visit is one connection whose hello is answered.
func (s *stormer) visit(p *peer, hello string, rng *rand.Rand, stay bool) error {
	ack, err := p.greet(hello)
	switch {
	case err != nil:
		return err
	case ack.refused() == "takeover_limit":
		return errTakeovers
	case !ack.OK || ack.Gap || ack.Resumed != (s.token != ""):
		return fmt.Errorf("hello gets %+v", ack)
	}
	s.token = ack.ResumeToken
	for s.seq < ack.Seq { // what it has missed
		if err := s.take(p); err != nil {
			return fmt.Errorf("replay: %w", err)
		}
	}
	for range 1 + rng.IntN(4) {
		s.waiting = append(s.waiting, s.next)
		s.next++
	}
	for _, n := range s.waiting {
		if err := p.say(n, 50); err != nil {
			return err
		}
	}
	hear := rng.IntN(len(s.waiting) + 1)
	if stay {
		hear = len(s.waiting)
	}
	for range hear {
		if err := s.take(p); err != nil {
			return err
		}
	}
	if stay && (s.seq != uint64(s.next) || len(s.waiting) > 0) {
		return fmt.Errorf("%d requests were answered by %d frames, %v by none",
			s.next, s.seq, s.waiting)
	}
	if rng.IntN(3) == 0 {
		_ = p.text(fmt.Sprintf(`{"op":"ack","seq":%d}`, s.seq))
	}
	return nil
}

// take takes an answer. One that was on its way when its request was sent again comes twice.
func (s *stormer) take(p *peer) error {
	f, err := p.frameOf("message_res")
	for err == nil && f.Seq > 0 && s.last[string(f.RequestID)] == f.Seq {
		f, err = p.frameOf("message_res")
	}
	if err != nil {
		return err
	}
	id := string(f.RequestID)
	if f.Seq != s.seq+1 || s.last[id] != 0 {
		return fmt.Errorf("after frame %d came %d, which answers %s", s.seq, f.Seq, id)
	}
	s.seq, s.last[id] = f.Seq, f.Seq
	for i, n := range s.waiting {
		if fmt.Sprint(n) == id {
			s.waiting = append(s.waiting[:i], s.waiting[i+1:]...)
			return nil
		}
	}
	return fmt.Errorf("%s was not asked", id)
}
