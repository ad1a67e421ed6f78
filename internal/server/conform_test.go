package server

import (
	"path"
	"testing"

	"github.com/curfew-go/curfew/internal/conform"
)

// strict are the cases for which the suite lets a server do what an RFC permits but advises
// against, and which this one must not need: lengths that are not minimal, close codes 1012 to
// 1014, bad text found late.
var strict = []string{"14.2.*", "14.3.*", "6.4.*"}

// TestConformance: the daemon speaks RFC 6455 and RFC 7692 to the letter, as an independent suite
// reads them, in both modes. Short cases are also cut at each byte.
func TestConformance(t *testing.T) {
	for _, mode := range []string{"epoll", "goroutine"} {
		t.Run(mode, func(t *testing.T) {
			r := start(t, []string{
				"--max-message-bytes", "16777216", "--compression", "on", "--mode", mode,
			}, nil)
			judge(t, r.addr, conform.Options{CutEach: !testing.Short()}, 500)
		})
		t.Run(mode+"/uncompressed", func(t *testing.T) {
			r := start(t, []string{"--mode", mode}, nil)
			judge(t, r.addr, conform.Options{Only: "9.*"}, 8) // larger ones are too big here
		})
	}
}

// judge runs the suite, of which no case may fail and some number must pass.
func judge(t *testing.T, addr string, o conform.Options, passed int) {
	t.Helper()
	o.Subprotocol = "curfew.raw"
	report, err := conform.Run(t.Context(), "ws://"+addr+"/ws", o)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range report.Cases {
		if c.Outcome == conform.Fail {
			t.Errorf("%s: %s: %s", c.ID, c.Description, c.Detail)
		}
		for _, pattern := range strict {
			if ok, _ := path.Match(pattern, c.ID); ok && c.Detail != "" {
				t.Errorf("%s: %s: %s", c.ID, c.Description, c.Detail)
			}
		}
	}
	if report.Passed < passed {
		t.Errorf("%d cases passed, %d were skipped: want %d to pass",
			report.Passed, report.Skipped, passed)
	}
}
