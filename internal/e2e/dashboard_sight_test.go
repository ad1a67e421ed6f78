//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// dashboardFaint are the texts that stand out from what is behind them by less than 4.5 to 1, as
// WCAG 2 measures it. What cannot be used at the moment may.
const dashboardFaint = `(() => {
	const pixel = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
	const parse = (color) => {
		pixel.clearRect(0, 0, 1, 1);
		pixel.fillStyle = color;
		pixel.fillRect(0, 0, 1, 1);
		const [r, g, b, a] = pixel.getImageData(0, 0, 1, 1).data;
		return [r, g, b, a / 255];
	};
	const over = (a, b) => [0, 1, 2].map((i) => a[i] * a[3] + b[i] * (1 - a[3])).concat(1);
	const light = (color) => {
		const [r, g, b] = color.slice(0, 3).map((v) => v / 255).map((v) =>
			v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
		return 0.2126 * r + 0.7152 * g + 0.0722 * b;
	};
	const parents = (e) => (e ? [e, ...parents(e.parentElement)] : []);
	const behind = (e) => parents(e).map((p) => parse(getComputedStyle(p).backgroundColor))
		.reduceRight((under, c) => over(c, under), [255, 255, 255, 1]);
	const veil = (e) => parents(e).reduce((all, p) => all * getComputedStyle(p).opacity, 1);
	const faint = new Set();
	const look = (e, style, opacity, text) => {
		const [back, [r, g, b, a]] = [behind(e), parse(style.color)];
		const [x, y] = [light(over([r, g, b, a * opacity], back)), light(back)];
		const ratio = (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
		if (ratio < 4.5) faint.add(text.trim().slice(0, 40) + ': ' + ratio.toFixed(2));
	};
	for (const e of document.querySelectorAll('body *')) {
		if (!e.checkVisibility() || e.closest(':disabled')) continue;
		if ([...e.childNodes].some((n) => n.nodeType === Node.TEXT_NODE && n.data.trim()))
			look(e, getComputedStyle(e), veil(e), e.textContent);
		const hint = getComputedStyle(e, '::placeholder');
		if (e.placeholder) look(e, hint, veil(e) * hint.opacity, e.placeholder);
	}
	return [...faint];
})()`

// legible holds that each text of the page can be read, in both themes.
func (d *desk) legible(when string) {
	d.t.Helper()
	for _, theme := range []string{"light", "dark"} {
		d.show(theme, 1280)
		var faint []string
		if d.eval(dashboardFaint, &faint); len(faint) > 0 {
			d.t.Errorf("%s, %s: hard to read: %q", when, theme, faint)
		}
	}
}

// inSight holds that a banner is neither scrolled away nor covered, on pages of some widths; what a
// script does with a module of the page has it shown.
func (d *desk) inSight(selector, name, script string) {
	d.t.Helper()
	for _, width := range []int{360, 900, 1280} {
		d.show("light", width)
		var is bool
		d.module(name, fmt.Sprintf(`%s
			scrollTo(0, document.body.scrollHeight);
			const e = document.querySelector(%q);
			const box = e.getBoundingClientRect();
			return scrollY > 0 && [[1, 1], [box.width - 2, box.height - 2]].every(([x, y]) =>
				e.contains(document.elementFromPoint(box.x + x, box.y + y)));`,
			script, selector), &is)
		if !is {
			d.t.Errorf("at %d pixels %s is out of sight", width, selector)
		}
	}
}

