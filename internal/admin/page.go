package admin

import (
	"container/heap"
	"slices"
)

// page picks, from sessions in any order, those that a list shows next. It holds one more than it
// shows, to know whether there are more.
type page struct {
	listQuery

	entries []entry // a heap whose root comes last in the order
}

// entry is a session and where it stands.
type entry struct {
	Outline

	key key
}

// offer puts a session that is meant on the page if it belongs there, in place of the last one if
// it is full, and says whether another one may still get there.
func (p *page) offer(o Outline) (more bool) {
	e := entry{o, p.order.key(&o)}
	switch {
	case p.order.by == byPlace: // they come in order, and after the last page
		p.entries = append(p.entries, e)
		return len(p.entries) <= p.limit
	case p.after.ref != 0 && p.order.compare(e.key, p.after) <= 0:
	case len(p.entries) <= p.limit:
		heap.Push(p, e)
	case p.order.compare(e.key, p.entries[0].key) < 0:
		p.entries[0] = e
		heap.Fix(p, 0)
	}
	return true
}

// close gives what is on the page, in order, and the cursor of the next one, "" where there is
// none. The page is used up.
func (p *page) close() (shown []entry, next string) {
	shown = p.entries
	if p.order.by != byPlace {
		slices.SortFunc(shown, func(a, b entry) int { return p.order.compare(a.key, b.key) })
	}
	if len(shown) > p.limit {
		shown = shown[:p.limit]
		next = p.order.cursor(shown[p.limit-1].key)
	}
	return shown, next
}

// Len is for package heap.
func (p *page) Len() int { return len(p.entries) }

// Less is for package heap: the one that comes later is nearer to the root.
func (p *page) Less(i, j int) bool {
	return p.order.compare(p.entries[i].key, p.entries[j].key) > 0
}

// Swap is for package heap.
func (p *page) Swap(i, j int) { p.entries[i], p.entries[j] = p.entries[j], p.entries[i] }

// Push is for package heap.
func (p *page) Push(x any) { p.entries = append(p.entries, x.(entry)) }

// Pop is for package heap.
func (p *page) Pop() any {
	last := p.entries[len(p.entries)-1]
	p.entries = p.entries[:len(p.entries)-1]
	return last
}
