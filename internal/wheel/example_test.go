package wheel_test

import (
	"fmt"

	"github.com/curfew-go/curfew/internal/wheel"
)

func Example() {
	deadline := map[uint32]wheel.Tick{1: 30, 2: 5000}
	w := wheel.New(0)
	w.Schedule(1, deadline[1])
	w.Schedule(2, deadline[2])
	deadline[1] = 100 // a touch: the wheel will ask

	due := make([]uint32, 256)
	for now, ok := w.Next(); ok; now, ok = w.Next() {
		for done := false; !done; {
			var n int
			n, done = w.Advance(now, due)
			for _, id := range due[:n] {
				if deadline[id] <= now {
					fmt.Println("tick", now, "ends", id)
				} else {
					fmt.Println("tick", now, "asks", id)
					w.Schedule(id, deadline[id])
				}
			}
		}
	}
	// Output:
	// tick 30 asks 1
	// tick 64 asks 1
	// tick 100 ends 1
	// tick 4096 asks 2
	// tick 4992 asks 2
	// tick 5000 ends 2
}
