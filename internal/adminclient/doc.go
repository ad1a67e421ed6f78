// Package adminclient asks a daemon's admin API, over HTTP, HTTPS or a unix socket.
//
//	c, err := adminclient.New(adminclient.Options{Address: "unix:/run/curfew/admin.sock"})
//	defer c.Close()
//	status, err := c.Status(ctx)
//
// It knows the API by its wire alone. What a call returns holds the JSON that came, too, for those
// who pass it on; members that this package does not know are in it.
//
// # What can go wrong
//
// A call gives an [*Error], whose text is one sentence that ends in what can be done about it, or
// the error of its context when that was cancelled. Whoever answers is not believed: answers are
// bounded in size and time, redirects are not followed, and text that came from there is escaped in
// errors. An answer that is not the API's is an error of [KindForeign].
//
// # Concurrency
//
// All methods of a [Client] may be called at the same time.
package adminclient
