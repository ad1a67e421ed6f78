package main

import (
	"slices"
	"strings"
)

// addUp are the sets whose files of all days count, since each adds to what was checked.
var addUp = map[string]bool{"soak": true, "soak-manual": true}

// section is how the file of a set is shown.
type section struct {
	set, title string
	base       string   // the subject that the others are compared with; "": none
	hide       []string // tables that are not shown
	plots      []plotSpec
	note       string // what a reader must know to read the figures right
}

// plotSpec is one picture of a table.
type plotSpec struct {
	name, title string
	table, unit string
	where       []dim  // only what was measured there
	series      string // the dim that gives each place a colour of its own; "": one
	over        string // the dim on the X axis of a line plot; "": one line a subject, as dots
	more        []string
	log         bool
}

const noteNet = "The client takes a processor of its own where `pinned` says so, and shares all " +
	"of them with the server otherwise. With no `RATE` in the command a message is sent when the " +
	"last has come back, so that a server is offered as much as it takes; latencies measured so " +
	"would flatter a slow server and are not shown."

// sections are the known sets, in the order of the page.
func sections() []section { return slices.Concat(engineSections(), daemonSections()) }

func engineSections() []section {
	return []section{
		{set: "touch", title: "A touch by ID", base: "hash", plots: []plotSpec{
			{
				name: "touch", title: "a touch by random ID, ns", table: "Touch", unit: "ns/op",
				series: "gc",
			},
		}},
		{set: "touch-unpinned", title: "A touch by ID, on whatever processor", base: "hash"},
		{set: "handle", title: "A touch by handle"},
		{set: "parallel", title: "Two processors", base: "hash"},
		{set: "growth", title: "Growth", plots: []plotSpec{
			{
				name: "growth", title: "a touch, ns", table: "TouchHandle", unit: "ns/op",
				over: "n", more: []string{"TouchBatch", "Touch"}, log: true,
			},
		}},
		{set: "create", title: "Creating and removing", base: "hash", plots: []plotSpec{
			{name: "create", title: "creating a session, ns", table: "Create", unit: "ns/op"},
		}},
		{set: "create-again", title: "Creating in a table filled after another", base: "hash"},
		{set: "mixed", title: "Touches, creations and ends", base: "hash"},
		{set: "memory", title: "Memory of a session", base: "curfew", plots: []plotSpec{
			{
				name: "memory", title: "a session beside its ID, bytes", table: "Memory",
				unit: "B/session", where: []dim{{"n", "1000000"}},
			},
		}},
		{set: "memory-again", title: "Memory of a session, again"},
		{set: "memory-few", title: "Memory of few sessions", base: "curfew"},
		{set: "gc", title: "The collector", base: "curfew", plots: []plotSpec{
			{
				name: "gc", title: "marking 1,000,000 sessions, ms of processor time", table: "GC",
				unit: "mark-ms", where: []dim{{"n", "1000000"}}, log: true,
			},
		}},
		{set: "storm", title: "A million due together"},
		{set: "lateness", title: "Lateness", base: "curfew", plots: []plotSpec{
			{
				name: "lateness", title: "late, p99 in ms (a tick of 10 ms)", table: "Lateness",
				unit: "late-p99-ms", log: true,
			},
		}},
		{set: "idle", title: "Sessions that nobody uses"},
		{set: "soak", title: "Soak of the engine"},
		{set: "soak-manual", title: "Soak of the engine, by hand"},
	}
}

func daemonSections() []section {
	return []section{
		{
			set: "net", title: "Connections and echoes beside other servers", base: "gnet",
			note: noteNet, plots: netPlots(),
		},
		{
			set: "net-again", title: "Connections and echoes again", base: "gnet", note: noteNet,
		},
		{set: "net-rate", title: "Echoes at a fixed rate", base: "gnet"},
		{set: "nettls", title: "TLS", base: "curfewd-goroutine"},
		{
			set: "netsoak", title: "Soak of the daemon", hide: []string{"anon_kib"},
			plots: []plotSpec{{
				name: "netsoak", title: "user memory in a soak, KiB", table: "anon_kib",
				unit: "anon_kib", over: "seconds", log: true,
			}},
		},
		{set: "sessions", title: "Sessions of the daemon", base: "raw", hide: ledgers},
		{
			set: "sessions-json", title: "JSON beside raw", base: "raw", hide: ledgers,
			plots: []plotSpec{{
				name: "sessions-json", title: "an echo of 1 KiB, server CPU us a message",
				table: "cpu_us_msg", unit: "cpu_us_msg", series: "conns",
				where: []dim{{"mode", "epoll"}, {"size", "1024"}},
			}},
		},
		{set: "sessions-resume", title: "Resuming all at once", hide: ledgers},
		{set: "sessions-storm", title: "Sessions of the daemon due together", hide: ledgers},
		{set: "sessions-backend", title: "An application over HTTP", hide: ledgers},
		{
			set: "load", title: "The harness itself",
			note: "Beside a daemon on the same machine: where server and workers are more than " +
				"the processors, none has one to itself.",
		},
		{
			set: "operator", title: "What an operator asks",
			note: "Daemon and asker share a process; the client whose pongs are timed does too.",
		},
		{set: pgoSet, title: "A build guided by a profile", base: "plain", plots: []plotSpec{{
			name: "pgo", title: "an echo of 32 bytes, multiple of the plain build's CPU",
			table: "cpu_of_plain", unit: "cpu_of_plain", series: "conns",
			where: []dim{{"size", "32"}},
		}}},
	}
}

// ledgers repeat in JSON what stands in the lines of their parts.
var ledgers = []string{"ledger"}

func netPlots() []plotSpec {
	var all []plotSpec
	for _, size := range []struct{ bytes, words string }{{"32", "32 bytes"}, {"1024", "1 KiB"}} {
		all = append(all, plotSpec{
			name:  "net-echo-" + size.bytes,
			title: "an echo of " + size.words + ", server CPU us a message",
			table: "cpu_us_msg", unit: "cpu_us_msg", series: "conns",
			where: []dim{{"size", size.bytes}},
		})
	}
	return append(all,
		plotSpec{
			name: "net-memory", title: "an idle connection, bytes of user memory",
			table: "bytes_conn_slope", unit: "bytes_conn_slope", log: true,
		},
		plotSpec{
			name: "net-accept", title: "accepting and upgrading, server CPU us",
			table: "cpu_us_accept", unit: "cpu_us_accept",
		},
	)
}

// sectionOf is how a file is shown. A set that is not known is shown whole, beside what a set is
// compared with whose name it adds something to.
func sectionOf(f *file) section {
	found := section{title: "`" + f.set + "`"}
	longest := ""
	for _, s := range sections() {
		switch {
		case s.set == f.set:
			return s
		case strings.HasPrefix(f.set, s.set+"-") && len(s.set) > len(longest):
			longest = s.set
			found.base, found.hide, found.note = s.base, s.hide, s.note
		}
	}
	return found
}

// inOrder sorts files as their sections stand, unknown sets behind them.
func inOrder(files []*file) {
	all := sections()
	rank := func(f *file) int {
		i := slices.IndexFunc(all, func(s section) bool { return s.set == f.set })
		if i < 0 {
			return len(all)
		}
		return i
	}
	slices.SortStableFunc(files, func(a, b *file) int { return rank(a) - rank(b) })
}
