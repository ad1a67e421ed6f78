package fleet

import (
	"bytes"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/curfew-go/curfew/internal/load/result"
)

// sysctls are those that decide how many connections a machine can hold and how fast it takes them.
var sysctls = []string{
	"fs.file-max", "fs.nr_open", "net.core.netdev_max_backlog", "net.core.somaxconn",
	"net.ipv4.ip_local_port_range", "net.ipv4.tcp_max_syn_backlog", "net.ipv4.tcp_mem",
	"net.ipv4.tcp_rmem", "net.ipv4.tcp_tw_reuse", "net.ipv4.tcp_wmem",
	"net.netfilter.nf_conntrack_max",
}

// describeMachine fills in what the kernel says about itself and the machine.
func describeMachine(e *result.Environment) {
	var u unix.Utsname
	if err := unix.Uname(&u); err == nil {
		e.Kernel = unix.ByteSliceToString(u.Sysname[:]) + " " +
			unix.ByteSliceToString(u.Release[:]) + " " + unix.ByteSliceToString(u.Machine[:])
	}
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		e.CPU = modelName(info)
	}
	if info, err := os.ReadFile("/proc/meminfo"); err == nil {
		e.Memory = kibibytes(append([]byte("\n"), info...), "MemTotal:")
	}
	for _, name := range sysctls {
		b, err := os.ReadFile("/proc/sys/" + strings.ReplaceAll(name, ".", "/"))
		if err == nil {
			e.Sysctls[name] = strings.Join(strings.Fields(string(b)), " ")
		}
	}
}

// modelName is how the processor calls itself; "" where it does not.
func modelName(cpuinfo []byte) string {
	for line := range bytes.Lines(cpuinfo) {
		name, value, ok := strings.Cut(string(line), ":")
		if ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
