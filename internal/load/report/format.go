package report

import (
	"math"
	"strconv"
	"strings"
)

// thin is the space between a number and its unit, at which no line breaks.
const thin = "\u202f"

// micros writes microseconds with three digits, in the unit that suits them.
func micros(us float64) string {
	switch {
	case us == 0:
		return "0"
	case us < 1e3:
		return digits(us) + thin + "µs"
	case us < 1e6:
		return digits(us/1e3) + thin + "ms"
	default:
		return digits(us/1e6) + thin + "s"
	}
}

func millis(ms float64) string { return micros(ms * 1e3) }

// bytes writes a size with three digits.
func bytes(b float64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	i := 0
	for ; b >= 1024 && i < len(units)-1; i++ {
		b /= 1024
	}
	return digits(b) + thin + units[i]
}

// digits writes a number with three significant digits, and all those before the point.
func digits(v float64) string {
	decimals := 0
	if v != 0 {
		decimals = max(0, 2-int(math.Floor(math.Log10(math.Abs(v)))))
	}
	text := strconv.FormatFloat(v, 'f', min(decimals, 6), 64)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text
}

// count writes a number with commas between thousands.
func count(n uint64) string {
	text := strconv.FormatUint(n, 10)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// number writes a number that need not be whole.
func number(v float64) string {
	if v >= 100 && v < math.MaxInt64 {
		return count(uint64(math.Round(v)))
	}
	return digits(v)
}

// share writes a part of a whole in percent.
func share(part, whole uint64) string {
	if whole == 0 {
		return ""
	}
	return digits(100*float64(part)/float64(whole)) + thin + "%"
}

// percent writes a quantile with the digits that it needs: 99.95 %.
func percent(q float64) string {
	return strconv.FormatFloat(math.Round(q*1e9)/1e7, 'f', -1, 64) + thin + "%"
}

func plural(n uint64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return count(n) + " " + many
}
