// Package load drives WebSocket servers, ours or not, and says what came of it. It knows only the
// wire.
//
//	c, err := load.New(load.Options{Address: "127.0.0.1:8079", Path: "/ws"})
//	defer c.Close()
//	connected, err := c.Connect(load.ConnectOptions{Connections: 1000})
//	echoed, err := c.Echo(load.EchoOptions{Bytes: 32, Duration: time.Second})
//	ledger, err := c.Soak(load.SoakOptions{Connections: 1000, Duration: d, Idle: idle})
//	returned, err := c.Reconnect(load.ReconnectOptions{Unseen: 2})
//	storm, err := c.Storm(load.StormOptions{Idle: idle})
//
// # Terms
//
// A task is one call: to connect, to exchange messages, to hold still, to part, to drop and resume,
// to fall due together. A protocol is how messages stand in frames: [Plain], or [JSON], which is
// curfew.v1 with a hello before a connection counts as open. A message is due
// when it ought to be sent: at the pace asked for, or, where none was, as soon as a connection is
// free. Latency runs from due, so that a server which holds the client up is charged for it. A
// message is lost when no answer has come when the task gives up, and wrong when the answer is not
// what was sent.
//
// # Design
//
// A Client is one loop over one epoll descriptor, run by whoever calls a task and only then.
// Connections are slots without pointers in one slice; what an unfinished frame or write needs
// stands beside, for as long as it is unfinished. At most one message a connection is in flight.
//
//	task ──> due? ──> free connection ──> dialect ──> write  (pump)
//	  ▲                                                 │
//	  └── message, closed ◄── dialect ◄── wsframe ◄── read   (turn)
//
// A dialect is a protocol as a Client speaks it. Tasks know none but Reconnect, which needs the
// sessions that one of curfew.v1 keeps beside the connections.
//
// # Concurrency
//
// A Client belongs to one goroutine at a time. Several may run side by side.
//
// # Limits
//
// Linux only. A source address has about 28,000 ports for one server; [Options] takes several.
// Sockets are reset when they are closed, so that none of them waits.
package load
