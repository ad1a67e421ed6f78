package config

import (
	"cmp"
	"maps"
	"reflect"
	"runtime"
	"slices"
)

// ReadsFiles says whether l was read from any file that may say something else by now.
func (l *Loaded) ReadsFiles() bool {
	return l.file != "" || l.TokenFile != "" || l.AdminTokenFile != "" ||
		l.BackendTokenFile != "" || l.TLSCert != ""
}

// Change is a setting whose value another configuration has otherwise.
type Change struct {
	Name     string
	Old, New string // as they may be shown; "-" where there is none
	Live     bool   // it can be taken over while the daemon runs
}

// Changes says what next has otherwise than l, in the order of the help text. What a token file or
// a certificate holds is none of it.
func (l *Loaded) Changes(next *Loaded) []Change {
	var all []Change
	for i := range settings {
		s := &settings[i]
		if !s.flagOnly && l.differs(next, s) {
			all = append(all, Change{
				Name: s.name, Old: cmp.Or(l.value(s), "-"), New: cmp.Or(next.value(s), "-"),
				Live: l.canTake(next, s),
			})
		}
	}
	return all
}

// differs says whether next has another value of a setting.
func (l *Loaded) differs(next *Loaded, s *setting) bool {
	switch s.name {
	case "token":
		return inline(l.origins, next.origins, s) && !slices.Equal(l.Tokens, next.Tokens)
	case "admin-token":
		return inline(l.origins, next.origins, s) && !slices.Equal(l.AdminTokens, next.AdminTokens)
	}
	return !reflect.DeepEqual(s.field.where(&l.Config), s.field.where(&next.Config))
}

// inline says whether a secret stands, before or after, where settings do.
func inline(before, after map[string]string, s *setting) bool {
	return before[s.name] != "" || after[s.name] != ""
}

// canTake says whether a daemon that runs with l can take next's value of a setting over.
func (l *Loaded) canTake(next *Loaded, s *setting) bool {
	switch s.name {
	case "tls-cert", "tls-key":
		return (l.TLSCert == "") == (next.TLSCert == "") // TLS itself begins or ends by a restart
	case "backend-token-file":
		return l.Backend == next.Backend // it is for the one that is asked, and nobody else
	case "on-session-limit":
		// Who may be put out while an application decides had its place kept from the start.
		return next.OnSessionLimit == limitReject || l.Backend == BackendEcho
	}
	return s.live
}

// Take is what a daemon that runs with l runs with once it has taken over from next what it can.
// Its error is an *[Error]: what results would be refused at a start, or a file that is half
// written would let everybody in.
func (l *Loaded) Take(next *Loaded) (*Loaded, error) {
	opens := len(l.Tokens) > 0 && len(next.Tokens) == 0 ||
		len(l.AdminTokens) > 0 && len(next.AdminTokens) == 0
	if opens && next.fileEmpty {
		return nil, &Error{Problems: []string{next.fileOrigin + ": " + next.file + ": is empty, " +
			"as while it is written, and nobody would be asked for a token: a comment in it says " +
			"that this is meant"}}
	}
	t := &Loaded{
		Command: l.Command, Output: l.Output, Config: next.Config,
		unread: next.unread, file: next.file, origins: maps.Clone(next.origins),
	}
	for i := range settings {
		s := &settings[i]
		if s.flagOnly || !l.differs(next, s) || l.canTake(next, s) {
			continue
		}
		to, from := s.field.where(&t.Config), s.field.where(&l.Config)
		reflect.ValueOf(to).Elem().Set(reflect.ValueOf(from).Elem())
		if origin, ok := l.origins[s.name]; ok {
			t.origins[s.name] = origin
		} else {
			delete(t.origins, s.name)
		}
	}
	if l.Backend != next.Backend {
		t.BackendToken = l.BackendToken
		t.BackendTokenFile = l.BackendTokenFile
	}
	problems := slices.Concat(t.settleAdmin(), t.settleMode(runtime.GOOS), t.settleBuffers())
	if len(problems) > 0 {
		return nil, &Error{Problems: problems}
	}
	t.Warnings = slices.Concat(t.unread, t.risks(thisMachine()))
	return t, nil
}
