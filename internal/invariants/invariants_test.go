package invariants

import "testing"

func TestCheck(t *testing.T) {
	for _, ok := range []bool{true, false} {
		var got any
		func() {
			defer func() { got = recover() }()
			Check(ok, "%d sessions, limit %d", 5, 4)
		}()
		var want any
		if Enabled && !ok {
			want = "invariant: 5 sessions, limit 4"
		}
		if got != want {
			t.Errorf("Check(%v) panicked with %v, want %v", ok, got, want)
		}
	}
}
