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

// The daemon speaks RFC 6455 to the letter, as an independent suite reads it.
func TestConformance(t *testing.T) {
	r := start(t, []string{"--max-message-bytes", "16777216"}, nil)
	report, err := conform.Run(t.Context(), "ws://"+r.addr+"/ws",
		conform.Options{Subprotocol: "curfew.raw"})
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
	if report.Passed < 250 {
		t.Errorf("%d cases passed, %d were skipped: the suite did not run",
			report.Passed, report.Skipped)
	}
}
