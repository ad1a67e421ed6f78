package config

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// hidden stands for a secret.
const hidden = "(set, not shown)"

// Setting is what is to be told of one setting.
type Setting struct {
	Name    string   `json:"name"`
	Value   string   `json:"value"` // "" where there is none; never a secret
	From    string   `json:"from"`  // the flag, the variable, the file and key, or default
	Default string   `json:"default"`
	Help    string   `json:"help"`
	Old     []string `json:"also_read,omitempty"` // names of the daemon that Curfew replaces
	Live    bool     `json:"live"`                // a change is taken over on SIGHUP
}

// Settings tells of all settings, in the order of the help text; no value of it is a secret.
func (l *Loaded) Settings() []Setting {
	var all []Setting
	for i := range settings {
		s := &settings[i]
		if s.flagOnly {
			continue
		}
		all = append(all, Setting{
			Name: s.name, Value: l.value(s), From: l.Origin(s.name),
			Default: s.def, Help: s.help, Old: s.oldNames(), Live: s.live,
		})
	}
	return all
}

// Given is those of Settings that somebody gave.
func (l *Loaded) Given() []Setting {
	var some []Setting
	for _, s := range l.Settings() {
		if !strings.HasPrefix(s.From, byDefault) {
			some = append(some, s)
		}
	}
	return some
}

// Origin is how messages name a setting's value: by the flag, the variable, or the file and key.
func (l *Loaded) Origin(name string) string { return cmp.Or(l.origins[name], byDefault) }

// Named is how messages name a setting, whoever gave it or not.
func (l *Loaded) Named(name string) string { return l.named([]string{name}) }

// value is a setting's value as it may be shown; "": there is none.
func (l *Loaded) value(s *setting) string {
	switch {
	case l.origins[s.name] == "":
		return ""
	case s.secret:
		return hidden
	}
	return s.field.show(&l.Config)
}

// Explain writes of each setting its value, where that came from, its default, whether a change is
// taken over live, the old names that are read for it, and what it means; then the warnings. In
// place of a secret it says that there is one.
func (l *Loaded) Explain(w io.Writer) error {
	if l.Output == OutputJSON {
		return l.explainJSON(w)
	}
	var b strings.Builder
	b.WriteString("SETTING\tVALUE\tFROM\tDEFAULT\tLIVE\tALSO READ\tMEANING\n")
	for _, s := range l.Settings() {
		live := "restart"
		if s.Live {
			live = "live"
		}
		fmt.Fprintf(&b, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", s.Name, cmp.Or(s.Value, "-"), s.From,
			cmp.Or(s.Default, "-"), live, cmp.Or(strings.Join(s.Old, ", "), "-"), s.Help)
	}
	for _, warning := range l.Warnings {
		fmt.Fprintf(&b, "warning: %s\n", warning)
	}
	return writeTable(w, b.String())
}

// explainJSON writes the same as GET /v1/settings of the operator's API.
func (l *Loaded) explainJSON(w io.Writer) error {
	warnings := l.Warnings
	if warnings == nil {
		warnings = []string{}
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(struct {
		Settings []Setting `json:"settings"`
		Warnings []string  `json:"warnings"`
	}{l.Settings(), warnings})
}

// writeTable aligns the cells of text, which tabs separate.
func writeTable(w io.Writer, text string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, err := io.WriteString(t, text)
	return errors.Join(err, t.Flush())
}

// oldNames are the variables of the daemon that Curfew replaces; nil: none.
func (s *setting) oldNames() []string {
	if s.name == "listen" {
		return []string{oldHost, oldPort}
	}
	var names []string
	for _, o := range s.old {
		names = append(names, o.name)
	}
	return names
}
