package config

import (
	"net"
	"slices"
	"strings"
)

// parseEnv reads the variables of all settings. A CURFEW_ name beats an old one.
func parseEnv(env []string) (layer []given, warnings []string) {
	vars := make(map[string]string)
	var names []string
	for _, kv := range env {
		name, value, ok := strings.Cut(kv, "=")
		if _, again := vars[name]; ok && !again {
			names = append(names, name)
		}
		vars[name] = value
	}
	slices.Sort(names)

	known := make(map[string]bool)
	for i := range settings {
		s := &settings[i]
		for _, o := range slices.Backward(s.old) {
			known[o.name] = true
			if value, ok := vars[o.name]; ok {
				layer = appendOld(layer, s, o, value)
			}
		}
		if s.name == "listen" {
			known[oldHost], known[oldPort] = true, true
			layer = appendOldListen(layer, s, vars)
		}
		name := prefix + strings.ToUpper(strings.ReplaceAll(s.name, "-", "_"))
		known[name] = true
		if value, ok := vars[name]; ok {
			layer = append(layer, given{setting: s, values: s.split(value), origin: name})
		}
	}
	for _, name := range names {
		switch {
		case known[name]:
		case strings.HasPrefix(name, prefix):
			warnings = append(warnings, name+": unknown variable, not read")
		case strings.HasPrefix(name, oldPrefix):
			warnings = append(warnings, name+": has no meaning here, not read")
		}
	}
	return layer, warnings
}

// split is how a list is written in one variable.
func (s *setting) split(value string) []string {
	if !s.list {
		return []string{value}
	}
	values := strings.Split(value, ",")
	for i := range values {
		values[i] = strings.TrimSpace(values[i])
	}
	return values
}

func appendOld(layer []given, s *setting, o oldName, value string) []given {
	if s.secret && value == "" {
		return layer // the old daemon took an empty token for none
	}
	g := given{setting: s, origin: o.name}
	converted, err := o.convert(value)
	if err != nil {
		g.problem = err.Error()
	}
	g.values = []string{converted}
	return append(layer, g)
}

// appendOldListen joins the two variables that the old daemon had for its address; the one that is
// missing keeps its default.
func appendOldListen(layer []given, s *setting, vars map[string]string) []given {
	host, hasHost := vars[oldHost]
	port, hasPort := vars[oldPort]
	if !hasHost && !hasPort {
		return layer
	}
	defHost, defPort, _ := net.SplitHostPort(s.def)
	g := given{setting: s}
	switch {
	case !hasHost:
		host, g.origin = defHost, oldPort
	case !hasPort:
		port, g.origin = defPort, oldHost
	default:
		g.origin = oldHost + ", " + oldPort
	}
	g.values = []string{net.JoinHostPort(strings.Trim(host, "[]"), port)}
	return append(layer, g)
}
