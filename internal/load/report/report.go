package report

import (
	"crypto/sha256"
	_ "embed" // the page's parts
	"encoding/base64"
	"fmt"
	"html/template"
	"io"

	"github.com/curfew-go/curfew/internal/load/result"
	"github.com/curfew-go/curfew/internal/uplot"
)

var (
	//go:embed assets/page.html
	pageText string
	//go:embed assets/page.css
	pageCSS string
	//go:embed assets/page.js
	pageJS string
)

var (
	pageTemplate = template.Must(template.New("page").Parse(pageText))
	// script is the one that may run; scriptHash is how the page's policy knows it.
	script     = uplot.Script + "\n" + pageJS
	scriptHash = hashOf(script)
)

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// page is what the template shows.
type page struct {
	Title, Server string
	About         []string // when, how long, with what
	Verdict       verdict
	Tiles         []tile
	Sections      []section // with plots, one below the other
	Cards         []section // tables alone, side by side where there is room
	Data          *plots

	CSS        template.CSS
	Script     template.JS
	ScriptHash string
}

// tile is a figure to be seen at a glance.
type tile struct{ Label, Value, Beside string }

// section is a part of the page under a heading of its own.
type section struct {
	ID, Title string
	Note      string
	Plots     []plotRef
	Tables    []table
}

// plotRef is where a plot is drawn, and which.
type plotRef struct {
	Name, Title string
	LogToggle   bool // the reader may choose a linear axis
}

// table is a table. The first cell of a row is its heading.
type table struct {
	Caption string
	Head    []string
	Rows    []row
	Folded  bool // behind the caption until it is asked for
	Text    bool // cells hold text rather than numbers
}

// row is a line of a table; Bad marks what should not be.
type row struct {
	Cells []string
	Bad   bool
}

// Write writes the page of a run.
func Write(w io.Writer, r *result.Result) error {
	p := page{
		Title: titleOf(r), Server: r.Environment.Server, About: about(r), Verdict: verdictOf(r),
		Tiles: tiles(r), Data: plotsOf(r),
		CSS:    template.CSS(uplot.Style + "\n" + pageCSS),
		Script: template.JS(script), ScriptHash: scriptHash,
	}
	p.Sections = sections(r, p.Data)
	p.Cards = cards(r)
	if err := pageTemplate.Execute(w, &p); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

func titleOf(r *result.Result) string {
	if r.Profile == "" {
		return "curfew load"
	}
	return "curfew load: " + r.Profile
}

// about says in a few words when and how the run was made.
func about(r *result.Result) (all []string) {
	say := func(known bool, format string, args ...any) {
		if known {
			all = append(all, fmt.Sprintf(format, args...))
		}
	}
	say(r.Started != "", "%s", r.Started)
	say(r.Seconds > 0, "%s of messages", micros(r.Seconds*1e6))
	say(r.IntendedRate > 0, "%s messages a second intended", number(r.IntendedRate))
	say(r.Environment.Protocol != "", "protocol %s", r.Environment.Protocol)
	say(r.Environment.Processes > 0, "%s of the harness",
		plural(uint64(r.Environment.Processes), "process", "processes"))
	say(len(r.Runs) > 0, "%s, figures of all together", plural(uint64(len(r.Runs)), "run", "runs"))
	return all
}

func tiles(r *result.Result) (all []tile) {
	add := func(known bool, label, value, beside string) {
		if known {
			all = append(all, tile{label, value, beside})
		}
	}
	if r.Seconds > 0 {
		add(r.IntendedRate > 0 && r.Sent > 0, "Answered",
			number(float64(r.Received)/r.Seconds)+"/s", "of "+number(r.IntendedRate)+"/s intended")
	}
	l, e := &r.Latency, &r.Expiry
	add(l.Count > 0, "Latency p50", micros(l.P50), "from due")
	add(l.Count > 0, "Latency p99", micros(l.P99), "uncorrected "+micros(r.Uncorrected.P99))
	add(l.Count > 0, "Latency max", micros(l.Max), "uncorrected "+micros(r.Uncorrected.Max))
	add(r.Connect.OK+r.Connect.Failed > 0, "Connections", count(r.Connect.OK),
		count(r.Connect.Failed)+" failed")
	add(e.Expected+e.Observed > 0, "Sessions ended", count(e.Observed),
		"of "+count(e.Expected)+" expected")
	add(e.Observed > 0, "Expiry late, p99", millis(e.P99), "at most "+millis(e.Max))
	add(r.Resume.Dropped > 0, "Sessions resumed", count(r.Resume.Resumed),
		"of "+count(r.Resume.Dropped)+" dropped")
	add(r.Server.CPUPerMessage > 0, "Server CPU", micros(r.Server.CPUPerMessage), "a message")
	add(r.Server.BytesPerConn > 0, "Server memory", bytes(r.Server.BytesPerConn), "a connection")
	return all
}
