package main

import (
	"bytes"
	"fmt"
	"image/color"
	"math"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// palette are colours that are told apart by most eyes, on white and on black (Okabe and Ito).
var palette = []color.Color{
	color.NRGBA{0x00, 0x72, 0xb2, 0xff},
	color.NRGBA{0xd5, 0x5e, 0x00, 0xff},
	color.NRGBA{0x00, 0x9e, 0x73, 0xff},
	color.NRGBA{0xcc, 0x79, 0xa7, 0xff},
	color.NRGBA{0xe6, 0x9f, 0x00, 0xff},
	color.NRGBA{0x56, 0xb4, 0xe9, 0xff},
}

// shapes tell series apart where colours do not.
var shapes = []draw.GlyphDrawer{
	draw.CircleGlyph{},
	draw.SquareGlyph{},
	draw.TriangleGlyph{},
	draw.RingGlyph{},
	draw.BoxGlyph{},
	draw.PyramidGlyph{},
}

const (
	width     = 18 * vg.Centimeter
	rowHeight = 0.75 * vg.Centimeter
	around    = 1.6 * vg.Centimeter // title and axis
	lined     = 9 * vg.Centimeter

	legendRows = 0.6 // of the rows above all, for each series
)

// point is a median with its spread, in a plot.
type point struct{ x, y, low, high float64 }

// line is the points of one colour.
type line struct {
	name   string
	points []point
}

// draw draws a plot as SVG, and says in words what it shows. It gives nil where the tables have
// nothing of it.
func (s plotSpec) draw(tables []*table) (svg []byte, alt string, err error) {
	var rows []*row
	var of []string // each row's table
	for _, t := range tables {
		if t.name != s.table && !slices.Contains(s.more, t.name) {
			continue
		}
		for _, r := range t.rows {
			if r.cells[s.unit] != nil && (ref{r.subject, s.where}).covers(r) {
				rows, of = append(rows, r), append(of, t.name)
			}
		}
	}
	if len(rows) == 0 {
		return nil, "", nil
	}
	p := plot.New()
	p.Title.Text = s.title
	p.BackgroundColor = nil
	for _, style := range []*draw.TextStyle{
		&p.Title.TextStyle, &p.X.Label.TextStyle, &p.Y.Label.TextStyle, &p.Legend.TextStyle,
		&p.X.Tick.Label, &p.Y.Tick.Label,
	} {
		style.Font.Variant = "Sans"
	}
	p.Legend.TextStyle.Font.Size = vg.Points(10)
	p.Legend.Padding = vg.Points(1)
	grid := plotter.NewGrid()
	grid.Horizontal.Color, grid.Vertical.Color = faint, faint
	p.Add(grid)
	height := lined
	if s.over != "" {
		err = s.lines(p, rows, of)
	} else {
		height, err = s.dots(p, rows)
	}
	if err != nil {
		return nil, "", err
	}
	canvas := vgsvg.New(width, height)
	// The last mark's words reach beyond the axis.
	p.Draw(draw.Crop(draw.NewCanvas(canvas, width, height), 0, -1*vg.Centimeter, 0, 0))
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return nil, "", err
	}
	return adapt(b.Bytes()), s.title + ": " + s.words(rows), nil
}

