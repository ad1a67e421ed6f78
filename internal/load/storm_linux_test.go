package load

import (
	"testing"
	"time"
)

func TestClient_Storm(t *testing.T) {
	t.Parallel()
	const n, idle = 100, 400 * time.Millisecond
	for name, c := range map[string]struct {
		faults
		broken func(r StormReport) bool
	}{
		"as it should be": {faults{}, func(r StormReport) bool { return r.Kept() != nil }},
		"early":           {faults{early: true}, func(r StormReport) bool { return r.Early > 0 }},
		"untold":          {faults{untold: true}, func(r StormReport) bool { return r.Told == 0 }},
		"misnamed": {
			faults{misnamed: true}, func(r StormReport) bool { return r.Told == 0 },
		},
	} {
		client := join(t, &v1Server{idle: idle, faults: c.faults}, n, Options{})
		r, err := client.Storm(StormOptions{Idle: idle, Spread: 20 * time.Millisecond})
		good := c.faults == faults{}
		if err != nil || c.broken(r) == good || (r.Kept() == nil) != good {
			t.Errorf("%s: Storm() = %+v, %v, %v", name, r, err, r.Kept())
		}
		if r.Expired != n || r.Answered != n || r.Lateness.Count != n || r.FromAnswer.Count != n {
			t.Errorf("%s: Storm() = %+v, want %d of each", name, r, n)
		}
		if good && (r.Ending <= 0 || r.Touching < 15*time.Millisecond) {
			t.Errorf("%s: Storm() = %+v, want times", name, r)
		}
	}
}

func TestClient_StormThatDoesNotCome(t *testing.T) {
	t.Parallel()
	client := join(t, &v1Server{}, 3, Options{})
	o := StormOptions{Idle: 300 * time.Millisecond, Late: 200 * time.Millisecond}
	r, err := client.Storm(o)
	if err != nil || r.Missing != 3 || r.Answered != 3 || r.Kept() == nil {
		t.Errorf("Storm() = %+v, %v, want 3 missing", r, err)
	}
	client = connect(t, serve(t, func([]byte) []byte { return nil }), 3)
	r, err = client.Storm(o)
	if err != nil || r.Dropped != 3 || r.Answered != 0 || r.Kept() == nil {
		t.Errorf("hung up on: Storm() = %+v, %v, want 3 dropped", r, err)
	}
	for _, o := range []StormOptions{{}, {Idle: 1, Spread: 1}, {Idle: 1, Bytes: 11}} {
		if _, err := client.Storm(o); err == nil {
			t.Errorf("Storm(%+v) gives no error", o)
		}
	}
}
