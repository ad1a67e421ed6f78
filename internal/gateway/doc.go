// Package gateway gives each connection a session and speaks with its client: it joins a network
// side (netloop), a session table (engine) and an application (backend).
//
//	g, err := gateway.New(gateway.Options{...})
//	err = g.Serve(listener)           // until Drain or Close
//	err = g.Push(id, message)         // the application to a client; Kick, Touch, Outlines, ...
//	err = g.Drain(ctx, 30*time.Second) // everybody is told, then let go
//	err = g.Close()
//
// # Terms
//
// A session is an entry of the engine's table. Its value, a link, says which connection it belongs
// to and what its client wants; a connection's tag is the Ref of its session, 0 before there is
// one. A session that needs more than that has a state behind its link: one that can be resumed,
// that has a user, or that has asked the application for something that takes its time.
//
// A numbered frame is one that a resumable session can have again: the application's messages,
// answers to messages and calls, and errors in their place. Its number, seq, is one more than that
// of the one before.
//
// # Protocols
//
// The subprotocol decides. "curfew.raw" has no envelope: the session begins with the upgrade, its
// ID is in the header Curfew-Session, and each message goes to the application as it is. Otherwise
// ("curfew.v1", or none asked for) text frames hold JSON objects with an op, and the first must be
// a hello:
//
//	client                                server
//	hello                                 hello_ack, or hello_ack ok:false and a close
//	message                               message_res *, or error *
//	call_tool                             call_tool_ack, progress, call_tool_res * or error *
//	list_tools, ping,                     list_tools_res, pong,
//	session_info, health                  session_info_res, health_res
//	ack                                   forgets numbered frames
//	bye                                   close 1000
//	                                      message *           the application speaks
//	                                      session_expiring    grace has begun
//	                                      session_expired     close 4200 or 4201
//	                                      goodbye             close 4100
//	anything else                         error
//
// Those with a star are numbered where the session can be resumed. docs/client.md tells how a
// client does well with all that.
//
// # Life of a session
//
//	          hello              connection lost                      time, kick, bye, ...
//	(asking) ───────> LIVE(conn, epoch) ───────> DETACHED ─ ─ ─ ─┐ ───────> ENDED(reason)
//	                     ▲     ▲ │ takeover         │            │              │ 60 s
//	                     │     └─┘                  │ resume     │              ▼
//	                     └──────────────────────────┘ epoch+1    │          TOMBSTONE ──> gone
//
// It is asking while the application takes its time to let it in; only the table knows it then. A
// session that cannot be resumed ends with its connection. One that can is detached, for the resume
// window; its idle timeout and its lifetime run on. A resume while the old connection lives is a
// takeover. Whatever happens to a connection that the session is not on any more does nothing to
// it.
//
// Every message touches the session but session_info and ack; pings and pongs do where
// [Options.TouchOn] is TouchAny. While something is in flight at the application the session is
// busy and has no idle deadline. A session ends once, for one [Reason]: whoever succeeds in
// removing it from the table reports its end, so there are never two reports. The report follows
// the last message of its client that was on the way to the application. Where somebody watches
// ([Options.OnEvent]), a session that is let in begins when that was told: its end is told later.
//
// # Time
//
// The engine ends sessions that are idle or too old. The ends that it does not know of, those of
// resume windows and of lifetimes that the application shortened, stand in a heap (deadlines).
//
// # Concurrency
//
// The methods that make a Gateway a netloop.Handler are called by netloop, for one connection one
// after the other, and never wait: an application that may wait ([backend.Backend].Prompt) is asked
// by workers, and the connection is held meanwhile, or goes on and is answered later. Expiries come
// from the table's goroutine at the same time, as may Drain, and pushes, kicks and lists from
// anywhere. A session without a state has no
// lock: the table decides who ended it, the connection who closed it. A state has one, which orders
// its frames; it is taken before the locks of users, tombstones, table and network, after those of
// entrance and idlest, and never beside that of another state.
//
// # Limits
//
// Per session: frames and bytes kept for replay, calls in flight, messages that wait for the
// application, takeovers. For all together: sessions, memory for replay, calls in flight, messages
// that wait, workers, tombstones. See the constants of the files that have them.
package gateway
