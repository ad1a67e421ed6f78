package screen

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// Count is a number with its thousands set apart.
func Count[N int | int64 | uint64](n N) string {
	digits, sign := strconv.FormatInt(int64(n), 10), ""
	if n < 0 {
		digits, sign = digits[1:], "-"
	} else {
		digits = strconv.FormatUint(uint64(n), 10)
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

// Short is a number in at most five columns.
func Short(n float64) string {
	switch {
	case n < 0 || math.IsNaN(n):
		return "0"
	case n < 9.95 && n != math.Trunc(n):
		return fmt.Sprintf("%.1f", n)
	case n < 99_999.5:
		return fmt.Sprintf("%.0f", n)
	}
	for _, unit := range []string{"k", "M", "G", "T", "P"} {
		n /= 1000
		switch {
		case n < 99.95:
			return fmt.Sprintf("%.1f%s", n, unit)
		case n < 999.5:
			return fmt.Sprintf("%.0f%s", n, unit)
		}
	}
	return "many"
}

// Bytes is a number of bytes in three digits.
func Bytes(bytes float64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	for bytes >= 1024 && len(units) > 1 {
		bytes /= 1024
		units = units[1:]
	}
	switch {
	case units[0] == "B" || bytes >= 99.95:
		return fmt.Sprintf("%.0f %s", bytes, units[0])
	case bytes < 9.995:
		return fmt.Sprintf("%.2f %s", bytes, units[0])
	}
	return fmt.Sprintf("%.1f %s", bytes, units[0])
}

// Millis is a number of milliseconds in three digits.
func Millis(ms float64) string {
	in := func(v float64, unit string) string {
		switch {
		case v < 9.995:
			return fmt.Sprintf("%.2f%s", v, unit)
		case v < 99.95:
			return fmt.Sprintf("%.1f%s", v, unit)
		}
		return fmt.Sprintf("%.0f%s", v, unit)
	}
	switch {
	case ms <= 0 || math.IsNaN(ms):
		return "0"
	case ms < 0.9995:
		return in(ms*1000, "µs")
	case ms < 999.5:
		return in(ms, "ms")
	}
	return in(ms/1000, "s")
}

// Span is a length of time in its two largest units: 42s, 3m05s, 2h10m, 4d06h. Below zero is 0s.
func Span(d time.Duration) string {
	const day = 24 * time.Hour
	d = max(d, 0).Truncate(time.Second)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", d/time.Minute, d%time.Minute/time.Second)
	case d < day:
		return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%dd%02dh", d/day, d%day/time.Hour)
}

// Seconds is a length of time that came as a number of seconds, which may be any.
func Seconds(s float64) time.Duration {
	switch {
	case math.IsNaN(s) || s <= 0:
		return 0
	case s >= math.MaxInt64/float64(time.Second):
		return math.MaxInt64
	}
	return time.Duration(s * float64(time.Second))
}
