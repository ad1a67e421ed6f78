package adminclient

import (
	"context"
	"encoding/json"
	"net/http"
	"time"
)

// StateDraining is Status.State of a daemon that lets its clients go.
const StateDraining = "draining"

// Status is a daemon at one moment. Counters run from the start of its process.
type Status struct {
	Version       string    `json:"version"`
	PID           int       `json:"pid"`
	Node          string    `json:"node"`
	StartedAt     time.Time `json:"started_at"`
	Now           time.Time `json:"now"`
	UptimeSeconds float64   `json:"uptime_s"`
	State         string    `json:"state"`
	ReadOnly      bool      `json:"read_only"`

	Sessions    SessionCounts    `json:"sessions"`
	Expiry      Expiry           `json:"expiry"`
	Connections ConnectionCounts `json:"connections"`
	Traffic     Traffic          `json:"traffic"`
	Application Application      `json:"application"`
	Memory      Memory           `json:"memory"`
	Loops       []Loop           `json:"loops"`
	Drain       *Drain           `json:"drain"`

	Raw json.RawMessage `json:"-"` // all of it, as it came
}

// SessionCounts is how many sessions there are, and what became of those that were.
type SessionCounts struct {
	Total    int `json:"total"`
	Live     int `json:"live"`
	Detached int `json:"detached"`
	Grace    int `json:"grace"`
	Max      int `json:"max"` // 0: no limit
	Users    int `json:"users"`

	Created   uint64            `json:"created"`
	Ended     map[string]uint64 `json:"ended"` // by reason
	Rejected  uint64            `json:"rejected"`
	Revived   uint64            `json:"revived"`
	Resumed   uint64            `json:"resumed"`
	TakenOver uint64            `json:"taken_over"`
}

// Expiry is how the timing wheel keeps its promise.
type Expiry struct {
	TickMillis   float64  `json:"tick_ms"`
	Early        uint64   `json:"early"`
	Lateness     Quantile `json:"lateness"`
	Sweep        Quantile `json:"sweep"`
	BehindMillis float64  `json:"behind_ms"`
	Backlog      int      `json:"backlog"`
	Entries      int      `json:"entries"`
	Stale        int      `json:"stale"`
	Panics       uint64   `json:"callback_panics"`
	Wheel        Wheel    `json:"wheel"`
}

// Quantile sums up durations since the start of the process.
type Quantile struct {
	Count      uint64  `json:"count"`
	P50Millis  float64 `json:"p50_ms"`
	P99Millis  float64 `json:"p99_ms"`
	P999Millis float64 `json:"p999_ms"`
	MaxMillis  float64 `json:"max_ms"`
}

// Wheel is the timing wheel, all shards together.
type Wheel struct {
	Kind   string       `json:"kind"`
	Levels []WheelLevel `json:"levels"` // the finest first
}

// WheelLevel is one level of the wheel.
type WheelLevel struct {
	SlotMillis float64 `json:"slot_ms"`
	Cursor     int     `json:"cursor"`
	Entries    int     `json:"entries"`
	Slots      []int   `json:"slots"`
}

// ConnectionCounts is how many connections there are, and how others ended.
type ConnectionCounts struct {
	Open     int               `json:"open"`
	Accepted uint64            `json:"accepted"`
	Upgraded uint64            `json:"upgraded"`
	Refused  map[string]uint64 `json:"refused"` // by HTTP status
	Closed   []CloseCount      `json:"closed"`
	Slow     uint64            `json:"slow"`
	Evicted  uint64            `json:"evicted"`
	Starved  uint64            `json:"starved"`
}

// CloseCount is how many connections ended with a code.
type CloseCount struct {
	Code  int    `json:"code"`
	Side  string `json:"side"`
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
	Dropped     uint64 `json:"dropped"`
	Replayed    uint64 `json:"replayed"`
	Pushed      uint64 `json:"pushed"`
	PushRefused uint64 `json:"push_refused"`
}

// Application is what is asked of the application behind the daemon.
type Application struct {
	Kind          string            `json:"kind"`
	CallsInFlight int               `json:"calls_in_flight"`
	Calls         map[string]uint64 `json:"calls"`    // by outcome
	Requests      map[string]uint64 `json:"requests"` // event_outcome
	InFlight      int               `json:"in_flight"`
	Waiting       int               `json:"waiting"`
	BreakerOpen   bool              `json:"breaker_open"`
	EndsWaiting   int               `json:"ends_waiting"`
	EndsDropped   uint64            `json:"ends_dropped"`
}

// Memory is what holds how many bytes.
type Memory struct {
	Sessions    int64 `json:"sessions_bytes"`
	Replay      int64 `json:"replay_bytes"`
	Buffers     int64 `json:"buffers_bytes"`
	Waiting     int64 `json:"waiting_bytes"`
	Connections int64 `json:"connections_bytes"`
	Heap        int64 `json:"heap_bytes"`
	Runtime     int64 `json:"runtime_bytes"`
	Resident    int64 `json:"resident_bytes"` // 0: the system does not say
}

// Loop is one of the loops that serve connections.
type Loop struct {
	Connections int     `json:"connections"`
	BusySeconds float64 `json:"busy_s"`
	Turns       uint64  `json:"turns"`
}

// Drain is how far a drain has come.
type Drain struct {
	StartedAt     time.Time `json:"started_at"`
	WindowSeconds float64   `json:"window_s"`
	Connections   int       `json:"connections"` // at its start
	Remaining     int       `json:"remaining"`
}

// Status asks for the daemon's numbers.
func (c *Client) Status(ctx context.Context) (*Status, error) {
	s := new(Status)
	a, err := c.ask(ctx, request{method: http.MethodGet, path: "/v1/status"}, s)
	if err != nil {
		return nil, err
	}
	if s.PID == 0 || s.State == "" || s.Now.IsZero() {
		return nil, c.foreign(0, "its status has no process and no state", nil)
	}
	s.Raw = a.body
	return s, nil
}

// Drain asks the daemon to let its clients go and to end. It may be asked again.
func (c *Client) Drain(ctx context.Context) (json.RawMessage, error) {
	var v struct {
		Draining bool `json:"draining"`
	}
	a, err := c.ask(ctx, request{method: http.MethodPost, path: "/v1/drain"}, &v)
	if err != nil {
		return nil, err
	}
	if !v.Draining {
		return nil, c.foreign(0, "it does not drain", nil)
	}
	return a.body, nil
}

// LogLevel is the level of the daemon's log.
type LogLevel struct {
	Level string          `json:"level"`
	Raw   json.RawMessage `json:"-"` // as it came
}

const logLevelPath = "/v1/log-level"

// LogLevel asks for the level of the daemon's log.
func (c *Client) LogLevel(ctx context.Context) (LogLevel, error) {
	return c.logLevel(ctx, request{method: http.MethodGet, path: logLevelPath})
}

// SetLogLevel sets the level of the daemon's log, until the daemon ends.
func (c *Client) SetLogLevel(ctx context.Context, level string) (LogLevel, error) {
	body, err := json.Marshal(LogLevel{Level: level})
	if err != nil {
		return LogLevel{}, err
	}
	return c.logLevel(ctx, request{
		method: http.MethodPut, path: logLevelPath, kind: "application/json", body: body,
	})
}

func (c *Client) logLevel(ctx context.Context, r request) (LogLevel, error) {
	var l LogLevel
	a, err := c.ask(ctx, r, &l)
	if err != nil {
		return LogLevel{}, err
	}
	if l.Level == "" {
		return LogLevel{}, c.foreign(0, "it names no level", nil)
	}
	l.Raw = a.body
	return l, nil
}
