//go:build !linux

package main

import "os"

func main() {
	_, _ = os.Stderr.WriteString("netbench: needs Linux\n")
	os.Exit(2)
}
