package config

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// commands are the words that may stand among the flags.
var commands = []string{"", "version", "help", "config check", "config explain"}

// parseArgs reads --name value, --name=value, --name of a setting that is on or off, and the
// command's words, in any order. A flag that is given again replaces what it was, or adds to it
// where it is a list.
func parseArgs(args []string) (layer []given, command string, problems []string) {
	var words []string
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "-h" || arg == "--help" {
			return nil, "help", nil
		}
		if !strings.HasPrefix(arg, "-") {
			words = append(words, arg)
			continue
		}
		flag, value, hasValue := strings.Cut(arg, "=")
		s := findSetting(strings.TrimPrefix(flag, "--"))
		if s == nil || !strings.HasPrefix(flag, "--") {
			problems = append(problems, flag+": unknown flag")
			continue
		}
		switch {
		case hasValue:
		case s.bare:
			value = "true"
		default:
			if i++; i == len(args) {
				problems = append(problems, flag+": needs a value")
				continue
			}
			value = args[i]
		}
		layer = addFlag(layer, s, flag, value)
	}
	command = strings.Join(words, " ")
	if !slices.Contains(commands, command) {
		problems = append(problems, fmt.Sprintf("%q: unknown command", command))
	}
	return layer, command, problems
}

func addFlag(layer []given, s *setting, flag, value string) []given {
	i := slices.IndexFunc(layer, func(g given) bool { return g.setting == s })
	switch {
	case i < 0:
		return append(layer, given{setting: s, values: []string{value}, origin: flag})
	case s.list:
		layer[i].values = append(layer[i].values, value)
	default:
		layer[i].values = []string{value}
	}
	return layer
}

// Usage writes the help text.
func Usage(w io.Writer) error {
	var b strings.Builder
	b.WriteString(`curfewd holds WebSocket connections, gives each a session, and ends them on time.

Usage:
  curfewd [flags]
  curfewd config check [flags]    says what is wrong with the configuration
  curfewd config explain [flags]  shows each value and where it came from
  curfewd version

Flags:
`)
	for i := range settings {
		s := &settings[i]
		help := s.help
		if s.list {
			help += " (repeatable)"
		}
		if s.def != "" {
			help += " (" + s.def + ")"
		}
		fmt.Fprintf(&b, "  --%s %s\t%s\n", s.name, s.arg, help)
	}
	b.WriteString(`
Each flag can be a variable: --idle-timeout is CURFEW_IDLE_TIMEOUT. Flags win over variables,
variables over the file, the file over defaults. Durations are 90s, 5m, 1h30m and the like.
`)
	return writeTable(w, b.String())
}
