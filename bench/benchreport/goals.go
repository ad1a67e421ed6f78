package main

import (
	"slices"
	"strings"
)

// goal is what was asked of a figure.
type goal struct {
	question string
	set      string // the set of files that answers it, whatever is added to its name
	table    string
	unit     string
	of       ref
	by       *ref // what the figure is divided by, where a multiple was asked for

	way    better // less: at most bound; more: at least
	bound  float64
	hoped  float64 // what was hoped for beyond it; 0: nothing
	suffix string  // of the figure: " ns", "x"
	words  string  // what the bound is on, where the rows' names do not say it
	source string  // what it is of
}

// ref names rows: those of a subject that have all these dims. In a divisor only dims stand that
// differ from those of what is divided.
type ref struct {
	subject string
	where   []dim
}

// beat is that our figure is at most so many times that of another.
func (g goal) beat(subject string, times float64) goal {
	g.by, g.way, g.bound, g.suffix = &ref{subject: subject}, less, times, "x"
	return g
}

// atMost is a bound on the figure itself.
func (g goal) atMost(bound float64, suffix string) goal {
	g.way, g.bound, g.suffix = less, bound, suffix
	return g
}

// at restricts a goal to what was measured at these dims, written as key=value.
func (g goal) at(dims ...string) goal {
	g.of.where = slices.Clone(g.of.where)
	for _, d := range dims {
		key, text, _ := strings.Cut(d, "=")
		g.of.where = append(g.of.where, dim{key, text})
	}
	return g
}

// What a goal is of.
const (
	ofEngine   = "the engine"
	ofNetwork  = "the network side"
	ofSessions = "sessions"
	ofHarness  = "the harness"
	ofOperator = "what an operator sees"
	g1         = "the engine, G1"
	g2         = "the engine, G2"
)

// engineGoal is a goal for the engine.
func engineGoal(question, set, benchmark, unit, source string) goal {
	return goal{
		question: question, set: set, table: benchmark, unit: unit, source: source,
		of: ref{subject: "curfew"},
	}
}

// netGoal is a goal for the daemon's loops.
func netGoal(question, set, figure, source string) goal {
	return goal{
		question: question, set: set, table: figure, unit: figure, source: source,
		of: ref{subject: "curfewd-epoll"},
	}
}

// goals are all that was asked for in numbers, in the order of the page.
func goals() []goal {
	return slices.Concat(touchGoals(), tableGoals(), netGoals(), sessionGoals(),
		harnessGoals(), operatorGoals())
}

func touchGoals() []goal {
	touch := engineGoal("What does a touch by random ID cost, beside hashing the ID?",
		"touch", "Touch", "ns/op", ofEngine).beat("hash", 2.0)
	touch.hoped = 1.75
	faster := func(who string, times float64) goal {
		g := engineGoal("How much longer does "+who+" take for it, with the collector off?",
			"touch", "Touch", "ns/op", ofEngine).at("gc=off")
		g.of.subject, g.by = who, &ref{subject: "curfew"}
		g.way, g.bound, g.suffix = more, times, "x"
		return g
	}
	handle := func(mode string, ns float64) goal {
		return engineGoal("What does a touch by handle cost?",
			"handle", "TouchHandle", "ns/op", ofEngine).at("mode="+mode).atMost(ns, " ns")
	}
	parallel := func(how, benchmark string, dims ...string) goal {
		g := engineGoal("What do two processors touch "+how+" that one does not?",
			"parallel", benchmark, "ns/op", ofEngine).at(append(dims, "processors=1")...)
		g.by = &ref{"curfew", []dim{{"processors", "2"}}}
		g.way, g.bound, g.suffix, g.words = more, 1.8, "x", " what one does"
		return g
	}
	growth := func(how, benchmark string, dims ...string) goal {
		g := engineGoal("How does a touch "+how+" grow from 1,000 to 10,000,000 sessions?",
			"growth", benchmark, "ns/op", ofEngine).at(append(dims, "n=10000000")...)
		g.by = &ref{"curfew", []dim{{"n", "1000"}}}
		g.way, g.bound, g.suffix, g.words = less, 6, "x", " what it costs among 1,000"
		return g
	}
	return []goal{
		touch, faster("luo", 4.4), faster("otter", 2),
		engineGoal("Does a touch allocate?", "touch", "Touch", "allocs/op", ofEngine).atMost(0, ""),
		handle("sametick", 4), handle("newtick", 10), handle("random", 50),
		engineGoal("What does a session cost in a batch of 256 touches?",
			"handle", "TouchBatch", "ns/op", ofEngine).at("batch=256").atMost(25, " ns"),
		parallel("by ID", "TouchParallel"),
		parallel("by handle", "TouchHandleParallel", "mode=random"),
		growth("by handle", "TouchHandle", "mode=random"),
	}
}

