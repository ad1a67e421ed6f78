package admin

import "time"

// Status is the daemon at one moment, as GET /v1/status gives it. Everything in it was counted as
// it happened: nothing looks at sessions for it, so it costs the same however many there are.
// Counters run from the start of the process; a name that ends in a unit is in that unit.
type Status struct {
	Version       string    `json:"version"`
	GoVersion     string    `json:"go_version"`
	PID           int       `json:"pid"`
	Node          string    `json:"node"`
	StartedAt     time.Time `json:"started_at"`
	Now           time.Time `json:"now"`
	UptimeSeconds float64   `json:"uptime_s"`
	State         string    `json:"state"` // StateServing or StateDraining
	ReadOnly      bool      `json:"read_only"`

	Sessions    SessionCounts    `json:"sessions"`
	Expiry      Expiry           `json:"expiry"`
	Connections ConnectionCounts `json:"connections"`
	Traffic     Traffic          `json:"traffic"`
	Application Application      `json:"application"`
	Memory      Memory           `json:"memory"`
	Loops       []Loop           `json:"loops"` // none in goroutine mode
	Drain       *Drain           `json:"drain,omitempty"`
}

// States of a daemon.
const (
	StateServing  = "serving"
	StateDraining = "draining"
)

// SessionCounts is how many sessions there are, and what became of those that were.
type SessionCounts struct {
	Total    int `json:"total"` // Live + Detached + Grace
	Live     int `json:"live"`
	Detached int `json:"detached"`
	Grace    int `json:"grace"`
	Max      int `json:"max"` // 0: no limit
	Users    int `json:"users"`

	Created       uint64            `json:"created"`
	Ended         map[string]uint64 `json:"ended"`         // by reason; every reason is there
	Rejected      uint64            `json:"rejected"`      // newcomers for whom there was no room
	HelloRefused  map[string]uint64 `json:"hello_refused"` // newcomers, by what they were told
	Revived       uint64            `json:"revived"`       // touched in grace
	DetachedEver  uint64            `json:"detached_ever"`
	Resumed       uint64            `json:"resumed"`    // takeovers included
	TakenOver     uint64            `json:"taken_over"` // resumed while still connected
	ResumeRefused map[string]uint64 `json:"resume_refused"`
}

// Expiry is how the timing wheel keeps its promise.
type Expiry struct {
	TickMillis    float64  `json:"tick_ms"`
	Early         uint64   `json:"early"` // sessions that ended before their time: 0
	Lateness      Quantile `json:"lateness"`
	LateBuckets   []Bucket `json:"lateness_buckets"` // that are not empty, in ascending order
	Sweep         Quantile `json:"sweep"`            // how long one batch of one shard took
	BehindMillis  float64  `json:"behind_ms"`        // how long what came up is not looked at
	Backlog       int      `json:"backlog"`          // entries that came up and were not looked at
	Entries       int      `json:"entries"`          // of the wheel, stale ones included
	Stale         int      `json:"stale"`
	CallbackPanic uint64   `json:"callback_panics"`
	Wheel         Wheel    `json:"wheel"`
}

// Quantile sums up durations since the start of the process.
type Quantile struct {
	Count      uint64  `json:"count"`
	P50Millis  float64 `json:"p50_ms"`
	P99Millis  float64 `json:"p99_ms"`
	P999Millis float64 `json:"p999_ms"`
	MaxMillis  float64 `json:"max_ms"`
}

// Bucket counts durations of nearly the same length since the start of the process. What lies
// between two readings has its own quantiles, by the difference of the counts.
type Bucket struct {
	UpToMillis float64 `json:"up_to_ms"`
	Count      uint64  `json:"count"`
}

// Wheel is the timing wheel as it is, all shards together.
type Wheel struct {
	Kind   string       `json:"kind"`   // native or russellluo
	Levels []WheelLevel `json:"levels"` // the finest first; none of russellluo
}

