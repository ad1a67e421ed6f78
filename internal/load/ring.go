package load

// ring is a queue of slots of a fixed capacity.
type ring struct {
	slots []uint32
	head  int
	n     int
}

func newRing(capacity int) ring { return ring{slots: make([]uint32, capacity)} }

func (r *ring) push(slot uint32) {
	r.slots[(r.head+r.n)%len(r.slots)] = slot
	r.n++
}

func (r *ring) pop() uint32 {
	slot := r.slots[r.head]
	r.head = (r.head + 1) % len(r.slots)
	r.n--
	return slot
}

// remove takes a slot out, wherever it stands.
func (r *ring) remove(slot uint32) {
	for range r.n {
		if s := r.pop(); s != slot {
			r.push(s)
		}
	}
}
