package admin

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

// What Go writes has the members that are described, of the types that are described.
func TestSchemas(t *testing.T) {
	for name, v := range map[string]any{
		"Status": Status{}, "Setting": Setting{}, "Session": sessionJSON{}, "Event": eventJSON{},
		"Lost": lostJSON{}, "LogLevel": levelJSON{},
	} {
		for _, problem := range compareSchema(name, reflect.TypeOf(v), "components", "schemas",
			name) {
			t.Error(problem)
		}
	}
	type other struct {
		A int            `json:"version"`
		B []string       `json:"loops"`
		C map[string]int `json:"memory,omitempty"`
		D float64        `json:"pid"`
	}
	if got := compareSchema("x", reflect.TypeFor[other](), "components", "schemas",
		"Status"); len(got) < 5 {
		t.Errorf("of another struct it is only said that %q", got)
	}
}

// compareSchema says where a Go type and the schema at a place differ.
func compareSchema(name string, goType reflect.Type, place ...string) (problems []string) {
	schema, place := theDescription().at(place...)
	s, _ := schema.(map[string]any)
	for goType.Kind() == reflect.Pointer {
		goType = goType.Elem()
	}
	want := jsonTypeOf(goType)
	if got := fmt.Sprint(s["type"]); got != want {
		return []string{fmt.Sprintf("%s is described as %s, and is %s", name, got, want)}
	}
	in := func(more ...string) []string { return append(append([]string{}, place...), more...) }
	switch {
	case goType == reflect.TypeFor[time.Time]():
		if s["format"] != "date-time" {
			problems = append(problems, name+" is not described as a time")
		}
	case goType.Kind() == reflect.Map:
		return compareSchema(name+"[]", goType.Elem(), in("additionalProperties")...)
	case goType.Kind() == reflect.Slice:
		return compareSchema(name+"[]", goType.Elem(), in("items")...)
	case goType.Kind() == reflect.Struct:
		return compareMembers(name, goType, s, in("properties"))
	}
	return problems
}

// compareMembers does so for a struct.
func compareMembers(
	name string, goType reflect.Type, schema map[string]any, place []string,
) (problems []string) {
	described, _ := schema["properties"].(map[string]any)
	required := fmt.Sprint(schema["required"], " ")
	written := map[string]bool{}
	for f := range goType.Fields() {
		member, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		full := name + "." + member
		written[member] = true
		if described[member] == nil {
			problems = append(problems, full+" is written and not described")
			continue
		}
		always := options != "omitempty"
		if said := strings.Contains(strings.NewReplacer("[", " ", "]", " ").Replace(required),
			" "+member+" "); said != always {
			problems = append(problems, fmt.Sprintf("%s is required: %v, written always: %v",
				full, said, always))
		}
		problems = append(problems, compareSchema(full, f.Type, append(place, member)...)...)
	}
	for member := range described {
		if !written[member] {
			problems = append(problems, name+"."+member+" is described and not written")
		}
	}
	return problems
}

// jsonTypeOf is as what JSON has a Go type.
func jsonTypeOf(t reflect.Type) string {
	if t == reflect.TypeFor[time.Time]() {
		return "string"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "boolean"
	case reflect.String:
		return "string"
	case reflect.Float64:
		return "number"
	case reflect.Slice:
		return "array"
	case reflect.Map, reflect.Struct:
		return "object"
	default:
		return "integer"
	}
}

// full is a value of which no part is empty.
func full[T any]() T {
	v := reflect.New(reflect.TypeFor[T]()).Elem()
	fill(v)
	return v.Interface().(T)
}

func fill(v reflect.Value) {
	if v.Type() == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(epoch))
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.String:
		v.SetString("x")
	case reflect.Float64:
		v.SetFloat(0.5)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		item := reflect.New(v.Type().Elem()).Elem()
		fill(item)
		v.SetMapIndex(reflect.ValueOf("x"), item)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Struct:
		for _, field := range v.Fields() {
			fill(field)
		}
	case reflect.Uint64:
		v.SetUint(1<<64 - 1)
	default:
		v.SetInt(1)
	}
}

// fullStatus is one with words where only some are allowed.
func fullStatus() Status {
	s := full[Status]()
	s.State, s.Expiry.Wheel.Kind, s.Application.Kind = StateServing, "native", "echo"
	s.Connections.Closed[0].Side = "server"
	return s
}
