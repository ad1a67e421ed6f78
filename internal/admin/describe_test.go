package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// described is the description as the tests use it: to judge answers by.
type described struct {
	doc      map[string]any
	compiler *jsonschema.Compiler

	mu      sync.Mutex
	schemas map[string]*jsonschema.Schema // by place in the document
	wrong   []string                      // answers that are not as described
	seen    map[string]bool               // "GET /v1/sessions 200"
}

// docName is under what name the document is known to the compiler.
const docName = "openapi.json"

var theDescription = sync.OnceValue(func() *described {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(description))
	if err != nil {
		panic(err)
	}
	d := &described{
		doc: doc.(map[string]any), compiler: jsonschema.NewCompiler(),
		schemas: map[string]*jsonschema.Schema{}, seen: map[string]bool{},
	}
	closeObjects(doc)
	d.compiler.AssertFormat()
	if err := d.compiler.AddResource(docName, doc); err != nil {
		panic(err)
	}
	return d
})

// closeObjects lets objects have no members but those described. Clients are promised less, so that
// members may be added.
func closeObjects(v any) {
	switch v := v.(type) {
	case map[string]any:
		_, open := v["additionalProperties"]
		if v["type"] == "object" && v["properties"] != nil && !open {
			v["additionalProperties"] = false
		}
		for _, member := range v {
			closeObjects(member)
		}
	case []any:
		for _, item := range v {
			closeObjects(item)
		}
	}
}

// at is what stands at a place, and its place, where references have been followed.
func (d *described) at(place ...string) (any, []string) {
	var v any = d.doc
	for _, name := range place {
		m, ok := v.(map[string]any)
		if !ok {
			return nil, place
		}
		v = m[name]
	}
	if m, ok := v.(map[string]any); ok {
		if to, ok := m["$ref"].(string); ok {
			return d.at(strings.Split(strings.TrimPrefix(to, "#/"), "/")...)
		}
	}
	return v, place
}

// object is at's, nil where there is no object.
func (d *described) object(place ...string) map[string]any {
	v, _ := d.at(place...)
	m, _ := v.(map[string]any)
	return m
}

// schema is what stands at a place, compiled.
func (d *described) schema(place ...string) (*jsonschema.Schema, error) {
	escape := strings.NewReplacer("~", "~0", "/", "~1", "%", "%25", "{", "%7B", "}", "%7D")
	escaped := []string{docName + "#"}
	for _, name := range place {
		escaped = append(escaped, escape.Replace(name))
	}
	pointer := strings.Join(escaped, "/")
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.schemas[pointer] == nil {
		s, err := d.compiler.Compile(pointer)
		if err != nil {
			return nil, err
		}
		d.schemas[pointer] = s
	}
	return d.schemas[pointer], nil
}

// validate says what is wrong with JSON, by the schema at a place.
func (d *described) validate(text []byte, place ...string) error {
	s, err := d.schema(place...)
	if err != nil {
		return err
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return err
	}
	return s.Validate(v)
}

// pathOf is the described path that a request's path is of, "" where there is none.
func (d *described) pathOf(path string) string {
	best := ""
	for template := range d.object("paths") {
		if matches(template, path) && (best == "" || strings.Count(template, "{") <
			strings.Count(best, "{")) {
			best = template
		}
	}
	return best
}

// matches says whether a path is of a template. A file has slashes in it.
func matches(template, path string) bool {
	if before, ok := strings.CutSuffix(template, "{file}"); ok {
		return strings.HasPrefix(path, before)
	}
	t, p := strings.Split(template, "/"), strings.Split(path, "/")
	return slices.EqualFunc(t, p, func(t, p string) bool {
		return t == p || strings.HasPrefix(t, "{") && p != ""
	})
}

// judge holds an answer against the description.
func (d *described) judge(method, path string, w *httptest.ResponseRecorder) error {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	template := d.pathOf(path)
	if !isClean(path) || method != strings.ToUpper(method) {
		template = "" // it is not meant
	}
	status := strconv.Itoa(w.Code)
	place := []string{"paths", template, strings.ToLower(method), "responses", status}
	if d.object(place[:3]...) == nil { // refused whatever it is
		place = nil
		for name := range d.object("components", "responses") {
			if d.isError(name, w) {
				place = []string{"components", "responses", name}
			}
		}
	} else {
		d.mu.Lock()
		d.seen[method+" "+template+" "+status] = true
		d.mu.Unlock()
	}
	response, place := d.at(place...)
	if response == nil || len(place) == 0 {
		return errors.New("this status is not described")
	}
	return d.judgeResponse(w, place)
}

// isError says whether an answer is one of the errors that are described.
func (d *described) isError(name string, w *httptest.ResponseRecorder) bool {
	var e struct {
		Error struct{ Code string }
	}
	status := map[string]int{
		"BadRequest": 400, "Unauthorized": 401, "Forbidden": 403, "NotFound": 404,
		"MethodNotAllowed": 405, "OverCapacity": 429,
	}[name]
	return status == w.Code && json.Unmarshal(w.Body.Bytes(), &e) == nil
}

// judgeResponse holds an answer against the response that is described at a place.
func (d *described) judgeResponse(w *httptest.ResponseRecorder, place []string) error {
	for name := range d.object(append(slices.Clone(place), "headers")...) {
		h := append(slices.Clone(place), "headers", name)
		if w.Header().Get(name) == "" && d.object(h...)["required"] == true {
			return fmt.Errorf("it lacks the header %s", name)
		}
	}
	content := d.object(append(slices.Clone(place), "content")...)
	if content == nil {
		if w.Body.Len() > 0 || w.Header().Get("Content-Type") != "" {
			return errors.New("it has a body and should have none")
		}
		return nil
	}
	kind, _, err := mime.ParseMediaType(w.Header().Get("Content-Type"))
	if err != nil {
		return err
	}
	if content[kind] == nil {
		if content["*/*"] == nil {
			return fmt.Errorf("its type is %s", kind)
		}
		return nil
	}
	if kind != jsonType {
		return nil
	}
	_, at := d.at(append(slices.Clone(place), "content", kind, "schema")...)
	return d.validate(w.Body.Bytes(), at...)
}

