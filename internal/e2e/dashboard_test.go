//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// dashboardInk tells of each plot, and of the wheel, whether something is drawn in the colours of
// the theme.
const dashboardInk = `[...document.querySelectorAll('figure.plot')].map((figure) => {
	const canvas = figure.querySelector('canvas');
	const probe = document.createElement('i');
	probe.style.color = 'var(--soft)';
	document.body.append(probe);
	const want = getComputedStyle(probe).color.match(/\d+/g).slice(0, 3).map(Number);
	probe.remove();
	const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d',
		{ willReadFrequently: true });
	copy.drawImage(canvas, 0, 0);
	const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
	let themed = 0;
	for (let i = 0; i < data.length; i += 4) {
		if (data[i + 3] > 200 && want.every((v, c) => Math.abs(data[i + c] - v) < 25)) themed++;
	}
	return { name: figure.dataset.plot, themed, width: canvas.clientWidth,
		room: figure.clientWidth };
})`

// checkLook holds that a page fits its width, draws its plots in the colours of its theme, and
// keeps a picture of it.
func (d *desk) checkLook(name, theme string, width int) {
	d.t.Helper()
	d.show(theme, width)
	d.eval("scrollTo(0, 0)", nil)
	var plots []struct {
		Name                string
		Themed, Width, Room int
	}
	d.eval(dashboardInk, &plots)
	if len(plots) != 5 {
		d.t.Errorf("%s %s %d: %d plots, want 5", name, theme, width, len(plots))
	}
	for _, p := range plots {
		if p.Themed < 50 || p.Width > p.Room || p.Width < p.Room*3/4 {
			d.t.Errorf("%s %s %d: nothing drawn, in other colours, or of another width: %+v",
				name, theme, width, p)
		}
	}
	corner := d.look(fmt.Sprintf("dashboard-%s-%s-%d", name, theme, width)).At(3, 1)
	if r, _, _, _ := corner.RGBA(); (r < 0x8000) != (theme == "dark") {
		d.t.Errorf("%s %s: the corner is %v", name, theme, corner)
	}
	var wide int
	if d.eval("document.documentElement.scrollWidth", &wide); wide > width {
		d.t.Errorf("%s: at %d pixels the page is %d wide", name, width, wide)
	}
}

// TestDashboard_Lives with clients that talk and clients that are silent and expire.
func TestDashboard_Lives(t *testing.T) {
	t.Parallel()
	d := sitDown(t, "--idle-timeout", "2s", "--grace", "1s", "--max-sessions", "5000")
	var paint float64
	d.until("performance.getEntriesByName('first-contentful-paint').length")
	d.eval("performance.getEntriesByName('first-contentful-paint')[0].startTime", &paint)
	t.Logf("first contentful paint after %.0f ms", paint)
	for i := range 20 {
		d.join(`{"op":"hello"}`).talk(50 * time.Millisecond)
		_ = d.join(`{"op":"hello"}`)
		if i%4 == 0 {
			_ = d.join(`{"op":"hello","want":{"resume":true}}`).Close()
		}
	}
	d.until(tile("Connections") + " === 40")
	d.until(tile("Live") + " > 0")
	d.until(tile("Messages in") + " > 0")
	d.until(tile("Messages out") + " > 0")
	d.until("document.querySelector('#wheel .level-sum').closest('#wheel') && " +
		"[...document.querySelectorAll('#wheel .level-sum')].some((e) => Number(e.innerText) > 0)")
	d.until(tile("Expired") + " > 0")
	d.until(tile("Late p99") + " > 0")
	if early := d.text("#tiles .good b"); early != "0" {
		t.Errorf("early: %s", early)
	}
	d.says("#turnover", "ended: idle")
	d.says("#closes", "4200 idle, by server")
	d.says("[data-plot=ends] .legend", "idle")
	d.until("document.querySelectorAll('#rows tr').length >= 20")
	d.until(tile("Connections") + " === 20")
	d.until("document.querySelectorAll('#settings-rows tr.changed').length >= 4")
	d.checkWheel()
	d.press("Escape")
	for _, c := range []struct {
		theme string
		width int
	}{{"light", 1280}, {"dark", 1280}, {"dark", 360}, {"light", 360}, {"light", 2560}} {
		d.checkLook("live", c.theme, c.width)
	}
	d.quiet()
}

