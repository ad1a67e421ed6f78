package table

import "testing"

// tape is a fuzz input that is read as a sequence of numbers.
type tape []byte

func (d *tape) byte() int {
	if len(*d) == 0 {
		return 0
	}
	b := (*d)[0]
	*d = (*d)[1:]
	return int(b)
}

// key reads a number below 1,024, enough for all keys of the pool.
func (d *tape) key() int { return d.byte()<<2 | d.byte()>>6 }

// FuzzStore reads its input as operations on a machine.
func FuzzStore(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0, 0, 4, 0, 2, 4, 0, 5, 4, 0, 6, 4, 0})               // insert, touch, end
	f.Add([]byte{0, 1, 19, 0, 60, 7, 20, 0, 30, 1, 1, 19, 0, 60})      // the stash, and again
	f.Add([]byte{1, 1, 38, 0, 60, 7, 38, 0, 60, 2, 1, 0, 0, 255})      // splits
	f.Add([]byte{2, 0, 0, 0, 8, 0, 0, 19, 0, 8, 19, 0, 3, 0, 6, 3, 0}) // long keys come and go
	f.Add([]byte{0, 1, 0, 0, 99, 9, 3, 0, 4, 9, 12, 1, 6, 3, 0})       // grace
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 400 {
			return
		}
		d := tape(data)
		m := newMachine(t, 1<<(d.byte()%4))
		for len(d) > 0 {
			step(m, &d)
			m.check()
		}
		m.finish()
	})
}

// step does one operation.
func step(m *machine, d *tape) {
	switch d.byte() % 10 {
	case 0:
		m.insert(m.key(d.key()))
	case 1:
		from := d.key()
		for i := range d.byte() {
			m.insert(m.key(from + i))
		}
	case 2:
		m.touch(m.key(d.key()), m.now)
	case 3:
		m.now++
		m.touchRef(m.key(d.key()), m.now)
	case 4:
		m.touch(m.key(d.key()), Asleep)
	case 5:
		m.now++
		m.touchBatch(d.key(), d.byte(), m.now)
	case 6:
		m.end(m.key(d.key()))
	case 7:
		from := d.key()
		var ids []string
		for i := range d.byte() {
			ids = append(ids, m.key(from+i))
		}
		m.end(ids...)
	case 8:
		m.rekey(m.key(d.key()), d.key())
	case 9:
		m.setGrace(m.key(d.key()), d.byte()&1 == 0)
	}
}
