package command

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/curfew-go/curfew/internal/load"
)

const someURL = "ws://127.0.0.1:9/ws"

// refusal runs a command that must be refused before anything is connected, and gives the lines
// that it says.
func refusal(t *testing.T, args ...string) []string {
	t.Helper()
	got := curfew(t, append([]string{"load"}, args...)...)
	if got.code != exitUsage || got.stdout != "" {
		t.Errorf("curfew load %q exits with %d and says %q, want %d and nothing", args, got.code,
			got.stdout, exitUsage)
	}
	return strings.Split(strings.TrimSuffix(got.stderr, "\n"), "\n")
}

// words are those of a command line, in which one may be quoted as in Go.
func words(t *testing.T, line string) []string {
	t.Helper()
	var all []string
	for line = strings.TrimSpace(line); line != ""; line = strings.TrimSpace(line) {
		if line[0] != '"' {
			word, rest, _ := strings.Cut(line, " ")
			all, line = append(all, word), rest
			continue
		}
		quoted, err := strconv.QuotedPrefix(line)
		if err != nil {
			t.Fatal(err)
		}
		word, err := strconv.Unquote(quoted)
		if err != nil {
			t.Fatal(err)
		}
		all, line = append(all, word), line[len(quoted):]
	}
	return all
}

// Each command line of testdata/refusals.txt is refused with the one line that follows it.
func TestLoad_Refusals(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("empty", "\n")
	write("two", "a\nb\n")
	write("long", strings.Repeat("x", fileBytesMax+1))
	for block := range strings.SplitSeq(contents(t, "testdata/refusals.txt"), "\n\n") {
		block = strings.NewReplacer("$DIR", dir, "$URL", someURL).Replace(block)
		line, want, _ := strings.Cut(strings.TrimSpace(block), "\n")
		line, ok := strings.CutPrefix(line, "$")
		if !ok {
			continue // a remark
		}
		got := refusal(t, words(t, line)...)
		if len(got) != 1 || !strings.HasPrefix(got[0], "curfew: "+want) {
			t.Errorf("curfew load%s says\n%s\nwant\ncurfew: %s", line, strings.Join(got, "\n"),
				want)
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".*")); err != nil || len(left) > 0 {
		t.Errorf("%q is left (%v), want nothing", left, err)
	}
}

func TestLoad_AllProblemsAtOnce(t *testing.T) {
	got := refusal(t, "--rate", "x", "--size", "0", "--connections", "0", "--duration", "soon",
		"--insecure", "--repeat", "0", "--hdr", "-", "http://h/")
	for _, part := range []string{
		"--rate", "--size", "--connections", "--duration", "--insecure", "--repeat", "--hdr",
		"write ws://h/",
	} {
		if !slices.ContainsFunc(got, func(line string) bool {
			return strings.HasPrefix(line, "curfew: ") && strings.Contains(line, part)
		}) {
			t.Errorf("no line about %s in\n%s", part, strings.Join(got, "\n"))
		}
	}
	if len(got) != 8 {
		t.Errorf("%d lines, want 8:\n%s", len(got), strings.Join(got, "\n"))
	}
}

func TestLoadFlags_Plan(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	parse := func(args ...string) load.Plan {
		var f loadFlags
		flags := pflag.NewFlagSet("load", pflag.ContinueOnError)
		f.add(flags)
		if err := flags.Parse(args); err != nil {
			t.Fatal(err)
		}
		p, err := f.settle(flags, flags.Args())
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	p := parse(someURL)
	if p.Profile != load.ProfileEcho || p.Protocol != "" || p.Connections != 100 ||
		p.Rate != 1000 || p.Size != 32 || p.Duration != 10*time.Second || p.Seed != 1 ||
		p.URL != someURL || p.Ramp != 0 || p.Warmup != 0 {
		t.Errorf("the plan of no flags is %+v", p)
	}
	p = parse("--profile", "churn", "--rate", "2000/s", "--ramp=500", "--subprotocol", "curfew.raw",
		"--header", "Origin: https://a.example", "--header", "x-a: 1", "--header", "x-a:2",
		"--token-file", token, "--source", "127.0.0.1", "--source", "127.0.0.2", "--seed", "0x10",
		"--warmup", "1s", "--interval", "250ms", someURL)
	want := http.Header{"Origin": {"https://a.example"}, "X-A": {"1", "2"}}
	if p.Profile != load.ProfileChurn || p.Rate != 2000 || p.Ramp != 500 ||
		p.Protocol != load.SpeakRaw || p.Token != "secret" || len(p.Sources) != 2 ||
		p.Seed != 16 || p.Warmup != time.Second || p.Interval != 250*time.Millisecond {
		t.Errorf("the plan is %+v", p)
	}
	for name, values := range want {
		if !slices.Equal(p.Header[name], values) {
			t.Errorf("header %s is %q, want %q", name, p.Header[name], values)
		}
	}
	p = parse("ws://me:pass@127.0.0.1:9/ws?x=1")
	if got := p.Header.Get("Authorization"); got != "Basic bWU6cGFzcw==" ||
		p.URL != someURL+"?x=1" {
		t.Errorf("the user of a URL is sent as %q to %s", got, p.URL)
	}
	if p = parse("--subprotocol", "curfew.v1", someURL); p.Protocol != load.SpeakJSON {
		t.Errorf("curfew.v1 is spoken as %s, want json", p.Protocol)
	}
	if p = parse("--subprotocol", "chat, superchat", someURL); p.Protocol != "" {
		t.Errorf("chat is spoken as %s, want that to be found out", p.Protocol)
	}
}
