package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"

	"github.com/curfew-go/curfew/internal/load/selfcheck"
	"github.com/curfew-go/curfew/internal/load/selfcheck/faulty"
)

func run(ctx context.Context, args []string, stdin io.Reader, stdout io.Writer) error {
	if len(args) == 2 && args[0] == "serve" {
		return faulty.Serve(args[1], stdin, stdout)
	}
	flags := flag.NewFlagSet("loadcheck", flag.ContinueOnError)
	curfew := flags.String("curfew", "build/curfew", "the command that is to be proven")
	only := flags.String("only", "", "run the cases whose names this regular expression matches")
	beside := flags.Int("beside", 4, "how many cases about counts run side by side")
	if err := flags.Parse(args); err != nil {
		return err
	}
	match, err := regexp.Compile(*only)
	if err != nil {
		return fmt.Errorf("-only: %w", err)
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	b := selfcheck.Bench{Curfew: *curfew, Server: []string{self, "serve"}, Beside: *beside}
	cases := slices.DeleteFunc(selfcheck.Cases(), func(c selfcheck.Case) bool {
		return !match.MatchString(c.Name)
	})
	if len(cases) == 0 {
		return fmt.Errorf("-only %q matches no case", *only)
	}
	return report(ctx, &b, cases, stdout)
}

// report runs cases and writes what came of them.
func report(
	ctx context.Context, b *selfcheck.Bench, cases []selfcheck.Case, to io.Writer,
) error {
	var wrote error
	rows := b.RunAll(ctx, cases, func(r *selfcheck.Row) {
		if err := selfcheck.WriteRaw(to, r); wrote == nil {
			wrote = err
		}
	})
	if err := selfcheck.WriteTable(to, rows); wrote == nil {
		wrote = err
	}
	missed := 0
	for i := range rows {
		if !rows[i].OK() {
			missed++
		}
	}
	if _, err := fmt.Fprintf(to, "%d cases, %d missed\n", len(rows), missed); wrote == nil {
		wrote = err
	}
	if missed > 0 {
		return fmt.Errorf("%d of %d cases were missed", missed, len(rows))
	}
	return wrote
}