// dots draws a line for each subject, with a dot at each series' median and a bar from its least
// to its most.
func (s plotSpec) dots(p *plot.Plot, rows []*row) (vg.Length, error) {
	var names []string
	var series []line
	for _, r := range slices.Backward(rows) { // the first one stands on top
		if !slices.Contains(names, r.subject) {
			names = append(names, r.subject)
		}
	}
	for _, r := range rows {
		name := ""
		if s.series != "" {
			name = s.series + "=" + valueOf(r.where, s.series)
		}
		i := slices.IndexFunc(series, func(l line) bool { return l.name == name })
		if i < 0 {
			i = len(series)
			series = append(series, line{name: name})
		}
		c := r.cells[s.unit]
		y := float64(slices.Index(names, r.subject))
		series[i].points = append(series[i].points, point{c.median(), y, c.min(), c.max()})
	}
	for i := range series { // side by side
		for j := range series[i].points {
			series[i].points[j].y += 0.2 * (float64(len(series)-1)/2 - float64(i))
		}
	}
	p.NominalY(names...)
	height := float64(len(names))
	if s.series != "" {
		height += legendRows * float64(len(series))
	}
	p.Y.Min, p.Y.Max = -0.5, height-0.5
	low, high := math.Inf(1), math.Inf(-1)
	for _, l := range series {
		for _, t := range l.points {
			low, high = min(low, t.low), max(high, t.high)
		}
	}
	s.axis(&p.X, low, high)
	for i, l := range series {
		if err := l.scatter(p, i); err != nil {
			return 0, err
		}
	}
	p.Legend.Top = true
	return around + rowHeight*vg.Length(height), nil
}

// scatter adds dots and the bars of their spread.
func (l line) scatter(p *plot.Plot, i int) error {
	var at plotter.XYs
	var spread plotter.XErrors
	for _, t := range l.points {
		at = append(at, plotter.XY{X: t.x, Y: t.y})
		spread = append(spread, struct{ Low, High float64 }{t.x - t.low, t.high - t.x})
	}
	dots, err := plotter.NewScatter(at)
	if err != nil {
		return err
	}
	dots.Color, dots.Shape = palette[i%len(palette)], shapes[i%len(shapes)]
	dots.Radius = vg.Points(3.5)
	bars, err := plotter.NewXErrorBars(struct {
		plotter.XYs
		plotter.XErrors
	}{at, spread})
	if err != nil {
		return err
	}
	bars.Color, bars.Width = palette[i%len(palette)], vg.Points(1.5)
	p.Add(bars, dots)
	if l.name != "" {
		p.Legend.Add(l.name, dots)
	}
	return nil
}

// lines draws medians over the dim that varies.
func (s plotSpec) lines(p *plot.Plot, rows []*row, of []string) error {
	var all []line
	for i, r := range rows {
		x, err := strconv.ParseFloat(valueOf(r.where, s.over), 64)
		if err != nil {
			return fmt.Errorf("%s=%q is no number", s.over, valueOf(r.where, s.over))
		}
		name := s.lineName(r, of[i])
		at := slices.IndexFunc(all, func(l line) bool { return l.name == name })
		if at < 0 {
			at = len(all)
			all = append(all, line{name: name})
		}
		all[at].points = append(all[at].points, point{x: x, y: r.cells[s.unit].median()})
	}
	p.X.Label.Text, p.X.Tick.Marker = s.over, steps{}
	if len(s.more) > 0 {
		p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, decades{}
	}
	p.X.Padding, p.Y.Padding = 0, 0
	low, high := math.Inf(1), math.Inf(-1)
	for _, l := range all {
		for _, t := range l.points {
			low, high = min(low, t.y), max(high, t.y)
		}
	}
	s.axis(&p.Y, low, 10*high) // what is above is for the legend
	p.X.Min, p.X.Max = math.Inf(1), math.Inf(-1)
	for i, l := range all {
		var at plotter.XYs
		for _, t := range l.points {
			at = append(at, plotter.XY{X: t.x, Y: t.y})
			p.X.Min, p.X.Max = min(p.X.Min, t.x), max(p.X.Max, t.x)
		}
		path, dots, err := plotter.NewLinePoints(at)
		if err != nil {
			return err
		}
		path.Color, path.Width = palette[i%len(palette)], vg.Points(1.5)
		dots.Color, dots.Shape = palette[i%len(palette)], shapes[i%len(shapes)]
		p.Add(path)
		if len(at) <= 20 {
			p.Add(dots)
			p.Legend.Add(l.name, path, dots)
		} else {
			p.Legend.Add(l.name, path)
		}
	}
	p.Legend.Top, p.Legend.Left = true, true
	return nil
}

