package command

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/curfew-go/curfew/internal/adminclient"
	"github.com/curfew-go/curfew/internal/screen"
)

const eventsLong = `Follow what happens to sessions: create, resume, detach, and one end of
each, expire where time ended it and disconnect otherwise. It goes on until it is interrupted or the
daemon ends. Events that were read too slowly are missing, and how many is said.

-o json prints one object a line: type, id (a counter of the daemon's process) and what the API
tells of it.

Exit codes: 2 the daemon could not be asked, or the connection to it was lost; 130 interrupted.`

// eventsFlags are the flags of events.
type eventsFlags struct {
	adminFlags

	types         []string
	user, session string
}

// newEvents is `curfew events`.
func newEvents(p Process) *cobra.Command {
	var f eventsFlags
	c := &cobra.Command{
		Use:               "events [flags]",
		Short:             "Follow what happens to sessions",
		Long:              eventsLong,
		Example:           "  curfew events --type expire,disconnect --user ada",
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		PreRun:            unguardIDs,
		RunE: func(c *cobra.Command, _ []string) error {
			for _, t := range f.types {
				if err := oneOf("--type", t, adminclient.EventTypes()); err != nil {
					return err
				}
			}
			return f.run(c.Context(), p, f.follow)
		},
	}
	f.addAdmin(c)
	flags := c.Flags()
	flags.StringSliceVar(&f.types, "type", nil, "only events of this `TYPE` (repeatable)")
	flags.StringVar(&f.user, "user", "", "only those of sessions of this `USER`")
	flags.StringVar(&f.session, "session", "", "only those of the session with this `ID`")
	_ = c.RegisterFlagCompletionFunc("type", fixed(adminclient.EventTypes()...))
	_ = c.RegisterFlagCompletionFunc("session", f.completeIDs(p, 0))
	_ = c.RegisterFlagCompletionFunc("user", f.completeUsers(p))
	return c
}

func (f *eventsFlags) follow(ctx context.Context, o *operation) error {
	q := adminclient.EventQuery{Types: f.types, User: f.user, Session: f.session}
	for e, err := range o.client.Events(ctx, q) {
		switch {
		case err != nil:
			return err
		case e.Type == adminclient.EventLost && !o.json:
			o.say("%s missing: they came faster than they were read", plural(e.Lost, "event is",
				"events are"))
			continue
		}
		line := eventText(&e)
		if o.json {
			line = eventJSON(&e)
		}
		if err := o.print(line + "\n"); err != nil {
			return err
		}
	}
	return nil
}

// eventText is an event for a reader.
func eventText(e *adminclient.Event) string {
	at := "-"
	if !e.At.IsZero() {
		at = e.At.Local().Format("15:04:05.000")
	}
	var b strings.Builder
	_, _ = fmt.Fprintf(&b, "%s  %-10s  %s", at, screen.Safe(e.Type, 20), screen.Safe(e.Session, 0))
	for _, more := range []struct{ name, value string }{
		{"reason", e.Reason}, {"user", e.User}, {"remote", e.Remote}, {"protocol", e.Protocol},
	} {
		if more.value != "" {
			b.WriteString("  " + more.name + "=" + screen.Safe(more.value, 0))
		}
	}
	return b.String()
}

// eventJSON is what the API told of an event, as one object, with the type and the ID of the event
// in front where they are not among it anyway.
func eventJSON(e *adminclient.Event) string {
	var told map[string]json.RawMessage
	_ = json.Unmarshal(e.Raw, &told) // what is no object has no members
	var members []string
	if _, twice := told["type"]; !twice {
		name, _ := json.Marshal(e.Type) // a string can be written as JSON
		members = append(members, `"type":`+string(screen.JSON(name)))
	}
	if _, twice := told["id"]; !twice && e.ID != "" {
		members = append(members, `"id":`+e.ID)
	}
	if rest, ok := bytes.CutPrefix(oneLine(e.Raw), []byte("{")); ok {
		if own := strings.TrimSuffix(string(rest), "}"); own != "" {
			members = append(members, own)
		}
	}
	return "{" + strings.Join(members, ",") + "}"
}
