// Package wheel is a hierarchical timing wheel over ticks and 4-byte ids.
//
// The owner files ids for ticks, moves the wheel, and asks each id that is handed out for its true
// deadline:
//
//	w.Schedule(id, deadline[id])
//	for done := false; !done; {
//		n, done = w.Advance(now, due)
//		for _, id := range due[:n] {
//			if deadline[id] <= now {
//				end(id)
//			} else {
//				w.Schedule(id, deadline[id])
//			}
//		}
//	}
//
// # Terms
//
// A tick is a point in time, counted in steps that the owner chose. A level looks at one digit of 6
// bits of a tick; it has 64 slots, one for each value of its digit, and its cursor is that digit of
// the current tick. A bucket is the slot of a level, and what is filed there. An entry is an id
// that stands in a bucket. An id is filed when one of its entries counts; an entry that does not is
// stale: its id was cancelled, or filed anew elsewhere. To drain a bucket is to hand out its ids.
//
// # Design
//
// An id is filed at the level of the highest digit in which its tick differs from the current one,
// in the slot of its tick's digit there. With base 4 in place of 64, at tick 1 2 1 an id for tick
// 1 2 3 goes to level 0, one for 1 3 0 to level 1 and one for 3 0 2 to level 2:
//
//	                 slot 0   slot 1   slot 2   slot 3
//	level 2, digit 1   .      cursor     .      [302]     comes up at 300
//	level 1, digit 2   .        .      cursor   [130]     comes up at 130
//	level 0, digit 1   .      cursor     .      [123]     comes up at 123
//
// Since that digit is the larger one, an occupied slot lies after its level's cursor. Nothing is
// ever filed in a cursor slot, nothing wraps around, and all of a level comes up before anything of
// the next one. So the next bucket is the lowest bit in the occupancy bitmap of the first level
// that has one, and a step over an empty century costs what a step over an empty tick does.
//
// A bucket comes up when its slot's span begins. At level 0 that is the tick its ids are due at.
// Higher up it is before that, and the owner files those that are not due again, at a lower level:
// that is the cascade. It is also the time at which a deadline that has moved is noticed, so moving
// it later costs the wheel nothing. With ticks of 10 ms:
//
//	level   slot width   reach
//	  0     10 ms        640 ms
//	  1     640 ms       41 s
//	  2     41 s         44 min
//	  3     44 min       47 h
//	  4     47 h         124 days
//	  5     124 days     22 years
//	  6     22 years     1,394 years
//	  7     1,394 years  89,194 years
//
// The ids of a bucket stand in chunks of 62, four cache lines with a link. For each id the wheel
// keeps two bytes that name its bucket. They decide which entries count, so nothing is ever
// searched for or unlinked: an entry that they do not name is dropped when it is come across, by
// [Wheel.Advance] or by [Wheel.Compact].
//
// The ground rules:
//
//  1. An id is handed out no later than the tick it was scheduled for, and once.
//  2. The current tick does not pass a bucket that is not drained.
//  3. A call's work is bounded by its buffer or budget, whatever the buckets hold.
//  4. No memory is allocated but for more entries or higher ids than ever before.
//
// The wheel is scheme 7 of Varghese and Lauck, "Hashed and Hierarchical Timing Wheels" (1987). The
// choice of the level is tokio's; there an entry is a node in a linked list that its task owns, and
// the driver moves it down by itself. Linux has not moved entries down since 2016, and rounds long
// timeouts up to the width of their slot instead, by as much as an eighth. Here an id is visited at
// most once a level, and rounded nowhere.
//
// # Concurrency
//
// A Wheel is not safe for concurrent use, and knows neither clock nor lock: its owner brings both.
//
// # Limits
//
// Ticks up to [MaxTick]; what is later counts as MaxTick, and at MaxTick time ends: what is
// scheduled then is handed out by the next call. Ids should be dense, since the wheel holds a
// pointer for each 1,024 up to the highest one and two bytes for each of a block of 1,024 that it
// has seen. Memory grows with the most entries there ever were at one time and is reused, not given
// back. Stale entries are the owner's to limit: see [Wheel.Stale] and [Wheel.Compact].
package wheel
