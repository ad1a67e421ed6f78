package config

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/curfew-go/curfew/internal/realip"
)

// field is where in a Config a setting lives and what may stand there. parse gets at least one
// value and exactly one where the setting is no list. Its error does not name the setting. where
// points to the value in a Config.
type field interface {
	parse(c *Config, values []string) error
	show(c *Config) string
	where(c *Config) any
}

var errEmpty = errors.New("must not be empty")

// duration is a Go duration between min and max; a max of 0 is none. zero allows 0 whatever min is.
type duration struct {
	at       func(*Config) *time.Duration
	min, max time.Duration
	zero     bool
}

func (f duration) parse(c *Config, values []string) error {
	d, err := time.ParseDuration(values[0])
	switch {
	case err != nil:
		return fmt.Errorf("%q is not a duration such as 90s or 1h30m", values[0])
	case d == 0 && f.zero:
	case d == 0:
		return errors.New("must be above 0")
	case d < 0:
		return fmt.Errorf("%s is negative", values[0])
	case d < f.min || f.max > 0 && d > f.max:
		return fmt.Errorf("%s is not between %v and %v", values[0], f.min, f.max)
	}
	*f.at(c) = d
	return nil
}

func (f duration) show(c *Config) string { return f.at(c).String() }

func (f duration) where(c *Config) any { return f.at(c) }

// integer is a whole number between min and max.
type integer struct {
	at       func(*Config) *int
	min, max int
}

func (f integer) parse(c *Config, values []string) error {
	n, err := strconv.Atoi(values[0])
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return fmt.Errorf("%q is not a whole number", values[0])
	}
	if err != nil || n < f.min || n > f.max {
		return fmt.Errorf("%s is not between %d and %d", values[0], f.min, f.max)
	}
	*f.at(c) = n
	return nil
}

func (f integer) show(c *Config) string { return strconv.Itoa(*f.at(c)) }

func (f integer) where(c *Config) any { return f.at(c) }

// integer64 is an integer that may be larger than an int is on some machines.
type integer64 struct {
	at       func(*Config) *int64
	min, max int64
}

func (f integer64) parse(c *Config, values []string) error {
	n, err := strconv.ParseInt(values[0], 10, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return fmt.Errorf("%q is not a whole number", values[0])
	}
	if err != nil || n < f.min || n > f.max {
		return fmt.Errorf("%s is not between %d and %d", values[0], f.min, f.max)
	}
	*f.at(c) = n
	return nil
}

func (f integer64) show(c *Config) string { return strconv.FormatInt(*f.at(c), 10) }

func (f integer64) where(c *Config) any { return f.at(c) }

// toggle is on or off.
type toggle struct{ at func(*Config) *bool }

func (f toggle) parse(c *Config, values []string) error {
	switch values[0] {
	case "on":
		*f.at(c) = true
	case "off":
		*f.at(c) = false
	default:
		return fmt.Errorf("%q is not off or on", values[0])
	}
	return nil
}

func (f toggle) show(c *Config) string {
	if *f.at(c) {
		return "on"
	}
	return "off"
}

func (f toggle) where(c *Config) any { return f.at(c) }

// boolean is a toggle that the usual words switch too.
type boolean struct{ toggle }

func (f boolean) parse(c *Config, values []string) error {
	switch strings.ToLower(values[0]) { // YAML and Python write True, many environments 1
	case "true", "on", "yes", "1":
		*f.at(c) = true
	case "false", "off", "no", "0":
		*f.at(c) = false
	default:
		return fmt.Errorf("%q is not true or false", values[0])
	}
	return nil
}

// networks is address ranges; each value may be several, with commas between.
type networks struct {
	at func(*Config) *realip.Networks
}

func (f networks) parse(c *Config, values []string) error {
	n, err := realip.ParseNetworks(strings.Join(values, ","))
	if err != nil {
		return err
	}
	*f.at(c) = n
	return nil
}

func (f networks) show(c *Config) string { return f.at(c).String() }

func (f networks) where(c *Config) any { return f.at(c) }

// choice is one of a few words.
type choice struct {
	at   func(*Config) *string
	from []string
}

func (f choice) parse(c *Config, values []string) error {
	if !slices.Contains(f.from, values[0]) {
		return fmt.Errorf("%q is not %s", values[0], strings.Join(f.from, " or "))
	}
	*f.at(c) = values[0]
	return nil
}

func (f choice) show(c *Config) string { return *f.at(c) }

func (f choice) where(c *Config) any { return f.at(c) }

// text is anything but nothing.
type text struct{ at func(*Config) *string }

func (f text) parse(c *Config, values []string) error {
	if strings.TrimSpace(values[0]) == "" {
		return errEmpty
	}
	*f.at(c) = values[0]
	return nil
}

func (f text) show(c *Config) string { return *f.at(c) }

func (f text) where(c *Config) any { return f.at(c) }

// secret is a text that somebody can show: on one line, with no blanks around it.
type secret struct{ text }

