// Package uplot holds uPlot, which draws the plots of our pages, as its author ships it: the page
// of a load run has it written into itself, the dashboard serves it. README.md says where it comes
// from.
package uplot

import _ "embed" // the two files

// Version is that of uPlot.
const Version = "1.6.32"

// Script defines the variable uPlot of a page, and Style is what its plots need.
var (
	//go:embed uPlot.iife.min.js
	Script string
	//go:embed uPlot.min.css
	Style string
)