// checkWheel reads slots by the keyboard, of a level where none comes up before the test is over.
func (d *desk) checkWheel() {
	d.t.Helper()
	d.eval("document.querySelectorAll('#wheel canvas')[3].focus()", nil)
	d.says("#wheel-read", "^Level 3, slot ")
	before := d.text("#wheel-read")
	d.press("ArrowRight")
	d.until(fmt.Sprintf("document.querySelector('#wheel-read').innerText !== %q", before))
	d.until("/coming up in/.test(document.activeElement.getAttribute('aria-valuetext'))")
}

// TestDashboard_Events shows what happens, of one type where that is asked for, and can be paused.
func TestDashboard_Events(t *testing.T) {
	t.Parallel()
	d := sitDown(t, "--idle-timeout", "1s")
	d.says("#event-text", "listening")
	first := d.join(`{"op":"hello"}`)
	row := func(what, id string) string {
		return fmt.Sprintf(`[...document.querySelectorAll('#event-rows tr')].some((r) =>
			r.innerText.includes(%q) && r.innerText.includes(%q))`, what, id)
	}
	d.until(row("create", first.id))
	d.until(row("expire", first.id))
	d.click("#event-pause")
	second := d.join(`{"op":"hello"}`)
	d.says("#event-text", "paused, 1 since")
	var shown bool
	if d.eval(row("create", second.id), &shown); shown {
		t.Error("what came while it was paused is shown")
	}
	d.click("#event-pause")
	d.until(row("create", second.id))
	d.choose("#event-type", "expire")
	d.says("#event-text", "listening")
	third := d.join(`{"op":"hello"}`)
	d.until(row("expire", third.id))
	if d.eval(row("create", third.id), &shown); shown {
		t.Error("events of another type are shown")
	}
	d.look("dashboard-events")
	d.quiet()
}

// TestDashboard_Session finds a session of a user with a hostile name, and does to it what can be
// done.
func TestDashboard_Session(t *testing.T) {
	t.Parallel()
	const user = `<img/src=x/onerror="window.hacked=1">&amp;<b>ada</b>`
	d := sitDown(t, "--backend", application(t, user), "--idle-timeout", "1h")
	m := d.join(`{"op":"hello","want":{"resume":true}}`)
	other := d.join(`{"op":"hello"}`)
	d.rows(2)
	d.enter("#find-id", "none"+m.id)
	d.press("Enter")
	d.says("#sessions-error", `^There is no such session\.$`)
	d.enter("#find-id", m.id)
	d.press("Enter")
	d.until("document.querySelector('#session-dialog').open")
	d.says("#session-fields", regexp.QuoteMeta(user))
	d.says("#session-ends", "^Ends in (1 h|59 min)")
	d.look("dashboard-session")
	d.show("dark", 360)
	d.look("dashboard-session-360")
	d.show("light", 1280)

	d.enter("#send-text", `{"mend":`)
	d.click("#send-form button")
	d.says("#session-told", "^This is not one JSON")
	d.enter("#send-text", `{"n":12345678901234567890}`)
	d.click("#send-form button")
	if heard := m.hears(); heard != `{"n":12345678901234567890}` {
		t.Errorf("the client hears %s", heard)
	}
	d.choose("#send-kind", "text/plain; charset=utf-8")
	d.enter("#send-text", "zwölf €")
	d.click("#send-form button")
	if heard := m.hears(); heard != `"zwölf €"` {
		t.Errorf("the client hears %s", heard)
	}
	d.click("#session-touch")
	d.says("#session-told", `^Touched\.$`)

	d.click("#session-kick")
	d.until("document.activeElement.id === 'kick-no'") // the safe one
	d.click("#kick-no")
	d.click("#session-kick")
	d.look("dashboard-kick")
	d.click("#kick-yes")
	if code := m.closed(); code != 4301 {
		t.Errorf("the client is closed with %d, want 4301", code)
	}
	d.says("#session-ends", "^This session has ended")
	d.until("document.querySelector('#session-kick').disabled")
	d.until("document.activeElement.id === 'session-close'") // all that is left to press
	d.press("Escape")
	d.until("!document.querySelector('#session-dialog').open")
	d.rows(1)

	d.click("#rows tr td:nth-child(2)") // anywhere in its row opens a session
	d.says("#session-fields", regexp.QuoteMeta(other.id))
	d.click("#session-fields button.text") // its user's sessions
	d.until("document.querySelector('#filter-user').value.includes('onerror')")
	d.rows(1)
	d.enter("#filter-user", "somebody else")
	d.press("Enter")
	d.rows(0)
	var images int
	d.eval("document.querySelectorAll('img, main b:not(.tiles b, .legend b, .meters b)').length",
		&images)
	var hacked bool
	if d.eval("'hacked' in window", &hacked); hacked || images != 1 {
		t.Errorf("a user's name became markup: %d images", images)
	}
	d.look("dashboard-user")
	d.quiet("status of 404") // the sessions that were asked for and are not there
}

