//go:build !linux

package table

import "unsafe"

func adviseHuge(unsafe.Pointer, uintptr, uintptr) uintptr { return 0 }
