// Package backend is the application behind the gateway, as the gateway sees it: a session asks to
// begin, messages and calls go in, answers come out, and its end is told. [Echo] is the one that is
// built in, [HTTP] is whatever answers requests at a URL.
package backend

import (
	"context"
	"encoding/json"
	"time"
)

// Kind says what the data of a [Message] is.
type Kind uint8

// The kinds. The zero Kind is that of no message at all.
const (
	JSON   Kind = iota + 1 // one JSON value
	Text                   // text in UTF-8
	Binary                 // anything
)

// Message is what a client says to the application, or the application to a client. The zero
// Message is none.
type Message struct {
	Kind Kind
	// Data belongs to whoever made the message, and is only valid during the call that it is given
	// to. That of an answer is valid until the next call for the same session.
	Data []byte
}

// Session says on whose behalf something is.
type Session struct {
	ID   string
	User string // as the application named it; "" where it did not
}

// Newcomer is a client that asks for a session. What is unknown is "".
type Newcomer struct {
	Token       string // the secret that it showed, unless that was the gateway's to check
	Remote      string // its address and port
	Subprotocol string
	Origin      string
	UserAgent   string
}

// Grant is what the application says of a session that may begin. Zero values leave the gateway's
// own; durations only shorten those.
type Grant struct {
	User     string // 1 to 255 visible characters of ASCII
	Idle     time.Duration
	Lifetime time.Duration
}

// Call is a request for a tool.
type Call struct {
	Name      string
	Arguments []byte // a JSON object
	RequestID []byte // a JSON string or number; nil: none
}

// Result is what a tool gave.
type Result struct {
	Outputs []byte // a JSON array, [{"type":"text","text":...}] where the tool gave only Text
	Text    string // the texts of Outputs, a line each
}

// Tool describes a tool.
type Tool struct {
	Name        string          `json:"name"`
	Description string          `json:"description"`
	InputSchema json.RawMessage `json:"inputSchema"`
}

// End is how a session ended.
type End struct {
	Reason string
	// ByTime says that its time was over; otherwise somebody ended it.
	ByTime bool
}

// Code classes what went wrong, in the words of the protocol's error frames.
type Code string

// The codes.
const (
	CodeInvalidRequest Code = "INVALID_REQUEST"
	CodeUnauthorized   Code = "UNAUTHORIZED"
	CodeNotFound       Code = "NOT_FOUND"
	CodeTimeout        Code = "TIMEOUT"
	CodeValidation     Code = "VALIDATION_ERROR"
	CodeOverCapacity   Code = "OVER_CAPACITY"
	CodeInternal       Code = "INTERNAL_ERROR"
	CodeUnavailable    Code = "SERVICE_UNAVAILABLE"
	CodeToolNotFound   Code = "TOOL_NOT_FOUND"
	CodeToolFailed     Code = "TOOL_EXECUTION_ERROR"
	CodeProtocol       Code = "PROTOCOL_ERROR"
	CodeDuplicate      Code = "DUPLICATE"
)

// Error is why a request has no answer. It costs the request, not the session.
type Error struct {
	Code    Code
	Message string // for the client: it names no secret and nothing inside the network
	// Status is the HTTP status by which the application said no: 401 or 403 from Connect refuse
	// the session. 0: it did not say.
	Status int
}

// Error is the code and the message.
func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }

// Backend is an application. Its methods are called for different sessions at the same time.
// Messages of one session come one after the other, its calls side by side. Errors are of type
// *Error, or the context's.
type Backend interface {
	// Prompt says that Connect, Message, HasTool and Tools never wait for anything.
	Prompt() bool
	// Connect asks whether a session may begin.
	Connect(ctx context.Context, s Session, n Newcomer) (Grant, error)
	// Message hands a message over and gives its answer, which may be none.
	Message(ctx context.Context, s Session, m Message) (Message, error)
	// HasTool gives nil where there is such a tool, else an Error: CodeToolNotFound, or why it is
	// not known.
	HasTool(ctx context.Context, name string) error
	// Call runs a tool. It may wait, whatever Prompt says.
	Call(ctx context.Context, s Session, c Call) (Result, error)
	// Tools lists the tools.
	Tools(ctx context.Context) ([]Tool, error)
	// ToolCount is how many tools there were when somebody last asked. It does not wait.
	ToolCount() int
	// Ended tells of the end of a session that Connect has let begin. It does not wait.
	Ended(s Session, e End)
	// Close returns when all that was ended is delivered or given up, at the latest when ctx ends.
	// Nothing is called after it.
	Close(ctx context.Context) error
}
