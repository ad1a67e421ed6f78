package conform_test

import (
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/curfew-go/curfew/internal/conform"
)

// patient is for servers that are not expected to be silent: on a busy machine they may seem so.
const patient = 5 * time.Second

func run(t *testing.T, url string, o conform.Options) *conform.Report {
	t.Helper()
	rep, err := conform.Run(t.Context(), url, o)
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

// refusedText names, among globs, the cases of section 6 whose text is bad.
const refusedText = "bad text"

// matching returns the cases of a report that globs name and no glob with a ! in front does.
func matching(t *testing.T, rep *conform.Report, globs []string) []string {
	t.Helper()
	var ids []string
	for _, c := range rep.Cases {
		in := false
		for _, g := range globs {
			g, not := strings.CutPrefix(g, "!")
			match, err := path.Match(g, c.ID)
			if err != nil {
				t.Fatal(err)
			}
			bad := strings.HasPrefix(c.ID, "6.") && strings.Contains(c.Description, "refused")
			if match || g == refusedText && bad {
				in = !not
			}
		}
		if in && c.Outcome != conform.Skip {
			ids = append(ids, c.ID)
		}
	}
	return ids
}

// wantFailed compares the cases that failed with those that globs name.
func wantFailed(t *testing.T, rep *conform.Report, globs []string) {
	t.Helper()
	want := matching(t, rep, globs)
	for _, c := range rep.Cases {
		switch failed := c.Outcome == conform.Fail; {
		case failed && !slices.Contains(want, c.ID):
			t.Errorf("%s fails, want pass: %s\n%s", c.ID, c.Description, c.Detail)
		case !failed && slices.Contains(want, c.ID):
			t.Errorf("%s = %s, want fail: %s", c.ID, c.Outcome, c.Description)
		}
	}
}

// remarked returns the cases that passed with a remark, but for those that have one always.
func remarked(rep *conform.Report) []string {
	var ids []string
	for _, c := range rep.Cases {
		always := strings.HasPrefix(c.ID, "7.13.") || strings.HasPrefix(c.ID, "14.4.")
		if c.Outcome == conform.Pass && c.Detail != "" && !always {
			ids = append(ids, c.ID)
		}
	}
	return ids
}

// TestStrictServer is the proof that nothing is demanded that a server cannot do.
func TestStrictServer(t *testing.T) {
	rep := run(t, referenceEcho(t, faultless), conform.Options{
		Only: everything, Timeout: patient,
	})
	wantFailed(t, rep, nil)
	if ids := remarked(rep); len(ids) > 0 && !slices.Equal(ids, []string{"7.1.6"}) {
		t.Errorf("remarks on %v, want none: %+v", ids, rep.Cases)
	}
	for _, c := range rep.Cases {
		compressed := slices.Contains([]string{"12", "13"}, strings.Split(c.ID, ".")[0]) ||
			slices.Contains([]string{"14.5", "14.6", "14.7"}, c.ID[:min(4, len(c.ID))])
		if want := conform.Skip; compressed != (c.Outcome == want) {
			t.Errorf("%s = %s, skipped are those about compression", c.ID, c.Outcome)
		}
	}
}

// impatient is for servers that are silent on purpose.
const impatient = 400 * time.Millisecond

// quick is all but the large messages of section 9 and compression.
const quick = "[1-8]*"

// TestFaults has one fault a server, and what it fails and nothing else for it.
func TestFaults(t *testing.T) {
	for _, tt := range []struct {
		name    string
		fault   fault
		timeout time.Duration // 0 is patient
		only    string        // "" is quick
		failed  []string
		remarks []string
	}{
		{
			name: "sends no pong", fault: noPong, timeout: impatient, only: "[25]*",
			failed: []string{"2.*", "!2.5", "!2.[78]", "5.[678]", "5.19", "5.20"},
		},
		{
			name: "sends pongs without payload", fault: emptyPong,
			failed: []string{
				"2.*", "!2.1", "!2.5", "!2.[78]", "5.[678]", "5.19", "5.20", "6.4.[12]",
			},
		},
		{
			name: "answers a pong with a pong", fault: pongToPong,
			failed: []string{"2.[789]"},
		},
		{
			name: "changes a bit of the payload", fault: wrongPayload, only: "[15]*",
			failed: []string{
				"1.*", "!1.?.1", "5.[3-8]", "5.15", "5.19", "5.20", "10.*",
			},
		},
		{
			name: "echoes text as bytes", fault: wrongType, only: "[15]*",
			failed: []string{"1.*", "5.[3-8]", "5.15", "5.19", "5.20", "10.*"},
		},
		{
			name: "accepts frames that are not masked", fault: acceptsBare,
			failed: []string{"14.1.*"},
		},
		{name: "ignores the reserved bits", fault: acceptsRSV, failed: []string{"3.*"}},
		{
			name: "ignores reserved opcodes", fault: acceptsReserved, timeout: impatient,
			only: "[345]*", failed: []string{"4.*"},
		},
		{
			name: "accepts long control frames", fault: acceptsLongControl,
			failed: []string{"2.5", "7.3.6"},
		},
		{
			name: "accepts control frames in fragments", fault: acceptsPartedControl,
			timeout: impatient, failed: []string{"5.[12]", "5.9", "5.1[0-7]"},
		},
		{
			name:  "accepts continuation frames with nothing to continue",
			fault: acceptsLostContinuation, timeout: impatient,
			failed: []string{"5.9", "5.1[0-7]"},
		},
		{
			name: "accepts a message inside another", fault: acceptsInterruption,
			failed: []string{"5.18"},
		},
		{
			name: "does not look at text", fault: acceptsBadText, timeout: time.Second,
			failed: []string{refusedText, "7.5.1"},
		},
		{
			name: "looks at text when it is complete", fault: lateText, timeout: time.Second,
			remarks: []string{"6.4.1", "6.4.2", "6.4.3", "6.4.4"}, only: "6*",
		},
		{
			name: "accepts a close frame of one byte", fault: acceptsCloseOfOneByte,
			timeout: impatient, failed: []string{"7.3.2"},
		},
		{
			name: "accepts any close code", fault: acceptsBadCodes,
			failed: []string{"7.9.*", "14.3.4"},
		},
		{
			name: "accepts long lengths", fault: acceptsLongLengths, only: "14*",
			remarks: []string{
				"14.2.1", "14.2.2", "14.2.3", "14.2.4", "14.2.5", "14.2.6", "14.2.7", "14.2.8",
			},
		},
		{
			name: "accepts any handshake", fault: acceptsBadHandshake, only: "14.4.*",
			failed: []string{
				"14.4.*", "!14.4.3", // net/http answers what has no Host.
				"!14.4.[89]", // Nobody has to look into the key.
			},
		},
		{
			name: "does not answer close frames", fault: noCloseAnswer, only: "7*",
			failed: []string{"7.1.*", "!7.1.6", "7.3.[1345]", "7.7.*"}, remarks: []string{"7.1.6"},
		},
		{
			name: "answers close frames with another code", fault: wrongCloseAnswer, only: "7*",
			failed: []string{"7.1.*", "7.3.[1345]", "7.7.*", "!7.7.2"},
		},
		{
			name: "goes on after its close frame", fault: talksAfterClose, only: "7*",
			failed: []string{"7.1.*", "7.3.[1345]", "7.7.*"},
		},
		{
			name: "leaves the TCP connection open", fault: staysOpen, only: "7*",
			timeout: impatient, failed: []string{"7.1.*", "7.3.[1345]", "7.7.*"},
		},
		{
			name: "is silent where it should fail the connection", fault: silenceAfterFault,
			timeout: impatient, only: "[35]*",
			failed: []string{"3.*", "5.[12]", "5.9", "5.1[0-8]"},
		},
		{
			name: "fails connections with 1000", fault: wrongCode, only: "[35]*",
			failed: []string{"3.*", "5.[12]", "5.9", "5.1[0-8]"},
		},
		{
			name: "drops connections", fault: drops, only: "3*",
			remarks: []string{"3.1", "3.2", "3.3", "3.4", "3.5", "3.6", "3.7"},
		},
		{name: "masks its frames", fault: masks, only: "1.*", failed: []string{"1.*"}},
		{name: "writes lengths long", fault: longLengths, only: "2.[1-4]", failed: []string{"2.*"}},
		{name: "sets RSV 1", fault: setsRSV, only: "1.*", failed: []string{"1.*"}},
		{
			name: "fragments without continuation frames", fault: partsWrongly, only: "1.*",
			failed: []string{"1.*"},
		},
		{name: "fragments its messages", fault: parts},
		{name: "pings, too", fault: pingsFirst},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := conform.Options{Only: quick, Timeout: patient}
			if tt.timeout != 0 {
				o.Timeout = tt.timeout
			}
			if tt.only != "" {
				o.Only = tt.only
			}
			rep := run(t, referenceEcho(t, tt.fault), o)
			wantFailed(t, rep, tt.failed)
			if got := remarked(rep); !slices.Equal(got, tt.remarks) &&
				!slices.Equal(got, []string{"7.1.6"}) {
				t.Errorf("remarks on %v, want %v", got, tt.remarks)
			}
		})
	}
}

