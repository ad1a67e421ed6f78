package server

import (
	"cmp"
	"os"
	"runtime"
	"runtime/metrics"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/curfew-go/curfew/engine"
	"github.com/curfew-go/curfew/internal/admin"
	"github.com/curfew-go/curfew/internal/backend"
	"github.com/curfew-go/curfew/internal/gateway"
	"github.com/curfew-go/curfew/internal/netloop"
)

// status is the daemon's numbers at the moment, as the operator's API shows them.
func (d *daemon) status() admin.Status {
	t := now()
	table, network, counts := d.gateway.Stats(), d.gateway.NetStats(), d.gateway.Counts()
	s := admin.Status{
		Version: d.version, GoVersion: runtime.Version(), PID: os.Getpid(), Node: d.gateway.Node(),
		StartedAt: millis(d.started), Now: millis(t), UptimeSeconds: t.Sub(d.started).Seconds(),
		State: admin.StateServing, ReadOnly: d.inForce.Load().AdminReadOnly,
		Sessions:    d.sessionCounts(&table, &counts),
		Expiry:      d.expiry(&table),
		Connections: connectionCounts(&network),
		Traffic:     traffic(&network, &counts),
		Application: d.application(&counts),
		Memory:      memory(&table, &network, &counts),
		Loops:       make([]admin.Loop, len(network.Loops)),
	}
	for i, l := range network.Loops {
		s.Loops[i] = admin.Loop{
			Connections: l.Connections, BusySeconds: l.Busy.Seconds(), Turns: l.Turns,
		}
	}
	if d.draining.Load() {
		s.State = admin.StateDraining
		s.Drain = d.drainSoFar(network.Open)
	}
	return s
}

// drainSoFar is how far the drain has come that is under way.
func (d *daemon) drainSoFar(open int) *admin.Drain {
	total := int(d.drained.Load())
	return &admin.Drain{
		StartedAt: millis(*d.drainedAt.Load()), Connections: total, Remaining: min(open, total),
		WindowSeconds: d.inForce.Load().DrainWindow.Seconds(),
	}
}

