package report

import (
	"maps"
	"slices"
	"strings"

	"github.com/curfew-go/curfew/internal/load/result"
)

// cards are the parts of the page that are tables alone, as far as they apply.
func cards(r *result.Result) (all []section) {
	card := func(shown bool, id, title, note string, t table) {
		if shown {
			t.Caption = title
			all = append(all, section{ID: id, Title: title, Note: note, Tables: []table{t}})
		}
	}
	card(r.Sent+r.Unsent+r.Wrong > 0, "ledger", "Messages", "", ledger(r))
	card(r.Resume != result.Resume{}, "resume", "Resumed sessions", "", resumed(&r.Resume))
	card(r.Fault.Injected > 0, "faults", "Connections that misbehaved on purpose", "",
		faults(&r.Fault))
	card(len(r.Closes) > 0, "closes", "Closed by the server", "", closes(r.Closes))
	card(len(r.Errors) > 0, "errors", "Errors", "", countsTable("error", r.Errors, nil))
	f := &r.Fairness
	card(f.Connections > 0, "fairness", "Fairness",
		"Jain's index is 1 where all connections fare alike, and 1/n where one has it all.",
		table{Rows: []row{
			{Cells: []string{"Jain's index", digits(f.Jain)}},
			{Cells: []string{"connections compared", count(f.Connections)}},
			{Cells: []string{"mean latency of the median connection", micros(f.MeanP50)}},
			{Cells: []string{"of the one that fared worst", micros(f.MeanMax)}},
		}})
	card(r.Server != result.Server{}, "server", "Server's process", "", server(&r.Server))
	t := &r.TimingError
	card(*t != result.TimingError{} || r.Client != result.Client{}, "harness", "Harness",
		"How late the harness itself was. Above 10 ms at p99, or 500 ms once, nothing is proved.",
		table{Rows: []row{
			{Cells: []string{"late, p50", micros(t.P50)}},
			{Cells: []string{"late, p99", micros(t.P99)}, Bad: r.ExitCode == result.ExitSchedule},
			{Cells: []string{"late, max", micros(t.Max)}, Bad: r.ExitCode == result.ExitSchedule},
			{Cells: []string{"its CPU a message", micros(r.Client.CPUPerMessage)}},
		}})
	e := environment(&r.Environment)
	card(len(e.Rows) > 0, "environment", "Environment", "", e)
	card(len(r.Environment.Settings) > 0, "settings", "Settings", "",
		pairs("setting", "value", r.Environment.Settings))
	card(len(r.Environment.Sysctls) > 0, "sysctls", "Kernel settings", "",
		pairs("sysctl", "value", r.Environment.Sysctls))
	card(len(r.Flags) > 0, "flags", "Command line", "", table{
		Text: true, Rows: []row{{Cells: []string{"", strings.Join(r.Flags, " ")}}},
	})
	return all
}

func ledger(r *result.Result) table {
	return table{Rows: []row{
		{Cells: []string{"sent", count(r.Sent)}},
		{Cells: []string{"came back right", count(r.Received)}},
		{Cells: []string{"lost", count(r.Lost)}, Bad: r.Lost > 0},
		{Cells: []string{"wrong", count(r.Wrong)}, Bad: r.Wrong > 0},
		{Cells: []string{"came twice", count(r.Duplicated)}, Bad: r.Duplicated > 0},
		{Cells: []string{"out of order", count(r.Reordered)}, Bad: r.Reordered > 0},
		{Cells: []string{"came after they were given up", count(r.Late)}},
		{Cells: []string{"due and never sent", count(r.Unsent)}, Bad: r.Unsent > 0},
		{Cells: []string{"connections ended by the server, unasked", count(r.Cut)}, Bad: r.Cut > 0},
	}}
}

func resumed(s *result.Resume) table {
	return table{Rows: []row{
		{Cells: []string{"connections dropped", count(s.Dropped)}},
		{Cells: []string{"sessions resumed", count(s.Resumed)}},
		{Cells: []string{"became another session", count(s.Changed)}, Bad: s.Changed > 0},
		{Cells: []string{"refused", count(s.Refused)}, Bad: s.Refused > 0},
		{Cells: []string{"resumed with a gap", count(s.Gaps)}, Bad: s.Gaps > 0},
		{Cells: []string{"answers that came again, as they must", count(s.Replayed)}},
		{Cells: []string{"until resumed, p50", millis(s.P50)}},
		{Cells: []string{"until resumed, p99", millis(s.P99)}},
		{Cells: []string{"until resumed, max", millis(s.Max)}},
	}}
}