// TestDashboard_CanBeRead while there is something to warn of, and when the daemon is gone: what
// was last known is all there is then.
func TestDashboard_CanBeRead(t *testing.T) {
	t.Parallel()
	d := sitDown(t, "--backend", application(t, "ada"), "--idle-timeout", "30m",
		"--resume-window", "1h", "--max-sessions", "10")
	_ = d.join(`{"op":"hello","want":{"resume":true,"idle_s":1}}`).Close()
	d.until("document.querySelectorAll('#event-rows tr').length >= 3") // it has expired
	for range 10 {
		d.join(`{"op":"hello"}`).talk(100 * time.Millisecond)
	}
	d.rows(10)
	d.until("document.querySelector('#tiles .bad')")
	d.until("!document.querySelector('#settings-warnings').hidden")
	d.click("[data-plot=sessions] .legend button")
	d.legible("it serves")
	d.click("#rows button")
	d.says("#session-fields", "ada")
	d.legible("a session is open")
	d.press("Escape")
	d.says("#page-text", "^Page 1, 10 sessions, ")
	d.inSight("#draining", "drain.js", `m.show({ state: 'draining', drain: { connections: 9,
		remaining: 3, window_s: 30, started_at: new Date().toISOString() } });`)
	_ = d.program.cmd.Process.Kill()
	d.until("!document.querySelector('#gone').hidden")
	d.legible("it is gone")
	d.inSight("#gone", "poll.js", "")
	// How old it is counts from what was heard last, not from when that was noticed.
	var newest float64
	d.module("poll.js", "return Date.parse(m.status().now);", &newest)
	var clock string
	d.module("format.js", fmt.Sprintf("return m.clock(%f);", newest), &clock)
	d.says("#gone-why", "^What is shown is from "+clock+", ")
	d.quiet("ERR_CONNECTION_REFUSED", "ERR_EMPTY_RESPONSE", "ERR_CONNECTION_RESET",
		"ERR_INCOMPLETE_CHUNKED_ENCODING", "status of 404")
}

// TestDashboard_HoldsLargeNumbers shows each figure in full, also of ten million sessions.
func TestDashboard_HoldsLargeNumbers(t *testing.T) {
	t.Parallel()
	d := sitDown(t)
	d.says("#state", "^serving$")
	for _, width := range []int{360, 576, 577, 672, 768, 1089, 1280, 1376, 1920, 2400, 2560} {
		d.show("light", width)
		var cut []string
		d.module("poll.js", `return import(document.querySelector('script[type=module]').src
			.replace('main.js', 'tiles.js')).then((tiles) => {
			const s = structuredClone(m.status());
			Object.assign(s.sessions, { total: 10123456, live: 10123456, detached: 10123456,
				grace: 1234567, max: 12345678, users: 10123456, created: 123456789012 });
			s.connections.open = 21358023;
			Object.assign(s.expiry, { backlog: 1234567, behind_ms: 65000,
				lateness: { count: 3, p99_ms: 123.4, max_ms: 65000 } });
			Object.assign(s.memory, { resident_bytes: 123e9, heap_bytes: 99.9e9 });
			const much = 123456;
			tiles.show(s, { created: much, expired: much, messagesIn: much, messagesOut: much,
				bytesIn: 123e9, bytesOut: 123e9, busy: [1] },
				{ seconds: 60, count: 3, p50: 65000, p99: 65000, p999: 65000 });
			return [...document.querySelectorAll('#tiles b, #tiles small')]
				.filter((e) => e.scrollWidth > e.clientWidth).map((e) => e.textContent);
		})`, &cut)
		if len(cut) > 0 {
			t.Errorf("at %d pixels these are cut off: %q", width, cut)
		}
	}
	d.quiet()
}

// TestDashboard_MoreContrast is 7 to 1 for who asks for it.
func TestDashboard_MoreContrast(t *testing.T) {
	t.Parallel()
	d := sitDown(t, "--max-sessions", "2", "--resume-window", "1h")
	_ = d.join(`{"op":"hello","want":{"resume":true}}`).Close()
	d.join(`{"op":"hello"}`)
	d.rows(2)
	d.until("document.querySelector('#tiles .bad')")
	d.until("document.querySelectorAll('#settings-rows tr.changed').length >= 4")
	for _, scheme := range []string{"light", "dark"} {
		d.call("Emulation.setEmulatedMedia", with{"features": []with{
			{"name": "prefers-contrast", "value": "more"},
			{"name": "prefers-color-scheme", "value": scheme},
		}}, nil)
		d.eval(afterFrames, nil)
		var faint []string
		d.eval(strings.Replace(dashboardFaint, "ratio < 4.5", "ratio < 7", 1), &faint)
		if len(faint) > 0 {
			t.Errorf("%s: hard to read: %q", scheme, faint)
		}
		d.look("dashboard-contrast-" + scheme)
	}
	d.quiet()
}

