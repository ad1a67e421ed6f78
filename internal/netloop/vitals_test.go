package netloop

import (
	"testing"
	"time"
)

func TestVitals(t *testing.T) {
	const s = time.Second
	o := &Options{HelloTimeout: 15 * s, PingInterval: 30 * s, PingTimeout: 10 * s}
	noPings := &Options{HelloTimeout: 15 * s, PingTimeout: 10 * s}
	for _, c := range []struct {
		name string
		o    *Options
		v    vitals
		due  time.Duration
		want verdict // at due; a nanosecond before it is verdictAlive
	}{
		{
			"no hello", o,
			vitals{accepted: 2 * s, pinged: never, unfinished: never},
			17 * s, verdictNoHello,
		},
		{
			"silent before the hello", o,
			vitals{accepted: 40 * s, life: 2 * s, pinged: never, unfinished: never},
			32 * s, verdictAsk,
		},
		{
			"silent", o,
			vitals{ready: true, life: 5 * s, pinged: never, unfinished: never},
			35 * s, verdictAsk,
		},
		{
			"pinged", o,
			vitals{ready: true, life: 5 * s, pinged: 35 * s, unfinished: never},
			45 * s, verdictNoPong,
		},
		{
			"pings find out about unfinished messages", o,
			vitals{ready: true, life: 50 * s, pinged: never, unfinished: 0},
			80 * s, verdictAsk,
		},
		{
			"nothing", noPings,
			vitals{ready: true, pinged: never, unfinished: never},
			never, verdictAlive,
		},
		{
			"unfinished", noPings,
			vitals{ready: true, pinged: never, unfinished: 7 * s},
			7*s + unfinishedMax, verdictUnfinished,
		},
		{
			"no hello comes before unfinished", noPings,
			vitals{pinged: never, unfinished: s},
			15 * s, verdictNoHello,
		},
		{
			"for ever", &Options{HelloTimeout: never, PingInterval: never, PingTimeout: never},
			vitals{accepted: s, life: s, pinged: never, unfinished: never},
			never, verdictAlive,
		},
	} {
		if got := c.v.due(c.o); got != c.due {
			t.Errorf("%s: due at %v, want %v", c.name, got, c.due)
		}
		if got := c.v.look(c.o, c.due-1); got != verdictAlive {
			t.Errorf("%s: a nanosecond early the verdict is %d", c.name, got)
		}
		if c.due == never {
			continue
		}
		if got := c.v.look(c.o, c.due); got != c.want {
			t.Errorf("%s: verdict %d, want %d", c.name, got, c.want)
		}
		if e, reason := c.want.end(); c.want > verdictAsk && (e.Code == 0 || reason == "") {
			t.Errorf("%s: ends with %+v %q", c.name, e, reason)
		}
	}
}

func TestVitals_Note(t *testing.T) {
	v := vitals{life: 1, pinged: 2, unfinished: never}
	for i, c := range []struct {
		t           time.Duration
		alive, idle bool
		want        vitals
	}{
		{10, false, false, vitals{life: 1, pinged: 2, unfinished: 10}},
		{20, false, false, vitals{life: 1, pinged: 2, unfinished: 10}}, // since the first of them
		{30, true, false, vitals{life: 30, pinged: never, unfinished: 30}},
		{40, true, true, vitals{life: 40, pinged: never, unfinished: never}},
		{50, false, true, vitals{life: 40, pinged: never, unfinished: never}},
	} {
		if v.note(c.t, c.alive, c.idle); v != c.want {
			t.Errorf("step %d: %+v, want %+v", i, v, c.want)
		}
	}
}