// TestSizeLimit: what is too big for a server is skipped, not failed.
func TestSizeLimit(t *testing.T) {
	rep := run(t, referenceEcho(t, limit32KiB), conform.Options{
		Only: "9.[1-8].[1-4]", Timeout: patient,
	})
	for _, c := range rep.Cases {
		small := strings.HasPrefix(c.ID, "9.7.") || strings.HasPrefix(c.ID, "9.8.")
		want := conform.Skip
		if small {
			want = conform.Pass
		}
		if c.Outcome != want {
			t.Errorf("%s = %s, want %s: %s", c.ID, c.Outcome, want, c.Detail)
		}
	}
}

// TestSilentServer: whoever never says a word costs a case at most a second.
func TestSilentServer(t *testing.T) {
	t.Parallel()
	began := time.Now()
	rep := run(t, referenceEcho(t, silence), conform.Options{Only: "1.*"})
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("%d cases side by side took %v, want about a second", len(rep.Cases), took)
	}
	wantFailed(t, rep, []string{"*"})
}

// TestCutEach cuts every short case at every byte. Where the bytes are parted makes no difference.
func TestCutEach(t *testing.T) {
	t.Parallel()
	only := "[2-7].*"
	if testing.Short() {
		only = "5.*"
	}
	rep := run(t, referenceEcho(t, faultless), conform.Options{
		Only: only, Timeout: patient, Parallel: 32, CutEach: true,
	})
	wantFailed(t, rep, nil)
	rep = run(t, referenceEcho(t, readsOnce), conform.Options{
		Only: "1.?.2", Timeout: impatient, CutEach: true,
	})
	wantFailed(t, rep, []string{"1.*"})
	for _, c := range rep.Cases {
		if !strings.HasPrefix(c.Detail, "cut after byte 1: ") {
			t.Errorf("detail = %q, want where it was cut", c.Detail)
		}
	}
}
