package table

import (
	"testing"

	"pgregory.net/rapid"
)

func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newMachine(t, rapid.SampledFrom([]int{1, 2, 8}).Draw(t, "shards"))
		number := rapid.IntRange(0, len(m.keys)-1)
		one := func(t *rapid.T) string { return m.key(number.Draw(t, "key")) }
		count := rapid.SampledFrom([]int{1, 12, 13, 24, 25, 63, 64, 65, 200})
		// Mostly the time that it is; sometimes one before, and sometimes none.
		stamp := func(t *rapid.T) uint64 {
			switch rapid.IntRange(0, 9).Draw(t, "stamp") {
			case 0:
				return Asleep
			case 1:
				return m.now - 1
			case 2, 3, 4:
				m.now++
			}
			return m.now
		}
		t.Repeat(map[string]func(*rapid.T){
			"insert": func(t *rapid.T) { m.insert(one(t)) },
			"insertMany": func(t *rapid.T) {
				from := number.Draw(t, "from")
				for i := range count.Draw(t, "count") {
					m.insert(m.key(from + i))
				}
			},
			"find":     func(t *rapid.T) { m.compare(one(t)) },
			"touch":    func(t *rapid.T) { m.touch(one(t), stamp(t)) },
			"touchRef": func(t *rapid.T) { m.touchRef(one(t), stamp(t)) },
			"touchAll": func(t *rapid.T) {
				at := stamp(t)
				for _, id := range m.keys {
					m.touch(id, at)
				}
			},
			"touchBatch": func(t *rapid.T) {
				m.touchBatch(number.Draw(t, "from"), count.Draw(t, "count"), stamp(t))
			},
			"grace": func(t *rapid.T) { m.setGrace(one(t), rapid.Bool().Draw(t, "grace")) },
			"end":   func(t *rapid.T) { m.end(one(t)) },
			"endMany": func(t *rapid.T) {
				from, step := number.Draw(t, "from"), rapid.IntRange(1, 3).Draw(t, "step")
				var ids []string
				for i := range count.Draw(t, "count") {
					ids = append(ids, m.key(from+i*step))
				}
				m.end(ids...)
			},
			"rekey": func(t *rapid.T) { m.rekey(one(t), number.Draw(t, "to")) },
			"":      func(*rapid.T) { m.check() },
		})
		m.finish()
	})
}
