package gateway

import (
	"encoding/json"
	"testing"
	"unicode/utf8"
)

// FuzzObject compares what an object is taken to hold with encoding/json.
func FuzzObject(f *testing.F) {
	for _, s := range []string{
		`{}`, ` { "a" : 1 , "b":"x\"}" , "c" : [ {"}":"]"} , [] ] } `, `{"\u0061":null,"a":true}`,
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
		o, ok := parseObject([]byte(s))
		if ok != valid {
			t.Fatalf("parseObject(%q) = %v, want %v", s, ok, valid)
		}
		if !ok {
			return
		}
		got := make(map[string]string)
		o.each(func(name, value []byte) { got[string(name)] = string(value) })
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