// TestDashboard_Token asks for a token, keeps it for the tab, and forgets it.
func TestDashboard_Token(t *testing.T) {
	t.Parallel()
	const token = "correct horse battery staple"
	file := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := sitDown(t, "--admin-token-file", file)
	d.until("document.querySelector('#token-dialog').open")
	d.look("dashboard-token")
	d.enter("#token-input", "wrong")
	d.press("Enter")
	d.says("#token-error", "does not know")
	d.press("Escape")
	d.says("#gone-what", `^The daemon asks for a token\.$`)
	var nags bool
	d.module("token.js", `m.askToken(m.currentToken());
		return document.querySelector('#token-dialog').open;`, &nags)
	if nags {
		t.Error("a request that is refused later asks for a token that nobody would give")
	}
	d.click("#gone-now")
	d.until("document.querySelector('#token-dialog').open")
	d.press("Escape")
	d.until("!document.querySelector('#token-dialog').open")
	d.module("token.js", "m.askAgain(); m.askToken(m.currentToken());", nil) // not for the status
	d.enter("#token-input", token)
	d.press("Enter")
	d.says("#state", "^serving$")
	d.until("!document.querySelector('#token-dialog').open")
	d.until("document.querySelectorAll('#settings-rows tr').length > 20")
	d.says("#event-text", "listening")
	d.open("http://" + d.admin + "/")
	d.says("#state", "^serving$")
	var kept string
	d.eval(`JSON.stringify([Object.values(localStorage), document.cookie, location.href])`, &kept)
	if strings.Contains(kept, "horse") {
		t.Errorf("the token is kept for longer than the tab: %s", kept)
	}
	d.click("#forget")
	d.until("document.querySelector('#token-dialog').open")
	d.quiet("status of 401")
}

// TestDashboard_ReadOnly switches off what would change something, and says why.
func TestDashboard_ReadOnly(t *testing.T) {
	t.Parallel()
	d := sitDown(t, "--admin-read-only")
	m := d.join(`{"op":"hello"}`)
	d.says("#read-only", "^read-only$")
	d.rows(1)
	d.click("#rows button")
	d.says("#session-fields", regexp.QuoteMeta(m.id))
	d.says("#session-why", "--admin-read-only")
	var all []string
	d.eval("[...document.querySelectorAll('[data-writes]')].filter((e) => !e.disabled).map("+
		"(e) => e.id || e.innerText)", &all)
	if len(all) > 0 {
		t.Errorf("a daemon that is read-only, and %q can be used", all)
	}
	d.look("dashboard-read-only")
	d.quiet()
}

