package backend

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// Echo answers each message with itself, and has two tools. It needs nothing else to run, and lets
// everybody in.
type Echo struct{}

// echoTools is what Echo can do.
var echoTools = []Tool{
	{
		Name: "echo", Description: "gives its text back",
		InputSchema: json.RawMessage(`{"type":"object","properties":{"text":{"type":"string"}},` +
			`"required":["text"]}`),
	}, {
		Name: "sleep", Description: "waits a number of milliseconds",
		InputSchema: json.RawMessage(`{"type":"object","properties":{"ms":{"type":"integer",` +
			`"minimum":0}},"required":["ms"]}`),
	},
}

// Prompt is true.
func (Echo) Prompt() bool { return true }

// Connect lets everybody in.
func (Echo) Connect(context.Context, Session, Newcomer) (Grant, error) { return Grant{}, nil }

// Message gives m back.
func (Echo) Message(_ context.Context, _ Session, m Message) (Message, error) { return m, nil }

// HasTool knows "echo" and "sleep".
func (Echo) HasTool(_ context.Context, name string) error {
	for i := range echoTools {
		if echoTools[i].Name == name {
			return nil
		}
	}
	return &Error{Code: CodeToolNotFound, Message: fmt.Sprintf("there is no tool %q", name)}
}

// Call runs a tool.
func (e Echo) Call(ctx context.Context, _ Session, c Call) (Result, error) {
	switch c.Name {
	case "echo":
		var in struct {
			Text *string `json:"text"`
		}
		if err := decode(c.Arguments, &in); err != nil || in.Text == nil {
			return Result{}, invalid("echo needs a text, a string")
		}
		return TextResult(*in.Text), nil
	case "sleep":
		var in struct {
			MS *int64 `json:"ms"`
		}
		if err := decode(c.Arguments, &in); err != nil || in.MS == nil || *in.MS < 0 {
			return Result{}, invalid("sleep needs ms, a whole number that is not negative")
		}
		return sleep(ctx, *in.MS)
	}
	return Result{}, e.HasTool(ctx, c.Name)
}

// sleepMax keeps a number of milliseconds a time.Duration. Nobody waits so long.
const sleepMax = int64(24 * time.Hour / time.Millisecond)

func sleep(ctx context.Context, ms int64) (Result, error) {
	passed, stop := after(time.Duration(min(ms, sleepMax)) * time.Millisecond)
	defer stop()
	select {
	case <-passed:
		return TextResult(fmt.Sprintf("slept %d ms", ms)), nil
	case <-ctx.Done():
		return Result{}, ctx.Err()
	}
}

// decode reads one JSON object into v.
func decode(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	return d.Decode(v)
}

func invalid(message string) *Error { return &Error{Code: CodeValidation, Message: message} }

// TextResult is the result of a tool that gave a text.
func TextResult(text string) Result {
	outputs, _ := json.Marshal([]struct { // strings can always be written
		Type string `json:"type"`
		Text string `json:"text"`
	}{{"text", text}})
	return Result{Outputs: outputs, Text: text}
}

// Tools are the two.
func (Echo) Tools(context.Context) ([]Tool, error) { return echoTools, nil }

// ToolCount is 2.
func (Echo) ToolCount() int { return len(echoTools) }

// Ended forgets the session, of which nothing is known.
func (Echo) Ended(Session, End) {}

// Close does nothing.
func (Echo) Close(context.Context) error { return nil }
