package command

import (
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// idGuard stands before an ID that looks like a flag, until flags are parsed. No argument of a
// process holds this byte.
const idGuard = "\x00"

// dashedID is an ID as the daemon makes them that begins with a dash, as one of 64 does. No flag
// looks like that.
var dashedID = regexp.MustCompile(`^-[A-Za-z0-9_-]{31}$`)

// dashedPart is the beginning of such an ID, or of an order such as -deadline, where a shell asks
// how it goes on. Two dashes begin a flag.
var dashedPart = regexp.MustCompile(`^-[A-Za-z0-9_][A-Za-z0-9_-]{1,30}$`)

// guardIDs keeps IDs that begin with a dash from being taken for flags where sessions are named.
func guardIDs(args []string) []string {
	// Flags may stand before the command that has them.
	if !slices.Contains(args, "sessions") && !slices.Contains(args, "events") {
		return args
	}
	guarded := slices.Clone(args)
	for i, arg := range guarded {
		if arg == "--" {
			break // what follows is not taken for flags anyway
		}
		if dashedID.MatchString(arg) {
			guarded[i] = idGuard + arg
		}
	}
	last := len(guarded) - 1
	if strings.HasPrefix(guarded[0], "__complete") && dashedPart.MatchString(guarded[last]) {
		guarded[last] = idGuard + guarded[last]
	}
	return guarded
}

// unguardIDs makes arguments and values of flags again what they were.
func unguardIDs(c *cobra.Command, args []string) {
	for i := range args {
		args[i] = strings.TrimPrefix(args[i], idGuard)
	}
	c.Flags().Visit(func(f *pflag.Flag) {
		if value, ok := strings.CutPrefix(f.Value.String(), idGuard); ok {
			_ = f.Value.Set(value) // it took the same with the guard
		}
	})
}
