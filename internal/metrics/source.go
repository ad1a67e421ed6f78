package metrics

import (
	"errors"
	"time"

	"github.com/curfew-go/curfew/engine"
	"github.com/curfew-go/curfew/internal/backend"
	"github.com/curfew-go/curfew/internal/gateway"
	"github.com/curfew-go/curfew/internal/netloop"
)

// Source is what the metrics are read from. Each function is called once for a scrape, from any
// goroutine; it must not look at sessions. All are needed.
type Source struct {
	Table   func() engine.Stats
	Wheel   func() []engine.WheelLevel // the finest level first; nil: none that could be shown
	Network func() netloop.Stats
	Gateway func() gateway.Counts
	// Backend is what an application over HTTP was asked; false where there is none.
	Backend func() (backend.HTTPStats, bool)
	// Audit is what became of the entries of the audit log; zero where there is none.
	Audit func() Audit
	// Reload is how the configuration was read last.
	Reload func() Reload
	// Certificate is when the certificate that is shown expires; zero: there is no TLS.
	Certificate func() time.Time
	// Drain is when the drain began; zero: the daemon serves.
	Drain  func() time.Time
	Limits func() Limits

	Started   time.Time
	Version   string // of the daemon
	GoVersion string
	Mode      string // how connections are served: epoll or goroutine
	WheelKind string // native or russellluo
}

// Audit are the counts of the audit log.
type Audit struct {
	Written uint64 // entries
	Lost    uint64 // entries that found no room, or could not be written
	Errors  uint64 // of writing and opening
}

// Reload is how the configuration was read last, at the start or since.
type Reload struct {
	Failed    bool      // what was read was refused, and the settings from before stay
	Succeeded time.Time // when it was last taken
}

// Limits are what the daemon was told to keep, as it is in force.
type Limits struct {
	Sessions    int   // 0: none
	BufferBytes int64 // of unfinished messages and what waits to be written
	Tick        time.Duration
	DrainWindow time.Duration
}

// validate names everything that is missing.
func (s *Source) validate() error {
	var problems []error
	for _, f := range []struct {
		name    string
		missing bool
	}{
		{"Table", s.Table == nil},
		{"Wheel", s.Wheel == nil},
		{"Network", s.Network == nil},
		{"Gateway", s.Gateway == nil},
		{"Backend", s.Backend == nil},
		{"Audit", s.Audit == nil},
		{"Reload", s.Reload == nil},
		{"Certificate", s.Certificate == nil},
		{"Drain", s.Drain == nil},
		{"Limits", s.Limits == nil},
		{"Started", s.Started.IsZero()},
	} {
		if f.missing {
			problems = append(problems, errors.New("metrics: Source."+f.name+" is not given"))
		}
	}
	return errors.Join(problems...)
}

// snapshot is what a Source says at a moment.
type snapshot struct {
	source  *Source
	table   engine.Stats
	wheel   []engine.WheelLevel
	network netloop.Stats
	gateway gateway.Counts
	backend backend.HTTPStats // zero where there is none
	audit   Audit
	reload  Reload
	drain   time.Time
	limits  Limits

	certificate time.Time // when it expires
}

func (s *Source) read() *snapshot {
	sn := &snapshot{
		source: s, table: s.Table(), wheel: s.Wheel(), network: s.Network(), gateway: s.Gateway(),
		audit: s.Audit(), reload: s.Reload(), drain: s.Drain(), limits: s.Limits(),
		certificate: s.Certificate(),
	}
	if b, ok := s.Backend(); ok {
		sn.backend = b
	}
	return sn
}
