package command

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/curfew-go/curfew/internal/adminclient"
	"github.com/curfew-go/curfew/internal/screen"
)

// newSessions is `curfew sessions`.
func newSessions(p Process) *cobra.Command {
	c := parent(&cobra.Command{
		Use:   "sessions COMMAND",
		Short: "List, show, touch and end sessions, and send to them",
	})
	c.PersistentPreRun = unguardIDs
	c.AddCommand(newSessionsLs(p), newSessionsShow(p), newSessionsTouch(p), newSessionsKick(p),
		newSessionsSend(p))
	return c
}

// newUsers is `curfew users`.
func newUsers(p Process) *cobra.Command {
	c := parent(&cobra.Command{
		Use:   "users COMMAND",
		Short: "End the sessions of users",
	})
	c.AddCommand(newUsersKick(p))
	return c
}

// newSessionsShow is `curfew sessions show`.
func newSessionsShow(p Process) *cobra.Command {
	var f adminFlags
	c := &cobra.Command{
		Use:               "show [flags] ID",
		Short:             "Show a session",
		Long:              "Show all that the daemon tells of a session.\n" + adminExits,
		Args:              oneID,
		ValidArgsFunction: f.completeIDs(p, 1),
		RunE: func(c *cobra.Command, args []string) error {
			return f.run(c.Context(), p, func(ctx context.Context, o *operation) error {
				return showSession(ctx, o, args[0])
			})
		},
	}
	f.addAdmin(c)
	return c
}

func oneID(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("which session? give one ID, not %d: `curfew sessions ls` shows them",
			len(args))
	}
	return nil
}

func someIDs(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return errors.New("which sessions? give their IDs, or - to read them from standard " +
			"input, one a line")
	}
	return nil
}

func showSession(ctx context.Context, o *operation, id string) error {
	s, err := o.client.Session(ctx, id)
	if err != nil {
		return err
	}
	if o.json {
		return o.raw(s.Raw)
	}
	status, err := o.client.Status(ctx) // for the daemon's clock
	if err != nil {
		return err
	}
	now := status.Now
	l := &listing{width: o.width()}
	l.row("session", screen.Safe(s.ID, 0))
	l.row("state", screen.Safe(s.State, 40))
	l.row("user", screen.Safe(s.User, 0))
	l.row("created", formatAgo(s.CreatedAt, now))
	l.row("active", formatAgo(s.LastActivity, now))
	ends := "never by itself"
	if !s.Deadline.IsZero() {
		ends = fmt.Sprintf("%s (in %s)", formatTime(s.Deadline), screen.Span(s.Deadline.Sub(now)))
	}
	l.row("ends", ends+note(s.InFlight > 0, ", not while calls run"))
	l.row("idle timeout", screen.Span(screen.Seconds(s.IdleSeconds)))
	l.row("remote", screen.Safe(s.Remote, 0))
	l.row("protocol", screen.Safe(s.Protocol, 0))
	if s.Resumable {
		l.row("resumable", fmt.Sprintf("resumed %s, %s numbered frames, %s kept for replay",
			times(max(s.Epoch, 1)-1), screen.Count(s.Seq), screen.Bytes(float64(s.ReplayBytes))))
	} else {
		l.row("resumable", "no")
	}
	l.row("calls", tally(s.InFlight, "running"))
	l.row("queue", note(s.QueuedBytes > 0, screen.Bytes(float64(s.QueuedBytes))))
	return o.print(l.String())
}

func times(n uint64) string {
	switch n {
	case 0:
		return "never"
	case 1:
		return "once"
	}
	return screen.Count(n) + " times"
}

// newSessionsTouch is `curfew sessions touch`.
func newSessionsTouch(p Process) *cobra.Command {
	var f adminFlags
	c := &cobra.Command{
		Use:   "touch [flags] ID...",
		Short: "Keep sessions, as if their clients had sent something",
		Long: "Keep sessions, as if their clients had sent something. - reads IDs from standard\n" +
			"input, one a line.\n" + adminExits,
		Args:              someIDs,
		ValidArgsFunction: f.completeIDs(p, 0),
		RunE: func(c *cobra.Command, args []string) error {
			return f.run(c.Context(), p, func(ctx context.Context, o *operation) error {
				return o.eachID(args, "touched", func(id string) error {
					return o.client.Touch(ctx, id)
				})
			})
		},
	}
	f.addAdmin(c)
	return c
}

