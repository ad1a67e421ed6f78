package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	root := flag.String("root", ".", "the top of the house")
	also := flag.String("also", "", "files to take beside the newest, with commas")
	flag.Usage = func() {
		_, _ = fmt.Fprintln(flag.CommandLine.Output(), "usage: benchreport [-root DIR] "+
			"[-also FILE,...] [FILE...]\n"+
			"  FILE is a raw file in bench/results; without any, the newest of each set")
		flag.PrintDefaults()
	}
	flag.Parse()
	if err := run(*root, *also, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "benchreport: "+err.Error())
		os.Exit(1)
	}
}

// run writes all that is made of the named files, or of the newest ones and some others, below
// root.
func run(root, also string, names []string) error {
	dir := filepath.Join(root, resultsDir)
	if len(names) == 0 {
		var err error
		if names, err = chosen(dir, also); err != nil {
			return err
		}
	}
	made, err := makeAll(root, names)
	if err != nil {
		return err
	}
	if err := write(root, made); err != nil {
		return err
	}
	fmt.Printf("benchreport: %s, made from %d files\n", page, len(names))
	return nil
}
