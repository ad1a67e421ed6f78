package command

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/curfew-go/curfew/internal/adminclient"
	"github.com/curfew-go/curfew/internal/screen"
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
	shown := drainProgress{w: o.p.Stderr, last: -1}
	if f, ok := o.p.Stderr.(*os.File); ok {
		shown.live = term.IsTerminal(int(f.Fd()))
	}
	defer shown.clear()
	for {
		s, err := o.client.Status(ctx)
		gone := fmt.Sprintf("process %d is gone", before.PID)
		switch {
		case adminclient.KindOf(err) == adminclient.KindUnreachable:
			shown.clear()
			return o.tell(gone)
		case adminclient.KindOf(err) == adminclient.KindSlow: // stopped, or very busy
		case err != nil:
			return err
		case s.PID != before.PID || !s.StartedAt.Equal(before.StartedAt):
			shown.clear()
			return o.tell(fmt.Sprintf("%s, and process %d serves in its place", gone, s.PID))
		default:
			shown.show(s)
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			shown.clear()
			o.say("interrupted: the drain goes on")
			return ctx.Err()
		}
	}
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
	w     io.Writer
	live  bool
	last  int // that remained; below 0: not shown yet
	drawn bool
}

func (d *drainProgress) show(s *adminclient.Status) {
	remaining, text := s.Connections.Open, fmt.Sprintf("draining: %s left",
		counted(s.Connections.Open, "connection"))
	if s.Drain != nil {
		remaining = s.Drain.Remaining
		text = "draining: " + drainText(s.Drain, s.Now)
	}
	switch {
	case d.live:
		_, _ = fmt.Fprintf(d.w, "\r\x1b[K%s", screen.Cut(text, 79))
		d.drawn = true
	case remaining != d.last:
		_, _ = fmt.Fprintln(d.w, text)
	}
	d.last = remaining
}

func (d *drainProgress) clear() {
	if d.drawn {
		_, _ = fmt.Fprint(d.w, "\r\x1b[K")
		d.drawn = false
	}
}
