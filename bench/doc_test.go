// Package bench measures the engine: what a touch, a creation, a removal and an expiry cost, how
// much memory and collector time sessions take, how late they end, and whether any ends early. It
// is nothing but tests and benchmarks; README.md says which answers which question, and run.sh
// runs them in sets. The module in peers runs the same workloads beside other projects.
package bench
