package wheel

// A chunk is chunkIDs ids and a link in chunkBytes bytes: four cache lines, so that visits stream.
// A page is 1<<pageShift chunks.
const (
	chunkBytes = 256
	chunkIDs   = chunkBytes/4 - 2
	pageShift  = 6
	pageChunks = 1 << pageShift
)

// chunk is a run of ids of one bucket. It holds no pointer: the collector never looks inside.
type chunk struct {
	next uint32 // the chunk after it in its list or in the free list; 0 ends both
	n    uint32 // how many of ids are in use
	ids  [chunkIDs]uint32
}

// page is what chunks are allocated by: 16 KiB, which is a size class of the allocator. A page is
// never moved, so growth copies no id.
type page [pageChunks]chunk

// arena is all chunks of a wheel. A chunk is named by its number; 0 names none, so chunk 0 stays
// unused. Chunks are reused, never given back to the heap.
type arena struct {
	pages []*page
	free  uint32 // the first chunk of the free list
	fresh uint32 // the lowest number never handed out
}

func (a *arena) at(ref uint32) *chunk {
	return &a.pages[ref>>pageShift][ref%pageChunks]
}

// alloc returns an empty chunk that no list holds.
func (a *arena) alloc() uint32 {
	if ref := a.free; ref != 0 {
		c := a.at(ref)
		a.free = c.next
		c.next = 0
		return ref
	}
	return a.extend()
}

// extend takes a chunk that was never in use, on a page of its own when the others are used up.
func (a *arena) extend() uint32 {
	if a.fresh == 0 {
		a.fresh = 1
	}
	if int(a.fresh>>pageShift) == len(a.pages) {
		a.pages = append(a.pages, new(page))
	}
	ref := a.fresh
	a.fresh++
	return ref
}

// release puts a chunk that no list holds on the free list.
func (a *arena) release(ref uint32) {
	c := a.at(ref)
	c.n = 0
	c.next = a.free
	a.free = ref
}

// list is a singly linked list of chunks, filled at its tail. All its chunks are full but the tail,
// which is not empty; all fields are 0 when it holds none.
type list struct {
	head, tail uint32
	n          uint32 // ids in all its chunks
}

// add appends id to l.
func (a *arena) add(l *list, id uint32) {
	l.n++
	if l.tail != 0 {
		if c := a.at(l.tail); c.n < chunkIDs {
			c.ids[c.n] = id
			c.n++
			return
		}
	}
	ref := a.alloc()
	a.link(l, ref)
	c := a.at(ref)
	c.ids[0] = id
	c.n = 1
}

// link makes the chunk ref the tail of l.
func (a *arena) link(l *list, ref uint32) {
	a.at(ref).next = 0
	if l.tail == 0 {
		l.head = ref
	} else {
		a.at(l.tail).next = ref
	}
	l.tail = ref
}

// absorb appends the first k ids of the chunk ref, which no list holds, to l. The chunk itself
// becomes the tail when ids are left that the tail cannot take, so absorbing never allocates.
func (a *arena) absorb(l *list, ref uint32, k int) {
	l.n += uint32(k)
	c := a.at(ref)
	if l.tail != 0 {
		t := a.at(l.tail)
		moved := copy(t.ids[t.n:], c.ids[:k])
		t.n += uint32(moved)
		k = copy(c.ids[:], c.ids[moved:k])
	}
	if k == 0 {
		a.release(ref)
		return
	}
	c.n = uint32(k)
	a.link(l, ref)
}
