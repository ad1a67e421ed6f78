package main

import "strings"

// better says which way a figure is better.
type better int

const (
	neither better = iota // it says what was done, not how well
	less
	more
)

// measure is what is known of a figure.
type measure struct {
	title string
	way   better
}

// measures are the known figures, by unit. An unknown one is shown under its own name, and is
// taken to be better when it is less, so that no peer's lead is hidden by a gap here.
var measures = map[string]measure{
	"ns/op":           {"ns", less},
	"B/op":            {"bytes allocated", less},
	"allocs/op":       {"allocations", less},
	"advance-ns":      {"of it the clock, ns", less},
	"B/session":       {"bytes a session", less},
	"B/session-worst": {"at the worst moment", less},
	"own-B/session":   {"by its own count", neither},
	"rss-B/session":   {"resident bytes", less},
	"heap-objects":    {"heap objects", less},
	"mark-ms":         {"marking, ms", less},
	"drain-ms":        {"drained after, ms", less},
	"storm-ms":        {"from the first due, ms", less},
	"ns/session":      {"ns a session", less},
	"call-max-us":     {"longest call, us", less},
	"touch-max-us":    {"longest touch, us", less},
	"touch-p50-ns":    {"touch p50, ns", less},
	"touch-p99-ns":    {"touch p99, ns", less},
	"touch-p99.9-ns":  {"touch p99.9, ns", less},
	"early":           {"early", less},
	"early-max-ms":    {"earliest by, ms", less},
	"missing":         {"missing", less},
	"ended":           {"ended", neither},
	"late-p50-ms":     {"late p50, ms", less},
	"late-p99-ms":     {"late p99, ms", less},
	"late-max-ms":     {"late at most, ms", less},
	"cpu-%":           {"percent of a core", less},
	"switches/s":      {"switches a second", less},

	"ends":    {"ends", neither},
	"touches": {"touches", neither},
	"late":    {"late", less},
	"lost":    {"lost", less},

	"wrong": {"wrong", less},

	"resumed":           {"resumed", neither},
	"replayed":          {"replayed", neither},
	"told":              {"told", neither},
	"sent":              {"sent", neither},
	"received":          {"received", neither},
	"expired":           {"expired", neither},
	"answered_a_second": {"answered a second", neither},

	"bytes_conn":       {"user memory, bytes a connection (growth from none)", less},
	"bytes_conn_slope": {"user memory, bytes a connection (slope)", less},
	"cpu_us_accept":    {"accept and upgrade, server CPU us a connection", less},
	"cpu_us_msg":       {"echo, server CPU us a message", less},
	"cpu_of_raw":       {"server CPU of a message, as a multiple of raw's beside it", less},
	"cpu_of_plain": {
		"server CPU of a message, as a multiple of the plain build's beside it", less,
	},
	"idle_cpu_percent": {"idle, percent of a core", less},
	"rate":             {"messages a second", neither},

	"timing_error_p99_us":       {"how late the harness was, p99, us", less},
	"timing_error_max_us":       {"how late the harness was, at most, us", less},
	"client_cpu_us_per_message": {"the harness's own CPU us a message", less},

	"ms/answer":   {"ms an answer", less},
	"pong-p50-us": {"a client's pong meanwhile, p50, us", less},
	"pong-p99-us": {"p99, us", less},
	"pong-max-us": {"at most, us", less},
	"%-of-a-core": {"percent of a core", less},

	"resume_ms":          {"all dropped at once, ms to the last hello_ack", less},
	"replay_ms":          {"the same, ms to the last frame replayed", less},
	"hello_p99_ms":       {"a hello to its answer, p99 in ms", less},
	"late_p99_ms":        {"expiry together, p99 of ms late from the touch's sending", less},
	"late_answer_p99_ms": {"expiry together, p99 of ms late from the touch's answer", less},
	"backend_p99_ms":     {"message to an application over HTTP, p99 in ms from due", less},
	"backend_cpu_us_msg": {"message to an application over HTTP, daemon CPU us", less},

	"cpu_percent": {"percent of a core over all of it", neither},
	"anon_kib":    {"user memory, KiB", neither},
	"anon_kib_second_third": {
		"user memory in the second third and the last, KiB at most", neither,
	},
	"ledger": {"what came of it", neither},
}

// extras are the figures behind the first of a line that its table shows.
var extras = map[string][]string{
	"cpu_us_msg":            {"rate"},
	"resume_ms":             {"resumed", "lost", "changed", "gaps", "replayed", "missing"},
	"late_p99_ms":           {"told", "early", "missing", "p50_ms", "max_ms"},
	"backend_p99_ms":        {"answered_a_second", "lost", "wrong", "unsent", "p50_ms", "max_ms"},
	"anon_kib_second_third": {"anon_kib_last_third"},
	"ledger": {
		"sent", "received", "expired", "early", "missing", "lost", "wrong", "dropped", "failed",
	},
}

// title is what a figure is called in a table.
func title(unit string) string {
	if m, ok := measures[unit]; ok {
		return m.title
	}
	return strings.ReplaceAll(unit, "_", " ")
}

func wayOf(unit string) better {
	if m, ok := measures[unit]; ok {
		return m.way
	}
	return less
}

// kind is what a subject is to us.
type kind int

const (
	peer  kind = iota // what others offer for the same; whatever is not known is one
	ours              // what a user of Curfew gets
	floor             // what cannot be had for less
)

// kinds are the subjects that are no peers.
var kinds = map[string]kind{
	"curfew":            ours,
	"moved":             ours, // the variant of the wheel that 0004 rejected
	"curfewd":           ours,
	"curfewd-epoll":     ours,
	"curfewd-goroutine": ours,
	"curfewd-tls":       ours,
	"raw":               ours,
	"json":              ours,
	"json-resume":       ours,
	"plain":             ours,
	"pgo":               ours,
	"hash":              floor,
	"random":            floor, // the random bytes of an ID
}
