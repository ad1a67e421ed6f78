package admin

import (
	"container/list"
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	// swapsMax is how many connections are closed for others in a swapPause. Those who open them
	// faster wait, so that each has its moment and the daemon's clients do not wait for them.
	swapsMax  = 200
	swapPause = 100 * time.Millisecond
)

// door is a listener that lets in as many connections as may be open at once. When they are, the
// next one takes the place of that which has asked for nothing for the longest time, so that who
// holds connections and does nothing with them keeps nobody out. Where all of them are being
// answered it waits.
type door struct {
	net.Listener

	max    int
	room   chan struct{} // one in it where there may be room again
	closed chan struct{}
	once   sync.Once // closes closed

	swaps     int // in the pause that began at swapsFrom; used by Accept, which nobody calls twice
	swapsFrom time.Time

	mu struct {
		sync.Mutex
		open  int
		quiet list.List // of *guest: those that are not being answered, the longest so first
	}
}

func newDoor(l net.Listener, connectionsMax int) *door {
	return &door{
		Listener: l, max: connectionsMax,
		room: make(chan struct{}, 1), closed: make(chan struct{}),
	}
}

// Accept waits for a connection, and for room.
func (d *door) Accept() (net.Conn, error) {
	c, err := d.Listener.Accept()
	if err != nil {
		return nil, err
	}
	g := &guest{Conn: c, door: d, peer: peerOf(c)}
	for !d.enter(g) {
		if d.swap() {
			continue
		}
		select {
		case <-d.room:
		case <-d.closed:
			_ = c.Close()
			return nil, net.ErrClosed
		}
	}
	return g, nil
}

// Close closes the listener; Accept returns.
func (d *door) Close() error {
	d.once.Do(func() { close(d.closed) })
	return d.Listener.Close()
}

// enter counts a connection, if there is room.
func (d *door) enter(g *guest) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.mu.open >= d.max {
		return false
	}
	d.mu.open++
	g.place = d.mu.quiet.PushBack(g)
	return true
}

// swap closes the connection that has been quiet the longest, and says whether there is one.
func (d *door) swap() bool {
	t := now()
	if t.Sub(d.swapsFrom) >= swapPause {
		d.swaps, d.swapsFrom = 0, t
	}
	if d.swaps++; d.swaps > swapsMax {
		pause := newTimer(swapPause - t.Sub(d.swapsFrom))
		defer pause.Stop()
		select {
		case <-d.closed:
		case <-pause.C:
		}
		d.swaps, d.swapsFrom = 1, now()
	}
	g := d.quietest()
	if g == nil {
		return false
	}
	_ = g.Close()
	return true
}

// quietest takes from those that are quiet the one that has been for the longest time; nil: there
// is none.
func (d *door) quietest() *guest {
	d.mu.Lock()
	defer d.mu.Unlock()
	first := d.mu.quiet.Front()
	if first == nil {
		return nil
	}
	g := first.Value.(*guest)
	d.mu.quiet.Remove(first)
	g.place = nil
	return g
}

// guest is a connection that a door let in.
type guest struct {
	net.Conn

	door *door
	peer string // who it is of, where its address does not say so

	// Guarded by the door's mu.
	place *list.Element // among those that are quiet; nil: it is not
	left  bool
}

// begin is called when a request is allowed: nobody takes the connection's place until end.
func (g *guest) begin() {
	g.door.mu.Lock()
	defer g.door.mu.Unlock()
	if g.place != nil {
		g.door.mu.quiet.Remove(g.place)
		g.place = nil
	}
}

// end is called when a request has been answered.
func (g *guest) end() {
	g.door.mu.Lock()
	defer g.door.mu.Unlock()
	if !g.left && g.place == nil {
		g.place = g.door.mu.quiet.PushBack(g)
		g.door.knock()
	}
}

// Close closes the connection and makes room. Twice is fine.
func (g *guest) Close() error {
	err := g.Conn.Close()
	g.door.mu.Lock()
	defer g.door.mu.Unlock()
	if g.left {
		return err
	}
	g.left = true
	if g.place != nil {
		g.door.mu.quiet.Remove(g.place)
		g.place = nil
	}
	g.door.mu.open--
	g.door.knock()
	return err
}

// knock has Accept look again whether there is room.
func (d *door) knock() {
	select {
	case d.room <- struct{}{}:
	default:
	}
}

// guestKey is under what a connection's context has the connection.
type guestKey struct{}

func withGuest(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, guestKey{}, c)
}

// guestOf is the connection of a request; nil: it did not come through a door.
func guestOf(r *http.Request) *guest {
	g, _ := r.Context().Value(guestKey{}).(*guest)
	return g
}