func (f secret) parse(c *Config, values []string) error {
	if v := values[0]; v != "" && (v != strings.TrimSpace(v) || !isLine(v)) {
		return errors.New("has blanks or a line break around it, or holds what is no text: " +
			"write the secret and nothing else")
	}
	return f.text.parse(c, values)
}

// isLine says whether all of a text can stand on one line.
func isLine(v string) bool {
	return utf8.ValidString(v) && !strings.ContainsFunc(v, unicode.IsControl)
}

// list is any number of values that each pass check.
type list struct {
	at    func(*Config) *[]string
	check func(string) error
}

func (f list) parse(c *Config, values []string) error {
	var problems []string
	for _, v := range values {
		if err := f.check(v); err != nil {
			problems = append(problems, err.Error())
		}
	}
	if len(problems) > 0 {
		return errors.New(strings.Join(problems, "; "))
	}
	*f.at(c) = slices.Clone(values)
	return nil
}

func (f list) show(c *Config) string { return strings.Join(*f.at(c), ",") }

func (f list) where(c *Config) any { return f.at(c) }

// address is host:port. The host may be empty, for all of the machine's addresses.
type address struct{ at func(*Config) *string }

func (f address) parse(c *Config, values []string) error {
	if err := checkHostPort(values[0]); err != nil {
		return err
	}
	*f.at(c) = values[0]
	return nil
}

func checkHostPort(v string) error {
	host, port, err := net.SplitHostPort(v)
	switch {
	case err != nil:
		return fmt.Errorf("%q is not host:port", v)
	case host == "*":
		return fmt.Errorf("%q is not host:port: for all addresses write :%s", v, port)
	case !isHost(host):
		return fmt.Errorf("%q is neither an address nor a name", host)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("port %q is not between 0 and 65535", port)
	}
	return nil
}

// isHost says whether there may be a host like that: an address, a name, or nothing, for all
// addresses.
func isHost(v string) bool {
	if _, err := netip.ParseAddr(v); v == "" || err == nil {
		return true
	}
	last := v[strings.LastIndexByte(strings.TrimSuffix(v, "."), '.')+1:]
	return strings.Trim(last, "0123456789.") != "" && // else it was meant as an address
		!strings.ContainsFunc(v, func(r rune) bool {
			return r <= ' ' || strings.ContainsRune("/:@*[]?#%\\\"'", r)
		})
}

func (f address) show(c *Config) string { return *f.at(c) }

func (f address) where(c *Config) any { return f.at(c) }

// level is a log level.
type level struct{}

func (level) parse(c *Config, values []string) error {
	for _, l := range []slog.Level{
		slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError,
	} {
		if strings.EqualFold(values[0], l.String()) {
			c.LogLevel = l
			return nil
		}
	}
	return fmt.Errorf("%q is not debug, info, warn or error", values[0])
}

func (level) show(c *Config) string { return strings.ToLower(c.LogLevel.String()) }

func (level) where(c *Config) any { return &c.LogLevel }

// nothing is a setting that Load itself reads.
type nothing struct{}

func (nothing) parse(_ *Config, values []string) error {
	if values[0] == "" {
		return errEmpty
	}
	return nil
}

func (nothing) show(*Config) string { return "" }

func (nothing) where(*Config) any { return new(struct{}) }

func checkPath(v string) error {
	u, err := url.ParseRequestURI(v)
	if err != nil || !strings.HasPrefix(v, "/") || u.Path != v || strings.ContainsAny(v, "?#") {
		return fmt.Errorf("%q is not a path such as /ws", v)
	}
	return nil
}

func checkOrigin(v string) error {
	if v == "*" || v == "null" {
		return nil
	}
	u, err := url.Parse(v)
	if err != nil || u.Scheme == "" || u.Host == "" || v != u.Scheme+"://"+u.Host {
		return fmt.Errorf("%q is not an origin such as https://app.example.com", v)
	}
	return nil
}

// same makes old names whose values were written as the flag's are.
func same(names ...string) []oldName {
	return oldNames(names, func(v string) (string, error) { return v, nil })
}

// seconds makes old names whose values are plain seconds.
func seconds(names ...string) []oldName {
	return oldNames(names, func(v string) (string, error) {
		s, err := strconv.ParseFloat(v, 64)
		if err != nil || math.IsNaN(s) || s < 0 {
			return "", fmt.Errorf("%q is not a number of seconds", v)
		}
		if s > math.MaxInt64/float64(time.Second) {
			return "", fmt.Errorf("%s seconds are too many", v)
		}
		return time.Duration(s * float64(time.Second)).String(), nil
	})
}

func oldNames(names []string, convert func(string) (string, error)) []oldName {
	old := make([]oldName, len(names))
	for i, name := range names {
		old[i] = oldName{name, convert}
	}
	return old
}

// oldLevel turns the names that Python gives its log levels into ours.
func oldLevel(v string) (string, error) {
	switch strings.ToUpper(v) {
	case "WARNING":
		return "warn", nil
	case "CRITICAL", "FATAL":
		return "error", nil
	}
	return v, nil
}
