package command

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/curfew-go/curfew/internal/top"
)

const topLong = `Show a daemon live: sessions and what becomes of them, how punctual
expiry is, the timing wheel, connections, traffic, memory, loops, and a list of sessions that can be
sorted, filtered, touched and ended. ? shows the keys. A daemon that goes away is said to be gone
and asked again.

--once prints one frame as text instead, and so does an output that is no terminal. It looks twice,
--interval apart, to know the rates. -o json prints once the status that the API gave.
` + adminExits

// topFlags are the flags of top.
type topFlags struct {
	adminFlags

	interval time.Duration
	once     bool
}

// newTop is `curfew top`.
func newTop(p Process) *cobra.Command {
	var f topFlags
	c := &cobra.Command{
		Use:               "top [flags]",
		Short:             "Show a daemon live",
		Long:              topLong,
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, _ []string) error {
			if f.interval < 100*time.Millisecond || f.interval > time.Minute {
				return fmt.Errorf("--interval is %v: must be 100ms to 1m", f.interval)
			}
			return f.run(c.Context(), p, f.show)
		},
	}
	f.addAdmin(c)
	c.Flags().DurationVarP(&f.interval, "interval", "i", top.IntervalDefault, "how often it looks")
	c.Flags().BoolVar(&f.once, "once", false, "print one frame as text")
	return c
}

func (f *topFlags) show(ctx context.Context, o *operation) error {
	if o.json {
		s, err := o.client.Status(ctx)
		if err != nil {
			return err
		}
		return o.raw(s.Raw)
	}
	options := top.Options{
		Client: o.client, Interval: f.interval, Color: o.p.env("NO_COLOR") == "",
		Input: o.p.Stdin, Output: o.p.Stdout, Env: o.p.Env,
	}
	if f.once || !isTerminal(o.p.Stdout) || !o.interactive() || o.p.env("TERM") == "dumb" {
		frame, err := top.Once(ctx, options, o.width())
		if err != nil {
			return err
		}
		return o.print(frame)
	}
	// The terminal is put right on these too, of which others know nothing that needs it.
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGHUP, syscall.SIGQUIT)
	defer stop()
	if err := top.Run(ctx, options); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return exitError{exitInterrupted, errTold}
	}
	return nil
}

// isTerminal says whether an input or an output is one.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
