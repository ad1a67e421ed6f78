package command

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/curfew-go/curfew/internal/adminclient"
	"github.com/curfew-go/curfew/internal/screen"
)

// logLevels are those of the daemon's --log-level.
var logLevels = []string{"debug", "info", "warn", "error"}

// newLogLevel is `curfew log-level`.
func newLogLevel(p Process) *cobra.Command {
	var f adminFlags
	c := &cobra.Command{
		Use:   "log-level [flags] [LEVEL]",
		Short: "Show or set the level of the daemon's log",
		Long: "Show the level of the daemon's log, or set it: debug, info, warn or error.\n" +
			"What is set holds until the daemon ends, or reads its configuration again and\n" +
			"finds another --log-level there.\n" +
			adminExits,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return fmt.Errorf("one LEVEL at a time, not %d", len(args))
			}
			return nil
		},
		ValidArgsFunction: func(
			_ *cobra.Command, args []string, _ string,
		) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return logLevels, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(c *cobra.Command, args []string) error {
			level := ""
			if len(args) > 0 {
				level = strings.ToLower(args[0])
				if !slices.Contains(logLevels, level) {
					return fmt.Errorf("the level is %q: must be one of %s",
						args[0], strings.Join(logLevels, ", "))
				}
			}
			return f.run(c.Context(), p, func(ctx context.Context, o *operation) error {
				return logLevel(ctx, o, level)
			})
		},
	}
	f.addAdmin(c)
	return c
}

func logLevel(ctx context.Context, o *operation, level string) error {
	var l adminclient.LogLevel
	var err error
	if level == "" {
		l, err = o.client.LogLevel(ctx)
	} else {
		l, err = o.client.SetLogLevel(ctx, level)
	}
	if err != nil {
		return err
	}
	if o.json {
		return o.raw(l.Raw)
	}
	return o.print(screen.Safe(l.Level, 40) + "\n")
}
