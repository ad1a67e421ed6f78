package command

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
)

func TestVersion(t *testing.T) {
	want := "curfew v1.2.3 " + runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH + "\n"
	if got := curfew(t, "version"); got != (outcome{0, want, ""}) {
		t.Errorf("curfew version: %+v, want %q", got, want)
	}
	if got := curfew(t, "version", "x"); got.code != exitUsage ||
		!strings.Contains(got.stderr, "takes no argument") {
		t.Errorf("curfew version x: %+v, want that it takes none", got)
	}
}

// full is an output that has no room for more than some bytes.
type full struct{ room int }

func (f *full) Write(b []byte) (int, error) {
	if len(b) > f.room {
		return 0, errors.New("no space left on device")
	}
	f.room -= len(b)
	return len(b), nil
}

// What is shown without a daemon and cannot be written is an error, said once.
func TestRun_OutputFails(t *testing.T) {
	for _, line := range []string{
		"", "--help", "help", "help status", "sessions --help", "--version", "version",
		"completion bash", "completion zsh", "completion fish", "__complete sta",
	} {
		for _, room := range []int{0, 5} {
			var stderr strings.Builder
			code := Run(t.Context(), Process{
				Args: strings.Fields(line), Stdin: strings.NewReader(""), Stdout: &full{room},
				Stderr: &stderr, Version: "v1.2.3",
			})
			want := "curfew: the output cannot be written: no space left on device\n"
			got := stderr.String()
			if strings.HasPrefix(line, "__complete") { // which tells shells more there
				_, got, _ = strings.Cut(got, "\n")
			}
			if code != exitUsage || got != want {
				t.Errorf("curfew %s: exit code %d and %q, want 2 and %q", line, code, got, want)
			}
		}
	}
}

// A list without a filter that is empty is no list of such sessions.
func TestSessionsLs_None(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"sessions":[],"next_cursor":""}`)
	}))
	t.Cleanup(s.Close)
	for filter, want := range map[string]string{
		"":                "curfew: there are no sessions\n",
		"--all":           "curfew: there are no sessions\n",
		"--sort deadline": "curfew: there are no sessions\n",
		"--state live":    "curfew: there are no such sessions\n",
		"--user ada":      "curfew: there are no such sessions\n",
	} {
		args := append([]string{"sessions", "ls", "--admin", s.URL}, strings.Fields(filter)...)
		if got := curfew(t, args...); got != (outcome{0, "", want}) {
			t.Errorf("curfew sessions ls %s: %+v, want %q", filter, got, want)
		}
	}
}