// lineName is what tells a line from the others.
func (s plotSpec) lineName(r *row, table string) string {
	var parts []string
	if len(s.more) > 0 {
		parts = append(parts, table)
	}
	parts = append(parts, r.subject)
	for _, d := range r.where {
		if d.key != s.over && d.key != "processors" {
			parts = append(parts, d.key+"="+d.value)
		}
	}
	return strings.Join(parts, " ")
}

// axis sets an axis from nothing to the most, or over the decades of both.
func (s plotSpec) axis(a *plot.Axis, low, high float64) {
	if !s.log || low <= 0 {
		a.Min, a.Max, a.Tick.Marker = min(0, low), high*1.05, steps{}
		return
	}
	a.Scale, a.Tick.Marker = plot.LogScale{}, decades{}
	a.Min = math.Pow(10, math.Floor(math.Log10(low)))
	a.Max = math.Pow(10, math.Ceil(math.Log10(high)))
	for high <= a.Max/5 {
		a.Max /= 5
	}
	if high <= a.Max/2 {
		a.Max /= 2
	}
}

// decades marks an axis by powers of ten, with small marks between them.
type decades struct{}

// Ticks are the marks.
func (decades) Ticks(low, high float64) []plot.Tick {
	var all []plot.Tick
	for power := math.Floor(math.Log10(low)); math.Pow(10, power) <= high; power++ {
		base := math.Pow(10, power)
		all = append(all, plot.Tick{Value: base, Label: short(base)})
		for i := 2.0; i < 10; i++ {
			label := ""
			if (i == 2 || i == 5) && high/low <= 1000 {
				label = short(i * base)
			}
			all = append(all, plot.Tick{Value: i * base, Label: label})
		}
	}
	return slices.DeleteFunc(all, func(t plot.Tick) bool { return t.Value < low || t.Value > high })
}

// steps marks an axis by a round number of units.
type steps struct{}

// Ticks are the marks, ten at most.
func (steps) Ticks(low, high float64) []plot.Tick {
	step := math.Pow(10, math.Floor(math.Log10((high-low)/10)))
	for _, times := range []float64{2, 2.5, 2} { // to 2, 5 and 10 times the power of ten
		if (high-low)/step > 10 {
			step *= times
		}
	}
	var all []plot.Tick
	for i := math.Ceil(low / step); i*step <= high; i++ {
		all = append(all, plot.Tick{Value: i * step, Label: short(i * step)})
	}
	return all
}

// words are the medians of a plot, for who cannot see it.
func (s plotSpec) words(rows []*row) string {
	if s.over != "" {
		return fmt.Sprintf("medians over %s; the table has them", s.over)
	}
	var parts []string
	for _, r := range rows {
		text := r.subject + " " + short(r.cells[s.unit].median())
		if s.series != "" {
			text = r.subject + " at " + s.series + "=" + valueOf(r.where, s.series) + " " +
				short(r.cells[s.unit].median())
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", ")
}

var faint = color.NRGBA{0x80, 0x80, 0x80, 0x40}

// darkStyle draws what gonum draws black in a light grey where the reader's page is dark. It
// matches the styles that gonum writes into each element.
const darkStyle = `<style>text{font-family:"Liberation Sans",Arial,Helvetica,sans-serif !important}
@media (prefers-color-scheme: dark){text{fill:#d0d7de}
[style*="stroke:#000000"]{stroke:#d0d7de !important}}</style>
`

// adapt adds that style behind the opening tag.
func adapt(svg []byte) []byte {
	end := bytes.Index(svg, []byte("<svg"))
	end += bytes.IndexByte(svg[end:], '>') + 1
	return slices.Concat(svg[:end], []byte("\n"+strings.TrimSuffix(darkStyle, "\n")), svg[end:])
}
