package wheel

import (
	"testing"

	"pgregory.net/rapid"
)

// starts are the ticks at which carries run through many digits, and the ends of time.
var starts = []Tick{0, 1, 62, 63, 64, 4095, 1<<18 - 2, 1<<30 - 1, 1 << 42, MaxTick - 70, MaxTick}

// drawSpan draws a distance of any magnitude, often one slot or level and a tick more or less.
func drawSpan(t *rapid.T) Tick {
	level := rapid.IntRange(0, Levels-1).Draw(t, "level")
	slots := Tick(rapid.IntRange(0, Slots).Draw(t, "slots"))
	off := Tick(rapid.IntRange(0, 2).Draw(t, "off"))
	return slots<<(level*SlotBits) + off
}

func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const ids = 400
		m := newMachine(t, rapid.SampledFrom(starts).Draw(t, "now"), ids)
		one := rapid.Uint32Range(0, ids-1)
		actions := map[string]func(*rapid.T){
			"schedule": func(t *rapid.T) { m.schedule(one.Draw(t, "id"), m.w.Now()+drawSpan(t)) },
			"scheduleAt": func(t *rapid.T) {
				m.schedule(one.Draw(t, "id"), Tick(rapid.Uint64().Draw(t, "at")))
			},
			"move": func(t *rapid.T) {
				ids := m.filed()
				if len(ids) == 0 {
					t.Skip("nothing is filed")
				}
				id := rapid.SampledFrom(ids).Draw(t, "id")
				m.schedule(id, m.ref[id]+Tick(rapid.IntRange(0, 4).Draw(t, "by"))-2)
			},
			"scheduleMany": func(t *rapid.T) {
				at := m.w.Now() + drawSpan(t)
				from, to := one.Draw(t, "from"), one.Draw(t, "to")
				for id := from; id <= to; id++ {
					m.schedule(id, at)
				}
			},
			"cancel": func(t *rapid.T) { m.cancel(one.Draw(t, "id")) },
			"cancelMany": func(t *rapid.T) {
				from, step := one.Draw(t, "from"), rapid.Uint32Range(1, 5).Draw(t, "step")
				for id := from; id < ids; id += step {
					m.cancel(id)
				}
			},
			"advance": func(t *rapid.T) {
				budget := rapid.SampledFrom([]int{0, 1, 2, 61, 62, 63, ids}).Draw(t, "budget")
				m.advance(m.w.Now()+drawSpan(t), budget, rapid.Bool().Draw(t, "forget"))
			},
			"advanceBack": func(t *rapid.T) { m.advance(Tick(one.Draw(t, "to")), 1, false) },
			"advanceAll":  func(t *rapid.T) { m.advanceAll(m.w.Now()+drawSpan(t)%(1<<20), 50) },
			"compact": func(t *rapid.T) {
				budget := rapid.SampledFrom([]int{-1, 0, 1, 62, 63, 1000}).Draw(t, "budget")
				m.compact(budget, rapid.Uint32Range(0, 3).Draw(t, "mod"))
			},
			"compactAll": func(*rapid.T) { m.compactAll() },
			"next":       func(*rapid.T) { m.next() },
			"nextIsDue":  func(*rapid.T) { m.nextIsDue() },
			"":           func(*rapid.T) { m.check() },
		}
		t.Repeat(actions)
		m.finish()
	})
}
