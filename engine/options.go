package engine

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"github.com/curfew-go/curfew/internal/table"
)

// The defaults of Options.
const (
	DefaultIdleTimeout = time.Hour

	defaultTick = 10 * time.Millisecond
	minTick     = time.Millisecond
	maxTick     = time.Minute

	// shardsPerProc gives each processor several shards, so that two seldom want the same lock.
	shardsPerProc = 4
)

// WheelKind names the timing wheel that a table runs on.
type WheelKind int

// The wheels. Both keep G1, G3, G4 and G7; G2, G5 and G6 hold for WheelNative.
const (
	// WheelNative is this module's own hierarchical wheel.
	WheelNative WheelKind = iota
	// WheelRussellLuo is github.com/RussellLuo/timingwheel, made safe: it says when to look at a
	// session, and the session itself whether its time is up.
	WheelRussellLuo
)

// String is the wheel's name as curfewd's --wheel takes it.
func (k WheelKind) String() string {
	switch k {
	case WheelNative:
		return "native"
	case WheelRussellLuo:
		return "russellluo"
	}
	return fmt.Sprintf("WheelKind(%d)", int(k))
}

// Options say how a Table behaves. The zero value is useful: sessions end after an hour without a
// touch, and that is all.
type Options[V any] struct {
	// IdleTimeout is how long after its last touch a session ends. 0 means DefaultIdleTimeout.
	// One below Tick is allowed and rounds up; one near the maximum means never.
	IdleTimeout time.Duration

	// MaxLifetime is how long after its creation a session ends, touched or not. 0 means never.
	MaxLifetime time.Duration

	// Grace is how long a session stays recoverable after its idle timeout passed: a touch in
	// that time makes it active again. 0 means that there is no grace.
	Grace time.Duration

	// Tick is the resolution of time: 1 ms to 1 min, 0 means 10 ms. A session ends at most two
	// ticks and 5 ms late where a processor is free; see G2.
	Tick time.Duration

	// MaxSessions is the most sessions that the table holds; at the limit Create and Ensure
	// return ErrFull. 0 means no limit but memory.
	MaxSessions int

	// Shards is the number of parts with a lock each, rounded up to a power of two of at most
	// 4096. 0 means four for each of GOMAXPROCS.
	Shards int

	// Wheel is the timing wheel to run on. 0 means WheelNative.
	Wheel WheelKind

	// OnExpire is called with sessions that time ended, and OnGrace with sessions whose idle
	// timeout passed and that are in grace from then on. Both are called with no lock held, from
	// one goroutine (the one that calls Advance, where Manual is set), with 1 to 256 sessions,
	// and may call any method of the table but Advance. They must not keep the batch: it is
	// cleared and used again. A panic is recovered, counted and logged. While a callback runs no
	// other session is ended, so one that takes long makes those late.
	OnExpire func(batch []Expired[V])
	OnGrace  func(batch []Session[V])

	// Logger gets a line when a callback panicked, and at most one a second about how many
	// sessions expired. nil means slog.Default().
	Logger *slog.Logger

	// Manual makes a table without a goroutine or a clock: its time stands still until Advance
	// moves it, and Advance calls the callbacks. It does not go with WheelRussellLuo, which keeps
	// its own time.
	Manual bool
}

// withDefaults replaces what is zero by its default.
func (o Options[V]) withDefaults() Options[V] {
	if o.IdleTimeout == 0 {
		o.IdleTimeout = DefaultIdleTimeout
	}
	if o.Tick == 0 {
		o.Tick = defaultTick
	}
	if o.Shards == 0 {
		o.Shards = min(shardsPerProc*runtime.GOMAXPROCS(0), table.MaxShards)
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o
}

// validate names every field that is out of its range.
func (o Options[V]) validate() error {
	var errs []error
	bad := func(ok bool, field string, value any, want string) {
		if !ok {
			errs = append(errs,
				fmt.Errorf("engine: Options.%s is %v, must be %s", field, value, want))
		}
	}
	bad(o.IdleTimeout >= 0, "IdleTimeout", o.IdleTimeout, "0 (1h) or more")
	bad(o.MaxLifetime >= 0, "MaxLifetime", o.MaxLifetime, "0 (none) or more")
	bad(o.Grace >= 0, "Grace", o.Grace, "0 (none) or more")
	bad(o.Tick == 0 || o.Tick >= minTick && o.Tick <= maxTick,
		"Tick", o.Tick, "0 (10ms) or from 1ms to 1m")
	bad(o.MaxSessions >= 0, "MaxSessions", o.MaxSessions, "0 (no limit) or more")
	bad(o.Shards >= 0 && o.Shards <= table.MaxShards,
		"Shards", o.Shards, "0 (from GOMAXPROCS) or from 1 to 4096")
	bad(o.Wheel == WheelNative || o.Wheel == WheelRussellLuo,
		"Wheel", o.Wheel, "WheelNative or WheelRussellLuo")
	bad(!o.Manual || o.Wheel != WheelRussellLuo,
		"Manual", o.Manual, "false with WheelRussellLuo, which keeps its own time")
	return errors.Join(errs...)
}
