package conform

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"time"
)

const (
	// writeBytes is how much is written at once where a case does not chop, and the reach of one
	// write deadline.
	writeBytes = 64 << 10

	// cutGap lies between the two halves of what is sent in one cut, so that the server reads
	// them apart.
	cutGap = time.Millisecond

	// loggedMax bounds what a report shows of what was sent and seen.
	loggedMax = 12
)

// session is one connection of one case to the server. Everything but the reader belongs to the
// case's goroutine.
type session struct {
	ctx      context.Context // of the case
	conn     net.Conn
	patience time.Duration
	quiet    quiet
	rng      *rand.Rand // masking keys; seeded by the case's ID, so that each run sends the same

	events  chan event // from the reader
	done    chan struct{}
	release func() bool // keeps the end of ctx from closing conn

	deflate *deflater // nil where no compression was agreed
	agreed  *agreed

	cutAt     int // where the stream is cut once; 0: nowhere
	sentBytes int
	growing   int     // bytes of the message under way
	largest   int     // the longest message that was sent, before compression
	closed    bool    // a close frame was sent
	inside    bool    // a frame has begun and is not complete; no other may be sent
	owed      []frame // the pong that has to wait for that
	stuck     bool    // a write ran out of patience
	broken    bool    // a write failed

	log     transcript
	remarks []string
}

// transcript is what a report shows of a case.
type transcript struct {
	sent, expected, seen lines
}

// lines is a list that is cut off when it gets long.
type lines struct {
	list []string
	more int
}

func (l *lines) add(line string) {
	if l.room() {
		l.list = append(l.list, line)
	}
}

// room says whether there is room for a line, and counts those for which there is none.
func (l *lines) room() bool {
	if len(l.list) < loggedMax {
		return true
	}
	l.more++
	return false
}

// addFrame adds a frame. Cases send them by the ten thousands; those left out cost no words.
func (l *lines) addFrame(f *frame) {
	if l.room() {
		l.list = append(l.list, f.String())
	}
}

// String joins the lines.
func (l *lines) String() string {
	s := strings.Join(l.list, "; ")
	switch {
	case l.more > 0:
		return fmt.Sprintf("%s; and %d more", s, l.more)
	case s == "":
		return "nothing"
	}
	return s
}

// watched marks what is read from a connection.
type watched struct {
	net.Conn

	quiet *quiet
}

// Read reads, and marks that it has.
func (w watched) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	w.quiet.mark()
	return n, err
}

// open connects a case to the server: dial, handshake, reader. Dial and handshake together may
// take as long as the patience is.
func open(
	ctx context.Context, t *target, id string, patience time.Duration, offers []offer,
) (*session, error) {
	seed := fnv.New64a()
	_, _ = seed.Write([]byte(id)) // A hash takes all.
	s := &session{
		ctx:      ctx,
		patience: patience,
		rng:      rand.New(rand.NewPCG(seed.Sum64(), 0)),
		events:   make(chan event, 16),
		done:     make(chan struct{}),
	}
	s.quiet.mark()
	dialing, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := t.dial(dialing)
	if err != nil {
		return nil, fmt.Errorf("dial: %w", short(err))
	}
	s.conn = watched{conn, &s.quiet}
	s.release = context.AfterFunc(ctx, func() { conn.Close() })
	r, a, err := t.upgrade(s.conn, s.quiet.left(patience), offers)
	if err != nil {
		s.release()
		conn.Close()
		return nil, err
	}
	in := &receiver{r: r}
	if a != nil {
		s.agreed, s.deflate, in.inflate = a, newDeflater(a), newInflater(a)
	}
	s.quiet.mark()
	go s.read(in)
	return s, nil
}

// read turns what the server sends into events until nothing more can come.
func (s *session) read(in *receiver) {
	for {
		e := in.next()
		s.quiet.mark()
		select {
		case s.events <- e:
		case <-s.done:
			return
		}
		if e.kind == evEnd || e.kind == evBreach {
			return
		}
	}
}

// end closes the connection and lets the reader go.
func (s *session) end() {
	close(s.done)
	s.release()
	s.conn.Close()
	if s.deflate != nil {
		s.deflate.free()
	}
}

// cutting says how what is sent is cut into writes: 0 not at all, wholeFrames after each frame,
// any other number after as many bytes.
type cutting int

const wholeFrames cutting = -1

