//go:build race

package conform_test

// everything leaves out, under the race detector, what moves many bytes: each of them costs there.
const everything = "[^9]*"