// dashboardAlike are pairs of lines of a plot whose dashes are the same and whose colours are, or
// nearly, for who does not see red, or green (Viénot, Brettel and Mollon 1999).
const dashboardAlike = `(() => {
	const linear = (v) => (v <= 10 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);
	const seen = (color, share) => {
		const [r, g, b] = color.match(/\d+/g).slice(0, 3).map(Number).map(linear);
		const rg = share * r + (1 - share) * g;
		return [rg, rg, b].map((v) => Math.cbrt(v)); // about as light as it looks
	};
	const alike = [];
	for (const figure of document.querySelectorAll('figure.plot')) {
		const lines = [...figure.querySelectorAll('.legend button')].map((button) => {
			const image = getComputedStyle(button.querySelector('i')).backgroundImage;
			const color = image.match(/rgb\([^)]*\)/)[0];
			return { name: button.querySelector('span').textContent, color,
				dash: image.replaceAll(color, '') };
		});
		lines.forEach((a, i) => lines.slice(i + 1).filter((b) => b.dash === a.dash).forEach((b) => {
			for (const share of [0.11238, 0.29275]) {
				const [x, y] = [seen(a.color, share), seen(b.color, share)];
				const apart = Math.hypot(...x.map((v, n) => v - y[n]));
				if (apart < 0.1) alike.push(a.name + ' ' + b.name);
			}
		}));
	}
	return alike;
})()`

// TestDashboard_TellsLinesApart for who does not see all colours, in both themes.
func TestDashboard_TellsLinesApart(t *testing.T) {
	t.Parallel()
	d := sitDown(t)
	d.until("document.querySelectorAll('figure.plot').length === 5")
	for _, theme := range []string{"light", "dark"} {
		d.show(theme, 1280)
		var alike []string
		if d.eval(dashboardAlike, &alike); len(alike) > 0 {
			t.Errorf("%s: lines that look alike: %q", theme, alike)
		}
	}
	d.quiet()
}

// TestDashboard_ForcedColors leaves the wheel and the plots their colours, which tell something,
// where the system has its own for all else.
func TestDashboard_ForcedColors(t *testing.T) {
	t.Parallel()
	d := sitDown(t)
	d.join(`{"op":"hello"}`)
	d.until("[...document.querySelectorAll('#wheel .level-sum')].some((e) => e.innerText === '1')")
	for _, scheme := range []string{"light", "dark"} {
		d.call("Emulation.setEmulatedMedia", with{"features": []with{
			{"name": "forced-colors", "value": "active"},
			{"name": "prefers-color-scheme", "value": scheme},
		}}, nil)
		// What is empty, what is not, and where time is.
		d.until(`[...document.querySelectorAll('#wheel canvas')].some((canvas) => {
			const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d');
			copy.drawImage(canvas, 0, 0);
			const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
			const found = new Map();
			for (const v of new Uint32Array(data.buffer)) found.set(v, (found.get(v) ?? 0) + 1);
			found.delete(0);
			return [...found.values()].filter((n) => n >= 20).length >= 3;
		})`)
		d.until(`new Set([...document.querySelectorAll('[data-plot=sessions] .legend i')].map(
			(i) => getComputedStyle(i).backgroundImage.match(/rgb\([^)]*\)/)[0])).size === 3`)
		d.look("dashboard-forced-" + scheme)
	}
	d.quiet()
}

