package engine

import "github.com/curfew-go/curfew/internal/wheel"

// A scheduler says which slots of a shard the sweeper has to look at, and when. It may say too
// early, since the sweeper asks the session's word, but never too late. Its methods are called
// with the shard's lock held.
type scheduler interface {
	// Schedule has the slot handed out at a tick or before. A slot that is to be handed out
	// earlier already stays so.
	Schedule(slot uint32, at wheel.Tick)
	// Advance hands out slots whose time has come by tick to. When done is false there are more.
	Advance(to wheel.Tick, due []uint32) (n int, done bool)
	// Next is the earliest tick at which Advance has something to hand out.
	Next() (at wheel.Tick, ok bool)
	// Len is the number of entries, those that will prove stale included.
	Len() int
	// Pending is how many of them have come up by a tick and are not handed out.
	Pending(to wheel.Tick) int
	// Compact looks at some entries, each call at others, and drops what is stale.
	Compact(budget int, drop func(slot uint32) bool) (examined int)
	// Bytes is the memory it holds.
	Bytes() int64
}

// WheelNative is this module's own wheel, which needs nothing but the lock.
var _ scheduler = (*wheel.Wheel)(nil)