// newSessionsKick is `curfew sessions kick`.
func newSessionsKick(p Process) *cobra.Command {
	var f adminFlags
	var yes bool
	c := &cobra.Command{
		Use:   "kick [flags] ID...",
		Short: "End sessions",
		Long: "End sessions; their clients are told 4301, and not to come back by themselves.\n" +
			"- reads IDs from standard input, one a line. On a terminal more than one is asked\n" +
			"about first, unless --yes is given.\n" + adminExits,
		Example: "  curfew sessions kick AK0bXY7Hqpm1X3aRQ2KzqvV3zJ0uH4nT\n" +
			"  curfew sessions ls --all -o json --state detached | jq -r .session_id |\n" +
			"      curfew sessions kick -",
		Args:              someIDs,
		ValidArgsFunction: f.completeIDs(p, 0),
		RunE: func(c *cobra.Command, args []string) error {
			return f.run(c.Context(), p, func(ctx context.Context, o *operation) error {
				if len(args) > 1 {
					question := fmt.Sprintf("End %d sessions?", len(args))
					if err := o.confirm(ctx, yes, question); err != nil {
						return err
					}
				}
				return o.eachID(args, "kicked", func(id string) error {
					return o.client.Kick(ctx, id)
				})
			})
		},
	}
	f.addAdmin(c)
	c.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return c
}

// done is what became of one session of several, in JSON.
type done struct {
	ID    string     `json:"session_id"`
	Done  bool       `json:"done"`
	Error *doneError `json:"error,omitempty"`
}

type doneError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// eachID does something to each session and tells of each. What does not concern one session alone
// ends it.
func (o *operation) eachID(args []string, what string, do func(id string) error) error {
	failed, n := 0, 0
	err := o.ids(args, func(id string) error {
		err := do(id)
		switch adminclient.KindOf(err) {
		case adminclient.KindNotFound, adminclient.KindRefused, adminclient.KindBusy:
			failed++
		case 0:
			if err == nil {
				break
			}
			return err
		default:
			return err
		}
		n++
		return o.tellOne(id, what, err, n == 1)
	})
	if o.json && n > 0 { // also where it did not come to the end: it is JSON none the less
		err = cmp.Or(err, o.print("\n]\n"))
	}
	switch {
	case err != nil:
		return err
	case n == 0:
		return errors.New("no ID was given: standard input was empty")
	case failed > 0:
		return exitError{exitRefused, errTold}
	}
	return nil
}

// tellOne tells what became of one session.
func (o *operation) tellOne(id, what string, err error, first bool) error {
	if !o.json {
		if err != nil {
			o.say("%s: %v", screen.Safe(id, 0), err)
			return nil
		}
		return o.print(what + " " + screen.Safe(id, 0) + "\n")
	}
	d := done{ID: id, Done: err == nil}
	if e, ok := errors.AsType[*adminclient.Error](err); ok {
		d.Error = &doneError{e.Code, e.Message}
	}
	line, err := json.Marshal(d)
	if err != nil {
		return err
	}
	before := ",\n  "
	if first {
		before = "[\n  "
	}
	return o.print(before + string(screen.JSON(line)))
}

// ids calls do with each ID of the arguments; - stands for those of standard input.
func (o *operation) ids(args []string, do func(id string) error) error {
	for _, arg := range args {
		if arg != "-" {
			if err := do(arg); err != nil {
				return err
			}
			continue
		}
		lines := bufio.NewScanner(o.in)
		for lines.Scan() {
			if id := strings.TrimSpace(lines.Text()); id != "" {
				if err := do(id); err != nil {
					return err
				}
			}
		}
		err := lines.Err()
		if errors.Is(err, bufio.ErrTooLong) {
			return errors.New("a line of standard input is too long for an ID: give one a line")
		}
		if err != nil {
			return fmt.Errorf("standard input cannot be read: %w", err)
		}
	}
	return nil
}

// newUsersKick is `curfew users kick`.
func newUsersKick(p Process) *cobra.Command {
	var f adminFlags
	var yes bool
	c := &cobra.Command{
		Use:   "kick [flags] USER",
		Short: "End all sessions of a user",
		Long: "End all sessions of a user. On a terminal it is asked about first, unless --yes\n" +
			"is given.\n" + adminExits,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("which user? give one, not %d", len(args))
			}
			return nil
		},
		ValidArgsFunction: f.completeUsers(p),
		RunE: func(c *cobra.Command, args []string) error {
			return f.run(c.Context(), p, func(ctx context.Context, o *operation) error {
				user := screen.Safe(args[0], 80)
				question := fmt.Sprintf("End all sessions of %s?", user)
				if err := o.confirm(ctx, yes, question); err != nil {
					return err
				}
				ended, raw, err := o.client.KickUser(ctx, args[0])
				if err != nil {
					return err
				}
				if o.json {
					err = o.raw(raw)
				} else {
					err = o.print(fmt.Sprintf("ended %s of %s\n", counted(ended, "session"), user))
				}
				if err == nil && ended == 0 {
					return exitError{exitRefused, errTold}
				}
				return err
			})
		},
	}
	f.addAdmin(c)
	c.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return c
}

const (
	// sendBytesMax is more than a daemon that was not told otherwise takes.
	sendBytesMax = 64 << 20
	sendLong     = `Send a message to the client of a session, of all of a user's, or of
everyone. DATA is read from standard input where it is - or missing. A queue that is full refuses
it.

In curfew.v1 json is the data of the message and text a string; it carries no binary. In curfew.raw
json and text are a text frame.
` + adminExits
)

