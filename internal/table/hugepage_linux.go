package table

import (
	"syscall"
	"unsafe"
)

// hugePage is the size of a huge page on amd64 and of the usual kernels on arm64.
const hugePage = 2 << 20

// adviseHuge asks the kernel for huge pages where p points to, size bytes of the heap. The
// blocks that it names may hold other objects too, which does them no harm. Where they have no
// memory yet, the first write gets one huge page instead of 512 small ones; a table that is
// spread over millions of small pages spends as much time on finding those as on its own misses.
func adviseHuge(p unsafe.Pointer, size uintptr) {
	first := uintptr(p) &^ (hugePage - 1)
	end := (uintptr(p) + size + hugePage - 1) &^ (hugePage - 1)
	// It is a hint: if the kernel does not take it, nothing is lost.
	_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, first, end-first, syscall.MADV_HUGEPAGE)
}
