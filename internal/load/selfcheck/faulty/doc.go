// Package faulty is a WebSocket server that echoes, in plain frames or in curfew.v1, and has one
// known fault, or none. A load harness that is any good finds that fault and no other.
//
//	s, err := faulty.Start("127.0.0.1:0", faulty.Options{Fault: faulty.Withhold, At: 50})
//	... drive s.Address() ...
//	ledger := s.Close() // what it really did, to compare with what was found
//
// # Terms
//
// A fault strikes a message, a connection, a session or a resume: the At-th of them, counted over
// the whole server, and from there on each Every-th. The ledger says how often it struck. All else
// that such a server does is right.
//
// # Design
//
// A goroutine a connection reads, and its read deadline is the next thing that is due: a ping, the
// end of a session, the end of patience with a client that stalls. Frames are read and written by
// wsframe, the upgrade is that of gobwas/ws.
//
// # Concurrency
//
// A Server's methods may be called from anywhere. What connections share is guarded by its mutex;
// whoever writes to a connection holds that connection's.
//
// # Limits
//
// It is made to be predictable and not to be fast: some ten thousand messages a second.
package faulty
