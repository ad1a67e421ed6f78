// Package baseline is what the engine is compared with: peers that need nothing but the standard
// library or a named module, and the floor below all of them.
//
// A peer is an [Impl]: a name and a way to open a table of sessions as [Sessions] says. Package
// benchtest has the workloads that drive them; the engine is not imported here, and whoever
// compares with it brings its Impl.
package baseline