// WheelLevel is one level of the wheel.
type WheelLevel struct {
	SlotMillis float64 `json:"slot_ms"` // what one slot spans
	Cursor     int     `json:"cursor"`  // the slot that time is in
	Entries    int     `json:"entries"`
	Slots      []int   `json:"slots"` // entries of each slot
}

// ConnectionCounts is how many connections there are, and how others ended.
type ConnectionCounts struct {
	Open     int               `json:"open"` // those that come or go included
	Accepted uint64            `json:"accepted"`
	Upgraded uint64            `json:"upgraded"`
	Refused  map[string]uint64 `json:"refused"` // handshakes by HTTP status
	Closed   []CloseCount      `json:"closed"`
	Slow     uint64            `json:"slow"`    // ended since their peers did not read
	Evicted  uint64            `json:"evicted"` // ended for --buffer-total-bytes
	Starved  uint64            `json:"starved"` // came when no file was free
}

// CloseCount is how many connections ended with a code.
type CloseCount struct {
	Code  int    `json:"code"` // 0: without a close frame
	Side  string `json:"side"` // who closed: server, client or none
	Count uint64 `json:"count"`
}

// Traffic is what went over the connections.
type Traffic struct {
	FramesIn    uint64 `json:"frames_in"`
	FramesOut   uint64 `json:"frames_out"`
	MessagesIn  uint64 `json:"messages_in"`
	MessagesOut uint64 `json:"messages_out"`
	BytesIn     uint64 `json:"bytes_in"`
	BytesOut    uint64 `json:"bytes_out"`
	Dropped     uint64 `json:"dropped"` // messages that nobody read in time
	Replayed    uint64 `json:"replayed"`
	PushedTo    uint64 `json:"pushed"`
	PushRefused uint64 `json:"push_refused"`
}

// Application is what is asked of the application behind the daemon.
type Application struct {
	Kind          string              `json:"kind"` // echo or http
	CallsInFlight int                 `json:"calls_in_flight"`
	Calls         map[string]uint64   `json:"calls"`    // by outcome
	Requests      map[string]uint64   `json:"requests"` // event_outcome; of http only
	Latency       map[string]Quantile `json:"latency"`  // by event; of http only
	InFlight      int                 `json:"in_flight"`
	Waiting       int                 `json:"waiting"` // messages of clients
	BreakerOpen   bool                `json:"breaker_open"`
	EndsWaiting   int                 `json:"ends_waiting"`
	EndsDropped   uint64              `json:"ends_dropped"`
}

// Memory is what holds how many bytes.
type Memory struct {
	Sessions int64 `json:"sessions_bytes"` // the table: slots, IDs, values, wheel
	Replay   int64 `json:"replay_bytes"`   // sent and not acknowledged
	Buffers  int64 `json:"buffers_bytes"`  // unfinished messages and what waits to be written
	Waiting  int64 `json:"waiting_bytes"`  // messages that wait for the application
	Slots    int64 `json:"connections_bytes"`
	Heap     int64 `json:"heap_bytes"` // live objects of the Go heap
	Runtime  int64 `json:"runtime_bytes"`
	Resident int64 `json:"resident_bytes"` // 0 where the system does not say
}

// Loop is one of the loops that serve connections.
type Loop struct {
	Connections int     `json:"connections"`
	BusySeconds float64 `json:"busy_s"` // time that it did not wait for sockets
	Turns       uint64  `json:"turns"`
}

// Drain is how far a drain has come.
type Drain struct {
	StartedAt     time.Time `json:"started_at"`
	WindowSeconds float64   `json:"window_s"`
	Connections   int       `json:"connections"` // at its start
	Remaining     int       `json:"remaining"`   // of them
}

// Setting is a value that the daemon runs with, as GET /v1/settings gives it.
type Setting struct {
	Name    string   `json:"name"`
	Value   string   `json:"value"` // never a secret
	From    string   `json:"from"`  // the flag, the variable, the file and key, or default
	Default string   `json:"default"`
	Help    string   `json:"help"`
	Old     []string `json:"also_read,omitempty"`
	Live    bool     `json:"live"` // a change is taken over on SIGHUP
}
