package load

import (
	"testing"
	"time"
)

func TestClient_Reconnect(t *testing.T) {
	t.Parallel()
	const n = 200
	o := ReconnectOptions{Messages: 20, Unseen: 3}
	for name, c := range map[string]struct {
		faults
		want ReconnectReport
		kept bool
	}{
		"as it should be": {
			want: ReconnectReport{Resumed: n, Replayed: 3 * n, Answered: n}, kept: true,
		},
		"resumed at the second attempt": {
			faults: faults{falters: true},
			want:   ReconnectReport{Resumed: n, Replayed: 3 * n, Answered: n, Retries: n},
			kept:   true,
		},
		"no session is known": {
			faults: faults{forgets: true}, want: ReconnectReport{Refused: n},
		},
		"other sessions": {
			faults: faults{changes: true}, want: ReconnectReport{Changed: n},
		},
		"gaps": {
			faults: faults{loses: true},
			want:   ReconnectReport{Resumed: n, Gaps: n, Missing: 3 * n, Wrong: n},
		},
		"nothing is replayed": {
			faults: faults{omits: true},
			want:   ReconnectReport{Resumed: n, Missing: 3 * n, Wrong: n},
		},
		"dead afterwards": {
			faults: faults{deaf: true}, want: ReconnectReport{Resumed: n, Replayed: 3 * n},
		},
	} {
		if o.GiveUp = 0; !c.kept {
			o.GiveUp = 500 * time.Millisecond
		}
		client := join(t, &v1Server{faults: c.faults}, n, Options{Resume: true, AckEvery: 7})
		r, err := client.Reconnect(o)
		if err != nil || (r.Kept() == nil) != c.kept {
			t.Errorf("%s: Reconnect() = %+v, %v, kept %v", name, r, err, r.Kept())
		}
		timed := r.Wall > 0 && r.Hello.Count == n && r.Connect.P50 >= r.Hello.P50
		if c.want.Resumed > 0 && !timed {
			t.Errorf("%s: Reconnect() = %+v, want times", name, r)
		}
		r.Wall, r.Replay, r.Hello, r.Connect, r.Errors = 0, 0, Latency{}, Latency{}, nil
		c.want.Sessions = n
		if !sameReport(r, c.want) {
			t.Errorf("%s: Reconnect() = %+v, want %+v", name, r, c.want)
		}
		if c.kept {
			if e, err := client.Echo(EchoOptions{Count: n}); err != nil || e.Received != n {
				t.Errorf("%s: then Echo() = %+v, %v, want %d answers", name, e, err, n)
			}
		}
	}
}

func sameReport(a, b ReconnectReport) bool {
	type counts = [12]int
	of := func(r ReconnectReport) counts {
		return counts{
			r.Sessions, r.Resumed, r.Changed, r.Refused, r.Lost, r.Gaps, r.Replayed, r.Missing,
			r.Wrong, r.Answered, r.Broken, r.Retries,
		}
	}
	return of(a) == of(b)
}

func TestClient_ReconnectNeedsSessions(t *testing.T) {
	t.Parallel()
	c := join(t, &v1Server{}, 1, Options{})
	if _, err := c.Reconnect(ReconnectOptions{}); err == nil {
		t.Error("Reconnect() without want.resume gives no error")
	}
	c = join(t, &v1Server{}, 1, Options{Resume: true})
	for _, o := range []ReconnectOptions{{Unseen: 49}, {Messages: -1}, {Bytes: 11}} {
		if _, err := c.Reconnect(o); err == nil {
			t.Errorf("Reconnect(%+v) gives no error", o)
		}
	}
	if c.Open() != 1 {
		t.Errorf("%d open, want 1", c.Open())
	}
}
