// Command netbench measures WebSocket servers side by side, curfewd and those of bench/peers: the
// memory of a connection that does nothing, the processor time of accepting one, and that of an
// echo. bench/run.sh net builds all that it needs and keeps its output.
//
// With -sessions it measures the daemon alone, in each of its modes: JSON beside raw, sessions that
// are resumed after all connections were dropped at once, sessions that fall due together, and
// messages that go to an application over HTTP, which is a process of netbench too (-app). It fails
// where a session, a message or a telling is lost, or an end is early.
//
// Each server runs as a process of its own, and so does the client, one loop of internal/load.
// What is read is the server's: its processor time by the clock of its process, and its resident
// anonymous memory. Each figure that is taken is a line that begins with server=, and at the end
// stand tables of their medians. Rounds go through all servers, so that a machine which grows
// slower slows all of them.
package main
