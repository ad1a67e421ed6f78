package benchtest

import (
	"os"
	"strconv"
	"strings"
	"time"
)

// Sizes are the numbers of sessions to measure with.
func Sizes() []int {
	sizes := []int{1_000, 10_000, 100_000, 1_000_000}
	if list := os.Getenv("CURFEW_BENCH_N"); list != "" {
		sizes = nil
		for s := range strings.SplitSeq(list, ",") {
			n, err := strconv.Atoi(s)
			if err != nil || n < 1 {
				panic("CURFEW_BENCH_N: not a list of numbers: " + list)
			}
			sizes = append(sizes, n)
		}
	}
	if os.Getenv("CURFEW_BENCH_LARGE") == "1" {
		sizes = append(sizes, 10_000_000)
	}
	return sizes
}

// Seconds is how long a workload runs that waits for something.
func Seconds() time.Duration {
	const standard = 3 * time.Second
	s := os.Getenv("CURFEW_BENCH_SECONDS")
	if s == "" {
		return standard
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f <= 0 {
		panic("CURFEW_BENCH_SECONDS: not a number above 0: " + s)
	}
	return time.Duration(f * float64(time.Second))
}
