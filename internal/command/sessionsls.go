package command

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/curfew-go/curfew/internal/adminclient"
	"github.com/curfew-go/curfew/internal/screen"
)

const sessionsLsLong = `List sessions, up to --limit of them, in the order in which the daemon
keeps them, which costs it nothing. With --sort, --state or --user it looks at all of them for each
page.

--all lists each, page by page, so that any number can be listed. One whose own place in the order
changes meanwhile may come twice or not at all; none does in the daemon's own order.

-o json prints one array of what the API tells of each; with --all it prints one object a line.
` + adminExits

// lsFlags are the flags of sessions ls.
type lsFlags struct {
	adminFlags

	query adminclient.Query
	limit int
	all   bool
}

// newSessionsLs is `curfew sessions ls`.
func newSessionsLs(p Process) *cobra.Command {
	var f lsFlags
	c := &cobra.Command{
		Use:     "ls [flags]",
		Aliases: []string{"list"},
		Short:   "List sessions",
		Long:    sessionsLsLong,
		Example: "  curfew sessions ls --sort last_activity        # idle longest first\n" +
			"  curfew sessions ls --all -o json | jq -r .session_id",
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := f.check(c); err != nil {
				return err
			}
			return f.run(c.Context(), p, f.list)
		},
	}
	f.addAdmin(c)
	flags := c.Flags()
	flags.StringVar(&f.query.State, "state", "",
		"only those in this `STATE`: live, detached or grace")
	flags.StringVar(&f.query.User, "user", "", "only those of this `USER`")
	flags.StringVar(&f.query.Sort, "sort", "",
		"`ORDER`: created_at, last_activity or deadline; with - before it the last first")
	flags.IntVar(&f.limit, "limit", 100, "list `N` at most")
	flags.BoolVar(&f.all, "all", false, "list all of them, however many")
	_ = c.RegisterFlagCompletionFunc("state", fixed(adminclient.States()...))
	_ = c.RegisterFlagCompletionFunc("sort", fixed(adminclient.Orders()...))
	_ = c.RegisterFlagCompletionFunc("user", f.completeUsers(p))
	return c
}

func (f *lsFlags) check(c *cobra.Command) error {
	switch {
	case f.all && len(given(c.Flags(), "limit")) > 0:
		return errors.New("--all contradicts --limit: leave one out")
	case f.limit < 1:
		return fmt.Errorf("--limit is %d: must be 1 or more; --all lists all", f.limit)
	}
	return errors.Join(oneOf("--state", f.query.State, adminclient.States()),
		oneOf("--sort", f.query.Sort, adminclient.Orders()))
}

// list prints the pages as they come.
func (f *lsFlags) list(ctx context.Context, o *operation) error {
	limit := f.limit
	if f.all {
		limit = 0
	}
	l := newLister(o, f.all, o.width())
	more := false
	for page, err := range o.client.Pages(ctx, f.query, limit) {
		if err != nil {
			return err
		}
		if o.json {
			err = l.json(page)
		} else {
			err = l.table(page)
		}
		if err != nil {
			return err
		}
		more = page.Next != ""
	}
	if o.json && !f.all {
		return l.closeArray()
	}
	if !o.json && l.n == 0 {
		such := note(f.query.State != "" || f.query.User != "", "such ")
		o.say("there are no %ssessions", such)
	}
	if more && !o.json {
		o.say("there are more: --limit or --all shows them")
	}
	return nil
}

// idColumns is how wide the daemon's own IDs are.
const idColumns = 32

// lister prints pages, of which it holds one.
type lister struct {
	o     *operation
	lines bool // JSON: one object a line instead of an array
	width int
	n     int // sessions so far
	rows  *screen.Table
}

// newLister prints for a terminal so many columns wide; 0: for none.
func newLister(o *operation, lines bool, width int) *lister {
	if width > 0 { // half an ID is none: in a narrower terminal it goes on in the next line
		width = max(width, idColumns)
	}
	return &lister{o: o, lines: lines, width: width}
}

func (l *lister) json(page *adminclient.Page) error {
	var b strings.Builder
	for i := range page.Sessions {
		raw := oneLine(page.Sessions[i].Raw)
		switch {
		case l.lines:
			b.Write(raw)
			b.WriteByte('\n')
		case l.n+i == 0:
			b.WriteString("[\n  ")
			b.Write(raw)
		default:
			b.WriteString(",\n  ")
			b.Write(raw)
		}
	}
	l.n += len(page.Sessions)
	return l.o.print(b.String())
}

func (l *lister) closeArray() error {
	if l.n == 0 {
		return l.o.print("[]\n")
	}
	return l.o.print("\n]\n")
}

func (l *lister) table(page *adminclient.Page) error {
	rows := make([][]string, len(page.Sessions))
	for i := range page.Sessions {
		rows[i] = sessionRow(&page.Sessions[i], page.At)
	}
	var b strings.Builder
	if l.n == 0 && len(rows) > 0 {
		l.rows = screen.NewTable(
			screen.Column{Name: "SESSION", Least: idColumns},
			screen.Column{Name: "STATE", Rank: 1},
			screen.Column{Name: "USER", Least: 8, Rank: 2},
			screen.Column{Name: "IDLE", Right: true, Rank: 1},
			screen.Column{Name: "AGE", Right: true, Rank: 2},
			screen.Column{Name: "ENDS IN", Right: true, Rank: 1},
			screen.Column{Name: "REMOTE", Rank: 3},
			screen.Column{Name: "PROTOCOL", Rank: 4},
		)
		l.rows.Measure(rows)
		b.WriteString(l.rows.Head(l.width) + "\n")
	}
	for _, row := range rows {
		b.WriteString(l.rows.Row(row, l.width) + "\n")
	}
	l.n += len(rows)
	return l.o.print(b.String())
}

// sessionRow is a session in a table. Times are relative to now; where that is zero they are
// absolute.
func sessionRow(s *adminclient.Session, now time.Time) []string {
	ago := func(t time.Time) string {
		if now.IsZero() {
			return formatTime(t)
		}
		return screen.Span(now.Sub(t))
	}
	ends := "never"
	switch {
	case s.Deadline.IsZero():
	case now.IsZero():
		ends = formatTime(s.Deadline)
	default:
		ends = screen.Span(s.Deadline.Sub(now))
	}
	return []string{
		screen.Safe(s.ID, 0), screen.Safe(s.State, 40), orDash(screen.Safe(s.User, 0)),
		ago(s.LastActivity), ago(s.CreatedAt), ends, orDash(screen.Safe(s.Remote, 0)),
		screen.Safe(s.Protocol, 40),
	}
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// formatTime is a moment as the API writes it.
func formatTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z07:00") }

// formatAgo is a moment and how long ago it was.
func formatAgo(t, now time.Time) string {
	return fmt.Sprintf("%s (%s ago)", formatTime(t), screen.Span(now.Sub(t)))
}
