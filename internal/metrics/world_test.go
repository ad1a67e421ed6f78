package metrics

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"github.com/curfew-go/curfew/engine"
	"github.com/curfew-go/curfew/internal/backend"
	"github.com/curfew-go/curfew/internal/gateway"
	"github.com/curfew-go/curfew/internal/netloop"
)

var quiet = slog.New(slog.DiscardHandler)

// tick is that of tables that count lateness; on it they are exact.
const tick = time.Millisecond

// histogramOf is a histogram as only the engine makes it, of sessions that ended that late.
func histogramOf(t testing.TB, late ...time.Duration) engine.Histogram {
	t.Helper()
	table, err := engine.New(engine.Options[struct{}]{
		Tick: tick, IdleTimeout: tick, Manual: true, Logger: quiet,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range late {
		if _, err := table.Create(struct{}{}); err != nil {
			t.Fatal(err)
		}
		table.Advance(tick + d)
		table.Advance((tick - d%tick) % tick) // to a tick
	}
	h := table.Stats().Lateness
	var sum time.Duration
	for _, d := range late {
		sum += d
	}
	if h.Count() != uint64(len(late)) || h.Sum() != sum {
		t.Fatalf("lateness of %d sessions, %v in all, want %d, %v",
			h.Count(), h.Sum(), len(late), sum)
	}
	return h
}

// fixed is a source whose numbers all differ.
func fixed(t testing.TB) Source {
	t.Helper()
	table := engine.Stats{
		Live: 1001, Grace: 1002, Created: 1003, Ended: 1004, Idle: 1005, Lifetime: 1006,
		Removed: 1007, Renewed: 1008, Revived: 1009, Rejected: 1010, CallbackPanics: 1011,
		Lateness: histogramOf(t, 0, 900, 20*time.Microsecond, 9*time.Millisecond,
			10*time.Millisecond, 11*time.Millisecond, 11*time.Millisecond, 24*time.Millisecond,
			300*time.Millisecond, 7*time.Minute),
		Sweep: histogramOf(t, 30*time.Microsecond, 80*time.Microsecond, 2*time.Millisecond),
		Early: 1012, Backlog: 1013, Behind: 1500 * time.Millisecond,
		Bytes: 1014, Entries: 1015, Stale: 1016, Shards: 8,
	}
	levels := make([]engine.WheelLevel, 10) // more than are shown
	for i := range levels {
		levels[i].Entries = 1100 + i
	}
	return Source{
		Table:   func() engine.Stats { return table },
		Wheel:   func() []engine.WheelLevel { return levels },
		Network: fixedNetwork,
		Gateway: fixedGateway,
		Backend: func() (backend.HTTPStats, bool) { return fixedBackend(), true },
		Audit:   func() Audit { return Audit{Written: 5001, Lost: 5002, Errors: 5003} },
		Reload: func() Reload {
			return Reload{Failed: true, Succeeded: time.Unix(1_800_000_050, 0)}
		},
		Certificate: func() time.Time { return time.Unix(1_900_000_000, 0) },
		Drain:       func() time.Time { return time.Unix(1_800_000_100, 0) },
		Limits: func() Limits {
			return Limits{
				Sessions: 1201, BufferBytes: 1202, Tick: 10 * time.Millisecond,
				DrainWindow: 30 * time.Second,
			}
		},
		Started: time.Unix(1_800_000_000, 250_000_000), Version: "v1.2.3", GoVersion: "go1.26.0",
		Mode: "epoll", WheelKind: "native",
	}
}

// idle is a source of a daemon that has done nothing, without an application over HTTP.
func idle(t testing.TB) Source {
	t.Helper()
	s := fixed(t)
	s.Table = func() engine.Stats { return engine.Stats{} }
	s.Wheel = func() []engine.WheelLevel { return nil }
	s.Network = func() netloop.Stats { return netloop.Stats{Loops: make([]netloop.LoopStats, 2)} }
	s.Gateway = func() gateway.Counts { return gateway.Counts{} }
	s.Backend = func() (backend.HTTPStats, bool) { return backend.HTTPStats{}, false }
	s.Audit = func() Audit { return Audit{} }
	s.Reload = func() Reload { return Reload{Succeeded: s.Started} }
	s.Certificate = func() time.Time { return time.Time{} }
	s.Drain = func() time.Time { return time.Time{} }
	return s
}

func fixedNetwork() netloop.Stats {
	return netloop.Stats{
		Open: 2001, Accepted: 2002, Upgraded: 2003,
		Refused: map[int]uint64{0: 2004, 400: 2005, 429: 2006, 503: 2007, 599: 2008},
		Ended: map[netloop.Cause]uint64{
			netloop.CausePeer: 2010, netloop.CauseSlow: 2011, netloop.CausePanic: 2012,
		},
		Dropped: 2013, Evicted: 2014, Starved: 2015, TLSFailed: 2034,
		FramesIn: 2016, FramesOut: 2017, MessagesIn: 2018, MessagesOut: 2019,
		BytesIn: 2020, BytesOut: 2021,
		Closed: map[netloop.Close]uint64{
			{Code: 1000, Side: netloop.SideClient}: 2022,
			{Code: 4200, Side: netloop.SideServer}: 2023,
			{Code: 1005, Side: netloop.SideClient}: 2024,
			{Code: 0, Side: netloop.SideNone}:      2025,
			{Code: 4999, Side: netloop.SideClient}: 2026,
			{Code: 3000, Side: netloop.SideClient}: 2027,
		},
		Buffers: 2028, Queued: 2035, Slots: 2029,
		Loops: []netloop.LoopStats{
			{Connections: 2030, Busy: 1250 * time.Millisecond, Turns: 2031},
			{Connections: 2032, Busy: 2250 * time.Millisecond, Turns: 2033},
		},
	}
}

func fixedGateway() gateway.Counts {
	return gateway.Counts{
		Live: 3001, Detached: 3002, Grace: 3003, Created: 3030, Rejected: 3031,
		Ended: map[gateway.Reason]uint64{
			gateway.ReasonIdle: 3004, gateway.ReasonDrained: 3005, "boredom": 3006,
		},
		DetachedEver: 3007, Resumed: 3008, TakenOver: 3009,
		ResumeRefused: map[string]uint64{"resume_unknown": 3010, "session_policy": 3011},
		HelloRefused:  map[string]uint64{"unauthorized": 3012, "session_limit": 3013},
		Replayed:      3014, ReplayedBytes: 3015, ReplayBytes: 3016, ReplayGaps: 3017,
		Pushed: 3018, PushRefused: 3019, Users: 3020, Tombstones: 3021, Pending: 3022,
		Calls:        map[string]uint64{"ok": 3023, "timeout": 3024},
		CallsRunning: 3025, Waiting: 3026, WaitingBytes: 3027,
	}
}

func fixedBackend() backend.HTTPStats {
	return backend.HTTPStats{
		Requests: []backend.RequestCount{
			{Event: "connect", Outcome: "ok", Count: 4001},
			{Event: "call", Outcome: "timeout", Count: 4002},
			{Event: "call", Outcome: "eaten", Count: 4003},
			{Event: "party", Outcome: "ok", Count: 4004},
		},
		InFlight: 4005, BreakerOpen: true, EndsWaiting: 4006, EndsDropped: 4007,
		Latency: []backend.Latency{{
			Event:   "connect",
			Bounds:  []time.Duration{time.Millisecond, 100 * time.Millisecond, time.Second},
			Buckets: []uint64{1, 2, 3, 4}, Sum: 12345 * time.Millisecond,
		}, {
			Event:   "call",
			Bounds:  []time.Duration{time.Millisecond, 100 * time.Millisecond, time.Second},
			Buckets: []uint64{0, 0, 0, 0},
		}},
	}
}

// handle is a handler of a source.
func handle(t testing.TB, s Source) http.Handler {
	t.Helper()
	h, err := Handler(s, quiet)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// formats are those that a scrape may ask for, by the header Accept.
var formats = map[string]string{
	"text":        "text/plain;version=0.0.4",
	"openmetrics": "application/openmetrics-text;version=1.0.0",
	"protobuf": "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;" +
		"encoding=delimited",
}

// scrape asks a handler for all metrics.
func scrape(t testing.TB, h http.Handler, accept string) *http.Response {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", http.NoBody)
	r.Header.Set("Accept", accept)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Fatalf("a scrape of %q is answered with %d: %s", accept, w.Code, w.Body)
	}
	return w.Result()
}

// decode reads a scrape as Prometheus does when it wants native histograms.
func decode(t testing.TB, r *http.Response) map[string]*dto.MetricFamily {
	t.Helper()
	defer r.Body.Close()
	all := map[string]*dto.MetricFamily{}
	d := expfmt.NewDecoder(r.Body, expfmt.ResponseFormat(r.Header))
	for {
		var f dto.MetricFamily
		err := d.Decode(&f)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all[f.GetName()] = &f
	}
}