// millis is a moment as it is shown: in UTC, to the millisecond.
func millis(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

func (d *daemon) sessionCounts(table *engine.Stats, c *gateway.Counts) admin.SessionCounts {
	s := admin.SessionCounts{
		Total: c.Live + c.Detached + c.Grace, Live: c.Live, Detached: c.Detached, Grace: c.Grace,
		Max: d.config.MaxSessions, Users: c.Users,
		Created: c.Created, Rejected: c.Rejected, Revived: table.Revived,
		DetachedEver: c.DetachedEver, Resumed: c.Resumed, TakenOver: c.TakenOver,
		HelloRefused: notNil(c.HelloRefused), ResumeRefused: notNil(c.ResumeRefused),
		Ended: make(map[string]uint64, len(c.Ended)),
	}
	for reason, n := range c.Ended {
		s.Ended[string(reason)] = n
	}
	return s
}

// notNil is a map that JSON shows as an object.
func notNil(m map[string]uint64) map[string]uint64 {
	if m == nil {
		return map[string]uint64{}
	}
	return m
}

func (d *daemon) expiry(table *engine.Stats) admin.Expiry {
	e := admin.Expiry{
		TickMillis: inMillis(d.config.Tick), Early: table.Early,
		Lateness: quantile(&table.Lateness), Sweep: quantile(&table.Sweep),
		LateBuckets:  buckets(&table.Lateness),
		BehindMillis: inMillis(table.Behind), Backlog: table.Backlog,
		Entries: table.Entries, Stale: table.Stale, CallbackPanic: table.CallbackPanics,
		Wheel: admin.Wheel{Kind: d.config.Wheel, Levels: []admin.WheelLevel{}},
	}
	for _, l := range d.gateway.Wheel() {
		e.Wheel.Levels = append(e.Wheel.Levels, admin.WheelLevel{
			SlotMillis: inMillis(l.Slot), Cursor: l.Cursor, Entries: l.Entries, Slots: l.Slots,
		})
	}
	return e
}

func quantile(h *engine.Histogram) admin.Quantile {
	return admin.Quantile{
		Count: h.Count(), P50Millis: inMillis(h.Quantile(0.5)),
		P99Millis: inMillis(h.Quantile(0.99)), P999Millis: inMillis(h.Quantile(0.999)),
		MaxMillis: inMillis(h.Max()),
	}
}

func buckets(h *engine.Histogram) []admin.Bucket {
	all := []admin.Bucket{}
	for upTo, n := range h.Buckets() {
		all = append(all, admin.Bucket{UpToMillis: inMillis(upTo), Count: n})
	}
	return all
}

func inMillis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func connectionCounts(n *netloop.Stats) admin.ConnectionCounts {
	c := admin.ConnectionCounts{
		Open: n.Open, Accepted: n.Accepted, Upgraded: n.Upgraded,
		Refused: make(map[string]uint64, len(n.Refused)), Closed: []admin.CloseCount{},
		Slow: n.Ended[netloop.CauseSlow], Evicted: n.Evicted, Starved: n.Starved,
	}
	for status, count := range n.Refused {
		c.Refused[strconv.Itoa(status)] = count
	}
	for how, count := range n.Closed {
		c.Closed = append(c.Closed, admin.CloseCount{
			Code: int(how.Code), Side: how.Side.String(), Count: count,
		})
	}
	slices.SortFunc(c.Closed, func(a, b admin.CloseCount) int {
		return cmp.Or(cmp.Compare(a.Code, b.Code), strings.Compare(a.Side, b.Side))
	})
	return c
}

func traffic(n *netloop.Stats, c *gateway.Counts) admin.Traffic {
	return admin.Traffic{
		FramesIn: n.FramesIn, FramesOut: n.FramesOut,
		MessagesIn: n.MessagesIn, MessagesOut: n.MessagesOut,
		BytesIn: n.BytesIn, BytesOut: n.BytesOut, Dropped: n.Dropped,
		Replayed: c.Replayed, PushedTo: c.Pushed, PushRefused: c.PushRefused,
	}
}

func (d *daemon) application(c *gateway.Counts) admin.Application {
	a := admin.Application{
		Kind: "echo", CallsInFlight: c.CallsRunning, Calls: notNil(c.Calls), Waiting: c.Waiting,
		Requests: map[string]uint64{}, Latency: map[string]admin.Quantile{},
	}
	h, ok := d.backend.(*backend.HTTP)
	if !ok {
		return a
	}
	s := h.Stats()
	a.Kind = "http"
	a.InFlight, a.BreakerOpen = s.InFlight, s.BreakerOpen
	a.EndsWaiting, a.EndsDropped = s.EndsWaiting, s.EndsDropped
	for _, r := range s.Requests {
		if r.Count > 0 {
			a.Requests[r.Event+"_"+r.Outcome] = r.Count
		}
	}
	for _, l := range s.Latency {
		if n := l.Count(); n > 0 {
			a.Latency[l.Event] = admin.Quantile{
				Count: n, P50Millis: inMillis(l.Quantile(0.5)),
				P99Millis: inMillis(l.Quantile(0.99)), P999Millis: inMillis(l.Quantile(0.999)),
				MaxMillis: inMillis(l.Max),
			}
		}
	}
	return a
}

// memory is what holds how much. The runtime's own numbers cost microseconds.
func memory(table *engine.Stats, n *netloop.Stats, c *gateway.Counts) admin.Memory {
	samples := []metrics.Sample{
		{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/total:bytes"},
	}
	metrics.Read(samples)
	return admin.Memory{
		Sessions: table.Bytes, Replay: c.ReplayBytes, Buffers: n.Buffers, Waiting: c.WaitingBytes,
		Slots: n.Slots, Heap: int64(samples[0].Value.Uint64()),
		Runtime: int64(samples[1].Value.Uint64()), Resident: residentBytes(),
	}
}

// settings are the values that the daemon runs with: those that it was given, but for the level of
// the log where an operator has set another one.
func (d *daemon) settings() []admin.Setting {
	c := d.inForce.Load()
	all, level := c.Settings(), d.level.Level()
	shown := make([]admin.Setting, len(all))
	for i, s := range all {
		shown[i] = admin.Setting(s)
		if s.Name == "log-level" && level != c.LogLevel {
			shown[i].Value, shown[i].From = strings.ToLower(level.String()), "PUT /v1/log-level"
		}
	}
	return shown
}

// warnings are what is unwise about them.
func (d *daemon) warnings() []string { return d.inForce.Load().Warnings }
