package dashboard

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"strings"
	"testing"
)

var served = Handler()

func ask(method, target string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, http.NoBody)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	served.ServeHTTP(w, r)
	return w
}

// files are the paths of all files that the page names.
func files(t *testing.T) []string {
	t.Helper()
	page := ask("GET", "/").Body.String()
	var all []string
	seen := map[string]bool{}
	named := regexp.MustCompile(`(?:href|src)="([^"#]+)"`)
	for _, m := range named.FindAllStringSubmatch(page, -1) {
		if strings.HasPrefix(m[1], "assets/") && !seen[m[1]] {
			seen[m[1]] = true
			all = append(all, "/"+m[1])
		}
	}
	return all
}

func TestPage(t *testing.T) {
	w := ask("GET", "/")
	if w.Code != 200 || w.Header().Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("%d %s", w.Code, w.Header().Get("Content-Type"))
	}
	if strings.Contains(w.Body.String(), "{{") {
		t.Error("a mark is left in the page")
	}
	if c := w.Header().Get("Cache-Control"); c != "no-cache" {
		t.Errorf("the page may be kept: %s", c)
	}
	if n := len(files(t)); n < 15 {
		t.Errorf("the page names %d files", n)
	}
}

// Every file has its type, may be kept for good, and all of them have the headers that guard them.
func TestFiles(t *testing.T) {
	types := map[string]string{
		".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
		".svg": "image/svg+xml; charset=utf-8",
	}
	for _, target := range append(files(t), "/") {
		w := ask("GET", target)
		h := w.Header()
		if w.Code != 200 || w.Body.Len() == 0 {
			t.Errorf("%s: %d, %d bytes", target, w.Code, w.Body.Len())
		}
		if want := types[path.Ext(target)]; want != "" && h.Get("Content-Type") != want {
			t.Errorf("%s is %s, want %s", target, h.Get("Content-Type"), want)
		}
		if want := "public, max-age=31536000, immutable"; target != "/" &&
			h.Get("Cache-Control") != want {
			t.Errorf("%s: %s, want %s", target, h.Get("Cache-Control"), want)
		}
		wantGuards(t, target, h)
	}
}

func wantGuards(t *testing.T, target string, h http.Header) {
	t.Helper()
	csp := h.Get("Content-Security-Policy")
	for _, want := range []string{
		"default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'",
		"img-src 'self' data:", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'",
		"require-trusted-types-for 'script'",
	} {
		if !strings.Contains(csp, want) {
			t.Errorf("%s: the policy has no %s", target, want)
		}
	}
	if strings.Contains(csp, "unsafe") || strings.Contains(csp, "*") {
		t.Errorf("%s: the policy is %s", target, csp)
	}
	for name, want := range map[string]string{
		"X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer",
		"X-Content-Type-Options": "nosniff",
	} {
		if h.Get(name) != want {
			t.Errorf("%s: %s: %q, want %q", target, name, h.Get(name), want)
		}
	}
}

// A file that the browser has already is not sent again, zipped or not.
func TestETag(t *testing.T) {
	for _, target := range append(files(t), "/") {
		for _, coding := range []string{"identity", "gzip"} {
			first := ask("GET", target, "Accept-Encoding: "+coding)
			etag := first.Header().Get("ETag")
			if etag == "" || first.Header().Get("Vary") != "Accept-Encoding" {
				t.Fatalf("%s: ETag %q, Vary %q", target, etag, first.Header().Get("Vary"))
			}
			w := ask("GET", target, "Accept-Encoding: "+coding, "If-None-Match: "+etag)
			if w.Code != 304 || w.Body.Len() != 0 {
				t.Errorf("%s again: %d, %d bytes", target, w.Code, w.Body.Len())
			}
			other := ask("GET", target, "Accept-Encoding: "+coding, `If-None-Match: "other"`)
			if other.Code != 200 {
				t.Errorf("%s, of which another is known: %d", target, other.Code)
			}
		}
	}
}

func TestGzip(t *testing.T) {
	for _, target := range append(files(t), "/") {
		plain := ask("GET", target).Body.Bytes()
		w := ask("GET", target, "Accept-Encoding: br, gzip")
		if w.Header().Get("Content-Encoding") != "gzip" {
			t.Fatalf("%s is not zipped", target)
		}
		z, err := gzip.NewReader(w.Body)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(z); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%s unzipped is another: %v", target, err)
		}
	}
	for header, want := range map[string]bool{
		"": false, "gzip": true, "GZIP": true, "gzip;q=0": false, "gzip; q=0.0": false,
		"gzip;q=0.5": true, "deflate, gzip;q=1.0": true, "br": false, "gzipped": false,
		"identity;q=1, *;q=0": false, "gzip;q=x": false,
	} {
		zipped := ask("GET", "/", "Accept-Encoding: "+header).Header().Get("Content-Encoding") != ""
		if zipped != want {
			t.Errorf("Accept-Encoding: %s: zipped %v, want %v", header, zipped, want)
		}
	}
}

// What is not there and what cannot be done is answered as the operator's API does.
func TestProblems(t *testing.T) {
	file := files(t)[0]
	for request, want := range map[string]struct {
		status int
		code   string
	}{
		"GET /x": {404, "not_found"}, "GET /assets/": {404, "not_found"},
		"GET /assets/main.js":       {404, "not_found"},
		"GET /assets/0/main.js":     {404, "not_found"},
		"GET /assets/../handler.go": {404, "not_found"},
		"GET /page.html":            {404, "not_found"},
		"POST /x":                   {404, "not_found"},
		"POST /":                    {405, "method_not_allowed"},
		"DELETE " + file:            {405, "method_not_allowed"},
		"OPTIONS /":                 {405, "method_not_allowed"},
	} {
		method, target, _ := strings.Cut(request, " ")
		w := ask(method, target)
		var got struct {
			Error struct{ Code, Message string }
		}
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Errorf("%s: %s", request, w.Body)
		}
		if w.Code != want.status || got.Error.Code != want.code || got.Error.Message == "" {
			t.Errorf("%s: %d %s, want %d %s", request, w.Code, w.Body, want.status, want.code)
		}
		if w.Header().Get("Content-Type") != "application/json" ||
			w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %v", request, w.Header())
		}
		if allow := w.Header().Get("Allow"); (want.status == 405) != (allow == "GET, HEAD") {
			t.Errorf("%s: Allow: %q", request, allow)
		}
		wantGuards(t, request, w.Header())
	}
	if w := ask("HEAD", "/"); w.Code != 200 || w.Header().Get("ETag") == "" {
		t.Errorf("HEAD: %d", w.Code)
	}
}

// The whole page, everything counted, is light.
func TestWeight(t *testing.T) {
	const kibibytesMax = 300
	plain, zipped := 0, 0
	for _, target := range append(files(t), "/") {
		plain += ask("GET", target).Body.Len()
		zipped += ask("GET", target, "Accept-Encoding: gzip").Body.Len()
	}
	t.Logf("%d KiB, %d KiB zipped", plain>>10, zipped>>10)
	if plain > kibibytesMax<<10 {
		t.Errorf("the page weighs %d KiB, at most %d", plain>>10, kibibytesMax)
	}
}

// The path of a file is named after what all files hold.
func TestVersion(t *testing.T) {
	all := sources()
	before := versionOf(all)
	if before != versionOf(sources()) {
		t.Error("the version is another each time")
	}
	all["main.js"] = append(all["main.js"], ' ')
	if versionOf(all) == before {
		t.Error("another file, and the same version")
	}
}
