// Package tidy holds the rules of this house that no linter knows, as one test.
//
// Each rule is a named subtest of TestTidy, so that `go test -run TestTidy/layers ./internal/tidy`
// runs one alone, and what it finds says what to write instead. Each rule carries its own proofs:
// tiny trees that it must find fault with and tiny trees that it must pass, which TestProofs runs.
// Rules that a linter knows (the length of a function, the width of a line) are left to
// .golangci.yml: one rule, one place.
//
// # Adding a package
//
// A package that layers does not list is an error. Add it there, below the packages that use it,
// with what it may import and, where it is held back on purpose, why.
//
// # Adding a rule
//
// A rule reads a house (all Go sources of the module and of bench/peers, and all text files) and
// returns what breaks it. Write it beside its family, give it at least one proof of each kind, and
// list it in rules.
package tidy
