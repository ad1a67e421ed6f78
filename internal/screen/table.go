package screen

import "strings"

// gap stands between two columns.
const gap = "  "

// Column is one column of a table.
type Column struct {
	Name  string
	Right bool // to the right: numbers
	// Least is the narrowest that the column may be cut to; 0: it is never cut.
	Least int
	// Rank says which column goes first where they do not all fit: the highest, of equal ones the
	// last. Those above 2 go before any is cut, the others after; 0: it stays.
	Rank int
}

// Table lays rows out in columns. Its rows hold text of this package.
type Table struct {
	columns []Column
	widths  []int
}

// NewTable makes a table.
func NewTable(columns ...Column) *Table {
	t := &Table{columns: columns, widths: make([]int, len(columns))}
	for i, c := range columns {
		t.widths[i] = Width(c.Name)
	}
	return t
}

// Measure makes the columns as wide as the rows need. Later rows may be wider, and are then cut or
// stand out.
func (t *Table) Measure(rows [][]string) {
	for _, row := range rows {
		for i, cell := range row {
			t.widths[i] = max(t.widths[i], Width(cell))
		}
	}
}

// Head is the line of the columns' names, at most so many columns wide; 0: as wide as it gets.
func (t *Table) Head(width int) string {
	names := make([]string, len(t.columns))
	for i, c := range t.columns {
		names[i] = c.Name
	}
	return t.Row(names, width)
}

// Row is one line, at most so many columns wide; 0: as wide as it gets.
func (t *Table) Row(cells []string, width int) string {
	widths := t.fit(width)
	var b strings.Builder
	pending := 0 // spaces that something must follow
	for i, cell := range cells {
		w := widths[i]
		if w < 0 {
			continue
		}
		if b.Len() > 0 {
			pending += len(gap)
		}
		if width > 0 {
			cell = Cut(cell, max(w, 1))
		}
		fill := max(w-Width(cell), 0)
		if t.columns[i].Right {
			pending, fill = pending+fill, 0
		}
		if cell != "" {
			b.WriteString(strings.Repeat(" ", pending))
			b.WriteString(cell)
			pending = 0
		}
		pending += fill
	}
	return Cut(b.String(), width)
}

// fit is how wide each column is where the line has a width; below 0: it is left out.
func (t *Table) fit(width int) []int {
	widths := append([]int(nil), t.widths...)
	if width <= 0 {
		return widths
	}
	for t.total(widths) > width {
		last := t.last(widths)
		if last >= 0 && t.columns[last].Rank > rankCut {
			widths[last] = -1
			continue
		}
		if t.narrow(widths, t.total(widths)-width) {
			continue
		}
		if last < 0 {
			break
		}
		widths[last] = -1
	}
	return widths
}

// rankCut is the rank above which columns go before any is cut.
const rankCut = 2

// last is the column that goes first; below 0: none does.
func (t *Table) last(widths []int) int {
	last := -1
	for i, c := range t.columns {
		if widths[i] >= 0 && c.Rank > 0 && (last < 0 || c.Rank >= t.columns[last].Rank) {
			last = i
		}
	}
	return last
}

// narrow takes what is too much from the widest column that may be cut, and says whether it could
// take all of it from such columns.
func (t *Table) narrow(widths []int, excess int) bool {
	room := 0
	for i, c := range t.columns {
		if c.Least > 0 && widths[i] > c.Least {
			room += widths[i] - c.Least
		}
	}
	if room < excess {
		return false
	}
	for ; excess > 0; excess-- {
		widest := -1
		for i, c := range t.columns {
			if c.Least > 0 && widths[i] > c.Least && (widest < 0 || widths[i] > widths[widest]) {
				widest = i
			}
		}
		widths[widest]--
	}
	return true
}

func (t *Table) total(widths []int) int {
	n := -len(gap)
	for _, w := range widths {
		if w >= 0 {
			n += w + len(gap)
		}
	}
	return n
}
