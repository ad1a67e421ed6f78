package server

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// scrape is what /metrics says, by series.
func (r *running) scrape() map[string]string {
	r.t.Helper()
	q, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet,
		"http://"+r.admin+"/metrics", nil)
	if err != nil {
		r.t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(q)
	if err != nil {
		r.t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		r.t.Fatalf("/metrics is answered with %s, %v: %s", answer.Status, err, body)
	}
	all := map[string]string{}
	for line := range strings.Lines(string(body)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), " "); ok && name != "#" {
			all[name] = value
		}
	}
	return all
}

func TestMetrics_AreTheDaemons(t *testing.T) {
	t.Parallel()
	r := start(t, []string{
		"--drain-window", "1h", "--max-sessions", "7", "--tick", "20ms", "--wheel", "russellluo",
		"--mode", "goroutine", "--buffer-total-bytes", "1048576",
	}, nil)
	c, _ := r.hello("")
	serving := r.scrape()
	r.signals <- syscall.SIGTERM
	r.logged("draining")
	draining := r.scrape()
	for series, want := range map[string][2]string{
		"curfew_draining":                              {"0", "1"},
		"curfew_drain_window_seconds":                  {"3600", "3600"},
		"curfew_sessions_limit":                        {"7", "7"},
		"curfew_tick_seconds":                          {"0.02", "0.02"},
		"curfew_buffer_limit_bytes":                    {"1.048576e+06", "1.048576e+06"},
		"curfew_sessions_created_total":                {"1", "1"},
		`curfew_handshakes_total{status="101"}`:        {"1", "1"},
		"curfew_application_requests_running":          {"0", "0"},
		`curfew_wheel_entries{level="0"}`:              {"0", "0"}, // that wheel has no levels
		"curfew_expiry_lateness_seconds_count":         {"0", "0"},
		`curfew_connections_ended_total{cause="slow"}`: {"0", "0"},
	} {
		if serving[series] != want[0] || draining[series] != want[1] {
			t.Errorf("%s is %q, in a drain %q, want %q", series, serving[series],
				draining[series], want)
		}
	}
	if at := "curfew_drain_start_time_seconds"; serving[at] != "0" || draining[at] == "0" {
		t.Errorf("%s is %s, in a drain %s", at, serving[at], draining[at])
	}
	if n := serving[`curfew_sessions{state="live"}`]; n != "1" { // a drain may have ended it
		t.Errorf("there are %q sessions", n)
	}
	for series := range serving {
		if strings.HasPrefix(series, "curfew_build_info{") && !strings.Contains(series,
			`mode="goroutine",version="test",wheel="russellluo"`) {
			t.Errorf("it is %s", series)
		}
	}
	r.signals <- syscall.SIGTERM
	c.Close(1000)
}

// What becomes of a reload, and of the audit log while its disk is full, can be seen by whoever
// reads no log.
func TestMetrics_ReloadsAndAuditLog(t *testing.T) {
	t.Parallel()
	const ok, at = "curfew_config_last_reload_successful",
		"curfew_config_last_reload_success_timestamp_seconds"
	inModes(t, "", []string{"--audit-log", "/dev/full"}, func(t *testing.T, r *reloading) {
		t.Helper()
		first := r.scrape()
		if first[ok] != "1" || first[at] != first["curfew_start_time_seconds"] {
			t.Errorf("at first %s is %s, and of %s", ok, first[ok], first[at])
		}
		writeFile(t, r.file, "nonsense: 1\n")
		r.signals <- syscall.SIGHUP
		r.logged("the old settings stay")
		if s := r.scrape(); s[ok] != "0" || s[at] != first[at] {
			t.Errorf("after a reload that was refused %s is %s, and of %s, want 0, of %s", ok,
				s[ok], s[at], first[at])
		}
		r.reload("")
		if s := r.scrape(); s[ok] != "1" || s[at] == first[at] {
			t.Errorf("after a reload %s is %s, and of %s", ok, s[ok], s[at])
		}

		r.operate(http.MethodDelete, "/v1/sessions/none", "")
		eventually(t, "an entry is lost", func() bool {
			s := r.scrape()
			return s[`curfew_audit_entries_total{result="lost"}`] == "1" &&
				s["curfew_audit_errors_total"] != "0" &&
				s[`curfew_audit_entries_total{result="written"}`] == "0"
		})
	})
}

// A daemon that reads no file has nothing that could be refused.
func TestMetrics_ReloadOfNothing(t *testing.T) {
	t.Parallel()
	const at = "curfew_config_last_reload_success_timestamp_seconds"
	r := start(t, nil, nil)
	first := r.scrape()
	r.signals <- syscall.SIGHUP
	r.logged("nothing to read again")
	s := r.scrape()
	if s["curfew_config_last_reload_successful"] != "1" || s[at] == first[at] {
		t.Errorf("it is %s, of %s before and %s after",
			s["curfew_config_last_reload_successful"], first[at], s[at])
	}
	for _, series := range []string{
		`curfew_audit_entries_total{result="written"}`, `curfew_audit_entries_total{result="lost"}`,
		"curfew_audit_errors_total",
	} {
		if s[series] != "0" {
			t.Errorf("without an audit log %s is %q", series, s[series])
		}
	}
}

// When the certificate that is shown expires, and who does not like it.
func TestMetrics_TLS(t *testing.T) {
	t.Parallel()
	const expiry, failed = "curfew_tls_certificate_expiry_timestamp_seconds",
		"curfew_tls_handshakes_failed_total"
	p := newPair(t)
	r := start(t, p.args(), nil)
	want := func(end time.Time) {
		t.Helper()
		if v, err := strconv.ParseFloat(r.scrape()[expiry], 64); v != float64(end.Unix()) {
			t.Errorf("the certificate expires at %f, %v, want %d", v, err, end.Unix())
		}
	}
	want(farFuture)
	renewed := farFuture.AddDate(1, 0, 0)
	p.write(2, renewed)
	r.signals <- syscall.SIGHUP
	r.logged("certificate read again")
	want(renewed)

	if n := r.scrape()[failed]; n != "0" {
		t.Errorf("%s handshakes failed before there was one", n)
	}
	if nc, err := tls.Dial("tcp", r.addr, &tls.Config{RootCAs: x509.NewCertPool()}); err == nil {
		_ = nc.Close()
		t.Fatal("a certificate is trusted that nobody knows")
	}
	eventually(t, "the handshake is counted", func() bool { return r.scrape()[failed] == "1" })
}
