package gateway

import (
	"fmt"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-go/curfew/internal/netloop/netlooptest"
)

// TestOutlines_WhileSessionsComeAndGo walks in pages while others come, are lost, resume, move into
// grace and end: who lives throughout comes once, and no other more often.
func TestOutlines_WhileSessionsComeAndGo(t *testing.T) {
	o := Options{ResumeWindow: time.Hour, Grace: time.Hour}
	bubble(t, o, func(w *world) {
		lives := make(map[uint64]string)
		var conns []*netlooptest.Client
		for i := range 40 {
			var c *netlooptest.Client
			var id string
			if i%2 == 0 {
				c, id = w.hello("")
			} else {
				c, id, _ = w.resumable("")
			}
			s, _ := w.table.Lookup(id)
			lives[uint64(s.Ref())] = id
			conns = append(conns, c)
		}
		for range 20 {
			var walks sync.WaitGroup
			for _, size := range []int{1, 3, 1000} {
				walks.Go(func() {
					for range 3 {
						if err := w.walk(size, lives); err != nil {
							t.Errorf("in pages of %d: %v", size, err)
						}
					}
				})
			}
			c, id, token := w.resumable("")
			w.cut(c)
			c, ack := w.greeted(fmt.Sprintf(`{"op":"hello","resume":{"token":%q}}`, token))
			if !ack.OK {
				t.Errorf("a resume is answered by %+v", ack)
			}
			w.Touch(id)
			_, plain := w.hello(`,"want":{"idle_s":1}`)
			w.Kick(plain)
			_, grace := w.hello(`,"want":{"idle_s":1}`)
			walks.Wait()
			time.Sleep(1500 * time.Millisecond)
			if !w.Kick(id) || !w.Kick(grace) {
				t.Error("a session ended by itself")
			}
			c.Want("close 4301 session revoked")
		}
		for _, c := range conns {
			_ = c.Conn.Close()
		}
		synctest.Wait()
		for _, ref := range []uint64{math.MaxUint64, math.MaxUint32} {
			for o := range w.Outlines(ref) {
				t.Errorf("after %x comes %+v", ref, o)
			}
			if d, ok := w.At(ref); ok {
				t.Errorf("at %x is %+v", ref, d)
			}
		}
	})
}

// walk goes through all outlines in pages, and says what is wrong with them.
func (w *world) walk(size int, lives map[uint64]string) error {
	met := make(map[uint64]int)
	for last, more := uint64(0), true; more; {
		n := 0
		for o := range w.Outlines(last) {
			last = o.Ref
			if met[last]++; met[last] > 1 {
				return fmt.Errorf("%x comes %d times", last, met[last])
			}
			d, ok := w.At(last)
			if id := lives[last]; id != "" && (!ok || d.ID != id) {
				return fmt.Errorf("%s is described as %+v, %v", id, d, ok)
			}
			if n++; n == size {
				break
			}
		}
		more = n == size
	}
	for ref, id := range lives {
		if met[ref] != 1 {
			return fmt.Errorf("%s comes %d times", id, met[ref])
		}
	}
	return nil
}

// TestOutlines_DeadlineOfDetached holds what is said of a detached session against when it ends:
// after its grace, which it has though nobody sees it, unless its lifetime or its window is over
// before.
func TestOutlines_DeadlineOfDetached(t *testing.T) {
	for _, c := range []struct {
		name string
		o    Options
		want time.Duration
	}{
		{"grace", Options{}, 90 * time.Minute},
		{"lifetime", Options{MaxLifetime: 80 * time.Minute}, 80 * time.Minute},
		{"lifetime first", Options{MaxLifetime: 30 * time.Minute}, 30 * time.Minute},
		{"window", Options{ResumeWindow: 70 * time.Minute}, 70 * time.Minute},
	} {
		c.o.IdleTimeout, c.o.Grace = time.Hour, 30*time.Minute
		if c.o.ResumeWindow == 0 {
			c.o.ResumeWindow = 10 * time.Hour
		}
		bubble(t, c.o, func(w *world) {
			conn, id, _ := w.resumable("")
			w.cut(conn)
			for _, wait := range []time.Duration{0, c.want - time.Second} { // then it is in grace
				time.Sleep(wait)
				d, ok := w.Session(id)
				if off := d.Deadline.Sub(d.Created) - c.want; !ok || off.Abs() > time.Second {
					t.Errorf("%s: after %v: deadline %v after it began, want %v", c.name, wait,
						d.Deadline.Sub(d.Created), c.want)
				}
			}
			time.Sleep(2 * time.Second)
			if _, ok := w.Session(id); ok {
				t.Errorf("%s: it lives after its deadline", c.name)
			}
		})
	}
}
