// Package screen makes text for terminals: what strangers wrote is made harmless, numbers are made
// short, and rows are made columns that fit.
//
// Everything that it returns is as many columns wide as it has runes: what could be wider or
// narrower than one column is escaped by [Safe], and nothing else comes from outside. It does no
// input or output and knows no terminal.
package screen
