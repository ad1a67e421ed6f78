package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/curfew-go/curfew/internal/adminclient"
)

// drainPause is how far apart the looks at a drain are.
const drainPause = 250 * time.Millisecond

const drainLong = `Ask a daemon to let its clients go, spread over its --drain-window, and
to end. They are told to come back and may resume elsewhere. On a terminal it is asked about first,
unless --yes is given.

--wait shows how far it is until the process is gone. Interrupting that does not stop the drain;
nothing does.

Exit codes: 0 it drains, with --wait: it is gone; 1 it refuses, or nobody confirmed; 2 it could not
be asked, or the command was not understood; 130 interrupted.`

// newDrain is `curfew drain`.
func newDrain(p Process) *cobra.Command {
	var f adminFlags
	var wait, yes bool
	c := &cobra.Command{
		Use:               "drain [flags]",
		Short:             "Let all clients go and end the daemon",
		Long:              drainLong,
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, _ []string) error {
			return f.run(c.Context(), p, func(ctx context.Context, o *operation) error {
				return drain(ctx, o, wait, yes)
			})
		},
	}
	f.addAdmin(c)
	c.Flags().BoolVarP(&wait, "wait", "w", false, "show how far it is until the process is gone")
	c.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return c
}

func drain(ctx context.Context, o *operation, wait, yes bool) error {
	before, err := o.client.Status(ctx)
	if err != nil {
		return err
	}
	question := fmt.Sprintf("Drain curfewd at %s (process %d, %s) and end it?", o.client.Address(),
		before.PID, counted(before.Connections.Open, "connection"))
	if err := o.confirm(ctx, yes, question); err != nil {
		return err
	}
	raw, err := o.client.Drain(ctx)
	if err != nil {
		return err
	}
	if o.json {
		err = o.raw(raw)
	} else if !wait {
		err = o.print("draining\n")
	}
	if err != nil || !wait {
		return err
	}
	return waitGone(ctx, o, before)
}

// waitGone looks at a draining daemon until its process is gone.
func waitGone(ctx context.Context, o *operation, before *adminclient.Status) error {
	look := newTicker(drainPause)
	defer look.Stop()
	shown := drainProgress{w: o.p.Stderr, line: o.p.newLiveLine(o.p.Stderr), last: -1}
	defer shown.line.clear()
	gone := fmt.Sprintf("process %d is gone", before.PID)
	unanswered := 0
	for {
		s, err := o.client.Status(ctx)
		switch presenceBy(err) {
		case absent:
			shown.line.clear()
			return o.tell(gone)
		case cutOff:
			if unanswered++; unanswered >= unansweredMax {
				shown.line.clear()
				return o.tell(gone)
			}
		case unknown:
			shown.trouble(err)
		case failing:
			return err
		case present:
			unanswered = 0
			if s.PID != before.PID || !s.StartedAt.Equal(before.StartedAt) {
				shown.line.clear()
				return o.tell(fmt.Sprintf("%s, and process %d serves in its place", gone, s.PID))
			}
			shown.show(s)
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			shown.line.clear()
			o.say("interrupted: the drain goes on")
			return ctx.Err()
		}
	}
}

// unansweredMax is after how many looks in a row that were cut off a daemon is taken to be gone.
const unansweredMax = 4

// presence is what a look at a daemon says about whether it is there.
type presence uint8

const (
	present presence = iota // it answered
	absent                  // nobody listens where it did
	cutOff                  // a tunnel or a proxy has nobody behind it, or it ends just now
	unknown                 // it cannot be told from here: it is slow, or the network is gone
	failing                 // another kind of error, or the user's wish
)

// presenceBy is what the error of a look, or nil, says.
func presenceBy(err error) presence {
	var status int
	if e, ok := errors.AsType[*adminclient.Error](err); ok {
		status = e.Status
	}
	switch kind := adminclient.KindOf(err); {
	case err == nil:
		return present
	case errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, fs.ErrNotExist):
		return absent
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE):
		return cutOff
	case kind == adminclient.KindForeign && status >= http.StatusBadGateway &&
		status <= http.StatusGatewayTimeout:
		return cutOff
	case kind == adminclient.KindUnreachable || kind == adminclient.KindSlow:
		return unknown
	}
	return failing
}

// tell prints a line where it does not get in between JSON.
func (o *operation) tell(line string) error {
	if o.json {
		o.say("%s", line)
		return nil
	}
	return o.print(line + "\n")
}

// drainProgress shows how far a drain is: a line that is drawn again on a terminal, and a line for
// each change elsewhere.
type drainProgress struct {
	w        io.Writer
	line     liveLine
	last     int // that remained; below 0: not shown yet
	troubled bool
}

func (d *drainProgress) show(s *adminclient.Status) {
	remaining, text := s.Connections.Open, fmt.Sprintf("draining: %s left",
		counted(s.Connections.Open, "connection"))
	if s.Drain != nil {
		remaining = s.Drain.Remaining
		text = "draining: " + drainText(s.Drain, s.Now)
	}
	if d.line.width != nil {
		d.line.draw(text)
	} else if remaining != d.last {
		_, _ = fmt.Fprintln(d.w, text)
	}
	d.last, d.troubled = remaining, false
}

// trouble says, once, that nothing is known at the moment.
func (d *drainProgress) trouble(err error) {
	if !d.troubled {
		d.line.clear()
		_, _ = fmt.Fprintf(d.w, "curfew: still waiting: %v\n", err)
		d.troubled = true
	}
}