// send writes frames. A failure is no verdict: whether the server may hang up is for the events
// to show.
func (s *session) send(cut cutting, frames ...frame) {
	room := writeBytes
	if cut > 0 {
		room = int(cut)
	}
	out := make([]byte, 0, min(room, writeBytes)+16)
	for i := range frames {
		f := &frames[i]
		s.log.sent.addFrame(f)
		s.account(f)
		var key [4]byte
		if !f.bare {
			binary.LittleEndian.PutUint32(key[:], s.rng.Uint32())
		}
		out = f.appendHeader(out, key)
		for sent := 0; sent < len(f.payload); {
			n := min(len(f.payload)-sent, max(room-len(out), 1))
			at := len(out)
			out = append(out, f.payload[sent:sent+n]...)
			mask(out[at:], key, sent)
			sent += n
			out = s.drain(out, room)
		}
		if cut == wholeFrames {
			s.write(out)
			out = out[:0]
		}
		out = s.drain(out, room)
	}
	s.write(out)
}

// account notes what a frame that is being sent means for the verdict.
func (s *session) account(f *frame) {
	switch {
	case f.op == opClose:
		s.closed = true
		return
	case f.op > opClose:
		return
	case f.op != opContinuation:
		s.growing = 0
	}
	s.growing += len(f.payload)
	s.largest = max(s.largest, s.growing)
}

// drain writes what fills whole writes and returns the rest.
func (s *session) drain(out []byte, room int) []byte {
	rest := out
	for len(rest) >= room {
		s.write(rest[:room])
		rest = rest[room:]
	}
	return append(out[:0], rest...)
}

// write writes bytes, in two halves where the cut lies inside them.
func (s *session) write(b []byte) {
	if first := s.cutAt - s.sentBytes; first > 0 && first < len(b) {
		s.write(b[:first])
		pause(s.ctx, cutGap)
		b = b[first:]
	}
	s.sentBytes += len(b)
	if len(b) == 0 || s.broken || s.ctx.Err() != nil {
		return
	}
	err := s.conn.SetWriteDeadline(deadline(s.patience))
	if err == nil {
		_, err = s.conn.Write(b)
	}
	if err != nil {
		s.broken = true
		s.stuck = errors.Is(err, os.ErrDeadlineExceeded)
		return
	}
	s.quiet.mark()
}

// begin sends the header of a frame and returns a function that sends the next so many bytes of
// its payload.
func (s *session) begin(f frame) func(n int) {
	s.log.sent.add("header of a " + f.String())
	s.account(&f)
	var key [4]byte
	binary.LittleEndian.PutUint32(key[:], s.rng.Uint32())
	s.write(f.appendHeader(nil, key))
	s.inside = true
	sent := 0
	return func(n int) {
		part := bytes.Clone(f.payload[sent : sent+n])
		s.log.sent.add("of its payload " + quoted(part))
		mask(part, key, sent)
		sent += n
		s.write(part)
		if sent == len(f.payload) {
			s.inside = false
			s.send(0, s.owed...)
		}
	}
}

// close sends a close frame.
func (s *session) close(payload []byte) {
	s.send(0, frame{op: opClose, payload: payload})
}

// closePayload returns what a close frame holds.
func closePayload(code int, reason string) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(code)), reason...)
}

// next returns the next event, or evSilent when nothing has moved for as long as the patience is.
// Pings are answered on the way. An error means that the case has ended for reasons that are not
// the server's.
func (s *session) next() (event, error) {
	return s.within(s.patience)
}

// within is next with a patience of its own.
func (s *session) within(patience time.Duration) (event, error) {
	t := alarm(s.quiet.left(patience))
	defer t.Stop()
	for {
		select {
		case e := <-s.events:
			if e.kind == evEnd && s.ctx.Err() != nil {
				return event{}, context.Cause(s.ctx) // The end is ours.
			}
			s.log.seen.add(e.String())
			if e.kind != evPing {
				return e, nil
			}
			s.answer(e.payload)
		case <-t.C:
			if left := s.quiet.left(patience); left > 0 {
				t.Reset(left)
				continue
			}
			return event{kind: evSilent}, nil
		case <-s.ctx.Done():
			return event{}, context.Cause(s.ctx)
		}
	}
}

// answer answers a ping, once the frame that is under way is complete.
func (s *session) answer(payload []byte) {
	pong := frame{op: opPong, payload: payload}
	switch {
	case s.closed:
	case s.inside:
		s.owed = []frame{pong} // Only the newest (RFC 6455, 5.5.3).
	default:
		s.send(0, pong)
	}
}

// remark adds what a reader should know of a case that passes all the same.
func (s *session) remark(format string, args ...any) {
	s.remarks = append(s.remarks, fmt.Sprintf(format, args...))
}