// sendFlags are the flags of send.
type sendFlags struct {
	adminFlags

	kind, user, state string
	everyone, yes     bool
}

// newSessionsSend is `curfew sessions send`.
func newSessionsSend(p Process) *cobra.Command {
	var f sendFlags
	c := &cobra.Command{
		Use: "send [flags] ID [DATA]\n" +
			"  curfew sessions send [flags] --user USER|--everyone [DATA]",
		Short: "Send a message to clients",
		Long:  sendLong,
		Example: "  curfew sessions send AK0bXY7Hqpm1X3aRQ2KzqvV3zJ0uH4nT hello\n" +
			"  echo '{\"notice\":\"back at 12\"}' | curfew sessions send --everyone --type json -",
		Args:              cobra.ArbitraryArgs, // check says what is wrong with them
		ValidArgsFunction: f.completeIDs(p, 1),
		RunE: func(c *cobra.Command, args []string) error {
			data, err := f.check(args)
			if err != nil {
				return err
			}
			return f.run(c.Context(), p, func(ctx context.Context, o *operation) error {
				return f.send(ctx, o, args, data)
			})
		},
	}
	f.addAdmin(c)
	flags := c.Flags()
	flags.StringVarP(&f.kind, "type", "t", "text", "`KIND` of the data: json, text or binary")
	flags.StringVar(&f.user, "user", "", "send to all sessions of this `USER`")
	flags.BoolVar(&f.everyone, "everyone", false, "send to all sessions")
	flags.StringVar(&f.state, "state", "", "with --everyone: only to those in this `STATE`")
	flags.BoolVarP(&f.yes, "yes", "y", false, "do not ask before sending to everyone")
	_ = c.RegisterFlagCompletionFunc("type", fixed("json", "text", "binary"))
	_ = c.RegisterFlagCompletionFunc("state", fixed(adminclient.States()...))
	return c
}

// contentTypes are what the API calls each kind of data.
var contentTypes = map[string]string{
	"json": "application/json", "text": "text/plain; charset=utf-8",
	"binary": "application/octet-stream",
}

// check says what is wrong with the flags and arguments, and which of these is the data; "-": it
// is on standard input.
func (f *sendFlags) check(args []string) (data string, err error) {
	rest := args
	switch {
	case contentTypes[f.kind] == "":
		return "", fmt.Errorf("--type is %q: must be json, text or binary", f.kind)
	case f.user != "" && f.everyone:
		return "", errors.New("--user and --everyone say twice to whom: leave one out")
	case f.state != "" && !f.everyone:
		return "", errors.New("--state belongs to --everyone: leave it out")
	case f.user == "" && !f.everyone && len(args) == 0:
		return "", errors.New("to which session? give its ID, --user USER or --everyone")
	case f.user == "" && !f.everyone:
		rest = args[1:]
	}
	if err := oneOf("--state", f.state, adminclient.States()); err != nil {
		return "", err
	}
	if len(rest) > 1 {
		return "", fmt.Errorf("one message at a time, not %d: quote what belongs together",
			len(rest))
	}
	if len(rest) == 0 {
		return "-", nil
	}
	return rest[0], nil
}

func (f *sendFlags) send(ctx context.Context, o *operation, args []string, data string) error {
	m := adminclient.Message{ContentType: contentTypes[f.kind], Data: []byte(data)}
	if data == "-" {
		var err error
		if m.Data, err = io.ReadAll(io.LimitReader(o.in, sendBytesMax+1)); err != nil {
			return fmt.Errorf("standard input cannot be read: %w", err)
		}
		if len(m.Data) > sendBytesMax {
			return fmt.Errorf("standard input holds more than %d bytes: send less", sendBytesMax)
		}
	}
	if f.kind == "json" && !json.Valid(m.Data) {
		return errors.New("the data is not one JSON value: quote strings, or give --type text")
	}
	var sent adminclient.Sent
	var err error
	switch {
	case f.user != "":
		sent, err = o.client.SendUser(ctx, f.user, m)
	case f.everyone:
		to := "all sessions"
		if f.state != "" {
			to = "all sessions that are " + f.state
		}
		if data != "-" { // whose standard input can be asked
			if err := o.confirm(ctx, f.yes, "Send to "+to+"?"); err != nil {
				return err
			}
		}
		sent, err = o.client.SendAll(ctx, f.state, m)
	default:
		sent, err = o.client.Send(ctx, args[0], m)
	}
	if err != nil {
		return err
	}
	if o.json {
		err = o.raw(sent.Raw)
	} else {
		err = o.print(fmt.Sprintf("sent to %s%s\n", counted(sent.Sent, "session"),
			note(sent.Refused > 0, fmt.Sprintf(", refused by %s", screen.Count(sent.Refused)))))
	}
	if err == nil && (sent.Refused > 0 || sent.Sent == 0) {
		return exitError{exitRefused, errTold}
	}
	return err
}