// note judges an answer, and keeps what is wrong for the end.
func (d *described) note(r *http.Request, w *httptest.ResponseRecorder) {
	if err := d.judge(r.Method, r.URL.EscapedPath(), w); err != nil {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.wrong = append(d.wrong, fmt.Sprintf("%s %.200s: %d %s: %v",
			r.Method, r.URL, w.Code, strings.TrimSpace(w.Body.String()), err))
	}
}

// unseen are the answers that are described and that no test got. What is the daemon's own fault
// cannot be asked for, nor a part of a file or one that did not change: those are the dashboard's.
func (d *described) unseen() []string {
	var all []string
	for path := range d.object("paths") {
		for method := range d.object("paths", path) {
			for status := range d.object("paths", path, method, "responses") {
				one := strings.ToUpper(method) + " " + path + " " + status
				if !d.seen[one] && !slices.Contains([]string{"206", "304", "416", "500"}, status) {
					all = append(all, one)
				}
			}
		}
	}
	return slices.Sorted(slices.Values(all))
}

// TestMain runs the tests, and says whether all that was answered was as described, and all that is
// described was answered.
func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	d := theDescription()
	const shown = 20
	if len(d.wrong) > 0 {
		fmt.Printf("%d answers are not as openapi.json describes them:\n%s\n", len(d.wrong),
			strings.Join(d.wrong[:min(shown, len(d.wrong))], "\n"))
		code = 1
	}
	all := flag.Lookup("test.run").Value.String() == "" &&
		flag.Lookup("test.skip").Value.String() == "" && !testing.Short()
	if unseen := d.unseen(); all && code == 0 && len(unseen) > 0 {
		fmt.Printf("openapi.json describes what no test got: %q\n", unseen)
		code = 1
	}
	os.Exit(code)
}

// The document is one of OpenAPI 3.1, by the schema that its makers publish.
func TestDescription_IsOpenAPI(t *testing.T) {
	c := jsonschema.NewCompiler()
	s, err := c.Compile("testdata/openapi-3.1-schema.json")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(description))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(doc); err != nil {
		t.Errorf("%#v", err)
	}
	d := theDescription()
	for name := range d.object("components", "schemas") {
		if _, err := d.schema("components", "schemas", name); err != nil {
			t.Error(err)
		}
	}
	for _, kind := range []string{"schemas", "responses", "parameters", "headers"} {
		for name := range d.object("components", kind) {
			if !bytes.Contains(description, []byte(`"#/components/`+kind+"/"+name+`"`)) &&
				!slices.Contains([]string{"Event", "Lost", "MethodNotAllowed"}, name) {
				t.Errorf("components/%s/%s is used by nothing", kind, name)
			}
		}
	}
}

// What is described is what is served, method by method.
func TestDescription_HasEveryRoute(t *testing.T) {
	d, served := theDescription(), map[string]bool{}
	for pattern, m := range newServer(t, joined(newMemory())).routes() {
		path := strings.NewReplacer("{$}", "", "{file...}", "{file}").Replace(pattern)
		for method := range m {
			if method == http.MethodHead && m[http.MethodGet] != nil {
				continue
			}
			served[method+" "+path] = true
			if d.object("paths", path, strings.ToLower(method)) == nil {
				t.Errorf("%s %s is served and not described", method, path)
			}
		}
	}
	names := map[string]string{}
	for path := range d.object("paths") {
		for method := range d.object("paths", path) {
			if method == "parameters" {
				continue
			}
			one := strings.ToUpper(method) + " " + path
			if !served[one] {
				t.Errorf("%s is described and not served", one)
			}
			id := fmt.Sprint(d.object("paths", path, method)["operationId"])
			if other := names[id]; other != "" || id == "" {
				t.Errorf("%s and %s have the ID %q", one, other, id)
			}
			names[id] = one
		}
	}
	wantAnswer(t, ask(newServer(t, joined(newMemory())), get, "/v1/openapi.json", ""), 200,
		strings.TrimSuffix(string(description), "\n"))
}

// The codes of errors are those in problem.go, and every profile is named.
func TestDescription_HasEveryCode(t *testing.T) {
	d := theDescription()
	for _, k := range profileKinds {
		v := d.object("components", "parameters", "profile", "schema")["enum"].([]any)
		if !slices.Contains(v, any(k.name)) {
			t.Errorf("the profile %s is not described", k.name)
		}
	}
	for _, e := range eventTypes {
		v := d.object("components", "schemas", "EventType")["enum"].([]any)
		if !slices.Contains(v, any(string(e))) || len(v) != len(eventTypes) {
			t.Errorf("the event %s is not described, or others are", e)
		}
	}
	sorts := d.object("components", "parameters", "sort", "schema")["enum"].([]any)
	want := 0
	for o := range orders {
		if o.String() == "" {
			continue
		}
		want++
		if !slices.Contains(sorts, any(o.String())) {
			t.Errorf("the order %s is not described", o)
		}
	}
	if len(sorts) != want {
		t.Errorf("%d orders are described, there are %d", len(sorts), want)
	}
	if names := slices.Sorted(maps.Keys(levels)); len(names) !=
		len(d.object("components", "schemas", "LogLevel", "properties", "level")["enum"].([]any)) {
		t.Errorf("the levels are %q", names)
	}
}
