package faulty

import "time"

func now() time.Time { return time.Now() }

// pause waits until a moment, and says whether it came before the server was closed.
func (s *Server) pause(until time.Time) bool {
	d := time.Until(until)
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-s.closing:
		return false
	}
}
