package gateway

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestObject_Deep compares with encoding/json where what is nested crosses words and the limit.
func TestObject_Deep(t *testing.T) {
	for depth := range 300 {
		for _, deep := range []string{
			strings.Repeat("[", depth) + strings.Repeat("]", depth),
			strings.Repeat(`{"a":`, depth) + "1" + strings.Repeat("}", depth),
			strings.Repeat(`[{"a":`, depth) + "1" + strings.Repeat("}]", depth),
			strings.Repeat(`[1,{"b":[],"a":`, depth) + "1" + strings.Repeat("},{}]", depth),
			strings.Repeat("[", depth) + "}" + strings.Repeat("]", depth),
		} {
			text := []byte(`{"x":` + deep + `}`)
			if got := object(text).each(func(_, _ []byte) {}); got != json.Valid(text) {
				t.Fatalf("at depth %d each gives %v of %s", depth, got, text)
			}
		}
	}
	for depth, want := range map[int]bool{depthMax: true, depthMax + 1: false} {
		text := `{"x":` + strings.Repeat("[", depth) + "1" + strings.Repeat("]", depth) + `}`
		if got := object(text).each(func(_, _ []byte) {}); got != want {
			t.Errorf("at depth %d each gives %v, want %v", depth, got, want)
		}
	}
}

// FuzzObject compares what an object is taken to hold with encoding/json.
func FuzzObject(f *testing.F) {
	for _, s := range []string{
		`{}`, ` { "a" : 1 , "b":"x\"}" , "c" : [ {"}":"]"} , [] ] } `, `{"\u0061":null,"a":true}`,
		`{"a":-1.5e+7,"b":[[],{},[{"c":0.0,"d":[1,2]}],"\u00e9\/"]}`, `{"a":01}`,
		`{"a":1.}`, `{"a":.1}`, `{"a":-}`, `{"a":1e}`, `{"a":[1,]}`, `{"a":{"b"}}`, `{"a":{,}}`,
		`{"a":[}`, `{"a":tru}`,
		`{,}`,
		`{"a":"\x"}`, `{"a":"\u12g4"}`, "{\"a\":\"\t\"}", `{"a":1,}`, `{"a" 1}`, `{"a":{"b":1]}`,
		`{"a":-1.5e+7}`, `{"a":{"b":{}}}x`, `[]`, `{"a":"\\"}`, `{"":0}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !utf8.ValidString(s) {
			t.Skip() // such text does not reach the gateway
		}
		var want map[string]json.RawMessage
		valid := json.Unmarshal([]byte(s), &want) == nil && want != nil
		if strings.Count(s, "{")+strings.Count(s, "[") >= depthMax {
			t.Skip() // encoding/json goes deeper
		}
		got := make(map[string]string)
		ok := object(s).each(func(name, value []byte) { got[string(name)] = string(value) })
		if ok != valid {
			t.Fatalf("each of %q gives %v, want %v", s, ok, valid)
		}
		if !ok {
			return
		}
		if len(got) != len(want) {
			t.Errorf("%q holds %v, want %d names", s, got, len(want))
		}
		for name, value := range want {
			if got[name] != string(value) {
				t.Errorf("%q: %q is %q, want %q", s, name, got[name], value)
			}
		}
	})
}
