package fleet

import (
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/curfew-go/curfew/internal/load/result"
)

// environment is where and how a run is made, without anything secret.
func environment(o *Options, files uint64) result.Environment {
	e := result.Environment{
		Version: o.Version, Go: runtime.Version(), Cores: runtime.NumCPU(),
		Processes: o.Plan.Processes, FilesLimit: files, Sysctls: map[string]string{},
		Server: PublicURL(o.Plan.URL), Protocol: o.Plan.Protocol, Seed: o.Plan.Seed,
		Settings: settings(o),
	}
	describeMachine(&e)
	return e
}

// settings are what the flags amount to. Of what may be secret only the names are told.
func settings(o *Options) map[string]string {
	p := &o.Plan
	number := func(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
	s := map[string]string{
		"profile": string(p.Profile), "protocol": p.Protocol, "subprotocol": p.Subprotocol,
		"connections": strconv.Itoa(p.Connections), "ramp": number(p.Ramp),
		"rate": number(p.Rate), "size": strconv.Itoa(p.Size), "duration": p.Duration.String(),
		"warmup": p.Warmup.String(), "expect_idle": p.ExpectIdle.String(),
		"ask_idle": p.AskIdle.String(),
		"interval": p.Interval.String(), "repeat": strconv.Itoa(o.Repeat),
		"max_p99": o.MaxP99.String(), "insecure": strconv.FormatBool(p.Insecure),
		"roots": strconv.FormatBool(len(p.Roots) > 0), "token": strconv.FormatBool(p.Token != ""),
		"pid": strconv.Itoa(o.PID),
	}
	var names, sources []string
	for name := range p.Header {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, a := range p.Sources {
		sources = append(sources, a.String())
	}
	s["header"], s["source"] = strings.Join(names, ", "), strings.Join(sources, ", ")
	return s
}
