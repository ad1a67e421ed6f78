// Package load drives WebSocket servers, ours or not, and says what came of it. It knows only the
// wire.
//
// A [Worker] is one process's part of a load run; package fleet runs several:
//
//	w, err := load.NewWorker(plan, onInterval)
//	err = w.Connect(ctx)
//	err = w.Run(ctx, begin)
//	part := w.Part()
//
// A [Client] carries out single tasks, for benchmarks that choose what to measure in between:
//
//	c, err := load.New(load.Options{Address: "127.0.0.1:8079", Path: "/ws"})
//	connected, err := c.Connect(load.ConnectOptions{Connections: 1000})
//	echoed, err := c.Echo(load.EchoOptions{Bytes: 32, Duration: time.Second})
//
// # Terms
//
// A task is what the connections of a Client do at a time: connect, exchange messages, hold still,
// fall due together, or the run of a Worker. A profile is what a run does; a habit is what one
// connection does in it. A protocol is how messages stand in frames: as they are, or in curfew.v1,
// with a hello before a connection counts as open. A message is due when it ought to be sent: at
// the pace asked for, or, where a task has none, as soon as a connection is free. Latency runs from
// due, so that a server which holds the client up is charged for it. A message is lost when no
// answer has come in time, and wrong when what comes is not what was sent.
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
// A dialect is a protocol as a Client speaks it. TLS lies below: hands are shaken in a goroutine,
// and from then on crypto/tls reads and writes memory that the loop fills and empties.
//
// A run's messages carry a stamp, who sent it and which one it is, and text that is shifted by
// both, so that an answer which is not the expected one can be told: late, doubled, out of order,
// another's, or broken. What single connections do by themselves, such as giving a message up,
// stands in a timing wheel. Messages are paced by looking for what is due (decision 0025).
//
// # Concurrency
//
// A Client, and a Worker, belong to one goroutine at a time. Several may run side by side.
//
// # Limits
//
// Linux only. A source address has about 28,000 ports for one server; loopback servers are reached
// from several. Sockets are reset when they are closed, so that none of them waits.
package load
