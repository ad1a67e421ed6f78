package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"github.com/spf13/cobra"
)

// Process is what a command has of the process that it runs in.
type Process struct {
	Args           []string // without the program's name
	Env            []string
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// Signals are SIGINT and SIGTERM. nil: none will come.
	Signals <-chan os.Signal
	Version string
}

// exitError is an error with an exit code of its own.
type exitError struct {
	code int
	error
}

// Unwrap is the error without its code.
func (e exitError) Unwrap() error { return e.error }

// errTold is wrapped by an exitError whose reason the user has seen already.
var errTold = errors.New("command: told already")

// exitUsage is the code of whatever is wrong with how a command was asked for.
const exitUsage = 2

// Run runs one command and gives its exit code. What went wrong is on Stderr.
func Run(ctx context.Context, p Process) int {
	out := &checkedOutput{w: p.Stdout}
	root := newRoot(p, out)
	root.SetArgs(guardIDs(append([]string{}, p.Args...))) // nil would be those of the process
	err := root.ExecuteContext(ctx)
	if err == nil && out.err != nil {
		err = unwritten(out.err)
	}
	if err == nil {
		return 0
	}
	if !errors.Is(err, errTold) {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			// There is nowhere else to say that this cannot be said.
			_, _ = fmt.Fprintln(p.Stderr, "curfew: "+line)
		}
	}
	var with exitError
	if errors.As(err, &with) {
		return with.code
	}
	return exitUsage
}

// checkedOutput is an output for cobra, which does not tell when its help cannot be written.
type checkedOutput struct {
	w   io.Writer
	err error // the first
}

// Write writes until that fails. It never says so.
func (o *checkedOutput) Write(b []byte) (int, error) {
	if o.err == nil {
		_, o.err = o.w.Write(b)
	}
	return len(b), nil
}

// unwritten is the error of a standard output that could not be written.
func unwritten(err error) error {
	return fmt.Errorf("the output cannot be written: %w", cause(err))
}

// newRoot is `curfew`, whose help, version and completions go to out.
func newRoot(p Process, out io.Writer) *cobra.Command {
	root := &cobra.Command{
		Use:           "curfew",
		Short:         "Load-test and judge WebSocket servers, and operate curfewd",
		Version:       p.Version,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return noCommand(c, args[0])
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetIn(p.Stdin)
	root.SetOut(out)
	root.SetErr(p.Stderr)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return fmt.Errorf("%w: see `%s --help`", err, c.CommandPath())
	})
	root.AddCommand(newLoad(p), newConform(p), newStatus(p), newTop(p), newSessions(p), newUsers(p),
		newEvents(p), newDrain(p), newLogLevel(p), newVersion(p))
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		switch c.Name() {
		case "help":
			c.Run, c.RunE = nil, showHelp
		case "completion":
			parent(c)
		}
	}
	completeFlags(root)
	return root
}

// newVersion is `curfew version`.
func newVersion(p Process) *cobra.Command {
	return &cobra.Command{
		Use:               "version",
		Short:             "Show of which version this is",
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(c.OutOrStdout(), "curfew %s %s %s/%s\n", p.Version,
				runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}

// showHelp shows the help of the command that the arguments name.
func showHelp(c *cobra.Command, args []string) error {
	about, rest, err := c.Root().Find(args)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return noCommand(about, rest[0])
	}
	about.InitDefaultHelpFlag()
	about.InitDefaultVersionFlag()
	return about.Help()
}

// noCommand is the error of a command that has none below it of this name.
func noCommand(c *cobra.Command, name string) error {
	c.SuggestionsMinimumDistance = min(max(len(name)/2, 1), 2) // letters that may be wrong
	advice := fmt.Sprintf("see `%s --help`", c.CommandPath())
	if near := c.SuggestionsFor(name); len(near) > 0 {
		advice = fmt.Sprintf("did you mean %s? S%s", strings.Join(near, " or "), advice[1:])
	}
	if c.HasParent() {
		return fmt.Errorf("`%s` has no command %q: %s", c.CommandPath(), name, advice)
	}
	return fmt.Errorf("there is no command %q: %s", name, advice)
}

// noArgs refuses all arguments.
func noArgs(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return fmt.Errorf("`%s` takes no argument, not %q: see `%s --help`",
		c.CommandPath(), args[0], c.CommandPath())
}
