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
//	GET    /livez                          200 while the process serves
//	GET    /readyz                         200, or 503 where newcomers should go elsewhere
//	GET    /v1/sessions                    ?state= &user= &sort= &limit= &cursor=
//	GET    /v1/sessions/{id}
//	DELETE /v1/sessions/{id}               ends it
//	POST   /v1/sessions/{id}/touch         as if its client had sent something
//	POST   /v1/sessions/{id}/messages      the body goes to its client
//	DELETE /v1/users/{user}/sessions       ends all of a user's
//	POST   /v1/users/{user}/messages
//	POST   /v1/messages                    ?state= &user=
//	POST   /v1/drain
//
// HEAD is served where GET is. An ID or a user is 1 to 255 bytes, percent-encoded, slashes and dots
// too. A parameter that is empty is as good as absent; one that is unknown, or given twice, is
// refused. What goes wrong is {"error":{"code","message"}}; codes are in problem.go.
//
// A list is {"sessions":[...],"next_cursor":""}. The cursor is the key of the last session shown,
// so that nothing is skipped or shown twice while sessions come and go; only a session whose own
// key moves meanwhile (touched, in a list by last_activity or deadline) may be.
//
// # Who may ask
//
//   - With a token, whoever shows it. Without one, whoever reaches a loopback address or a unix
//     socket; New refuses any other address.
//   - A loopback address answers only to names and addresses of loopback in the Host header, since
//     a page whose name was pointed at 127.0.0.1 has another there.
//   - A browser's page of another origin changes nothing, whatever else it may do.
//   - Under Options.ReadOnly nobody changes anything.
//   - /livez and /readyz answer everybody: those who check health show no token and name any host.
//
// # Concurrency
//
// A request has a goroutine of its own, so the methods of [Sessions] are called at the same time.
// No lock is held meanwhile.
//
// # Limits
//
// Connections, scans, headers, bodies and the time for each are bounded; see server.go.
package admin
