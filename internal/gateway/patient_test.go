package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/curfew-go/curfew/internal/backend"
)

// patient is an application whose answers wait until a test opens their gate. It is [backend.Echo]
// with further tools:
//
//	wait {"on":G}    answers G once the gate G is open
//	count {"of":K}   answers how often it was asked with that K
//	fail             fails with TOOL_EXECUTION_ERROR
//	panic            panics
//
// A message {"wait":G} is answered with itself once the gate is open, "count" with the number of
// such messages so far, "none" not at all, "fail" with TIMEOUT, "binary" with something that JSON
// cannot carry.
//
// A newcomer's token says what becomes of it: "refuse", "forbid", "down", "user NAME", "short"
// (idle 100 s, lifetime 250 s), "wait G".
type patient struct {
	backend.Echo
	waits bool // it is not prompt

	mu    sync.Mutex
	gates map[string]chan struct{}
	runs  map[string]int
	ended map[string][]backend.End // by session
}

func newPatient(waits bool) *patient {
	return &patient{
		waits: waits, gates: make(map[string]chan struct{}), runs: make(map[string]int),
		ended: make(map[string][]backend.End),
	}
}

func (p *patient) gateLocked(name string) chan struct{} {
	if p.gates[name] == nil {
		p.gates[name] = make(chan struct{})
	}
	return p.gates[name]
}

// open opens a gate for good.
func (p *patient) open(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.gateLocked(name))
}

func (p *patient) wait(ctx context.Context, name string) error {
	p.mu.Lock()
	gate := p.gateLocked(name)
	p.mu.Unlock()
	select {
	case <-gate:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *patient) count(of string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.runs[of]++
	return p.runs[of]
}

// Prompt is what the test wants.
func (p *patient) Prompt() bool { return !p.waits }

// Connect decides by the token.
func (p *patient) Connect(
	ctx context.Context, _ backend.Session, n backend.Newcomer,
) (backend.Grant, error) {
	var name string
	switch n.Token {
	case "refuse":
		return backend.Grant{}, &backend.Error{Code: backend.CodeUnauthorized, Status: 401}
	case "forbid":
		return backend.Grant{}, &backend.Error{Code: backend.CodeUnauthorized, Status: 403}
	case "down":
		return backend.Grant{}, errors.New("nobody is there")
	case "short":
		return backend.Grant{Idle: 100 * time.Second, Lifetime: 250 * time.Second}, nil
	}
	if _, err := fmt.Sscanf(n.Token, "user %s", &name); err == nil {
		return backend.Grant{User: name}, nil
	}
	if _, err := fmt.Sscanf(n.Token, "wait %s", &name); err == nil {
		return backend.Grant{}, p.wait(ctx, name)
	}
	return backend.Grant{}, nil
}

// Message answers as the data says.
func (p *patient) Message(
	ctx context.Context, _ backend.Session, m backend.Message,
) (backend.Message, error) {
	var in struct {
		Wait string `json:"wait"`
	}
	switch string(m.Data) {
	case `"count"`:
		return backend.Message{Kind: m.Kind, Data: fmt.Append(nil, p.count("messages"))}, nil
	case `"none"`:
		return backend.Message{}, nil
	case `"fail"`:
		return backend.Message{}, &backend.Error{Code: backend.CodeTimeout, Message: "too slow"}
	case `"binary"`:
		return backend.Message{Kind: backend.Binary, Data: []byte{0}}, nil
	}
	if p.waits && json.Unmarshal(m.Data, &in) == nil && in.Wait != "" {
		return m, p.wait(ctx, in.Wait)
	}
	return m, nil
}

// HasTool knows the further tools too.
func (p *patient) HasTool(ctx context.Context, name string) error {
	switch name {
	case "wait", "count", "fail", "panic":
		return nil
	}
	return p.Echo.HasTool(ctx, name)
}

// Call runs a tool.
func (p *patient) Call(
	ctx context.Context, s backend.Session, c backend.Call,
) (backend.Result, error) {
	var in struct {
		On string `json:"on"`
		Of string `json:"of"`
	}
	if err := json.Unmarshal(c.Arguments, &in); err != nil {
		return backend.Result{}, err
	}
	switch c.Name {
	case "wait":
		return backend.TextResult(in.On), p.wait(ctx, in.On)
	case "count":
		return backend.TextResult(fmt.Sprint(p.count("tool " + in.Of))), nil
	case "fail":
		return backend.Result{}, &backend.Error{Code: backend.CodeToolFailed, Message: "it failed"}
	case "panic":
		panic("as asked")
	}
	return p.Echo.Call(ctx, s, c)
}

// Ended keeps what it is told.
func (p *patient) Ended(s backend.Session, e backend.End) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended[s.ID] = append(p.ended[s.ID], e)
}

// wantEnds says that the application was told once of each end, with its reason.
func (p *patient) wantEnds(t *testing.T, reasons map[string]Reason) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, why := range reasons {
		told := p.ended[id]
		if len(told) != 1 || told[0].Reason != string(why) || told[0].ByTime != why.ByTime() {
			t.Errorf("session %s ended for %q, and the application was told %v", id, why, told)
		}
	}
}
