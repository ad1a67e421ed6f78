package backend

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

const (
	toolsKept = 10 * time.Second
	// toolsAgain is how long a list says that there is no other tool, and how long one that could
	// not be read is not asked for again: a flood of wrong names does not reach the application.
	toolsAgain = time.Second
)

// toolList remembers the application's tools.
type toolList struct {
	// Set once, then only read.
	ask func(ctx context.Context) ([]Tool, error)
	run func(func()) // runs a function in a goroutine that the backend's end waits for
	// life ends questions that nobody waits for any more.
	life context.Context

	count atomic.Int64

	mu struct {
		sync.Mutex
		tools  []Tool          // as last read, nil before
		known  map[string]bool // their names
		asked  time.Time       // when the last question was answered or failed
		err    error           // of the last question
		flight chan struct{}   // closed when the question that is under way is over, nil if none is
		closed bool
	}
}

// list gives the tools, asked for within toolsKept.
func (l *toolList) list(ctx context.Context) ([]Tool, error) {
	if err := l.refresh(ctx, toolsKept); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.err != nil {
		return nil, l.mu.err
	}
	return l.mu.tools, nil
}

// has gives nil where there is such a tool. One that was on the last list counts while there is no
// newer list: its call will tell.
func (l *toolList) has(ctx context.Context, name string) error {
	for _, kept := range []time.Duration{toolsKept, toolsAgain} {
		if err := l.refresh(ctx, kept); err != nil {
			return err
		}
		known, err := l.knows(name)
		if known {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return &Error{Code: CodeToolNotFound, Message: fmt.Sprintf("there is no tool %q", name)}
}

// knows says whether a tool was on the last list, and what came of the last question.
func (l *toolList) knows(name string) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mu.known[name], l.mu.err
}

// refresh asks again if the last list is older than kept, together with whoever else asks. Its
// error is about ctx; that of the question is kept.
func (l *toolList) refresh(ctx context.Context, kept time.Duration) error {
	l.mu.Lock()
	if l.mu.err != nil {
		kept = toolsAgain
	}
	if !l.mu.asked.IsZero() && now().Sub(l.mu.asked) < kept {
		l.mu.Unlock()
		return nil
	}
	if l.mu.closed {
		l.mu.Unlock()
		return unavailable(0)
	}
	flight := l.mu.flight
	if flight == nil {
		flight = make(chan struct{})
		l.mu.flight = flight
		l.run(l.fly)
	}
	l.mu.Unlock()
	select {
	case <-flight:
		return nil
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return &Error{Code: CodeTimeout, Message: "the application did not answer in time"}
		}
		return ctx.Err()
	}
}

// fly asks, on behalf of all who wait.
func (l *toolList) fly() {
	tools, err := l.ask(l.life)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.asked, l.mu.err = now(), err
	if err == nil {
		l.mu.tools = tools
		l.mu.known = make(map[string]bool, len(tools))
		for i := range tools {
			l.mu.known[tools[i].Name] = true
		}
		l.count.Store(int64(len(tools)))
	}
	close(l.mu.flight)
	l.mu.flight = nil
}

// close lets no further question begin.
func (l *toolList) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.closed = true
}
