// Package benchtest is how tables of sessions are compared: workloads that drive the engine and
// its peers alike.
//
// The workloads ([Touch], [Create] and so on) are benchmarks over a list of [baseline.Impl]; they
// name their sub-benchmarks impl=NAME/n=SESSIONS, so that benchstat can set the Impls side by
// side. The engine is not imported here: whoever compares with it brings the Impl.
//
// # What is fair
//
// Every implementation gets the same IDs in the same order: 32 random characters each, every one
// a string of its own, touched in an order that has nothing to do with the order of creation. The
// string that a session was created with and the one that touches it are two copies, as in a
// server, where the second comes from the network; comparing them reads both. The methods of
// [baseline.Sessions] take many IDs and are plain loops inside the implementation, so that no call
// through an interface is part of what is measured. A touch that finds no session fails the
// benchmark.
//
// # Settings
//
// Environment variables, read by [Sizes] and [Seconds]: CURFEW_BENCH_N is a list of numbers of
// sessions in place of 1000,10000,100000,1000000; CURFEW_BENCH_LARGE=1 adds 10000000;
// CURFEW_BENCH_SECONDS is how long workloads run that wait for something, in place of 3.
package benchtest
