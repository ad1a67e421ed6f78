package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/curfew-go/curfew/internal/load/fleet"
	"github.com/curfew-go/curfew/internal/load/result"
)

// exitKilled is the code of a command that was interrupted twice, as shells have it for SIGINT.
const exitKilled = 130

const loadLong = `Load-test any WebSocket server that echoes, in an open loop: messages fall due
at a rate, whether or not the server keeps up, and latency is counted from when a
message was due. Each message is checked, and so is each session that the server must end.

Exit codes:
  0  fine
  1  the server broke a promise: messages lost, wrong, doubled or out of order, sessions
     ended early or not at all, connections failed, or a p99 above --max-p99
  2  bad usage, or nothing could be connected
  3  the harness could not keep its own schedule, so its numbers are not to be believed

Ctrl-C ends the run early and writes everything; twice ends at once, with 130.`

const loadExample = `  curfew load ws://127.0.0.1:8079/ws
  curfew load --connections 10000 --ramp 2000/s --rate 20000/s --duration 1m \
      --pid $(pgrep curfewd) --report load.html --json load.json ws://127.0.0.1:8079/ws
  curfew load --profile idle --protocol raw --expect-idle 30s ws://127.0.0.1:8079/ws`

// newLoad is `curfew load`.
func newLoad(p Process) *cobra.Command {
	var f loadFlags
	cmd := &cobra.Command{
		Use:     "load [flags] URL",
		Short:   "Load-test a WebSocket server, and say whether it kept its promises",
		Long:    loadLong,
		Example: loadExample,
		Args:    cobra.ArbitraryArgs, // settle says what is wrong with them, beside all else

		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			return runLoad(cmd.Context(), p, &f, cmd.Flags(), args)
		},
	}
	f.add(cmd.Flags())
	// The flags are there.
	_ = cmd.RegisterFlagCompletionFunc("profile", fixed(profiles()...))
	_ = cmd.RegisterFlagCompletionFunc("protocol", fixed("json", "raw", "plain"))
	cmd.AddCommand(newLoadDiff(p), newLoadWorker(p))
	return cmd
}

// newLoadWorker is the process of a worker, which only the command itself starts.
func newLoadWorker(p Process) *cobra.Command {
	return &cobra.Command{
		Use:    strings.Join(fleet.WorkerArgs()[1:], " "),
		Short:  "One process of a load run; it takes its orders from the one that started it",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return fleet.Work(cmd.Context(), p.Stdin, p.Stdout)
		},
	}
}

// runLoad runs a load test and gives its exit code as an error.
func runLoad(
	ctx context.Context, p Process, f *loadFlags, given *pflag.FlagSet, args []string,
) error {
	plan, err := f.settle(given, args)
	if err != nil {
		return err
	}
	outputs, err := f.openOutputs()
	if err != nil {
		return err
	}
	defer func() {
		for _, o := range outputs {
			o.discard()
		}
	}()
	ctx, kill := context.WithCancel(ctx)
	defer kill()
	if err := detect(ctx, &plan); err != nil {
		return err
	}
	shown := newProgress(p, f.quiet)
	if remark := unjudged(&plan); remark != "" {
		shown.say(remark)
	}
	r, err := fleet.Run(ctx, fleet.Options{
		Plan: plan, Processes: f.processes, Repeat: f.repeat, PID: f.pid, MaxP99: f.maxP99,
		Stop: stopOnSignal(ctx, p, shown, kill), Progress: shown.show, Remark: shown.say,
		Version: p.Version, Flags: publicFlags(given, args),
	})
	shown.clear()
	if err != nil {
		if ctx.Err() != nil {
			return exitError{exitKilled, errors.New("interrupted twice: nothing was kept")}
		}
		return err
	}
	return f.finish(p, outputs, r)
}

// stopOnSignal is closed with the first signal. The second one kills.
func stopOnSignal(
	ctx context.Context, p Process, shown *progress, kill func(),
) <-chan struct{} {
	stop := make(chan struct{})
	go func() {
		for n := 0; ; n++ {
			select {
			case <-p.Signals:
			case <-ctx.Done():
				return
			}
			if n > 0 {
				kill()
				return
			}
			close(stop)
			shown.say("interrupted: the run ends and is reported; once more ends it at once")
		}
	}()
	return stop
}

// finish writes everything, and says why the exit code is what it is.
func (f *loadFlags) finish(p Process, outputs []*output, r *result.Result) error {
	var failed []error
	for _, o := range outputs {
		failed = append(failed, o.finish(r))
	}
	shown := p.Stdout
	if f.json == "-" {
		failed = append(failed, writeJSON(p.Stdout, r))
		shown = p.Stderr
	}
	lost := errors.Join(failed...)
	if lost != nil && r.ExitCode == result.ExitFine {
		r.ExitCode = exitUsage
		r.Broken = append(r.Broken, "the result could not be written where it was wanted")
	}
	if !f.quiet {
		lost = errors.Join(lost, writeTable(shown, r))
	} else if r.ExitCode != result.ExitFine {
		lost = errors.Join(lost, tellBroken(p.Stderr, r))
	}
	switch {
	case lost != nil: // what the run itself came to stands
		return exitError{cmp.Or(r.ExitCode, exitUsage), lost}
	case r.ExitCode != result.ExitFine:
		return exitError{r.ExitCode, errTold}
	}
	return nil
}

// tellBroken says what was wrong where no table is wanted.
func tellBroken(w io.Writer, r *result.Result) error {
	for _, line := range append(verdict(r), explain(r.Errors)...) {
		if _, err := fmt.Fprintln(w, "curfew: "+line); err != nil {
			return err
		}
	}
	return nil
}

// publicFlags is the command line without what may be secret.
func publicFlags(given *pflag.FlagSet, args []string) []string {
	public := []string{}
	given.Visit(func(g *pflag.Flag) {
		v, ours := g.Value.(*flagValue)
		if !ours {
			public = append(public, "--"+g.Name+"="+g.Value.String())
			return
		}
		for _, value := range v.given {
			if v.secret {
				name, _, ok := strings.Cut(value, ":")
				value = "***"
				if ok && g.Name == "header" {
					value = strings.TrimSpace(name) + ": ***"
				}
			}
			public = append(public, "--"+g.Name+"="+value)
		}
	})
	for _, url := range args {
		public = append(public, fleet.PublicURL(url))
	}
	return public
}