// TestDashboard_Theme follows the system until another theme is chosen, which is kept.
func TestDashboard_Theme(t *testing.T) {
	t.Parallel()
	d := sitDown(t, "--wheel", "russellluo", "--mode", "goroutine")
	d.says("#wheel-read", `^This wheel does not show its slots\.$`)
	d.says("#loops", "^Connections are served by goroutines")
	dark := func(want bool) {
		t.Helper()
		d.eval(afterFrames, nil)
		r, _, _, _ := d.look("dashboard-theme").At(3, 1).RGBA()
		if (r < 0x8000) != want {
			t.Errorf("dark is %v, want %v", !want, want)
		}
	}
	d.show("dark", 700)
	dark(true)
	d.click("#theme")
	d.says("#theme", "^Theme: light$")
	dark(false)
	d.open("http://" + d.admin + "/")
	d.says("#state", "^serving$")
	dark(false)
	d.show("light", 700)
	d.click("#theme")
	d.says("#theme", "^Theme: dark$")
	dark(true)
	d.click("#theme")
	d.says("#theme", "^Theme: auto$")
	dark(false)
	d.quiet()
}

// TestDashboard_LogLevel changes the level of the log.
func TestDashboard_LogLevel(t *testing.T) {
	t.Parallel()
	d := sitDown(t)
	d.until("document.querySelector('#log-level').value === 'info'")
	d.choose("#log-level", "debug")
	d.says("#notice", "^The log's level is debug")
	d.program.logged("operator's request") // which only that level shows
	d.open("http://" + d.admin + "/")
	d.until("document.querySelector('#log-level').value === 'debug'")
	d.click("#changed-only")
	d.until("document.querySelectorAll('#settings-rows tr').length < 10")
	d.quiet()
}

// TestDashboard_BelowAPrefix is served by a proxy among other things.
func TestDashboard_BelowAPrefix(t *testing.T) {
	t.Parallel()
	d := &desk{inspector: inspect(t)}
	d.serve()
	target := &url.URL{Scheme: "http", Host: d.admin}
	proxy := httptest.NewServer(http.StripPrefix("/ops/curfew", &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host // the guard holds it against the Origin
		},
		FlushInterval: -1,
	}))
	t.Cleanup(proxy.Close)
	t.Cleanup(proxy.CloseClientConnections) // the stream of events would hold it up
	m := d.join(`{"op":"hello"}`)
	d.open(proxy.URL + "/ops/curfew/")
	d.says("#state", "^serving$")
	d.says("#event-text", "listening")
	d.rows(1)
	d.click("#rows button")
	d.click("#session-kick")
	d.click("#kick-yes")
	if code := m.closed(); code != 4301 {
		t.Errorf("the client is closed with %d, want 4301", code)
	}
	d.admin = strings.TrimPrefix(proxy.URL, "http://") + "/ops/curfew"
	d.quiet("status of 404") // the session that has ended
}

// TestDashboard_GoneAndBack says that the daemon is gone, keeps the picture, and begins anew with
// the next one.
func TestDashboard_GoneAndBack(t *testing.T) {
	t.Parallel()
	admin := freeAddress(t)
	d := sitDown(t, "--admin", admin)
	for range 10 {
		d.join(`{"op":"hello"}`).talk(20 * time.Millisecond)
	}
	d.until(tile("Live") + " === 10")
	d.until(tile("Messages in") + " > 0")
	_ = d.program.cmd.Process.Kill()
	d.until("!document.querySelector('#gone').hidden")
	d.until("document.querySelector('#main').classList.contains('stale')")
	d.until(tile("Live") + " === 10")
	d.says("#gone-next", "^Trying again")
	d.look("dashboard-gone")
	_ = d.program.exit()
	d.serve("--admin", admin)
	d.until("document.querySelector('#gone').hidden")
	d.says("#notice", "^This is another process")
	d.until(tile("Live") + " === 0")
	d.says("#event-text", "listening")
	d.join(`{"op":"hello"}`).talk(20 * time.Millisecond)
	d.until(tile("Messages in") + " > 0")
	var negative bool
	d.eval(`[...document.querySelectorAll('#tiles b, .legend b')].some(
		(b) => /[-−]/.test(b.innerText))`, &negative)
	if negative {
		t.Error("a number is negative since the restart")
	}
	d.look("dashboard-back")
	d.quiet("ERR_CONNECTION_REFUSED", "ERR_EMPTY_RESPONSE", "ERR_CONNECTION_RESET",
		"ERR_INCOMPLETE_CHUNKED_ENCODING")
}