// TestDashboard_IsReadOut says by its roles what it says by its looks.
func TestDashboard_IsReadOut(t *testing.T) {
	t.Parallel()
	d := sitDown(t)
	d.until("document.querySelector('#log-level').value === 'info'")
	// What has just appeared is not read out where it is not watched yet.
	var watched bool
	d.eval(`(() => {
		const e = document.querySelector('#notice');
		const box = e.getBoundingClientRect();
		return e.role === 'status' && e.checkVisibility() && e.textContent === '' &&
			box.width * box.height === 0;
	})()`, &watched)
	if !watched {
		t.Error("the notice is not there, or seen, before it says something")
	}
	d.join(`{"op":"hello"}`)
	d.until(`/^Sessions by state: live 1, /.test(
		document.querySelector('[data-plot=sessions] [role=img]').ariaLabel)`)
	d.until(`[...document.querySelectorAll('#wheel canvas')].some((c) =>
		/: 1 entry in 1 of 64 slots$/.test(c.ariaLabel))`)
	if all := d.text("body"); strings.Contains(all, "is read-only") {
		t.Error("a daemon that is not read-only is said to be")
	}
	// By Tab through the header as it looks: in two lines, the buttons in the upper one.
	for width, first := range map[int]string{1280: "#now", 900: "#theme"} {
		d.show("light", width)
		d.eval("document.querySelector('.skip').focus()", nil)
		d.press("Tab")
		d.until(fmt.Sprintf("document.activeElement.matches('%[1]s, [href=\"%[1]s\"]')", first))
	}
	d.quiet()
}

// TestDashboard_ClockIsOff by hours, and set while the page is open: it goes by the daemon's.
func TestDashboard_ClockIsOff(t *testing.T) {
	t.Parallel()
	d := &desk{inspector: inspect(t)}
	d.serve()
	d.call("Page.addScriptToEvaluateOnNewDocument", with{"source": `{
		const right = Date.now;
		Date.now = () => right() + 5 * 3600_000;
	}`}, nil)
	d.open("http://" + d.admin + "/")
	d.says("#event-text", "listening")
	d.join(`{"op":"hello"}`)
	d.until("document.querySelectorAll('#event-rows tr').length === 1")
	d.eval(`Object.defineProperty(document, 'hidden', { value: true, configurable: true });
		document.dispatchEvent(new Event('visibilitychange'));`, nil)
	d.until("document.querySelectorAll('#event-rows tr').length === 2")
	d.eval(`delete document.hidden; document.dispatchEvent(new Event('visibilitychange'));`, nil)
	d.says("#event-text", "listening")
	var apart float64 // from what the daemon says of the one before, in hours
	d.eval(`(() => {
		const [a, b] = [...document.querySelectorAll('#event-rows tr')].map((r) =>
			r.cells[0].innerText.split(':').reduce((sum, n) => 60 * sum + Number(n), 0) / 3600);
		return Math.min(Math.abs(a - b), 24 - Math.abs(a - b));
	})()`, &apart)
	if apart > 1 {
		t.Errorf("two events are %.1f hours apart", apart)
	}
	d.says("#uptime", "^up [0-9.]+ (s|min)")
	d.rows(1)
	d.until("/^[0-9.]+ (s|min)/.test(document.querySelector('#rows tr').cells[5].innerText)")
	_ = d.program.cmd.Process.Kill()
	d.until("!document.querySelector('#gone').hidden")
	d.eval("{ const off = Date.now; Date.now = () => off() - 9 * 3600_000; }", nil)
	d.says("#gone-next", `^Trying again( in 1?[0-9] s)?\.$`)
	d.quiet("ERR_CONNECTION_REFUSED", "ERR_EMPTY_RESPONSE", "ERR_CONNECTION_RESET",
		"ERR_INCOMPLETE_CHUNKED_ENCODING")
}

// idleIs is an expression for whether the sessions that are listed stand in an order of how long
// they have been idle, as it is shown.
func idleIs(order string) string {
	return fmt.Sprintf(`[...document.querySelectorAll('#rows tr')].map((r) => r.cells[5].innerText)
		.map((text) => [...text.matchAll(/([\d.]+) (s|min|h)/g)].reduce((sum, [, n, unit]) =>
			sum + n * { s: 1, min: 60, h: 3600 }[unit], 0))
		.every((idle, i, all) => i === 0 || (%q === 'ascending') === (idle > all[i - 1])
			|| idle === all[i - 1])`, order)
}
