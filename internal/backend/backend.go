// Package backend is the application behind the gateway, as the gateway sees it: a message goes
// in, an answer comes out. [Echo] is the one that is built in.
package backend

import "context"

// Message is what a client says to the application, or the application to a client.
type Message struct {
	// Text says that Data is text: that of a text frame, or the JSON of a data field. Otherwise
	// it is the content of a binary frame.
	Text bool
	// Data belongs to whoever made the message and is only valid during the call.
	Data []byte
}

// Backend is an application. Its methods are called for different sessions at the same time, for
// one session one after the other.
type Backend interface {
	// Message hands a message to the application and gives its answer, which is valid until the
	// next call for the same session. An error costs this message, not the session. It must not
	// wait: many other sessions depend on the goroutine that calls.
	Message(ctx context.Context, m Message) (answer Message, err error)
}

// Echo answers each message with itself. It needs nothing else to run.
type Echo struct{}

// Message gives m back.
func (Echo) Message(_ context.Context, m Message) (Message, error) { return m, nil }
