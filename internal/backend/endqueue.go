package backend

// fifo is a queue of ends, a ring that grows. The zero value is empty.
type fifo struct {
	ring  []*end // its length is 0 or a power of two
	first int
	n     int
}

func (f *fifo) len() int { return f.n }

// push adds an end behind the others.
func (f *fifo) push(e *end) {
	f.grow()
	f.ring[(f.first+f.n)&(len(f.ring)-1)] = e
	f.n++
}

// unpop puts an end before the others.
func (f *fifo) unpop(e *end) {
	f.grow()
	f.first = (f.first - 1) & (len(f.ring) - 1)
	f.ring[f.first] = e
	f.n++
}

// pop takes the first. REQUIRES: there is one.
func (f *fifo) pop() *end {
	e := f.ring[f.first]
	f.ring[f.first] = nil
	f.first = (f.first + 1) & (len(f.ring) - 1)
	if f.n--; f.n == 0 {
		*f = fifo{} // a storm leaves no memory behind
	}
	return e
}

// grow makes room for one more.
func (f *fifo) grow() {
	if f.n < len(f.ring) {
		return
	}
	larger := make([]*end, max(16, 2*len(f.ring)))
	n := copy(larger, f.ring[f.first:])
	copy(larger[n:], f.ring[:f.first])
	f.ring, f.first = larger, 0
}

// laterHeap has the end that is due first at its root. It is a heap.Interface.
type laterHeap []*end

// Len is the number of ends.
func (h laterHeap) Len() int { return len(h) }

// Less says whether i is due before j.
func (h laterHeap) Less(i, j int) bool { return h[i].due.Before(h[j].due) }

// Swap swaps two.
func (h laterHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push adds one at the end, for package heap.
func (h *laterHeap) Push(e any) { *h = append(*h, e.(*end)) }

// Pop takes the one at the end, for package heap.
func (h *laterHeap) Pop() any {
	last := len(*h) - 1
	e := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	if last == 0 {
		*h = nil
	}
	return e
}
