package backend

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

var echo Backend = Echo{}

func TestEcho_Message(t *testing.T) {
	for _, kind := range []Kind{JSON, Text, Binary} {
		in := Message{Kind: kind, Data: []byte("hello")}
		out, err := echo.Message(t.Context(), Session{}, in)
		if err != nil || out.Kind != kind || string(out.Data) != "hello" {
			t.Errorf("Message(%v) = %v, %v", in, out, err)
		}
	}
}

func TestEcho_Tools(t *testing.T) {
	tools, err := echo.Tools(t.Context())
	if err != nil || len(tools) != echo.ToolCount() {
		t.Fatalf("Tools = %v, %v; ToolCount = %d", tools, err, echo.ToolCount())
	}
	for _, tool := range tools {
		if err := echo.HasTool(t.Context(), tool.Name); err != nil {
			t.Errorf("HasTool(%q) = %v", tool.Name, err)
		}
	}
	var e *Error
	if err := echo.HasTool(t.Context(), "dig"); !errors.As(err, &e) || e.Code != CodeToolNotFound {
		t.Errorf("HasTool(dig) = %v", err)
	}
}

func TestEcho_Call(t *testing.T) {
	for _, c := range []struct {
		name, arguments string
		outputs, text   string
		code            Code
	}{
		{"echo", `{"text":"a \"b\""}`, `[{"type":"text","text":"a \"b\""}]`, `a "b"`, ""},
		{"echo", `{"text":""}`, `[{"type":"text","text":""}]`, "", ""},
		{"echo", `{}`, "", "", CodeValidation},
		{"echo", `{"text":1}`, "", "", CodeValidation},
		{"sleep", `{"ms":5}`, `[{"type":"text","text":"slept 5 ms"}]`, "slept 5 ms", ""},
		{"sleep", `{"ms":-5}`, "", "", CodeValidation},
		{"sleep", `{"ms":1.5}`, "", "", CodeValidation},
		{"sleep", `{"ms":1e99}`, "", "", CodeValidation},
		{"dig", `{}`, "", "", CodeToolNotFound},
	} {
		synctest.Test(t, func(t *testing.T) {
			call := Call{Name: c.name, Arguments: []byte(c.arguments)}
			r, err := echo.Call(t.Context(), Session{}, call)
			var e *Error
			if c.code != "" && (!errors.As(err, &e) || e.Code != c.code) ||
				c.code == "" && err != nil {
				t.Errorf("%s %s: %v", c.name, c.arguments, err)
			}
			if string(r.Outputs) != c.outputs || r.Text != c.text {
				t.Errorf("%s %s = %s, %q", c.name, c.arguments, r.Outputs, r.Text)
			}
		})
	}
}

func TestEcho_SleepEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := echo.Call(ctx, Session{}, Call{Name: "sleep", Arguments: []byte(`{"ms":5000}`)})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("sleep = %v", err)
		}
	})
}
