package config

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Explain writes each setting's value, where it came from, and the old names that are read for it.
// In place of a secret it says that there is one.
func (l *Loaded) Explain(w io.Writer) error {
	var b strings.Builder
	b.WriteString("SETTING\tVALUE\tFROM\tALSO READ\n")
	for i := range settings {
		s := &settings[i]
		value, origin := s.field.show(&l.Config), l.origins[s.name]
		switch {
		case s.flagOnly:
			continue
		case origin == "":
			value, origin = "-", byDefault
		case s.secret:
			value = "(set, not shown)"
		}
		fmt.Fprintf(&b, "%s\t%s\t%s\t%s\n", s.name, value, origin, s.oldNames())
	}
	for _, warning := range l.Warnings {
		fmt.Fprintf(&b, "warning: %s\n", warning)
	}
	return writeTable(w, b.String())
}

// writeTable aligns the cells of text, which tabs separate.
func writeTable(w io.Writer, text string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, err := io.WriteString(t, text)
	return errors.Join(err, t.Flush())
}

func (s *setting) oldNames() string {
	if s.name == "listen" {
		return oldHost + ", " + oldPort
	}
	var names []string
	for _, o := range s.old {
		names = append(names, o.name)
	}
	return strings.Join(names, ", ")
}
