package gateway

import "time"

// The clock of this package; nothing else in it reads the time.

func now() time.Time                         { return time.Now() }
func since(t time.Time) time.Duration        { return time.Since(t) }
func after(d time.Duration) <-chan time.Time { return time.After(d) }

// afterFunc calls f, from a goroutine of its own, once d has passed.
func afterFunc(d time.Duration, f func()) *time.Timer { return time.AfterFunc(d, f) }

// each calls f every d, one call after the other, until it is stopped.
func each(d time.Duration, f func()) (stop func()) {
	t := time.NewTicker(d)
	stopped := make(chan struct{})
	go func() {
		for {
			select {
			case <-t.C:
				f()
			case <-stopped:
				return
			}
		}
	}()
	return func() { t.Stop(); close(stopped) }
}
