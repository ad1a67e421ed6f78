package engine_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/curfew-go/curfew/engine"
)

// drawOptions draws a table whose sessions end soon enough to be seen to.
func drawOptions(t *rapid.T) engine.Options[int] {
	tick := rapid.SampledFrom([]time.Duration{
		time.Millisecond, 10 * time.Millisecond, 7654321, time.Minute,
	}).Draw(t, "tick")
	duration := func(name string) time.Duration {
		return machineDuration(rapid.Int64Range(0, 18).Draw(t, name), int64(tick))
	}
	o := engine.Options[int]{Tick: tick, Shards: 1 << rapid.IntRange(0, 3).Draw(t, "shards")}
	o.IdleTimeout = duration("idle")
	if rapid.Bool().Draw(t, "has grace") {
		o.Grace = duration("grace")
	}
	if rapid.Bool().Draw(t, "has lifetime") {
		o.MaxLifetime = duration("lifetime")
	}
	if rapid.Bool().Draw(t, "has limit") {
		o.MaxSessions = rapid.IntRange(1, 60).Draw(t, "limit")
	}
	return o
}

// actions are the steps of the state machine. Whatever session they are about is drawn from the
// living and from a few IDs that may be free.
func (m *machine) actions() map[string]func(*rapid.T) {
	value := rapid.IntRange(1, 1000)
	step := func(f func(t *rapid.T)) func(*rapid.T) {
		return func(t *rapid.T) {
			m.t = t
			f(t)
		}
	}
	return map[string]func(*rapid.T){
		"": step(func(*rapid.T) { m.check() }),
		"create": step(func(t *rapid.T) {
			for range rapid.IntRange(1, 20).Draw(t, "n") {
				m.create(value.Draw(t, "v"))
			}
		}),
		"ensure": step(func(t *rapid.T) { m.ensure(m.drawID(t), value.Draw(t, "v")) }),
		"touch": step(func(t *rapid.T) {
			m.touch(m.drawID(t), rapid.IntRange(0, 3).Draw(t, "way"))
		}),
		"touch all": step(func(*rapid.T) { m.touchAll() }),
		"remove": step(func(t *rapid.T) {
			m.remove(m.drawID(t), rapid.Bool().Draw(t, "handle"))
		}),
		"renew":     step(func(t *rapid.T) { m.renew(m.drawID(t)) }),
		"set value": step(func(t *rapid.T) { m.setValue(m.drawID(t), value.Draw(t, "v")) }),
		"set idle":  step(func(t *rapid.T) { m.setIdle(m.drawID(t), m.drawDuration(t)) }),
		"set idle negative": step(func(t *rapid.T) {
			m.setIdle(m.drawID(t), -time.Duration(rapid.Int64Min(1).Draw(t, "d")))
		}),
		"bad handles": step(func(*rapid.T) { m.badHandles() }),
		"in callback": step(func(t *rapid.T) { m.drawPending(t) }),
		"in OnGrace":  step(func(t *rapid.T) { m.revive = rapid.Bool().Draw(t, "revive") }),
		"advance":     step(func(t *rapid.T) { m.advance(m.drawDuration(t)) }),
		"advance some ticks": step(func(t *rapid.T) {
			m.advance(time.Duration(rapid.Int64Range(0, 80*int64(m.o.Tick)).Draw(t, "d")))
		}),
		"advance to a deadline": step(func(t *rapid.T) {
			if s := m.live[m.drawID(t)]; s != nil && m.due(s) > m.now {
				m.advance(m.due(s) - m.now - time.Duration(rapid.IntRange(0, 1).Draw(t, "early")))
			}
		}),
	}
}

func (m *machine) drawDuration(t *rapid.T) time.Duration {
	return machineDuration(rapid.Int64Range(0, 18).Draw(t, "d"), int64(m.o.Tick))
}

func (m *machine) drawID(t *rapid.T) string {
	n := rapid.IntRange(0, 99).Draw(t, "id")
	if n < 51 {
		return machineID(n)
	}
	slot := 0
	for h := range m.tab.All() { // In an order that a replay repeats.
		if slot++; slot > n-51 {
			return h.ID()
		}
	}
	return machineID(n)
}

// drawPending has the next OnExpire do something.
func (m *machine) drawPending(t *rapid.T) {
	id, d := machineID(rapid.IntRange(0, 50).Draw(t, "id")), m.drawDuration(t)
	f := rapid.SampledFrom([]func(){
		func() { m.create(1) },
		func() { m.ensure(id, 2) },
		func() { m.touch(id, 0) },
		func() { m.remove(id, false) },
		func() { m.renew(id) },
		func() { m.setIdle(id, d) },
		func() { m.touchAll() },
		func() { m.badHandles() },
	}).Draw(t, "what")
	m.pending = append(m.pending, f)
}

func TestTable_Model(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newMachine(t, drawOptions(t))
		defer m.close()
		t.Repeat(m.actions())
		m.finish()
	})
}
