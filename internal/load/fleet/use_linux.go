package fleet

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/curfew-go/curfew/internal/load"
)

// readSample reads what a process uses.
func readSample(pid int) (sample, error) {
	s := sample{at: time.Duration(monotonic())}
	dir := "/proc/" + strconv.Itoa(pid)
	status, err := os.ReadFile(dir + "/status")
	if err != nil {
		return s, unreadable(err)
	}
	if s.cpu, err = load.Process(pid).CPU(); err != nil {
		return s, unreadable(err)
	}
	// A zombie has no memory, and answers nobody.
	if s.resident = kibibytes(status, "VmRSS:"); s.resident == 0 {
		return s, errGone
	}
	s.own = kibibytes(status, "RssAnon:") + kibibytes(status, "RssShmem:")
	if s.own == 0 {
		s.own = s.resident // a kernel that does not tell them apart
	}
	s.voluntary, s.involuntary = switches(dir)
	s.descriptors = descriptors(dir + "/fd")
	s.kernel = kernelMemory()
	return s, nil
}

var errGone = errors.New("there is no such process: give the number of the server's, as `pgrep` " +
	"or `ss -ltnp` show it")

// unreadable is the sentence for a process that cannot be watched.
func unreadable(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ESRCH), errors.Is(err, unix.EINVAL):
		return errGone
	case errors.Is(err, fs.ErrPermission):
		return errors.New("this process may not be watched: run the harness as its user")
	}
	return fmt.Errorf("this process cannot be watched: %w", err)
}

// kibibytes is the number after a name in a file of the kernel, as bytes; 0 where there is none.
func kibibytes(file []byte, name string) int64 {
	_, rest, _ := bytes.Cut(file, []byte("\n"+name))
	fields := bytes.Fields(rest[:min(len(rest), 64)])
	if len(fields) < 2 || string(fields[1]) != "kB" {
		return 0
	}
	n, err := strconv.ParseInt(string(fields[0]), 10, 64)
	if err != nil {
		return 0
	}
	return n << 10
}

// count is the number after a name in a file of the kernel; 0 where there is none.
func count(file []byte, name string) uint64 {
	_, rest, _ := bytes.Cut(file, []byte(name))
	fields := bytes.Fields(rest[:min(len(rest), 64)])
	if len(fields) == 0 {
		return 0
	}
	n, err := strconv.ParseUint(string(fields[0]), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// switches counts the context switches of all threads.
func switches(dir string) (voluntary, involuntary uint64) {
	// The pattern is well-formed, and no match is 0.
	threads, _ := filepath.Glob(dir + "/task/*/status")
	for _, name := range threads {
		status, err := os.ReadFile(name)
		if err != nil {
			continue // a thread that has just ended
		}
		voluntary += count(status, "\nvoluntary_ctxt_switches:")
		involuntary += count(status, "\nnonvoluntary_ctxt_switches:")
	}
	return voluntary, involuntary
}

// descriptors counts open files; 0 where they may not be seen.
func descriptors(dir string) int {
	// Newer kernels say it as the size of the directory; others have it read whole.
	if info, err := os.Stat(dir); err == nil && info.Size() > 0 {
		return int(info.Size())
	}
	d, err := os.Open(dir)
	if err != nil {
		return 0
	}
	defer func() { _ = d.Close() }()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return 0
	}
	return len(names)
}

// kernelMemory is what the kernel holds in its own objects, sockets among them, and in the buffers
// of TCP, over the whole machine; 0 where it may not be read.
func kernelMemory() int64 {
	meminfo, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	slab := kibibytes(meminfo, "Slab:")
	sockets, err := os.ReadFile("/proc/net/sockstat")
	if err != nil {
		return slab
	}
	_, tcp, _ := bytes.Cut(sockets, []byte("\nTCP:"))
	return slab + int64(count(tcp, " mem "))*int64(os.Getpagesize())
}
