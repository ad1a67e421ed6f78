package metrics

import (
	"os"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/procfs"
)

// newProcess makes the process's own metrics: those of the client library, except where counting
// open files means to list them.
func newProcess() prometheus.Collector {
	if countsFiles("/proc/self/fd") {
		return collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})
	}
	return newFrugal()
}

// countsFiles says whether the system knows how many files are open, as Linux does from 6.2 on, and
// tells by the size of a directory. Before, a million connections are a million names to read.
func countsFiles(directory string) bool {
	info, err := os.Stat(directory)
	return err == nil && info.Size() > 0
}

// frugal are the metrics of the process, named as the client library does, without the open files.
type frugal struct {
	cpu, virtual, resident, started, filesMax *prometheus.Desc
}

func newFrugal() *frugal {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("process_"+name, help, nil, nil)
	}
	return &frugal{
		cpu:      desc("cpu_seconds_total", "Total user and system CPU time spent in seconds."),
		virtual:  desc("virtual_memory_bytes", "Virtual memory size in bytes."),
		resident: desc("resident_memory_bytes", "Resident memory size in bytes."),
		started: desc("start_time_seconds",
			"Start time of the process since unix epoch in seconds."),
		filesMax: desc("max_fds", "Maximum number of open file descriptors."),
	}
}

// Describe sends what the metrics are called.
func (f *frugal) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{f.cpu, f.virtual, f.resident, f.started, f.filesMax} {
		ch <- d
	}
}

// Collect reads and sends the metrics. Those that cannot be read are left out, since a hidden /proc
// is no fault of the daemon.
func (f *frugal) Collect(ch chan<- prometheus.Metric) {
	p, err := procfs.Self()
	if err != nil {
		return
	}
	send := func(d *prometheus.Desc, t prometheus.ValueType, v float64) {
		ch <- prometheus.MustNewConstMetric(d, t, v)
	}
	if stat, err := p.Stat(); err == nil {
		send(f.cpu, prometheus.CounterValue, stat.CPUTime())
		send(f.virtual, prometheus.GaugeValue, float64(stat.VirtualMemory()))
		send(f.resident, prometheus.GaugeValue, float64(stat.ResidentMemory()))
		if at, err := stat.StartTime(); err == nil {
			send(f.started, prometheus.GaugeValue, at)
		}
	}
	if limits, err := p.Limits(); err == nil {
		send(f.filesMax, prometheus.GaugeValue, float64(limits.OpenFiles))
	}
}
