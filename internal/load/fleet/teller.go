package fleet

import (
	"encoding/json"
	"fmt"
	"io"
	"sync"
)

// teller writes words, one after the other, from a goroutine of its own. Its queue has no limit but
// the memory: it holds a few words a second for as long as the parent does not read.
type teller struct {
	mu struct {
		sync.Mutex
		words []word
	}
	wake chan struct{} // holds at most one: there are words
	done chan error
}

func newTeller(out io.Writer) *teller {
	t := &teller{wake: make(chan struct{}, 1), done: make(chan error, 1)}
	go func() { t.done <- t.write(out) }()
	return t
}

// say leaves a word to be written, and does not wait for that. Not to be called after close.
func (t *teller) say(w word) {
	t.mu.Lock()
	t.mu.words = append(t.mu.words, w)
	t.mu.Unlock()
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// close waits until all is written.
func (t *teller) close() error {
	close(t.wake)
	return <-t.done
}

func (t *teller) write(out io.Writer) error {
	to := json.NewEncoder(out)
	var failed error
	for more := true; more; {
		_, more = <-t.wake
		t.mu.Lock()
		words := t.mu.words
		t.mu.words = nil
		t.mu.Unlock()
		for i := range words {
			if failed != nil {
				break // nobody reads any more
			}
			if err := to.Encode(&words[i]); err != nil {
				failed = fmt.Errorf("fleet: tell the parent: %w", err)
			}
		}
	}
	return failed
}
