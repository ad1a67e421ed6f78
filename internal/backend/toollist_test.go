package backend

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// toolbox is a list of tools in a bubble, and how often it was asked for.
type toolbox struct {
	toolList
	asked   atomic.Int64
	names   []string
	err     error
	takes   time.Duration
	running sync.WaitGroup
}

func newToolbox(names ...string) *toolbox {
	b := &toolbox{names: names}
	b.life = context.Background()
	b.run = b.running.Go
	b.ask = func(context.Context) ([]Tool, error) {
		b.asked.Add(1)
		time.Sleep(b.takes)
		if b.err != nil {
			return nil, b.err
		}
		tools := []Tool{}
		for _, name := range b.names {
			tools = append(tools, Tool{Name: name})
		}
		return tools, nil
	}
	return b
}

func (b *toolbox) want(t *testing.T, name string, code Code, asked int64) {
	t.Helper()
	err := b.has(t.Context(), name)
	var e *Error
	if errors.As(err, &e) != (code != "") || e != nil && e.Code != code {
		t.Errorf("has(%q) = %v, want %q", name, err, code)
	}
	if got := b.asked.Load(); got != asked {
		t.Errorf("asked %d times, want %d", got, asked)
	}
}

func TestToolList_isKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newToolbox("dig")
		b.want(t, "dig", "", 1)
		time.Sleep(toolsKept - 1)
		b.want(t, "dig", "", 1)
		time.Sleep(time.Nanosecond)
		b.names = nil
		b.want(t, "dig", CodeToolNotFound, 2)
		if n := b.count.Load(); n != 0 {
			t.Errorf("count = %d, want 0", n)
		}
	})
}

func TestToolList_asksOnceMoreForAnUnknownName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newToolbox("dig")
		b.want(t, "dig", "", 1)
		time.Sleep(toolsAgain)
		b.names = []string{"dig", "fill"}
		b.want(t, "fill", "", 2)
		for range 1000 {
			b.want(t, "no", CodeToolNotFound, 2)
		}
		time.Sleep(toolsAgain)
		b.want(t, "no", CodeToolNotFound, 3)
	})
}

func TestToolList_asksOnceForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newToolbox("dig")
		b.takes = time.Second
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				if tools, err := b.list(t.Context()); err != nil || len(tools) != 1 {
					t.Errorf("list = %v, %v", tools, err)
				}
			})
			wg.Go(func() {
				if err := b.has(t.Context(), "no"); err == nil {
					t.Error("has(no) gives nil")
				}
			})
		}
		wg.Wait()
		if n := b.asked.Load(); n != 1 {
			t.Errorf("asked %d times, want once", n)
		}
	})
}

func TestToolList_failureIsKeptForAMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newToolbox("dig")
		b.err = unavailable(503)
		b.want(t, "dig", CodeUnavailable, 1)
		b.want(t, "dig", CodeUnavailable, 1)
		if _, err := b.list(t.Context()); err == nil || b.asked.Load() != 1 {
			t.Errorf("list = %v, asked %d times", err, b.asked.Load())
		}
		time.Sleep(toolsAgain)
		b.err = nil
		b.want(t, "dig", "", 2)
		time.Sleep(toolsKept)
		b.err = unavailable(0)
		b.want(t, "dig", "", 3) // it was there, its call will tell
		b.want(t, "no", CodeUnavailable, 3)
		if tools, err := b.list(t.Context()); err == nil || tools != nil {
			t.Errorf("list = %v, %v; want an error", tools, err)
		}
	})
}

func TestToolList_whoAsksMayGiveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newToolbox("dig")
		b.takes = time.Minute
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var e *Error
		if err := b.has(ctx, "dig"); !errors.As(err, &e) || e.Code != CodeTimeout {
			t.Errorf("has after its deadline = %v", err)
		}
		ctx, cancel = context.WithCancel(t.Context())
		cancel()
		if _, err := b.list(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("list with a context that has ended = %v", err)
		}
		b.running.Wait()
		b.want(t, "dig", "", 1)
		b.close()
		time.Sleep(toolsKept)
		b.want(t, "dig", CodeUnavailable, 1)
	})
}
