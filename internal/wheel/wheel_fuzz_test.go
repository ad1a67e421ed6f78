package wheel

import "testing"

// tape is a fuzz input that is read as a sequence of numbers.
type tape []byte

func (d *tape) byte() byte {
	if len(*d) == 0 {
		return 0
	}
	b := (*d)[0]
	*d = (*d)[1:]
	return b
}

// span reads a distance: a digit and the level it belongs to.
func (d *tape) span() Tick {
	digit := d.byte()
	level := d.byte()
	return Tick(digit%Slots+1)<<(level%Levels*SlotBits) - Tick(level>>7)
}

// FuzzWheel reads its input as operations on a machine.
func FuzzWheel(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0, 0, 5, 9, 0, 4, 10, 0, 9})                           // schedule, advance
	f.Add([]byte{3, 1, 0, 199, 3, 0, 4, 5, 0, 1, 7, 40, 0, 9, 9})       // small buffers
	f.Add([]byte{6, 0, 7, 20, 2, 0, 7, 0, 0, 3, 7, 2, 9, 4, 60, 1})     // cancel, earlier, later
	f.Add([]byte{2, 1, 0, 255, 8, 1, 3, 0, 7, 70, 2, 7, 90, 0, 8, 9})   // compaction in steps
	f.Add([]byte{10, 0, 1, 63, 7, 0, 1, 0, 129, 4, 63, 7, 1, 4, 63, 7}) // the end of time
	f.Add([]byte{9, 0, 2, 0, 6, 0, 3, 63, 134, 4, 63, 6, 8, 4, 0, 5, 3})
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 600 {
			return
		}
		d := tape(data)
		m := newMachine(t, starts[int(d.byte())%len(starts)], 256)
		for len(d) > 0 {
			step(m, &d)
			m.check()
		}
		m.finish()
	})
}

// step does one operation.
func step(m *machine, d *tape) {
	switch d.byte() % 11 {
	case 0:
		m.schedule(uint32(d.byte()), m.w.Now()+d.span())
	case 1:
		from, to := uint32(d.byte()), uint32(d.byte())
		for at := m.w.Now() + d.span(); from <= to; from++ {
			m.schedule(from, at)
		}
	case 2:
		m.cancel(uint32(d.byte()))
	case 3:
		from, stride := uint32(d.byte()), uint32(d.byte())%8+1
		for ; from < m.ids; from += stride {
			m.cancel(from)
		}
	case 4:
		m.advance(m.w.Now()+d.span(), int(d.byte()), false)
	case 5:
		m.advance(m.w.Now()+d.span(), int(d.byte()), true)
	case 6:
		m.advance(m.w.Now()-d.span(), int(d.byte()%4), false)
	case 7:
		m.compact(int(d.byte()), uint32(d.byte()%4))
	case 8:
		m.compactAll()
	case 9:
		m.next()
		m.nextIsDue()
	case 10:
		if id := uint32(d.byte()); m.ref[id] > 0 {
			m.schedule(id, m.ref[id]+Tick(d.byte()%5)-2)
		}
	}
}
