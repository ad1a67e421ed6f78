// Package admin is the operator's HTTP API: is the daemon well, which sessions does it hold, end
// them, keep them, say something to them, and let all of them go.
//
//	l, err := admin.Listen("127.0.0.1:8080") // or unix:/run/curfew/admin.sock
//	s, err := admin.New(admin.Options{Addr: l.Addr(), Sessions: sessions, ...})
//	go s.Serve(l)
//	...
//	err = s.Shutdown(ctx)
//
// The sessions are somebody else's: [Sessions] says what is asked of them.
//
// # Requests
//
// openapi.json describes all of them, as docs/admin-api.md does for readers: health, metrics and
// numbers, settings, the level of the log, sessions and what can be done to them, messages, events,
// drain, profiles, and the dashboard's files. HEAD is served where GET is. An ID or a user is 1 to
// 255 bytes, percent-encoded, slashes and dots too. A parameter that is empty is as good as absent;
// one that is unknown, or given twice, is refused. What goes wrong is {"error":{"code","message"}};
// codes are in problem.go.
//
// A list is {"sessions":[...],"next_cursor":""}. The cursor is the key of the last session shown,
// so that nothing is skipped or shown twice while sessions come and go; only a session whose own
// key moves meanwhile (touched, in a list by last_activity or deadline) may be.
//
// [Events] are told as they happen, to those who listen at that time, ten times a second. Who is
// too slow for them loses some and is told so; nobody who publishes waits.
//
// # Who may ask
//
//   - With a token, whoever shows it. Without one, whoever reaches a loopback address or a unix
//     socket; New refuses any other address.
//   - Wrong tokens are told off so many times a second, then turned away; a right one is never held
//     up by them.
//   - A loopback address answers only to names and addresses of loopback in the Host header, since
//     a page whose name was pointed at 127.0.0.1 has another there.
//   - A browser's page of another origin gets and changes nothing, whatever else it may do. It may
//     hold a link.
//   - Under Options.ReadOnly nobody changes anything.
//   - /livez and /readyz answer everybody: those who check health show no token and name any host.
//     The dashboard's files need no token either: they are what asks for it.
//
// # Concurrency
//
// A request has a goroutine of its own, so the methods of [Sessions] are called at the same time.
// No lock is held meanwhile.
//
// # Limits
//
// Connections, scans, recordings, listeners, headers, bodies and the time for each are bounded; see
// server.go. A connection that asks for nothing makes room for the next one; see door.go.
package admin
