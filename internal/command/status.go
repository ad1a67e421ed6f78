package command

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/curfew-go/curfew/internal/adminclient"
	"github.com/curfew-go/curfew/internal/screen"
)

const statusLong = `Show on one screen how a daemon is: sessions and what became of them, how
punctual expiry is, connections, traffic, the application behind it, memory.

Exit codes: 0 it serves; 1 it drains; 2 it could not be asked, or the command was not understood.`

// newStatus is `curfew status`.
func newStatus(p Process) *cobra.Command {
	var f adminFlags
	c := &cobra.Command{
		Use:   "status [flags]",
		Short: "Show how a daemon is",
		Long:  statusLong,
		Example: "  curfew status\n  curfew status --admin unix:/run/curfew/admin.sock -o json | " +
			"jq .sessions.live",
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, _ []string) error {
			return f.run(c.Context(), p, showStatus)
		},
	}
	f.addAdmin(c)
	return c
}

func showStatus(ctx context.Context, o *operation) error {
	s, err := o.client.Status(ctx)
	if err != nil {
		if k := adminclient.KindOf(err); k != 0 {
			return exitError{exitUsage, err} // 1 is for draining
		}
		return err
	}
	if o.json {
		err = o.raw(s.Raw)
	} else {
		err = o.print(statusText(s, o.client.Address(), o.width()))
	}
	if err == nil && s.State == adminclient.StateDraining {
		return exitError{exitRefused, errTold}
	}
	return err
}

// nameColumn is the width of the names of a listing.
const nameColumn = 14

// listing is a page of names with values.
type listing struct {
	strings.Builder

	width int // of the terminal; 0: none
}

// row writes a line; one whose value is empty is left out. What does not fit goes on in the next
// line, behind a comma or else a space where there is one. Where names would take half of each line
// they stand above their values.
func (l *listing) row(name, value string) {
	column := nameColumn
	if l.width > 0 && l.width < 2*nameColumn && value != "" {
		if name != "" {
			l.WriteString(name + "\n")
		}
		name, column = "", 2
	}
	for value != "" {
		rest := ""
		if room := max(l.width-column, 1); l.width > 0 && screen.Width(value) > room {
			runes := []rune(value)
			head, beyond := string(runes[:room]), string(runes[:room+1])
			if at := strings.LastIndex(beyond, ", "); at > 0 {
				head = beyond[:at+1]
			} else if at := strings.LastIndex(beyond, " "); at > 0 {
				head = beyond[:at]
			}
			value, rest = head, strings.TrimPrefix(value[len(head):], " ")
		}
		_, _ = fmt.Fprintf(l, "%-*s%s\n", column, name, value) // into memory
		name, value = "", rest
	}
}

// parts is what is said of something, where there is something to say.
func parts(all ...string) string {
	return strings.Join(slices.DeleteFunc(all, func(s string) bool { return s == "" }), ", ")
}

// tally is a number with what it counts; "" for none.
func tally[N int | int64 | uint64](n N, what string) string {
	if n == 0 {
		return ""
	}
	return screen.Count(n) + " " + what
}

// statusText is a status for a reader.
func statusText(s *adminclient.Status, address string, width int) string {
	l := &listing{width: width}
	state := screen.Safe(s.State, 40)
	if s.ReadOnly {
		state += ", admin API read-only"
	}
	l.row("curfewd", fmt.Sprintf("%s at %s", screen.Safe(s.Version, 60), address))
	l.row("state", fmt.Sprintf("%s, up %s, process %d, node %s", state,
		screen.Span(screen.Seconds(s.UptimeSeconds)), s.PID, screen.Safe(s.Node, 60)))
	if d := s.Drain; d != nil {
		l.row("drain", drainText(d, s.Now))
	}
	l.WriteByte('\n')
	statusSessions(l, s)
	statusExpiry(l, &s.Expiry)
	statusNetwork(l, s)
	statusMemory(l, s)
	return l.String()
}

func statusSessions(l *listing, s *adminclient.Status) {
	n := &s.Sessions
	limit := ""
	if n.Max > 0 {
		limit = " of " + screen.Count(n.Max)
	}
	l.row("sessions", fmt.Sprintf("%s%s: %s live, %s detached, %s in grace", screen.Count(n.Total),
		limit, screen.Count(n.Live), screen.Count(n.Detached), screen.Count(n.Grace)))
	l.row("", parts(tally(n.Users, "users")))
	l.row("since start", parts(screen.Count(n.Created)+" created", tally(n.Rejected, "rejected"),
		tally(n.Resumed, "resumed"), tally(n.TakenOver, "taken over"), tally(n.Revived, "revived")))
	l.row("ended", reasons(n.Ended))
}

