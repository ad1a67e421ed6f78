package config

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// commands are the words that may stand among the flags; without any the daemon serves.
var commands = []string{"version", "help", "config check", "config explain"}

// The flags that say how a command prints; they are no settings.
const (
	outputShort = "-o"
	outputLong  = "--output"
)

// outputs are the ways to print.
var outputs = []string{OutputTable, OutputJSON}

// The values of Loaded.Output.
const (
	OutputTable = "table"
	OutputJSON  = "json"
)

// words is what arguments say besides settings.
type words struct{ command, output string }

// parseArgs reads --name value, --name=value, --name of a setting that is on or off, and the
// command's words, in any order. A flag that is given again replaces what it was, or adds to it
// where it is a list.
func parseArgs(args []string) (layer []given, w words, problems []string) {
	var plain []string
	w.output = OutputTable
	outputFlag := ""
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "-h" || arg == "--help" {
			return nil, words{command: "help"}, nil
		}
		if !strings.HasPrefix(arg, "-") {
			plain = append(plain, arg)
			continue
		}
		flag, value, hasValue := strings.Cut(arg, "=")
		isOutput := flag == outputShort || flag == outputLong
		s := findSetting(strings.TrimPrefix(flag, "--"))
		if !isOutput && (s == nil || !strings.HasPrefix(flag, "--")) {
			problems = append(problems, flag+": unknown flag: "+meant(flag, "--",
				"curfewd --help lists them"))
			if !hasValue && i+1 < len(args) && !isWord(args[i+1]) {
				i++ // it is no command, and so was meant as the value
			}
			continue
		}
		switch {
		case hasValue:
		case !isOutput && s.bare:
			value = "true"
		default:
			if i++; i == len(args) {
				problems = append(problems, flag+": needs a value")
				continue
			}
			value = args[i]
		}
		if isOutput {
			w.output, outputFlag = value, flag
		} else {
			layer = addFlag(layer, s, flag, value)
		}
	}
	w.command = strings.Join(plain, " ")
	if len(plain) > 0 && !slices.Contains(commands, w.command) {
		problems = append(problems, fmt.Sprintf("%q: unknown command: there are %s", w.command,
			strings.Join(commands, ", ")))
	}
	return layer, w, append(problems, w.check(outputFlag)...)
}

// meant says what is to be written for a setting whose name was written otherwise, after prefix;
// else it gives the hint.
func meant(name, prefix, hint string) string {
	name = strings.ToLower(strings.ReplaceAll(strings.TrimLeft(name, "-"), "_", "-"))
	if s := findSetting(name); s != nil {
		return "write " + prefix + s.name
	}
	return hint
}

// isWord says whether an argument is a flag, or begins a command.
func isWord(arg string) bool {
	return strings.HasPrefix(arg, "-") || slices.ContainsFunc(commands, func(c string) bool {
		first, _, _ := strings.Cut(c, " ")
		return first == arg
	})
}

// check says what is wrong with the output that a flag asked for.
func (w words) check(flag string) []string {
	switch {
	case flag == "":
	case w.command != "config explain":
		return []string{flag + ": goes with config explain only"}
	case !slices.Contains(outputs, w.output):
		return []string{fmt.Sprintf("%s: %q is not %s", flag, w.output,
			strings.Join(outputs, " or "))}
	}
	return nil
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
  curfewd config check [flags]    says what is wrong with the configuration, and what is unwise
  curfewd config explain [flags]  shows each value, where it came from and what it means;
                                  -o json prints the same for programs
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
On SIGHUP the file, the token files and the certificate are read again; config explain says which
settings change then without a restart.
`)
	return writeTable(w, b.String())
}
