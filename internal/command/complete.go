package command

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/curfew-go/curfew/internal/adminclient"
	"github.com/curfew-go/curfew/internal/screen"
)

const (
	// completeTimeout is how long somebody waits who has pressed a key.
	completeTimeout = 700 * time.Millisecond
	// completeMax is how many sessions are looked at for it.
	completeMax = 200
)

// completeIDs completes up to so many IDs of sessions; 0: any number.
func (f *adminFlags) completeIDs(p Process, most int) cobra.CompletionFunc {
	return func(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if most > 0 && len(args) >= most {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		unguardIDs(c, args)
		return f.complete(c.Context(), p, func(s *adminclient.Session) (word, about string) {
			if slices.Contains(args, s.ID) {
				return "", ""
			}
			return s.ID, s.State + " " + s.User
		})
	}
}

// completeUsers completes the name of a user.
func (f *adminFlags) completeUsers(p Process) cobra.CompletionFunc {
	return func(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if c.Name() == "kick" && len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return f.complete(c.Context(), p, func(s *adminclient.Session) (word, about string) {
			return s.User, ""
		})
	}
}

// isWord says whether every shell takes a text as one word that means nothing to it. A user's name
// may be $(reboot), and shells expand what stands on their line, some at the next press of the key.
func isWord(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool {
		lower := r | 0x20
		return !strings.ContainsRune("-_.@:+,/%", r) && (r < '0' || r > '9') &&
			(lower < 'a' || lower > 'z')
	})
}

// complete gives a word of each session on the first page, where the daemon answers at once. Words
// that a shell would show or take otherwise are left out.
func (f *adminFlags) complete(
	ctx context.Context, p Process, word func(*adminclient.Session) (word, about string),
) ([]string, cobra.ShellCompDirective) {
	flags := *f
	flags.timeout, flags.output = completeTimeout, "table"
	o, err := flags.open(p)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	defer o.client.Close()
	if ctx == nil {
		ctx = context.Background()
	}
	page, err := o.client.Sessions(ctx, adminclient.Query{Limit: completeMax})
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var words []string
	for i := range page.Sessions {
		w, about := word(&page.Sessions[i])
		if !isWord(w) || slices.Contains(words, w) {
			continue
		}
		if about != "" {
			w = cobra.CompletionWithDesc(w, screen.Safe(about, 40))
		}
		words = append(words, w)
	}
	return words, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
}

// completeFlags keeps names of files from being offered for the values of flags, of a command and
// of those below it, that want something else.
func completeFlags(c *cobra.Command) {
	c.Flags().VisitAll(func(f *pflag.Flag) {
		_, known := c.GetFlagCompletionFunc(f.Name)
		if kind, _ := pflag.UnquoteUsage(f); known || kind == "FILE" || f.NoOptDefVal != "" {
			return
		}
		_ = c.RegisterFlagCompletionFunc(f.Name, cobra.NoFileCompletions) // the flag is there
	})
	for _, below := range c.Commands() {
		completeFlags(below)
	}
}
