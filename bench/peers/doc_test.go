// Package peers compares the engine with other projects that end what is not touched, all in one
// process. It is a module of its own, so that nobody who uses the engine inherits what it needs,
// and nothing but benchmarks and the tests that keep them right.
package peers