// reasons are counts by name, the largest first.
func reasons(counts map[string]uint64) string {
	names := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), strings.Compare(a, b))
	})
	var all []string
	for _, name := range names {
		if counts[name] > 0 {
			all = append(all, screen.Safe(name, 40)+" "+screen.Count(counts[name]))
		}
	}
	return parts(all...)
}

func statusExpiry(l *listing, e *adminclient.Expiry) {
	lateness := "nothing has expired"
	if e.Lateness.Count > 0 {
		lateness = quantiles(&e.Lateness)
	}
	l.row("lateness", lateness)
	l.row("early", screen.Count(e.Early)+note(e.Early > 0, ": a promise is broken, report this"))
	backlog := fmt.Sprintf("%s of %s entries", screen.Count(e.Backlog), screen.Count(e.Entries))
	l.row("backlog", parts(backlog, tally(e.Stale, "stale"),
		note(e.BehindMillis > 0, screen.Millis(e.BehindMillis)+" behind"),
		tally(e.Panics, "callbacks panicked")))
}

// note is a text where something holds.
func note(holds bool, text string) string {
	if holds {
		return text
	}
	return ""
}

func quantiles(q *adminclient.Quantile) string {
	return fmt.Sprintf("p50 %s, p99 %s, p99.9 %s, max %s", screen.Millis(q.P50Millis),
		screen.Millis(q.P99Millis), screen.Millis(q.P999Millis), screen.Millis(q.MaxMillis))
}

func statusNetwork(l *listing, s *adminclient.Status) {
	c, t, a := &s.Connections, &s.Traffic, &s.Application
	l.row("connections", parts(screen.Count(c.Open)+" open", screen.Count(c.Accepted)+" accepted",
		screen.Count(c.Upgraded)+" upgraded", tally(c.Slow, "slow"), tally(c.Evicted, "evicted"),
		tally(c.Starved, "without a file")))
	if refused := reasons(c.Refused); refused != "" {
		l.row("refused", "HTTP "+refused)
	}
	l.row("closed", closes(c.Closed))
	l.row("messages", parts(screen.Count(t.MessagesIn)+" in", screen.Count(t.MessagesOut)+" out",
		tally(t.Dropped, "dropped"), tally(t.Replayed, "replayed"), tally(t.Pushed, "pushed"),
		tally(t.PushRefused, "pushes refused")))
	l.row("bytes", parts(screen.Bytes(float64(t.BytesIn))+" in",
		screen.Bytes(float64(t.BytesOut))+" out"))
	breaker := note(a.BreakerOpen, "its circuit breaker is open")
	l.row("application", parts(screen.Safe(a.Kind, 40), tally(a.CallsInFlight, "calls running"),
		tally(a.InFlight, "requests running"), tally(a.Waiting, "messages waiting"), breaker,
		tally(a.EndsWaiting, "ends to tell"), tally(a.EndsDropped, "ends never told")))
	l.row("calls", reasons(a.Calls))
	l.row("requests", reasons(a.Requests))
}

// closes are how connections ended, the most frequent first.
func closes(all []adminclient.CloseCount) string {
	sorted := slices.SortedFunc(slices.Values(all), func(a, b adminclient.CloseCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Code, b.Code),
			strings.Compare(a.Side, b.Side))
	})
	var shown []string
	for _, c := range sorted {
		if c.Count > 0 {
			shown = append(shown, closeName(c)+" "+screen.Count(c.Count))
		}
	}
	return parts(shown...)
}

func closeName(c adminclient.CloseCount) string {
	if c.Code == 0 {
		return "no close frame"
	}
	return fmt.Sprintf("%d by %s", c.Code, screen.Safe(c.Side, 20))
}

func statusMemory(l *listing, s *adminclient.Status) {
	m := &s.Memory
	held := func(n int64, what string) string {
		return note(n > 0, what+" "+screen.Bytes(float64(n)))
	}
	l.row("memory", parts(held(m.Resident, "resident"), held(m.Heap, "heap"),
		held(m.Runtime, "from the system")))
	l.row("", parts(held(m.Sessions, "sessions"), held(m.Connections, "connections"),
		held(m.Replay, "replay"), held(m.Buffers, "buffers"), held(m.Waiting, "waiting")))
}

// drainText is how far a drain is.
func drainText(d *adminclient.Drain, now time.Time) string {
	gone := max(d.Connections-d.Remaining, 0)
	return fmt.Sprintf("%s of %s connections gone, for %s of %s", screen.Count(gone),
		screen.Count(d.Connections), screen.Span(now.Sub(d.StartedAt)),
		screen.Span(screen.Seconds(d.WindowSeconds)))
}