func faults(f *result.Fault) table {
	t := table{Rows: []row{
		{Cells: []string{"connections", count(f.Injected)}},
		{Cells: []string{"cut by the server", count(f.Cut)}},
		{Cells: []string{"still there at the end", count(f.Held)}},
	}}
	if f.Cut > 0 {
		t.Rows = append(t.Rows,
			row{Cells: []string{"cut after, p50", millis(f.AfterP50)}},
			row{Cells: []string{"cut after, max", millis(f.AfterMax)}})
	}
	if f.Sent > 0 {
		t.Rows = append(t.Rows,
			row{Cells: []string{"messages whose answers were read late", count(f.Sent)}},
			row{Cells: []string{"of these lost", count(f.Lost)}, Bad: f.Lost > 0})
	}
	return t
}

func server(s *result.Server) table {
	all := table{}
	add := func(known bool, name, value string) {
		if known {
			all.Rows = append(all.Rows, row{Cells: []string{name, value}})
		}
	}
	add(s.CPUPerMessage > 0, "CPU a message", micros(s.CPUPerMessage))
	add(s.CPUPerConnect > 0, "CPU a connection made", micros(s.CPUPerConnect))
	add(s.CPUPercent > 0, "CPU of one core", digits(s.CPUPercent)+thin+"%")
	add(s.BytesPerConn != 0, "memory a connection", bytes(s.BytesPerConn))
	add(s.KernelPerConn != 0, "kernel's sockets, a connection", bytes(s.KernelPerConn))
	add(s.RSSBytes > 0, "resident memory at the end", bytes(float64(s.RSSBytes)))
	add(s.Descriptors > 0, "descriptors at the end", count(uint64(s.Descriptors)))
	add(s.DescriptorsAtMax > 0, "descriptors at most", count(uint64(s.DescriptorsAtMax)))
	add(s.Voluntary > 0, "voluntary context switches", count(s.Voluntary))
	add(s.Involuntary > 0, "involuntary context switches", count(s.Involuntary))
	return all
}

func environment(e *result.Environment) table {
	all := table{Text: true}
	add := func(known bool, name, value string) {
		if known {
			all.Rows = append(all.Rows, row{Cells: []string{name, value}})
		}
	}
	add(e.Server != "", "server", e.Server)
	add(e.Protocol != "", "protocol", e.Protocol)
	add(e.Processes > 0, "processes of the harness", count(uint64(max(e.Processes, 0))))
	add(e.Version != "", "harness", e.Version)
	add(e.Go != "", "Go", e.Go)
	add(e.Kernel != "", "kernel", e.Kernel)
	add(e.CPU != "", "CPU", e.CPU)
	add(e.Cores > 0, "cores", count(uint64(max(e.Cores, 0))))
	add(e.Memory > 0, "memory", bytes(float64(e.Memory)))
	add(e.FilesLimit > 0, "open files allowed", count(e.FilesLimit))
	add(len(all.Rows) > 0, "seed", count(e.Seed))
	return all
}

// closeNames are what close codes mean, those that servers send.
var closeNames = map[string]string{
	"1000": "normal", "1001": "going away", "1002": "protocol error", "1003": "unsupported data",
	"1005": "no code", "1007": "invalid payload", "1008": "policy violation",
	"1009": "message too big", "1011": "internal error", "1012": "restart",
	"1013": "try again later", "4200": "session expired",
}

func closes(counts map[string]uint64) table {
	return countsTable("code", counts, closeNames)
}

// countsTable lists what was counted, most often first.
func countsTable(what string, counts map[string]uint64, names map[string]string) table {
	t := table{Head: []string{what, "how many"}}
	keys := slices.Sorted(maps.Keys(counts))
	slices.SortStableFunc(keys, func(a, b string) int {
		switch {
		case counts[a] > counts[b]:
			return -1
		case counts[a] < counts[b]:
			return 1
		}
		return 0
	})
	for _, key := range keys {
		name := key
		if names[key] != "" {
			name += " " + names[key]
		}
		t.Rows = append(t.Rows, row{Cells: []string{name, count(counts[key])}})
	}
	return t
}

func pairs(name, value string, all map[string]string) table {
	t := table{Head: []string{name, value}, Text: true}
	for _, key := range slices.Sorted(maps.Keys(all)) {
		t.Rows = append(t.Rows, row{Cells: []string{key, all[key]}})
	}
	return t
}
