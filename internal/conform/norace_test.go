//go:build !race

package conform_test

// everything is all cases.
const everything = ""
