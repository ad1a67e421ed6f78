package fleet

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestWatch_IsQuietWhileNothingStopsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatch()
		time.Sleep(10 * time.Second)
		if held := w.end(); len(held) > 0 {
			t.Errorf("held up for %v, want never", held)
		}
	})
}
