package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const sampleHead = "commit: a\nmachine: b\nquestion: c\ncommand: d\n"

var unexported = cmp.AllowUnexported(sample{}, dim{}, value{})

func TestParseFile(t *testing.T) {
	cases := []struct {
		name, body string
		want       []sample
	}{
		{
			"an echo", "server=gnet conns=100 size=32 round=2 cpu_us_msg=9.5 rate=101 p99_us=4",
			[]sample{{
				"cpu_us_msg", "gnet",
				[]dim{{"conns", "100"}, {"size", "32"}},
				[]value{{"cpu_us_msg", 9.5}, {"rate", 101}, {"p99_us", 4}},
			}},
		},
		{
			"a list behind the figure", "server=x conns=1 round=1 bytes_conn=5.1 anon_kib=1,2,3",
			[]sample{{"bytes_conn", "x", []dim{{"conns", "1"}}, []value{{"bytes_conn", 5.1}}}},
		},
		{
			"a rate before the round is a setting", "server=x rate=5 round=1 backend_p99_ms=4",
			[]sample{{"backend_p99_ms", "x", []dim{{"rate", "5"}}, []value{{"backend_p99_ms", 4}}}},
		},
		{
			"a soak's memory", "server=x seconds=3 anon_kib=4204",
			[]sample{{"anon_kib", "x", []dim{{"seconds", "3"}}, []value{{"anon_kib", 4204}}}},
		},
		{
			"a seconds that is a figure",
			"server=x conns=5 round=1 idle_cpu_percent=0.04 seconds=30",
			[]sample{{
				"idle_cpu_percent", "x",
				[]dim{{"conns", "5"}},
				[]value{{"idle_cpu_percent", 0.04}, {"seconds", 30}},
			}},
		},
		{
			"a ledger",
			`server=x round=1 ledger={"sent":7,"early":0,"hello":{"p50":1},"kept":true}`,
			[]sample{{"ledger", "x", nil, []value{{"early", 0}, {"sent", 7}}}},
		},
		{
			"a soak of the engine",
			"  x.go:6: 15 ends and 5 touches checked in 3m58s: 1 early, 2 late, 3 lost",
			[]sample{{"soak", "curfew", nil, []value{
				{"ends", 15}, {"touches", 5}, {"early", 1}, {"late", 2}, {"lost", 3},
			}}},
		},
		{
			"a benchmark, the collector off",
			"gc: off\nBenchmarkTouch/impl=luo/n=1000-2 5 12.5 ns/op 3 allocs/op",
			[]sample{{
				"Touch", "luo",
				[]dim{{"gc", "off"}, {"n", "1000"}, {"processors", "2"}},
				[]value{{"ns/op", 12.5}, {"allocs/op", 3}},
			}},
		},
		{
			"a benchmark of ours alone", "BenchmarkEcho/raw 5 7 ns/op 2 late-p99-ms",
			[]sample{{
				"Echo", "curfew",
				[]dim{{"name", "raw"}, {"processors", "1"}},
				[]value{{"ns/op", 7}, {"late-p99-ms", 2}},
			}},
		},
		{"tables and notes", "\necho, us; conns=1\n  server  median\n# sample 1\nPASS\n", nil},
	}
	for _, c := range cases {
		f, err := parseFile("2026-01-02-x.txt", []byte(sampleHead+c.body+"\n"))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if diff := cmp.Diff(c.want, f.samples, unexported); diff != "" {
			t.Errorf("%s: want and got differ:\n%s", c.name, diff)
		}
	}
}

func TestParseFile_Refuses(t *testing.T) {
	cases := []struct{ base, body, want string }{
		{"touch.txt", sampleHead, "YYYY-MM-DD-SET.txt"},
		{"2026-01-02-x.txt", "commit: a\nmachine: b\nquestion: c\n", "no head line command"},
		{"2026-01-02-x.txt", sampleHead + "server=x conns=5 round=1\n", "no figure"},
		{"2026-01-02-x.txt", sampleHead + "server=x round=1 cpu_us_msg=NaN?\n", "no number"},
		{"2026-01-02-x.txt", sampleHead + "server=x round=1 cpu_us_msg\n", "not KEY=VALUE"},
		{"2026-01-02-x.txt", sampleHead + "server=x ledger={\n", "ledger"},
		{"2026-01-02-x.txt", sampleHead + "BenchmarkX 5 7\n", "missing unit"},
	}
	for _, c := range cases {
		_, err := parseFile(c.base, []byte(c.body))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("parseFile(%s, %q): error %v, want one of %q", c.base, c.body, err, c.want)
		}
	}
}

func TestSplitBase(t *testing.T) {
	cases := []struct {
		base, date, set string
		run             int
		ok              bool
	}{
		{"2026-01-02-touch.txt", "2026-01-02", "touch", 1, true},
		{"2026-01-02-touch-2.txt", "2026-01-02", "touch", 2, true},
		{"2026-01-02-soak-manual-2.txt", "2026-01-02", "soak-manual", 2, true},
		{"2026-01-02-net-again.txt", "2026-01-02", "net-again", 1, true},
		{"2026-01-02.txt", "", "", 0, false},
		{"README.md", "", "", 0, false},
	}
	for _, c := range cases {
		date, set, run, ok := splitBase(c.base)
		if date != c.date || set != c.set || run != c.run || ok != c.ok {
			t.Errorf("splitBase(%s) = %s, %s, %d, %v", c.base, date, set, run, ok)
		}
	}
}