// TestDashboard_Drain drains from the page and shows how far it has come.
func TestDashboard_Drain(t *testing.T) {
	t.Parallel()
	d := sitDown(t, "--drain-window", "4s")
	for range 30 {
		d.join(`{"op":"hello"}`).talk(100 * time.Millisecond)
	}
	d.until(tile("Live") + " === 30")
	d.click("#drain")
	d.until("document.querySelector('#drain-dialog').open")
	var off bool
	if d.eval("document.querySelector('#drain-go').disabled", &off); !off {
		t.Error("a drain needs no word")
	}
	d.look("dashboard-drain-asks")
	d.enter("#drain-word", "drain")
	d.click("#drain-go")
	d.says("#state", "^draining$")
	d.says("#drain-text", "^Draining: .* of 30 connections")
	d.look("dashboard-drains")
	d.says("#gone-what", "^The daemon was draining")
	if code := d.program.exit(); code != 0 {
		t.Errorf("the daemon ends with %d", code)
	}
	d.quiet("ERR_CONNECTION_REFUSED", "ERR_EMPTY_RESPONSE", "ERR_CONNECTION_RESET",
		"ERR_INCOMPLETE_CHUNKED_ENCODING")
}

// TestDashboard_Many pages through very many sessions; E2E_SESSIONS says how many.
func TestDashboard_Many(t *testing.T) {
	t.Parallel()
	many := 3000
	if n, err := strconv.Atoi(os.Getenv("E2E_SESSIONS")); err == nil {
		many = n
	}
	d := sitDown(t, "--resume-window", "1h", "--max-refused-hellos", "1000000")
	d.leave(many)
	d.until(fmt.Sprintf("%s === %d", tile("Detached"), many))
	d.rows(50)
	first := d.text("#rows tr .id")
	d.click("#page-next")
	d.says("#page-text", "^Page 2")
	d.until(fmt.Sprintf("document.querySelector('#rows tr .id').innerText !== %q", first))
	d.click("#page-back")
	d.until(fmt.Sprintf("document.querySelector('#rows tr .id').innerText === %q", first))
	// Presses that are faster than the answer are one: its cursor leads on once.
	d.eval("for (let i = 0; i < 3; i++) document.querySelector('#page-next').click()", nil)
	d.says("#page-text", "^Page 2,")
	d.click("#page-back")
	d.until(fmt.Sprintf("document.querySelector('#rows tr .id').innerText === %q", first))
	for _, order := range []string{"descending", "ascending"} { // whoever idles longest first
		d.click("th[data-sort=last_activity] button")
		d.until(fmt.Sprintf("document.querySelector('th[data-sort=last_activity]').ariaSort === %q",
			order))
		d.until(idleIs(order))
	}
	d.until(fmt.Sprintf("document.querySelector('#rows tr .id').innerText !== %q", first))
	d.choose("#filter-state", "live")
	d.says("#page-text", `^No sessions that are live\.$`)
	d.choose("#filter-state", "detached")
	d.rows(50)
	d.checkLook("many", "light", 1280)
	d.checkLook("many", "dark", 1280)
	d.quiet()
}
