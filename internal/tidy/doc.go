// Package tidy holds the rules of this house that no linter knows, as one test.
package tidy
