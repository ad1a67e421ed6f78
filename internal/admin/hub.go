package admin

import (
	"sync"
	"sync/atomic"
)

const (
	// subscribersMax bounds who is told of events at the same time.
	subscribersMax = 32
	// backlogMax is how many events wait for one of them. Whoever is further behind loses some. It
	// has room for what happens at once: the end of all connections that a process may well have.
	backlogMax = 1 << 15
)

// Events tells those who ask of what happens to sessions. All methods may be called at the same
// time, and none waits. The zero Events is ready for use.
type Events struct {
	watched atomic.Int32 // how many subscribers there are

	mu struct {
		sync.Mutex
		last        uint64 // the number of the newest event
		subscribers map[*subscriber]struct{}
	}
}

// numbered is an event and its number in this process. Those who are told of it share it.
type numbered struct {
	Event

	id uint64
}

// subscriber is somebody who is told of events.
type subscriber struct {
	filter eventFilter
	wake   chan struct{} // one in it where something waits

	// Guarded by Events.mu.
	waiting []*numbered
	lost    uint64 // behind those that wait
}

// eventFilter says which events are meant. A zero field means any.
type eventFilter struct {
	types         map[EventType]bool
	user, session string
}

func (f *eventFilter) match(e *Event) bool {
	return (f.types == nil || f.types[e.Type]) && (f.user == "" || f.user == e.User) &&
		(f.session == "" || f.session == e.Session)
}

// Watched says whether anybody is told, so that events need not be made for nobody.
func (e *Events) Watched() bool { return e.watched.Load() > 0 }

// Publish tells of an event. Where nobody listens it costs a load. Events have the order in which
// they are published.
func (e *Events) Publish(v Event) {
	if !e.Watched() {
		return
	}
	if v.At.IsZero() {
		v.At = now()
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.mu.last++
	n := &numbered{v, e.mu.last}
	for s := range e.mu.subscribers {
		if s.filter.match(&n.Event) {
			s.add(n)
		}
	}
}

// add has an event wait, or counts it as lost. The guard of what waits is held.
func (s *subscriber) add(v *numbered) {
	if s.lost > 0 || len(s.waiting) >= backlogMax {
		s.lost++
		return
	}
	s.waiting = append(s.waiting, v)
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// subscribe begins to tell of events; nil: enough are told.
func (e *Events) subscribe(f eventFilter) *subscriber {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.mu.subscribers) >= subscribersMax {
		return nil
	}
	if e.mu.subscribers == nil {
		e.mu.subscribers = make(map[*subscriber]struct{})
	}
	s := &subscriber{filter: f, wake: make(chan struct{}, 1)}
	e.mu.subscribers[s] = struct{}{}
	e.watched.Store(int32(len(e.mu.subscribers)))
	return s
}

func (e *Events) unsubscribe(s *subscriber) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.mu.subscribers, s)
	e.watched.Store(int32(len(e.mu.subscribers)))
}

// take gives what waits for a subscriber, and how many events it lost behind that. The room of what
// it gave before, into, is used again.
func (e *Events) take(s *subscriber, into []*numbered) (waiting []*numbered, lost uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	waiting, lost = s.waiting, s.lost
	s.waiting, s.lost = into[:0], 0
	return waiting, lost
}
