package admin

import (
	"bytes"
	"net/http"
	"runtime"
	"runtime/pprof"
	"strings"
	"testing"
)

// isProfile says whether bytes are a profile as pprof's tools read it: compressed.
func isProfile(b []byte) bool { return bytes.HasPrefix(b, []byte{0x1f, 0x8b}) }

func TestProfiles(t *testing.T) {
	s := newServer(t, options(newMemory()))
	index := ask(s, get, "/debug/pprof/", "")
	if other := ask(s, get, "/debug/pprof", ""); other.Body.String() != index.Body.String() {
		t.Errorf("without a slash the page is %d %s", other.Code, other.Body)
	}
	if index.Code != 200 || index.Header().Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("index: %d %v", index.Code, index.Header())
	}
	for _, k := range profileKinds {
		if !strings.Contains(index.Body.String(), `<a href="/debug/pprof/`+k.name+`">`) {
			t.Errorf("the index lacks %s", k.name)
		}
		path := "/debug/pprof/" + k.name
		if w := ask(s, http.MethodHead, path, ""); w.Code != 200 {
			t.Errorf("HEAD %s: %d", path, w.Code)
		}
		wantError(t, ask(s, post, path, ""), 405, "method_not_allowed")
		if k.name == "symbol" {
			continue
		}
		for _, bad := range []string{
			"seconds=0", "seconds=-1", "seconds=61", "seconds=x", "seconds=NaN", "seconds=Inf",
			"seconds=1&seconds=1", "x=1", "debug=3", "gc=2", "seconds=1&debug=1", "seconds=%zz",
		} {
			wantError(t, ask(s, get, path+"?"+bad, ""), 400, "bad_request")
		}
		if !k.always {
			wantError(t, ask(s, get, path+"?seconds=0.5", ""), 400, "bad_request")
			if w := ask(s, get, path, ""); w.Code != 200 || !isProfile(w.Body.Bytes()) {
				t.Errorf("%s: %d", path, w.Code)
			}
			w := ask(s, get, path+"?debug=1", "")
			if got := w.Header().Get("Content-Type"); got != "text/plain; charset=utf-8" {
				t.Errorf("%s as text: %d %s", path, w.Code, got)
			}
		}
	}
	if w := ask(s, get, "/debug/pprof/heap?gc=1", ""); w.Code != 200 {
		t.Errorf("heap after a collection: %d", w.Code)
	}
	if w := ask(s, get, "/debug/pprof/symbol?0x1+0x2", ""); w.Code != 200 {
		t.Errorf("symbol: %d", w.Code)
	}
	for _, path := range []string{"cmdline", "none", "heap/", "a/b"} {
		wantError(t, ask(s, get, "/debug/pprof/"+path, ""), 404, "not_found")
	}
	if strings.Contains(index.Body.String(), "cmdline") {
		t.Error("the index shows cmdline")
	}
}

// What is of some time is recorded by one at a time.
func TestProfiles_Recorded(t *testing.T) {
	s := newServer(t, options(newMemory()))
	w := ask(s, get, "/debug/pprof/trace?seconds=0.01", "")
	if w.Code != 200 || !strings.HasPrefix(w.Body.String(), "go 1.") {
		t.Errorf("trace: %d %.20q", w.Code, w.Body)
	}
	if w := ask(s, get, "/debug/pprof/mutex?seconds=1", ""); !isProfile(w.Body.Bytes()) {
		t.Errorf("mutex: %d %.20q", w.Code, w.Body)
	}
	if n := runtime.SetMutexProfileFraction(-1); n != 0 {
		t.Errorf("locks go on being sampled: one of %d", n)
	}
	s.recording <- struct{}{}
	for _, path := range []string{"profile", "trace?seconds=1", "heap?seconds=1"} {
		wantError(t, ask(s, get, "/debug/pprof/"+path, ""), 409, "conflict")
	}
	<-s.recording
	if err := pprof.StartCPUProfile(new(bytes.Buffer)); err != nil {
		t.Skip("this process is being profiled: ", err)
	}
	defer pprof.StopCPUProfile()
	wantError(t, ask(s, get, "/debug/pprof/profile?seconds=1", ""), 500, "internal")
}

// Stacks of very many goroutines would stop the process.
func TestProfiles_StacksOfVeryMany(t *testing.T) {
	s := newServer(t, options(newMemory()))
	if w := ask(s, get, "/debug/pprof/goroutine?debug=2", ""); w.Code != 200 {
		t.Errorf("stacks: %d", w.Code)
	}
	stop := make(chan struct{})
	defer close(stop)
	for range stacksMax {
		go func() { <-stop }()
	}
	wantError(t, ask(s, get, "/debug/pprof/goroutine?debug=2", ""), 409, "conflict")
	if w := ask(s, get, "/debug/pprof/goroutine?debug=1", ""); w.Code != 200 {
		t.Errorf("counted stacks: %d", w.Code)
	}
}

// Shutdown ends what is being recorded, which is then what it was until then.
func TestProfiles_Shutdown(t *testing.T) {
	s, addr := serve(t, "127.0.0.1:0", func(*Options) {})
	type answer struct {
		status int
		body   string
	}
	answers := make(chan answer, 1)
	go func() {
		url := "http://" + addr.String() + "/debug/pprof/profile?seconds=60"
		status, body := fetch(t, client(t, addr), get, url, "")
		answers <- answer{status, body}
	}()
	for len(s.recording) == 0 {
		runtime.Gosched()
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if a := <-answers; a.status != 200 || !isProfile([]byte(a.body)) {
		t.Errorf("the profile: %d %.60q", a.status, a.body)
	}
}
