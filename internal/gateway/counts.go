package gateway

import "github.com/curfew-go/curfew/engine"

// Counts are numbers of a gateway at a moment, beside those of the table and of the network side.
// Reading them looks at no session.
type Counts struct {
	Live, Detached, Grace int // sessions by state; a detached session is never in grace here

	// Created are the sessions that began: not those that the application did not let in.
	Created  uint64
	Rejected uint64 // newcomers for whom the table had no room in the end
	// Ended is by reason, each of which is there. Sessions that never began are not in it.
	Ended         map[Reason]uint64
	DetachedEver  uint64            // connections whose loss left a session detached
	Resumed       uint64            // takeovers included
	TakenOver     uint64            // resumes that found the session still connected
	ResumeRefused map[string]uint64 // by the error that the client was told, each of which is there
	HelloRefused  map[string]uint64 // likewise, of hellos that asked for no resume

	Replayed      uint64 // frames
	ReplayedBytes uint64
	ReplayBytes   int64  // kept at the moment
	ReplayGaps    uint64 // resumes that lacked frames

	Pushed, PushRefused uint64 // by session

	Users        int
	Tombstones   int
	Pending      int               // sessions about which the application is being asked
	Calls        map[string]uint64 // tool calls by outcome: ok, error, timeout, refused, canceled
	CallsRunning int               // those for the list of tools included
	Waiting      int               // messages of clients that wait for the application
	WaitingBytes int64             // what they hold, and Pending
}

// Counts are the numbers at the moment. A session about which the application is being asked is not
// among those by state. While sessions come and go these may be off by the few that do so just now.
func (g *Gateway) Counts() Counts {
	c := &g.counters
	pending, detached, graced := g.pending.Load(), c.detached.Load(), c.graced.Load()
	grace := max(0, int64(g.table.Stats().Grace)-graced)
	n := Counts{
		Live:     int(max(0, int64(g.table.Len())-pending-detached-grace)),
		Detached: int(detached), Grace: int(grace),
		Created: c.created.Load(), Rejected: c.rejected.Load(),
		Ended:        make(map[Reason]uint64, len(reasons)),
		DetachedEver: c.detachedEver.Load(), Resumed: c.resumed.Load(),
		TakenOver:     c.takenOver.Load(),
		ResumeRefused: c.resumeRefused.counts(), HelloRefused: c.helloRefused.counts(),
		Replayed: c.replayed.Load(), ReplayedBytes: c.replayedBytes.Load(),
		ReplayBytes: g.replays.used.Load(), ReplayGaps: c.replayGaps.Load(),
		Pushed: c.pushed.Load(), PushRefused: c.pushRefused.Load(),
		Users: g.users.count(), Tombstones: g.tombstones.size(g.elapsed()),
		Pending:      int(pending),
		Calls:        make(map[string]uint64, outcomes),
		CallsRunning: int(g.calls.running.Load()),
		Waiting:      int(c.waiting.Load()), WaitingBytes: g.waits.used.Load(),
	}
	for i, r := range reasons {
		n.Ended[r] = c.ended[i].Load()
	}
	for i, name := range outcomeNames {
		n.Calls[name] = c.calls[i].Load()
	}
	return n
}

// Node names the process to clients that resume.
func (g *Gateway) Node() string { return g.node }

// Wheel is the timing wheel of the sessions.
func (g *Gateway) Wheel() []engine.WheelLevel { return g.table.Wheel() }
