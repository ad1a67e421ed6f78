package gateway

import (
	"sync"

	"github.com/curfew-go/curfew/engine"
)

// users are the sessions of each user that the application has named. Its methods may be called at
// the same time.
type users struct {
	mu struct {
		sync.Mutex
		byName map[string]*user
	}
}

// user is one of them.
type user struct {
	name     string
	sessions []*state // in no order; guarded by users
}

// join makes a session one of a user, unless the user has limit of them (0: any number).
func (u *users) join(st *state, name string, limit int) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	who := u.mu.byName[name]
	if who == nil {
		if u.mu.byName == nil {
			u.mu.byName = make(map[string]*user)
		}
		who = &user{name: name}
		u.mu.byName[name] = who
	}
	if limit > 0 && len(who.sessions) >= limit {
		return false
	}
	st.grant.user, st.grant.at = who, len(who.sessions)
	who.sessions = append(who.sessions, st)
	return true
}

// leave takes a session that has ended from its user, if it has one.
func (u *users) leave(st *state) {
	if st.grant == nil || st.grant.user == nil {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	who := st.grant.user
	last := len(who.sessions) - 1
	moved := who.sessions[last]
	who.sessions[st.grant.at], moved.grant.at = moved, st.grant.at
	who.sessions[last] = nil
	who.sessions = who.sessions[:last]
	if last == 0 {
		delete(u.mu.byName, who.name)
	}
}

// count is how many users there are that have sessions.
func (u *users) count() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.mu.byName)
}

// of lists the sessions that a user has at the moment.
func (u *users) of(name string) []engine.Ref {
	u.mu.Lock()
	defer u.mu.Unlock()
	who := u.mu.byName[name]
	if who == nil {
		return nil
	}
	refs := make([]engine.Ref, len(who.sessions))
	for i, st := range who.sessions {
		refs[i] = st.ref
	}
	return refs
}