func tableGoals() []goal {
	memory := engineGoal("What does a session take beside its ID?",
		"memory", "Memory", "B/session", ofEngine).at("n=1000000").atMost(40, " B")
	memory.hoped = 32
	storm := func(question, unit string, bound float64, suffix, source string) goal {
		return engineGoal(question, "storm", "Storm", unit, source).atMost(bound, suffix)
	}
	mark := engineGoal("What do 10,000,000 sessions cost the collector, beside an empty table?",
		"gc", "GC", "mark-ms", ofEngine).at("n=10000000").atMost(1, " ms")
	return []goal{
		memory,
		engineGoal("What does creating a session cost, beside hashing its ID?",
			"create", "Create", "ns/op", ofEngine).beat("hash", 4),
		storm("How long do 1,000,000 sessions take that fall due together?",
			"drain-ms", 200, " ms", g2).at("load=none"),
		storm("What do touches take meanwhile, p99.9?",
			"touch-p99.9-ns", 10000, " ns", ofEngine).at("load=none"),
		storm("How long is any call held up meanwhile, with processors taken away too?",
			"call-max-us", 10000, " us", ofEngine),
		engineGoal("What do 10,000,000 idle sessions cost?",
			"idle", "Idle", "cpu-%", "the engine, G6").at("n=10000000").atMost(0.5, " %"),
		mark,
		engineGoal("How late does a session end, from its true last touch, p99 (a tick of 10 ms)?",
			"lateness", "Lateness", "late-p99-ms", g2).atMost(25, " ms"),
		engineGoal("Does any end early, beside timers?",
			"lateness", "Lateness", "early", g1).atMost(0, ""),
		engineGoal("Does any end early in a soak?", "soak", "soak", "early", g1).atMost(0, ""),
		engineGoal("Is any lost in a soak?", "soak", "soak", "lost", ofEngine+", G3").atMost(0, ""),
	}
}

func netGoals() []goal {
	memory := func(figure, how string) goal {
		g := netGoal("What memory does an idle connection take, with its session ("+how+")?",
			"net", figure, ofNetwork).atMost(320, " B")
		g.hoped = 192
		return g
	}
	echo := func(connections string, times float64) goal {
		return netGoal("What does an echo cost the server, beside gnet?",
			"net", "cpu_us_msg", ofNetwork).at("conns="+connections).beat("gnet", times)
	}
	soak := func(question, unit string) goal {
		g := netGoal(question, "netsoak", "ledger", ofNetwork).atMost(0, "")
		g.unit, g.of.subject = unit, "curfewd"
		return g
	}
	return []goal{
		memory("bytes_conn", "growth from none"), memory("bytes_conn_slope", "slope"),
		netGoal("What does accepting and upgrading cost the server, beside gnet?",
			"net", "cpu_us_accept", ofNetwork).beat("gnet", 1.1),
		echo("100", 0.92), echo("1000", 0.78), echo("10000", 0.90),
		netGoal("What do 15,000 connections cost that do nothing?",
			"net", "idle_cpu_percent", ofNetwork).atMost(0.5, " %"),
		soak("Is a message lost under churn, floods and expiry?", "lost"),
		soak("Is one wrong?", "wrong"),
		soak("Does a session end early?", "early"),
		soak("Does one not end?", "missing"),
	}
}

func sessionGoals() []goal {
	of := func(question, figure, unit string, bound float64, suffix string) goal {
		g := netGoal(question, "sessions", figure, ofSessions).atMost(bound, suffix)
		g.unit, g.of.subject = unit, "curfewd" // in each of its modes
		return g
	}
	json := netGoal("What does a JSON message cost the server, beside a raw one?",
		"sessions", "cpu_of_raw", ofSessions).atMost(1.6, "x")
	json.of.subject = "json"
	return []goal{
		json,
		of("How long until 15,000 sessions are resumed that were dropped at once?",
			"resume_ms", "resume_ms", 10000, " ms"),
		of("Is one of them lost?", "resume_ms", "lost", 0, ""),
		of("How late do 10,000 sessions end that fall due together, p99?",
			"late_p99_ms", "late_p99_ms", 50, " ms"),
		of("Is one of them early?", "late_p99_ms", "early", 0, ""),
		of("Is one of them not told?", "late_p99_ms", "missing", 0, ""),
		of("What do 5,000 messages a second take to an application over HTTP, p99?",
			"backend_p99_ms", "backend_p99_ms", 20, " ms"),
		of("Is one of them lost?", "backend_p99_ms", "lost", 0, ""),
	}
}

