package fleet

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"github.com/curfew-go/curfew/internal/load"
	"github.com/curfew-go/curfew/internal/load/result"
)

// partingMax is how long a worker may take to end once its parent is gone.
const partingMax = 2 * time.Second

// Work is what the process of a worker does: it carries out the orders on in, tells on out what
// comes of them, and returns when in ends or the loop can go on no more. From its call on the
// process ignores SIGINT and SIGTERM. When it returns an error the process should end even if
// goroutines are left.
func Work(ctx context.Context, in io.Reader, out io.Writer) error {
	signal.Ignore(os.Interrupt, syscall.SIGTERM)
	if _, err := raiseFiles(); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	orders, heardAll := make(chan order), make(chan struct{})
	ended := make(chan struct{})
	var badOrder error
	go func() {
		defer close(heardAll)
		badOrder = hear(in, orders, stop, ended)
	}()
	tell := newTeller(out)
	go func() {
		defer close(ended)
		// The loop parks in epoll and should wake where it was, and never behind a goroutine.
		runtime.LockOSThread()
		drive(ctx, orders, tell)
	}()
	select {
	case <-ended:
		return tell.close()
	case <-heardAll:
	}
	select {
	case <-ended:
		return errors.Join(badOrder, tell.close())
	case <-after(partingMax):
		return errors.New("fleet: the loop of a worker did not end with its parent")
	}
}

// hear passes orders on. To stop is done at once, too, whatever the loop is at.
func hear(in io.Reader, orders chan<- order, stop func(), ended <-chan struct{}) error {
	defer close(orders)
	defer stop()
	from := json.NewDecoder(bufio.NewReader(in))
	for {
		var o order
		if err := from.Decode(&o); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return fmt.Errorf("fleet: an order makes no sense: %w", err)
		}
		if o.Stop {
			stop()
		}
		select {
		case orders <- o:
		case <-ended:
			return nil
		}
	}
}

// drive carries out the orders until there are no more.
func drive(ctx context.Context, orders <-chan order, tell *teller) {
	first, ok := <-orders
	if !ok || first.Plan == nil {
		tell.say(word{Error: "fleet: the first order is no plan"})
		return
	}
	w, err := load.NewWorker(*first.Plan, func(v result.Interval) {
		tell.say(word{Interval: &v})
	})
	if err != nil {
		tell.say(word{Error: err.Error()})
		return
	}
	// What could go wrong when everything is given up concerns nobody.
	defer func() { _ = w.Close() }()
	tell.say(word{Ready: true})
	d := driver{w: w, tell: tell}
	for {
		o, ok := d.next(ctx, orders)
		if !ok {
			return
		}
		switch {
		case o.Connect:
			d.connect(ctx)
		case o.Begin != 0:
			d.run(ctx, moment(o.Begin))
		case o.Stop:
			// It has no time left, and so only reckons up.
			d.run(ctx, now())
		}
	}
}

// driver is a worker that carries out orders.
type driver struct {
	w         *load.Worker
	tell      *teller
	connected bool
	told      bool // its part
}

// waitSlice is how long a worker attends to its connections before it looks for orders again.
const waitSlice = 10 * time.Millisecond

// next is the next order. Until it comes, connections that are open are kept alive.
func (d *driver) next(ctx context.Context, orders <-chan order) (o order, ok bool) {
	for d.connected && !d.told && ctx.Err() == nil {
		select {
		case o, ok = <-orders:
			return o, ok
		default:
		}
		if err := d.w.Wait(ctx, now().Add(waitSlice)); err != nil {
			d.part(err)
		}
	}
	o, ok = <-orders
	return o, ok
}

func (d *driver) connect(ctx context.Context) {
	if err := d.w.Connect(ctx); err != nil {
		d.part(err)
		return
	}
	d.connected = true
	d.tell.say(word{Connected: &connected{OK: d.w.Part().Connect.OK}})
}

func (d *driver) run(ctx context.Context, begin time.Time) {
	if d.told {
		return
	}
	d.part(d.w.Run(ctx, begin))
}

// part tells what was counted, once.
func (d *driver) part(err error) {
	if d.told {
		return
	}
	d.told = true
	// A copy, since the worker goes on to use its own, such as when it closes.
	p := new(result.Part)
	p.Merge(d.w.Part())
	last := word{Part: p}
	if err != nil {
		last.Error = err.Error()
	}
	d.tell.say(last)
}
