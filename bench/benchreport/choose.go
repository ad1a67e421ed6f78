package main

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
)

// raw is a raw file by its name.
type raw struct {
	base, date, set string
	run             int
}

// rawFiles are those of a directory, the oldest first.
func rawFiles(dir string) ([]raw, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var all []raw
	for _, e := range entries {
		if date, set, run, ok := splitBase(e.Name()); ok && !e.IsDir() {
			all = append(all, raw{e.Name(), date, set, run})
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s holds no file named YYYY-MM-DD-SET.txt: run make bench", dir)
	}
	slices.SortFunc(all, func(a, b raw) int {
		return cmp.Or(cmp.Compare(a.date, b.date), cmp.Compare(a.run, b.run),
			cmp.Compare(a.set, b.set))
	})
	return all, nil
}

// newest returns the newest file of each set, and all of those sets that add up.
func newest(dir string) ([]string, error) {
	all, err := rawFiles(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for i, f := range all {
		newer := slices.ContainsFunc(all[i+1:], func(n raw) bool { return n.set == f.set })
		if !newer || addUp[f.set] {
			names = append(names, f.base)
		}
	}
	slices.Sort(names)
	return names, nil
}

// chosen are the newest files and others that are named, with commas. It warns of what is in older
// files of a set and not in its chosen ones: a run of few servers must not hide the others.
func chosen(dir, also string) ([]string, error) {
	names, err := newest(dir)
	if err != nil {
		return nil, err
	}
	for name := range strings.FieldsFuncSeq(also, func(c rune) bool { return c == ',' }) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	hidden, err := hiddenBy(dir, names)
	for _, line := range hidden {
		fmt.Fprintln(os.Stderr, "benchreport: "+line)
	}
	return names, err
}

// hiddenBy says which subjects stand in files of a set and in none of its chosen ones.
func hiddenBy(dir string, names []string) ([]string, error) {
	all, err := rawFiles(dir)
	if err != nil {
		return nil, err
	}
	shown := map[string]bool{} // set and subject
	var lines []string
	for _, f := range slices.Backward(all) {
		if !slices.Contains(names, f.base) {
			continue
		}
		if err := eachSubject(dir, f, func(key, _ string) { shown[key] = true }); err != nil {
			return nil, err
		}
	}
	for _, f := range slices.Backward(all) {
		var missing []string
		err := eachSubject(dir, f, func(key, subject string) {
			if !shown[key] {
				shown[key] = true
				missing = append(missing, subject)
			}
		})
		if err != nil {
			return nil, err
		}
		if len(missing) > 0 {
			lines = append(lines, fmt.Sprintf(
				"%s has %s, and the files chosen of its set have not: add -also %s",
				f.base, strings.Join(missing, ", "), f.base))
		}
	}
	return lines, nil
}

// eachSubject calls back for each sample of a file, with a key of its set and subject.
func eachSubject(dir string, f raw, found func(key, subject string)) error {
	read, err := readFile(dir, f.base)
	if err != nil {
		return err
	}
	for _, s := range read.samples {
		found(f.set+" "+s.subject, s.subject)
	}
	return nil
}
