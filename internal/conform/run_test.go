package conform_test

import (
	"os"
	"testing"
	"time"

	coder "github.com/coder/websocket"

	"github.com/curfew-go/curfew/internal/conform"
)

func TestX(t *testing.T) {
	for _, p := range []peer{
		{"gorilla", gorillaEcho(false)}, {"gorilla deflate", gorillaEcho(true)}, {"coder", coderEcho(coder.CompressionDisabled, 0)},
		{"coder deflate", coderEcho(coder.CompressionContextTakeover, 1<<25)}, {"gobwas", gobwasEcho},
	} {
		t.Run(p.name, func(t *testing.T) {
			at := time.Now()
			rep, err := conform.Run(t.Context(), p.start(t), conform.Options{Only: os.Getenv("ONLY")})
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range rep.Cases {
				if c.Outcome == conform.Fail || c.Detail != "" && os.Getenv("V") != "" {
					t.Logf("%s %s %s\n   %s", c.Outcome, c.ID, c.Description, c.Detail)
				}
			}
			t.Log(p.name, rep.Passed, rep.Failed, rep.Skipped, time.Since(at))
		})
	}
}
