//go:build e2e

package e2e

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// module evaluates a script with a module of the page as m.
func (d *desk) module(name, script string, into any) {
	d.t.Helper()
	d.eval(fmt.Sprintf(`import(document.querySelector('script[type=module]').src
		.replace('main.js', %q)).then((m) => { %s })`, name, script), into)
}

// TestDashboard_History keeps ten minutes, and begins anew with another process.
func TestDashboard_History(t *testing.T) {
	t.Parallel()
	d := sitDown(t)
	d.until("document.querySelector('#state').innerText === 'serving'")
	const made = `const h = new m.History();
		const at = (s, n, buckets = []) => ({ now: new Date(1e12 + s * 1000).toISOString(),
			uptime_s: s, sessions: { live: n, created: n, ended: { idle: n } },
			connections: { open: n }, loops: [{ busy_s: s / 2 }],
			expiry: { lateness_buckets: buckets },
			traffic: { messages_in: n, messages_out: n, bytes_in: n, bytes_out: n } });
		`
	var got struct {
		Kept           int
		Rate, Busy     float64
		After          *float64
		Smallest       float64
		Gap            *float64
		Back           int
		P50, P99, P999 float64
		Count          int
	}
	d.module("history.js", made+`
		let rates;
		for (let s = 0; s < 2000; s++) rates = h.add(at(s, 3 * s), false);
		const kept = h.column('t').length;
		const again = h.add(at(2001, 5), true);
		h.add(at(2002, 15), false);
		const gap = h.column('in').at(-3);
		const smallest = Math.min(...h.column('in').filter((v) => v !== null));
		h.add(at(1000, 20), false);
		return { kept, rate: rates.messagesIn, busy: rates.busy[0],
			after: again?.messagesIn ?? null, smallest, gap, back: h.column('t').length };`, &got)
	if got.Kept < 600 || got.Kept > 602 || got.Rate != 3 || got.Busy != 0.5 {
		t.Errorf("%d points are kept, %v a second, busy %v", got.Kept, got.Rate, got.Busy)
	}
	if got.After != nil || got.Gap != nil || got.Smallest < 0 || got.Back != 1 {
		t.Errorf("after a restart, and with a clock that was set back: %+v", got)
	}
	d.module("history.js", made+`
		const timed = (s, n) => at(s, n, [{ up_to_ms: s > 5 ? 2 : 1, count: n }]);
		for (let s = 1; s <= 5; s++) h.add(timed(s, s), false);
		const steady = h.recentLateness(h.previous).seconds;
		for (const s of [15, 300, 310]) h.add(timed(s, s), false);
		const gaps = h.column('live').map((v, i) => [v, h.column('t')[i]])
			.filter(([v]) => v === null).map(([, t]) => Math.round(t - 1e9));
		return { kept: steady, back: gaps.length, gap: gaps[0],
			after: h.recentLateness(h.previous).seconds };`, &got)
	if got.Kept != 4 || got.Back != 1 || got.Gap == nil || *got.Gap != 300 ||
		got.After == nil || *got.After != 295 {
		t.Errorf("after nobody answered for long: %+v", got)
	}
	d.module("history.js", `return m.quantilesBetween(
		[{ up_to_ms: 1, count: 1000 }, { up_to_ms: 5, count: 7 }],
		[{ up_to_ms: 1, count: 1050 }, { up_to_ms: 5, count: 56 },
			{ up_to_ms: 9, count: 1 }]);`, &got)
	if got.Count != 100 || got.P50 != 1 || got.P99 != 5 || got.P999 != 9 {
		t.Errorf("quantiles of what is between: %+v", got)
	}
	d.module("history.js", `return m.quantilesBetween(
		[], [{ up_to_ms: 24, count: 99 }, { up_to_ms: 26.2, count: 1 }], 25.2);`, &got)
	if got.P50 != 24 || got.P999 != 25.2 {
		t.Errorf("later than the latest: %+v", got)
	}
	d.quiet()
}

