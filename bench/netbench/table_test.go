package main

import (
	"strings"
	"testing"
)

func TestTable(t *testing.T) {
	r := results{baseline: "gnet"}
	for _, v := range []float64{3, 1, 2} {
		r.add("cpu_us_msg conns=100 size=32", "gnet", v)
		r.add("cpu_us_msg conns=100 size=32", "curfewd", v/2)
		r.add("idle_cpu_percent conns=5", "curfewd", v)
	}
	var b strings.Builder
	if err := r.print(&b); err != nil {
		t.Fatal(err)
	}
	want := `
echo, server CPU us a message; conns=100 size=32
  server                 median        min        max    n  of gnet
  gnet                     2.00       1.00       3.00    3  1.00
  curfewd                  1.00       0.50       1.50    3  0.50

idle, percent of a core; conns=5
  server                 median        min        max    n  of gnet
  curfewd                  2.00       1.00       3.00    3  -
`
	if got := b.String(); got != want {
		t.Errorf("print() = %s\nwant %s", got, want)
	}
}
