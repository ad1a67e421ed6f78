package table

import (
	"syscall"
	"unsafe"
)

// hugePage is the size of a huge page on amd64 and of the usual kernels on arm64.
const hugePage = 2 << 20

// madvCollapse has the small pages of a block joined into a huge one at once (Linux 6.1).
const madvCollapse = 25

// adviseHuge asks the kernel for huge pages where p points to, size bytes of the heap. A store
// that is spread over thousands of small pages spends as much time on finding those as on its own
// cache misses. The blocks may hold other objects too, which does them no harm.
//
// It returns the end of the last block, and does nothing for what lies in a block that ends at
// done: chunks of slots come one after the other, and most lie in the block of the one before.
func adviseHuge(p unsafe.Pointer, size, done uintptr) uintptr {
	first := uintptr(p) &^ (hugePage - 1)
	end := (uintptr(p) + size + hugePage - 1) &^ (hugePage - 1)
	if first+hugePage == done {
		first = done
	}
	if first < end {
		// These are hints: if the kernel does not take them, nothing is lost.
		_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, first, end-first, syscall.MADV_HUGEPAGE)
		_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, first, end-first, madvCollapse)
	}
	return end
}
