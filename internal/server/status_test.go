package server

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/curfew-go/curfew/internal/admin"
	"github.com/curfew-go/curfew/internal/netloop/netlooptest"
)

// status asks for the daemon's numbers.
func (r *running) status() (s admin.Status) {
	r.t.Helper()
	code, answer := r.operate(http.MethodGet, "/v1/status", "")
	if err := json.Unmarshal([]byte(answer), &s); err != nil || code != http.StatusOK {
		r.t.Fatalf("status: %d %s: %v", code, answer, err)
	}
	return s
}

// The end of a resume window is an end by time, and has its lateness, as the other ends have.
func TestStatus_LatenessOfWindows(t *testing.T) {
	t.Parallel()
	r := start(t, []string{"--resume-window", "1ms"}, nil)
	c, _ := r.hello(`,"want":{"resume":true}`)
	if n := r.status().Expiry.Lateness.Count; n != 0 {
		t.Errorf("lateness of %d sessions before any has ended", n)
	}
	_ = c.Conn.Close()
	eventually(t, "the window is over", func() bool {
		return r.status().Sessions.Ended["window"] == 1
	})
	eventually(t, "its lateness is counted", func() bool {
		e := r.status().Expiry
		return e.Lateness.Count == 1 && len(e.LateBuckets) == 1 &&
			r.scrape()["curfew_expiry_lateness_seconds_count"] == "1"
	})
}

// Newcomers and those who resume are told why they are refused, and counted apart.
func TestStatus_RefusedHellos(t *testing.T) {
	t.Parallel()
	r := start(t, nil, []string{"CURFEW_TOKEN=right"})
	for fields, answer := range map[string]string{
		`,"token":"wrong"`: `"unauthorized"}`,
		`,"token":"right","resume":{"token":"none","seq":0}`: `"resume_unknown"}`,
	} {
		c := netlooptest.Dial(t, r.addr, "/ws")
		c.Text(`{"op":"hello"` + fields + `}`)
		c.Want(`text {"op":"hello_ack","ok":false,"error":` + answer)
	}
	s := r.status().Sessions
	if s.HelloRefused["unauthorized"] != 1 || s.HelloRefused["resume_unknown"] != 0 ||
		s.ResumeRefused["resume_unknown"] != 1 || s.ResumeRefused["unauthorized"] != 0 {
		t.Errorf("hellos refused: %v, resumes: %v", s.HelloRefused, s.ResumeRefused)
	}
}
