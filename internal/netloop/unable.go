package netloop

import (
	"errors"
	"log/slog"
	"os"
	"sync"
	"syscall"
	"time"
)

const (
	// acceptRest is how long a listener rests after an accept that failed.
	acceptRest = 50 * time.Millisecond
	// unableInterval is how often at most somebody hears that connections cannot be accepted.
	unableInterval = 5 * time.Second
)

// unable tells that connections cannot be accepted, now and then.
type unable struct {
	log *slog.Logger // set by New, then only read

	mu struct {
		sync.Mutex
		told    time.Time
		silence int // failures since then
	}
}

func (u *unable) tell(err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.mu.silence++
	t := now()
	if !u.mu.told.IsZero() && t.Sub(u.mu.told) < unableInterval {
		return
	}
	u.log.Warn("cannot accept", "error", err, "times", u.mu.silence)
	u.mu.told, u.mu.silence = t, 0
}

// isOutOfFiles says whether an accept failed because there is no descriptor, of the process or of
// the system.
func isOutOfFiles(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}

// spare is a descriptor that is kept so that there is one for saying that there is none.
type spare struct{ f *os.File }

func newSpare() *spare {
	s := new(spare)
	s.open()
	return s
}

// open takes a descriptor, if it has none and there is one.
func (s *spare) open() {
	if s.f != nil {
		return
	}
	if f, err := os.Open(os.DevNull); err == nil {
		s.f = f
	}
}

// close gives the descriptor free, and false where there is none.
func (s *spare) close() bool {
	f := s.f
	s.f = nil
	return f != nil && f.Close() == nil
}
