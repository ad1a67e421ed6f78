package main

import (
	"maps"
	"slices"
	"sync"
)

// room knows who is there: a user may have several sessions.
type room struct {
	mu       sync.Mutex
	sessions map[string]string // session: user
}

func newRoom() *room { return &room{sessions: map[string]string{}} }

// enter adds a session, and says whether it is the first of its user. Entering twice is fine: after
// a restart the application learns of sessions as they speak.
func (r *room) enter(session, user string) (first bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	first = !slices.Contains(r.usersLocked(), user)
	r.sessions[session] = user
	return first
}

// leave forgets a session, and says whether it was the last of its user. Leaving twice is fine:
// curfewd repeats what it is not sure has arrived.
func (r *room) leave(session string) (user string, last bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	user, known := r.sessions[session]
	delete(r.sessions, session)
	return user, known && !slices.Contains(r.usersLocked(), user)
}

// users are those who are there, in order.
func (r *room) users() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.usersLocked()
}

func (r *room) usersLocked() []string {
	return slices.Compact(slices.Sorted(maps.Values(r.sessions)))
}