// TestDashboard_Stream takes events apart, wherever they are cut.
func TestDashboard_Stream(t *testing.T) {
	t.Parallel()
	d := sitDown(t)
	d.until("document.querySelector('#state').innerText === 'serving'")
	var wrong []string
	d.module("stream.js", `
		const text = ': alive\n\nevent: create\nid: 1\ndata: {"a":"\u20ac"}\n\n'
			+ 'event:expire\r\ndata:x\r\ndata: y\r\n\r\nid: 3\n\nretry: 2000\n\ndata\n\n';
		const want = JSON.stringify([
			['create', '{"a":"\u20ac"}'], ['expire', 'x\ny'], ['message', '']]);
		const wrong = [];
		for (let i = 0; i <= text.length; i++) for (const j of [i, i + 1, i + 7]) {
			const got = [];
			const p = new m.Parser((type, data) => got.push([type, data]));
			for (const part of [text.slice(0, i), text.slice(i, j), text.slice(j)]) p.feed(part);
			if (JSON.stringify(got) !== want) wrong.push(i + ' ' + j + ' ' + JSON.stringify(got));
		}
		return wrong;`, &wrong)
	if len(wrong) > 0 {
		t.Errorf("cut at %s", strings.Join(wrong[:min(3, len(wrong))], "\n"))
	}
	var why []string
	d.module("stream.js", `
		const ends = (abort, silence) => m.listen('v1/events?user=nobody', abort.signal,
			() => setTimeout(() => abort.abort(), silence === 1 ? 1e6 : 1), () => {}, silence)
			.then(() => 'it ends', (e) => e.name + ': ' + e.message);
		return Promise.all([ends(new AbortController(), 1), ends(new AbortController(), 1e6)]);`,
		&why)
	if len(why) != 2 || why[0] != "Problem: Nothing was heard of the stream of events." ||
		!strings.HasPrefix(why[1], "AbortError: ") {
		t.Errorf("streams end by %q", why)
	}
}

// TestDashboard_Format says numbers as they are read.
func TestDashboard_Format(t *testing.T) {
	t.Parallel()
	d := sitDown(t)
	d.until("document.querySelector('#state').innerText === 'serving'")
	for script, want := range map[string]string{
		"m.short(0)": "0", "m.short(9999)": "9,999", "m.short(12345)": "12.3 k",
		"m.short(1e7)": "10 M", "m.short(0.123456)": "0.123", "m.short(null)": "–",
		"m.count(1234567)": "1,234,567", "m.rate(undefined)": "–",
		"m.millis(0)": "0 ms", "m.millis(0.0423)": "42.3 µs", "m.millis(15.74)": "15.7 ms",
		"m.millis(65_000)": "1 min 5 s", "m.millis(null)": "–",
		"m.span(0.04)": "0 s", "m.span(9.96)": "10 s", "m.span(59.7)": "1 min",
		"m.span(3599)": "59 min 59 s", "m.span(3600)": "1 h", "m.span(90061)": "1 d 1 h",
		"m.span(-5)": "−5 s", "m.span(44e9)": "1,394 years",
		"m.bytes(0)": "0 B", "m.bytes(999)": "999 B", "m.bytes(1000)": "0.977 KiB",
		"m.bytes(5 << 20)": "5 MiB", "m.percent(0.004)": "0.4 %", "m.percent(1)": "100 %",
		"m.sentence('there is no such session')": "There is no such session.",
		"m.sentence('what?')":                    "What?", "m.sentence('')": "",
		"m.plural(1, 'entry', 'entries')": "1 entry",
		// Moments that no calendar has are still said.
		"m.clock(NaN)": "–", "m.moment(9e15)": "–", "m.when(-9e15, 0)": "–",
	} {
		var got string
		if d.module("format.js", "return "+script+";", &got); got != want {
			t.Errorf("%s = %q, want %q", script, got, want)
		}
	}
}

