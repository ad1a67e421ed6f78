// Package buildinfo says of which version a program is.
package buildinfo

import "runtime/debug"

// Version is what was stamped into the program when it was built (-ldflags '-X main.version=...').
// Where nothing was, it is the version of the module, which the go command knows of a program that
// it installed by its path; "unknown" where it does not.
func Version(stamped string) string {
	if stamped != "" {
		return stamped
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}