// harnessGoals are those of the harness itself, beside a daemon that is on the same machine.
func harnessGoals() []goal {
	load := func(question, figure string, at ...string) goal {
		return netGoal(question, "load", figure, ofHarness).at(at...)
	}
	one := []string{"processes=1", "conns=500"}
	return []goal{
		load("How late is one process of the harness at 20,000 messages a second, p99?",
			"timing_error_p99_us", append(one, "rate=20000")...).atMost(50, " us"),
		load("What does a message cost the harness at 100,000 a second?",
			"client_cpu_us_per_message", append(one, "rate=100000")...).atMost(4, " us"),
		load("Is a message over 19,000 connections of one process lost?",
			"lost", "conns=19000").atMost(0, ""),
	}
}

// operatorGoals are those of what an operator asks of a daemon with a million sessions.
func operatorGoals() []goal {
	answer := func(what, ask string, ms float64) goal {
		g := netGoal("What does "+what+" take among 1,000,000 sessions?", "operator",
			"ms/answer", ofOperator).at("ask="+ask, "n=1000000").atMost(ms, " ms")
		g.table, g.of.subject = "Operator", "curfewd"
		return g
	}
	idle := netGoal("What does the operator's side take of a core while nobody asks?", "operator",
		"%-of-a-core", ofOperator).at("dashboards=0").atMost(0.1, " %")
	idle.table, idle.of.subject = "OperatorIdle", "curfewd"
	return []goal{
		answer("a scrape", "metrics", 5),
		answer("a page of 100", "page", 20),
		answer("a page of 100, sorted,", "sorted", 400),
		answer("a page of 100, filtered,", "filtered", 400),
		idle,
	}
}

// proofs are promises in numbers that a test holds, so that no raw file is kept for them.
var proofs = []struct{ question, asked, source, command string }{
	{
		"Does an echo allocate, and what garbage does a handshake leave?",
		"none; almost none", ofNetwork, "go test -run TestGarbage ./internal/netloop",
	},
	{
		"Does a JSON echo allocate beyond a raw one?",
		"no", ofSessions, "go test -run TestGarbage ./internal/gateway",
	},
	{
		"What does a detached session take beside its replay?",
		"at most 256 B", ofSessions, "go test -run TestMemory ./internal/gateway",
	},
}

// answer is what a file says of a goal, at one place.
type answer struct {
	file  *file
	row   *row
	value float64
	n     int
	met   bool
}

// answers finds what a file says of a goal.
func (g goal) answers(f *file, tables []*table) []answer {
	if f.set != g.set && !strings.HasPrefix(f.set, g.set+"-") {
		return nil
	}
	var all []answer
	for _, t := range tables {
		if t.name != g.table {
			continue
		}
		for _, r := range t.rows {
			c := r.cells[g.unit]
			if c == nil || !g.of.covers(r) {
				continue
			}
			a := answer{file: f, row: r, value: c.median(), n: len(c.values)}
			if g.by != nil {
				d := t.divisor(r, *g.by)
				if d == nil || d.cells[g.unit] == nil || d.cells[g.unit].median() == 0 {
					continue
				}
				a.value /= d.cells[g.unit].median()
			}
			a.met = a.value <= g.bound
			if g.way == more {
				a.met = a.value >= g.bound
			}
			all = append(all, a)
		}
	}
	return all
}

// covers says whether a row is one of those named. The daemon's name stands for each of its modes.
func (r ref) covers(row *row) bool {
	mode := r.subject == "curfewd" && (row.subject == "curfewd-epoll" ||
		row.subject == "curfewd-goroutine")
	if row.subject != r.subject && !mode {
		return false
	}
	for _, d := range r.where {
		if valueOf(row.where, d.key) != d.value {
			return false
		}
	}
	return true
}

// divisor is the row that differs from r in what by says.
func (t *table) divisor(r *row, by ref) *row {
	where := slices.Clone(r.where)
	for _, d := range by.where {
		for i := range where {
			if where[i].key == d.key {
				where[i].value = d.value
			}
		}
	}
	return t.beside(&row{where: where}, by.subject)
}

// asked is the goal in words.
func (g goal) asked() string {
	sign := "<="
	if g.way == more {
		sign = ">="
	}
	text := sign + " " + short(g.bound) + g.suffix
	if g.way == less && g.bound == 0 {
		text = "none"
	}
	switch {
	case g.words != "":
		return text + g.words
	case g.by != nil:
		text += " " + g.by.subject
	}
	if g.hoped != 0 {
		text += ", hoped for " + short(g.hoped)
	}
	if len(g.of.where) > 0 {
		text += " at " + place(g.of.where)
	}
	return text
}
