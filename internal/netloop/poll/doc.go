// Package poll tells a loop which of its sockets are ready, by epoll (Linux only).
//
//	p, err := poll.New()
//	err = p.Add(fd, key, poll.Read)
//	for {
//		events, err := p.Wait(until, busy, pending)
//		for i := range events {
//			handle(events[i].Key(), events[i].Ready())
//		}
//	}
//
// # Terms
//
// A loop is the one goroutine that calls Wait. A key is the loop's own word about a socket; it
// comes back with each event, so a loop that puts a generation into it knows an event of a socket
// that is closed and whose descriptor is used again. A loop parks when nothing is ready.
//
// # Design
//
// Readiness is level-triggered: what was not read is told of again, so a loop may read once an
// event and be fair to all its sockets.
//
// A busy loop waits in epoll_wait for a moment: nothing wakes it sooner. An idle one parks.
//
// Parking is done in Go's own poller, which watches a descriptor of its own as it watches any
// other, and that watches the loop's while the loop is parked: an idle loop is a parked goroutine
// and holds neither a thread nor a processor. A blocking epoll_wait would hold both until the
// scheduler takes the processor away (golang/go#76290).
//
// # Concurrency
//
// Wake may be called from any goroutine. All else belongs to the loop.
package poll
