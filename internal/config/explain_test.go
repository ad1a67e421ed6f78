package config

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/curfew-go/curfew/internal/goldentest"
)

func TestExplain_JSON(t *testing.T) {
	for _, args := range [][]string{
		{"config", "explain", "-o", "json", "--origin", "*"},
		{"config", "explain", "--output=json", "--origin=*"},
	} {
		var b strings.Builder
		if err := load(t, args...).Explain(&b); err != nil {
			t.Fatal(err)
		}
		var got struct {
			Settings []Setting
			Warnings []string
		}
		if err := json.Unmarshal([]byte(b.String()), &got); err != nil {
			t.Fatal(err)
		}
		if len(got.Settings) != len(settings)-1 || len(got.Warnings) != 1 {
			t.Errorf("%q: %d settings and %q", args, len(got.Settings), got.Warnings)
		}
		for _, s := range got.Settings {
			if s.Help == "" || s.From == "" || s.Name == "origin" && (s.Value != "*" || !s.Live) {
				t.Errorf("%q: %+v", args, s)
			}
		}
	}
	refuse(t, "-o: goes with config explain only", []string{"config", "check", "-o", "json"}, nil)
	refuse(t, "-o: goes with config explain only", []string{"-o=json"}, nil)
	refuse(t, `-o: "yaml" is not table or json`, []string{"config", "explain", "-o=yaml"}, nil)
	refuse(t, "-o: needs a value", []string{"config", "explain", "-o"}, nil)
}

func TestGiven(t *testing.T) {
	given := load(t, "--tls-cert=c", "--tls-key=k", "--token=hunter2").Given()
	var names []string
	for _, s := range given {
		names = append(names, s.Name)
		if strings.Contains(s.Value, "hunter2") {
			t.Errorf("%+v holds the secret", s)
		}
	}
	if got := strings.Join(names, " "); got != "token tls-cert tls-key" {
		t.Errorf("given is %q", got)
	}
}

// The table of all settings in docs/configuration.md is made from the table of this package.
// go test ./internal/config -run Docs -update writes it.
func TestDocs_TableOfSettings(t *testing.T) {
	const (
		path       = "../../docs/configuration.md"
		begin, end = "<!-- settings: begin -->\n", "<!-- settings: end -->\n"
	)
	if defaultMode("linux") != findSetting("mode").def {
		t.Skip("the page shows the defaults on Linux")
	}
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(page), begin)
	_, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s lacks the marks of the table", path)
	}
	goldentest.Check(t, path, head+begin+settingsTable(load(t).Settings())+end+tail)
}

func settingsTable(all []Setting) string {
	var b strings.Builder
	b.WriteString("| flag | default | on SIGHUP | also read | what it means |\n" +
		"|---|---|---|---|---|\n")
	cell := func(s string) string {
		if s == "" {
			return ""
		}
		return "`" + strings.ReplaceAll(s, "|", `\|`) + "`"
	}
	for _, s := range all {
		live := "restart"
		if s.Live {
			live = "live"
		}
		var old []string
		for _, name := range s.Old {
			old = append(old, cell(name))
		}
		arg := strings.TrimSpace("--" + s.Name + " " + findSetting(s.Name).arg)
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", cell(arg), cell(s.Default), live,
			strings.Join(old, ", "), strings.ReplaceAll(s.Help, "|", `\|`))
	}
	return b.String()
}
