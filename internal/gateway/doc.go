// Package gateway gives each connection a session and speaks with its client: it joins a network
// side (netloop), a session table (engine) and an application (backend).
//
//	g, err := gateway.New(gateway.Options{...})
//	err = g.Serve(listener)           // until Drain or Close
//	err = g.Drain(ctx, 30*time.Second) // everybody is told, then let go
//	err = g.Close()
//
// # Terms
//
// A session is an entry of the engine's table. Its value, a link, is the number of the connection
// that it belongs to and what its client wants; a connection's tag is the Ref of its session, 0
// before there is one. Neither holds a pointer to the other: an expiry finds the connection by its
// number, and a number whose connection is gone finds nothing.
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
//	message                               message_res
//	ping, session_info, health            pong, session_info_res, health_res
//	bye                                   close 1000
//	                                      session_expiring    grace has begun
//	                                      session_expired     close 4200 or 4201
//	                                      goodbye             close 4100
//	anything else                         error
//
// Resume is not offered: want.resume is read and not honoured, hello_ack has none of its fields,
// and a hello that brings a resume token is refused with resume_unknown, since none was given out.
// list_tools, call_tool and ack are unknown ops.
//
// # Life of a session
//
// Every message touches the session but session_info and ack; pings and pongs do where
// [Options.TouchOn] is TouchAny. A session ends once, for one [Reason]: by time, through the
// engine, which tells its client and closes the connection; or with its connection, through
// [Gateway.Closed]. Whoever succeeds in removing the session from the table reports its end, so
// there are never two reports.
//
// # Concurrency
//
// The methods that make a Gateway a netloop.Handler are called by netloop, for one connection one
// after the other. Expiries come from the table's own goroutine at the same time, as may Drain.
// No lock is held anywhere: the table decides who ended a session, the connection who closed it.
package gateway
