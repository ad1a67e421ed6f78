//go:build e2e

package e2e

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// page serves testdata/page.html and takes in what it reports.
type page struct {
	*httptest.Server
	reports chan report
}

// report is what happened on the connections to one address.
type report struct {
	url      string
	happened []string
}

func servePage(t *testing.T) *page {
	t.Helper()
	p := &page{reports: make(chan report, 100)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, "testdata/page.html")
	})
	mux.HandleFunc("POST /report", func(_ http.ResponseWriter, r *http.Request) {
		got := report{url: r.FormValue("url")}
		if err := json.NewDecoder(r.Body).Decode(&got.happened); err != nil {
			got.happened = []string{err.Error()}
		}
		p.reports <- got
	})
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

// browse opens the page in a browser of its own, and gives what it reports for each daemon.
func (p *page) browse(t *testing.T, origin string, daemons ...string) map[string][]string {
	t.Helper()
	address := origin + "/?" + url.Values{"daemon": daemons}.Encode()
	cmd := exec.Command("chromium", "--headless", "--disable-gpu", "--no-first-run",
		"--no-sandbox",                // which root cannot have
		"--disable-dev-shm-usage",     // which is small in containers
		"--ignore-certificate-errors", // the certificate is its own authority
		"--user-data-dir="+t.TempDir(), address)
	scratch := filepath.Dir(curfewd)
	cmd.Env = append(os.Environ(), "HOME="+scratch, "TMPDIR="+scratch)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // it starts others
	var said strings.Builder
	cmd.Stderr = &said // which Wait reads until all of them are gone
	cmd.WaitDelay = patience
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v (make e2e-tools installs it)", err)
	}
	defer func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
	}()
	reports := map[string][]string{}
	for late := time.After(patience); len(reports) < len(daemons); {
		select {
		case r := <-p.reports:
			reports[r.url] = r.happened
		case <-late:
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			_ = cmd.Wait()
			t.Fatalf("the browser reports of %d addresses of %d, and says:\n%s",
				len(reports), len(daemons), &said)
		}
	}
	return reports
}

// TestBrowser_TalksAndIsToldOfItsEnd in both modes, through HAProxy and through the daemon's TLS.
func TestBrowser_TalksAndIsToldOfItsEnd(t *testing.T) {
	t.Parallel()
	p := servePage(t)
	names := map[string]string{} // by address
	var addresses []string
	add := func(name, address string) {
		names[address] = name
		addresses = append(addresses, address)
	}
	flags := []string{"--origin", p.URL, "--compression", "on"}
	for _, mode := range modes {
		_, address := daemon(t, mode, flags...)
		add(mode, "ws://"+address+"/")
	}
	_, address := daemon(t, "goroutine", append(flags,
		"--tls-cert", certificate.cert, "--tls-key", certificate.key)...)
	add("TLS", "wss://"+address+"/")
	for _, w := range ways() {
		_, _, address := w.daemon(t, flags...)
		add(w.String(), address)
	}
	want := []string{
		"open curfew.v1 permessage-deflate", "hello_ack", "message_res", "zwölf €", "pong",
		"close 1000 clean",
		"open curfew.raw permessage-deflate", "zwölf €", "0001ff", "60000 bytes",
		"close 4321 clean",
		"open curfew.v1 permessage-deflate", "hello_ack", "session_expired idle",
		"close 4200 clean",
	}
	for address, got := range p.browse(t, p.URL, addresses...) {
		if !slices.Equal(got, want) {
			t.Errorf("%s: the browser reports %q, want %q", names[address], got, want)
		}
	}
}

// TestBrowser_IsRefusedWhereItsPageIsNotWelcome, be it by a name of the same machine.
func TestBrowser_IsRefusedWhereItsPageIsNotWelcome(t *testing.T) {
	t.Parallel()
	p := servePage(t)
	var addresses []string
	for _, mode := range modes {
		_, address := daemon(t, mode, "--origin", p.URL)
		addresses = append(addresses, "ws://"+address+"/")
	}
	refused := []string{"error", "close 1006 unclean"}
	want := slices.Concat(refused, refused, refused)
	elsewhere := strings.Replace(p.URL, "127.0.0.1", "localhost", 1)
	for address, got := range p.browse(t, elsewhere, addresses...) {
		if !slices.Equal(got, want) {
			t.Errorf("%s: a page from %s reports %q, want %q", address, elsewhere, got, want)
		}
	}
}
