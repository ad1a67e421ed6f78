package fleet

import (
	"sync"
	"time"
)

const (
	// watchEvery is how often the process that leads a run looks at the clock.
	watchEvery = 50 * time.Millisecond
	// heldUp is by how much it is late only where it was stopped.
	heldUp = 100 * time.Millisecond
)

// watch notices when the process that leads a run is stopped, as its workers notice it of
// themselves: whoever stops the command expects it to know.
type watch struct {
	done  chan struct{}
	ended sync.WaitGroup
	held  []time.Duration
}

func newWatch() *watch {
	w := &watch{done: make(chan struct{})}
	w.ended.Go(func() {
		ticks, stop := every(watchEvery)
		defer stop()
		for last := now(); ; {
			select {
			case <-w.done:
				return
			case <-ticks:
			}
			at := now()
			if late := at.Sub(last) - watchEvery; late > heldUp {
				w.held = append(w.held, late)
			}
			last = at
		}
	})
	return w
}

// end ends the watch and gives the times for which the process was held up.
func (w *watch) end() []time.Duration {
	close(w.done)
	w.ended.Wait()
	return w.held
}
