package engine_test

import (
	"testing"
	"time"

	"github.com/curfew-go/curfew/engine"
)

// A tape decodes bytes into steps of a machine.
type tape struct{ bytes []byte }

func (p *tape) next() int {
	if len(p.bytes) == 0 {
		return 0
	}
	b := p.bytes[0]
	p.bytes = p.bytes[1:]
	return int(b)
}

func (p *tape) options() engine.Options[int] {
	ticks := [...]time.Duration{10 * time.Millisecond, time.Millisecond, time.Minute, 7654321}
	o := engine.Options[int]{Tick: ticks[p.next()%len(ticks)], Shards: 1 << (p.next() % 4)}
	tick := int64(o.Tick)
	o.IdleTimeout = machineDuration(int64(p.next()), tick)
	o.Grace = machineDuration(int64(p.next()), tick)
	o.MaxLifetime = machineDuration(int64(p.next()), tick)
	o.MaxSessions = p.next()
	return o
}

// id is that of a living session, or one that may be free.
func (p *tape) id(m *machine) string {
	n := p.next()
	if n < 128 {
		return machineID(n)
	}
	i := 128
	for h := range m.tab.All() {
		if i++; i > n {
			return h.ID()
		}
	}
	return machineID(n)
}

func (p *tape) step(m *machine) {
	tick := int64(m.o.Tick)
	op, arg := p.next(), p.next()
	switch op % 16 {
	case 0:
		m.create(arg)
	case 1, 2:
		m.ensure(p.id(m), arg)
	case 3, 4:
		m.touch(p.id(m), arg)
	case 5:
		m.remove(p.id(m), arg%2 == 0)
	case 6:
		m.renew(p.id(m))
	case 7:
		m.setIdle(p.id(m), machineDuration(int64(arg), tick))
	case 8:
		m.setValue(p.id(m), arg)
	case 9:
		m.touchAll()
	case 10:
		m.badHandles()
	case 11:
		for range arg {
			m.create(arg)
		}
	case 12:
		id := machineID(arg)
		m.pending = append(m.pending, func() { m.ensure(id, 1) }, func() { m.create(2) })
	case 13:
		m.revive = arg%2 == 0
	case 14:
		m.advance(time.Duration(int64(arg) * tick / 3))
	case 15:
		m.advance(machineDuration(int64(arg), tick))
	}
}

func FuzzTable(f *testing.F) {
	f.Add([]byte{0, 0, 8, 0, 0, 0, 0, 1, 1, 2, 15, 8, 3, 1, 15, 9})
	f.Add([]byte{1, 1, 9, 4, 12, 5, 11, 9, 15, 9, 9, 0, 15, 4, 13, 0, 15, 9, 15, 13})
	f.Add([]byte{2, 3, 13, 10, 0, 0, 11, 200, 7, 3, 140, 7, 18, 150, 6, 0, 160, 5, 1, 170, 15, 13})
	f.Add([]byte{3, 2, 1, 1, 1, 1, 0, 0, 0, 0, 14, 1, 0, 0, 12, 3, 14, 9, 12, 6, 14, 9})
	f.Add([]byte{0, 0, 18, 18, 18, 0, 0, 1, 7, 1, 129, 15, 16, 7, 17, 129, 15, 16})
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 512 {
			return
		}
		p := &tape{b}
		m := newMachine(t, p.options())
		defer m.close()
		for len(p.bytes) > 0 && len(m.live) < 2000 {
			p.step(m)
			if len(m.live) < 100 || p.next()%8 == 0 {
				m.check()
			}
		}
		m.finish()
	})
}
