package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// namespace begins all names.
const namespace = "curfew_"

// kind is what a family's values mean.
type kind uint8

const (
	gauge kind = iota
	counter
	histogram
)

// String is the kind as Prometheus names it.
func (k kind) String() string { return [...]string{"gauge", "counter", "histogram"}[k] }

// family is one metric: what it is called, and how its values are read.
type family struct {
	name   string // without the namespace
	help   string // a sentence
	kind   kind
	labels []string

	// read gives each value with those of its labels, in the order of labels. One of the two is
	// set, readHistograms for the kind histogram.
	read           func(sn *snapshot, e emit)
	readHistograms func(sn *snapshot, e emitHistogram)
}

type (
	// emit takes a value.
	emit func(value float64, labels ...string)
	// emitHistogram takes a histogram.
	emitHistogram func(h distribution, labels ...string)
)

// families are all of them, in the order of docs/metrics.md.
func families() []family {
	var all []family
	for _, group := range groups {
		all = append(all, group.families...)
	}
	return all
}

// groups are the families by what they are about.
var groups = []struct {
	title    string
	families []family
}{
	{"The daemon", daemonFamilies},
	{"Sessions", sessionFamilies},
	{"Expiry", expiryFamilies},
	{"Connections", networkFamilies},
	{"The application", applicationFamilies},
	{"The audit log", auditFamilies},
}

// Collector gives Prometheus the numbers of a [Source].
type Collector struct {
	// Set by New, then only read.
	source   Source
	families []family
	descs    []*prometheus.Desc // of the family with the same index
}

// New makes a collector. Its error names everything that the source lacks.
func New(s Source) (*Collector, error) {
	if err := s.validate(); err != nil {
		return nil, err
	}
	c := &Collector{source: s, families: families()}
	for _, f := range c.families {
		c.descs = append(c.descs, prometheus.NewDesc(namespace+f.name, f.help, f.labels, nil))
	}
	return c, nil
}

// Describe sends what all metrics are called.
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range c.descs {
		ch <- d
	}
}

// Collect reads each part of the source once and sends all metrics.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	sn := c.source.read()
	for i, f := range c.families {
		desc := c.descs[i]
		if f.kind == histogram {
			f.readHistograms(sn, func(d distribution, labels ...string) {
				ch <- d.metric(desc, c.source.Started, labels)
			})
			continue
		}
		f.read(sn, func(value float64, labels ...string) {
			ch <- f.metric(desc, value, c.source.Started, labels)
		})
	}
}

func (f *family) metric(
	d *prometheus.Desc, value float64, started time.Time, labels []string,
) prometheus.Metric {
	if f.kind == counter {
		return prometheus.MustNewConstMetricWithCreatedTimestamp(
			d, prometheus.CounterValue, value, started, labels...)
	}
	return prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
}

// one reads a family that has a single value.
func one[N int | int64 | uint64 | float64](value func(sn *snapshot) N) func(*snapshot, emit) {
	return func(sn *snapshot, e emit) { e(float64(value(sn))) }
}
