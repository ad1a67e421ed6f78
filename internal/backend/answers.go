package backend

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// What an application answers, read. None of this waits or knows the network; errors are for the
// log.

const (
	userHeader     = "Curfew-User"
	idleHeader     = "Curfew-Idle-Seconds"
	lifetimeHeader = "Curfew-Lifetime-Seconds"

	userBytesMax = 255
)

// grantOf reads the answer to connect.
func grantOf(h http.Header) (g Grant, err error) {
	if g.User, err = userOf(h[userHeader]); err != nil {
		return Grant{}, err
	}
	if g.Idle, err = secondsOf(idleHeader, h[idleHeader]); err != nil {
		return Grant{}, err
	}
	if g.Lifetime, err = secondsOf(lifetimeHeader, h[lifetimeHeader]); err != nil {
		return Grant{}, err
	}
	return g, nil
}

func userOf(values []string) (string, error) {
	if len(values) == 0 {
		return "", nil
	}
	user := values[0]
	if len(values) > 1 || user == "" || len(user) > userBytesMax || !visible(user) {
		return "", fmt.Errorf("%s must be 1 to %d visible characters of ASCII, once",
			userHeader, userBytesMax)
	}
	return user, nil
}

// visible says whether s is nothing but visible characters of ASCII.
func visible(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
}

// secondsOf reads a header of decimal seconds. No header is 0, which a header never gives.
func secondsOf(name string, values []string) (time.Duration, error) {
	if len(values) == 0 {
		return 0, nil
	}
	decimal := strings.IndexFunc(values[0], func(r rune) bool {
		return (r < '0' || r > '9') && r != '.'
	}) < 0
	seconds, err := strconv.ParseFloat(values[0], 64)
	if len(values) > 1 || !decimal || seconds <= 0 ||
		err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, fmt.Errorf("%s must be a number of seconds above 0, once", name)
	}
	nanos := seconds * float64(time.Second)
	if nanos >= math.MaxInt64 {
		return math.MaxInt64, nil
	}
	return max(time.Duration(nanos), 1), nil
}

// messageFrom reads the answer to a message.
func messageFrom(a *answer) (Message, error) {
	contentType := a.header.Get("Content-Type")
	if a.status == http.StatusNoContent || len(a.body) == 0 && contentType == "" {
		return Message{}, nil
	}
	return MessageOf(contentType, a.body)
}

var errResult = errors.New(`neither {"text":string} nor {"outputs":[{"type":string,...},...]}`)

// resultFrom reads the answer to a call. Where it has outputs, they count.
func resultFrom(body []byte) (Result, error) {
	var in struct {
		Text    *string         `json:"text"`
		Outputs json.RawMessage `json:"outputs"`
	}
	if !utf8.Valid(body) || json.Unmarshal(body, &in) != nil {
		return Result{}, errResult
	}
	switch {
	case in.Outputs != nil:
		text, err := textOf(in.Outputs)
		if err != nil {
			return Result{}, err
		}
		return Result{Outputs: in.Outputs, Text: text}, nil
	case in.Text != nil:
		return TextResult(*in.Text), nil
	}
	return Result{}, errResult
}

// textOf is the texts of outputs, a line each.
func textOf(outputs json.RawMessage) (string, error) {
	var list []struct {
		Type *string         `json:"type"`
		Text json.RawMessage `json:"text"`
	}
	if outputs[0] != '[' || json.Unmarshal(outputs, &list) != nil {
		return "", errResult
	}
	var texts []string
	for _, one := range list {
		if one.Type == nil {
			return "", errResult
		}
		if *one.Type != "text" {
			continue
		}
		var text *string
		if json.Unmarshal(one.Text, &text) != nil || text == nil {
			return "", errResult
		}
		texts = append(texts, *text)
	}
	return strings.Join(texts, "\n"), nil
}

var errTools = errors.New(`not {"tools":[{"name":string,"description"?:string,` +
	`"inputSchema"?:object},...]}, each name once`)

// anyInput is the schema of a tool that has none.
var anyInput = json.RawMessage(`{"type":"object"}`)

// toolsFrom reads the list of tools. It is never nil.
func toolsFrom(body []byte) ([]Tool, error) {
	var in struct {
		Tools *[]Tool `json:"tools"`
	}
	if !utf8.Valid(body) || json.Unmarshal(body, &in) != nil || in.Tools == nil {
		return nil, errTools
	}
	seen := make(map[string]bool, len(*in.Tools))
	for i := range *in.Tools {
		t := &(*in.Tools)[i]
		if t.Name == "" || seen[t.Name] {
			return nil, errTools
		}
		seen[t.Name] = true
		if len(t.InputSchema) == 0 || string(t.InputSchema) == "null" {
			t.InputSchema = anyInput
		} else if t.InputSchema[0] != '{' {
			return nil, errTools
		}
	}
	return *in.Tools, nil
}

// retryAfterOf is how long an answer asks to wait, 0 where it does not or is not understood.
func retryAfterOf(h http.Header, now time.Time) time.Duration {
	value := h.Get("Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}
