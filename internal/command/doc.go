// Package command is the operator's command, curfew: its subcommands, flags, output and exit codes.
//
//	code := command.Run(ctx, command.Process{Args: os.Args[1:], Stdout: os.Stdout, ...})
//
// Each subcommand has a file of its own. What it does belongs to the package that does it; here
// stands how one asks for it and how the answer looks.
package command
