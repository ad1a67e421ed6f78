// Package engine holds sessions that end by themselves: very many of them, on time, and without
// ever scanning them all.
//
//	t, err := engine.New(engine.Options[User]{
//		IdleTimeout: 30 * time.Minute,
//		OnExpire:    func(batch []engine.Expired[User]) { ... },
//	})
//	s, err := t.Create(user) // s.ID() is random and goes to the client
//	t.Touch(id)              // true: the session lives, and its timeout begins anew
//	v, ok := s.Value()
//	t.Remove(id)
//
// # Terms
//
//   - Session: a random or given ID of 1 to 255 bytes, a value, and the moments of its creation and
//     its last touch.
//   - Touch: the note that a session is in use. Its idle timeout begins again.
//   - Idle timeout, grace, lifetime: what ends a session. It ends its idle timeout after its last
//     touch; or, where there is a grace, that much later, and until then a touch revives it; or a
//     fixed time after its creation, touched or not.
//   - Tick: the unit of time, 10 ms by default. A touch is known by its tick.
//   - Handle and Ref: names of a session that are faster than its ID. They are dead once it ended.
//   - Expire: to end by time. Remove: to end by a call.
//
// # Design
//
// A table is cut into shards by the hash of the ID. Each has an index, a timing wheel and a lock;
// touches and look-ups use none of the locks.
//
//	Touch(id) ── xxhash ──► index of the shard ──► slot of the session
//	                                                 │ word: generation | state | last touch
//	publisher ── the present tick ───────────────────► compare-and-swap, once a tick
//
//	wheel of the shard     ┌──┬──┬──┬──┬──┬──┬──┬──┐  a slot of the wheel lists the
//	(64 slots a level)     │  │ ▪│  │▪▪│  │  │ ▪│  │  sessions to look at when it comes up
//	                       └──┴──┴─┬┴──┴──┴──┴──┴──┘
//	sweeper ── visits ─────────────┘ reads the word: ends the session, or files it again
//
// A touch writes the tick into the session's word and leaves the wheel alone. When the session's
// wheel slot comes up, the sweeper reads the word, and finds that the session's time is up or files
// it where its deadline is by then. So a touch costs a few nanoseconds whatever the timeout, a
// session is visited a few times in an idle timeout however often it is touched, and nothing looks
// at all sessions. One word makes it plain which came first, a touch or the end.
//
// Touches do not read the time: a publisher goroutine stores the present tick, while there are
// touches. A tick can be published late, so a touch counts as the end of its tick and an end waits
// one tick more; when the publisher was held up for longer it leaves a record that the sweeper
// heeds.
//
// # Guarantees
//
// G1, never early: no session ends before its last touch plus its idle timeout on the monotonic
// clock, whatever stalls: a collection, a stopped process, a late ticker, a wall clock that is set.
//
// G2, bounded lateness: with a free processor, 99 of 100 sessions end within two ticks and 5 ms of
// their time, and the last of a million that are due together within 200 ms. Stats.Lateness says
// what it was.
//
// G3, exactly once: each session ends once. Either one Remove returned true, or it stood in one
// batch of OnExpire, or the table was closed. A Touch that returned true happened before the end,
// and none that happens after does.
//
// G4, bounded pauses: no call holds a lock for more than 256 sessions' work. Callbacks run with no
// lock held, from one goroutine, with at most 256 sessions.
//
// G5, memory comes back: slots, IDs and values of ended sessions are used again at once, values are
// cleared, and stale entries of the wheel stay under a quarter of the living.
//
// G6, quiet when idle: an empty table wakes nobody, and ten million idle sessions cost no more than
// half a percent of a processor.
//
// G7, hostile IDs: chosen IDs cannot pile up. The hash has a secret of the table, a look-up reads
// two buckets at most, and IDs that collide all the same cost a look-up in a map.
//
// G2, G5 and G6 hold for WheelNative; WheelRussellLuo keeps the others.
//
// # Concurrency
//
// Every method of Table and Session may be called at any time from any goroutine, from callbacks
// too; only Advance may not be called from a callback. A table that keeps its own time has two
// goroutines, the publisher and the sweeper, which Close ends. Tables share none.
//
// Locks are taken in this order, and no callback is called with any held:
//
//	turn of Advance ─► shard ─► growth
//	                   shard ─► clock
//
// # Limits
//
// A shard's slot serves 1,048,575 sessions and is then retired (about 48 bytes), so that no Ref
// ever names two sessions. Ticks of 1 ms are good for eight years. There are at most four billion
// slots. A shard's memory grows with the most sessions it ever held and is given back by Close; its
// first session takes about 100 KB, so a program with many small tables gives each one shard. With
// several million sessions in one shard, growth of its index holds its lock for a millisecond.
package engine