// TestDashboard_Wheel draws a wheel of a very coarse tick, whose last slots are later than any
// date, and keeps the levels that it has shown.
func TestDashboard_Wheel(t *testing.T) {
	t.Parallel()
	d := sitDown(t)
	d.until("document.querySelector('#state').innerText === 'serving'")
	const made = `const shown = () => document.querySelectorAll('#wheel canvas').length;
		const status = (entries) => ({ now: new Date().toISOString(), expiry: {
			tick_ms: 1000, entries: 2, stale: 1, sweep: { count: 0 }, wheel: { kind: 'native',
			levels: Array.from({ length: 8 }, (_, i) => ({
				slot_ms: Math.min(1000 * 64 ** i, 9223372036855), cursor: 0, entries,
				slots: Array.from({ length: 64 }, (_, n) => (n === 63 ? entries : 0)),
			})) } } });
		const read = (i, key) => {
			const canvas = document.querySelectorAll('#wheel canvas')[i];
			canvas.focus();
			canvas.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
			return document.querySelector('#wheel-read').innerText;
		};
		const scale = () => document.querySelector('#wheel-scale').innerText.replace(/\s+/g, ' ');
		`
	var got struct {
		Before, All, After        int
		Near, Far, Name           string
		Scale, Fuller, DarkerThan string
	}
	d.module("wheel.js", made+`
		const before = shown();
		m.show(status(1), true);
		const near = read(1, 'End'), far = read(7, 'End'), all = shown();
		const name = [...document.querySelectorAll('#wheel .level-name')].at(-1).innerText;
		const shade = () => document.querySelector('#wheel-scale i').style.opacity;
		m.show(status(90), false);
		const fuller = scale(), one = shade();
		m.show(status(9), false);
		const darkerThan = String(Number(shade()) > Number(one));
		m.show(status(0), false);
		return { before, near, far, all, name, scale: scale(), fuller, darkerThan,
			after: shown() };`, &got)
	if got.Before != 4 || got.All != 8 || got.After != 8 {
		t.Errorf("levels that are shown: %d, %d with entries in all, %d with none any more",
			got.Before, got.All, got.After)
	}
	if want := regexp.MustCompile(`^Level 1, slot 63: 1 entry, coming up in 1 h 7 min to ` +
		`1 h 8 min \(.*\d\d:\d\d:\d\d\)\.$`); !want.MatchString(got.Near) {
		t.Errorf("a slot: %s", got.Near)
	}
	if want := regexp.MustCompile(`^Level 7, slot 63: 1 entry, coming up in 8\.78 M years to ` +
		`8\.92 M years\.$`); !want.MatchString(got.Far) {
		t.Errorf("the last slot: %s", got.Far)
	}
	if got.Name != "139 k years a slot, 8.92 M years in all" {
		t.Errorf("the last level: %s", got.Name)
	}
	if got.Scale != "1 now" || got.Fuller != "1 10 now" || got.DarkerThan != "true" {
		t.Errorf("what shades mean: %+v", got)
	}
	d.quiet()
}

// TestDashboard_WheelRests while nobody can see it, or whoever does wants it still.
func TestDashboard_WheelRests(t *testing.T) {
	t.Parallel()
	d := sitDown(t)
	d.eval(`(() => {
		const ask = requestAnimationFrame;
		window.asked = 0;
		window.requestAnimationFrame = (f) => {
			if (f.name === 'move') asked++;
			return ask(f);
		};
	})()`, nil)
	d.until("asked > 3")
	rests := func(when string) {
		t.Helper()
		var asked int
		d.module("poll.js", `return new Promise((r) => {
			let more = 4; // statuses; a picture that is under way when the first comes is drawn
			m.news.addEventListener('status', function heard() {
				if (--more === 2) asked = 0;
				if (more > 0) return;
				m.news.removeEventListener('status', heard);
				r(asked);
			});
		});`, &asked)
		if asked > 0 {
			t.Errorf("%s: the wheel is drawn %d times between two statuses", when, asked)
		}
	}
	d.eval("scrollTo(0, document.body.scrollHeight)", nil)
	rests("out of sight")
	d.eval("scrollTo(0, 0)", nil)
	d.until("asked > 3")
	d.call("Emulation.setEmulatedMedia", with{"features": []with{
		{"name": "prefers-reduced-motion", "value": "reduce"},
	}}, nil)
	rests("still")
	d.quiet()
}
