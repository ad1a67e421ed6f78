package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/curfew-go/curfew/internal/load/compare"
	"github.com/curfew-go/curfew/internal/load/result"
)

// newLoadDiff is `curfew load diff`: two sides of runs held beside each other.
func newLoadDiff(p Process) *cobra.Command {
	output := "table"
	cmd := &cobra.Command{
		Use:   "diff [flags] A.json[,A2.json] B.json[,B2.json]",
		Short: "Compare reports of load runs, and say which differences are more than noise",
		Long: `Compare the reports that curfew load --json wrote, A with B. Several files a side,
or a report of --repeat, count as several runs; with four or more a side it can be told
which differences are more than noise (Mann-Whitney U test).`,
		Example: "  curfew load --repeat 5 --json before.json ws://127.0.0.1:8079/ws\n" +
			"  curfew load --repeat 5 --json after.json ws://127.0.0.1:8079/ws\n" +
			"  curfew load diff before.json after.json",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return fmt.Errorf("load diff compares two sides, and %d were given: "+
					"curfew load diff A.json[,A2.json] B.json[,B2.json]", len(args))
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			if output != "table" && output != "json" {
				return fmt.Errorf("there is no output %q: table or json", output)
			}
			a, wrongA := readResults(args[0])
			b, wrongB := readResults(args[1])
			if err := errors.Join(wrongA, wrongB); err != nil {
				return err
			}
			return compare.Write(p.Stdout, a, b, output == "json")
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", output,
		"`FORMAT` of the output: table or json")
	_ = cmd.RegisterFlagCompletionFunc("output", fixed("table", "json")) // the flag is there
	return cmd
}

// readResults reads the reports of one side, whose names stand with commas between them. It says
// of all of them at once what is wrong.
func readResults(names string) ([]*result.Result, error) {
	var all []*result.Result
	var wrong []error
	for name := range strings.SplitSeq(names, ",") {
		r, err := readResult(name)
		wrong = append(wrong, err)
		all = append(all, r)
	}
	return all, errors.Join(wrong...)
}

func readResult(name string) (*result.Result, error) {
	if name == "" {
		return nil, errors.New("a file's name is empty: is there a comma too many?")
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err // which names the file and what was tried
	}
	// The histograms are many and large, and a comparison needs none of them.
	var file struct {
		result.Result
		Intervals  json.RawMessage `json:"intervals"`
		Histograms json.RawMessage `json:"histograms"`
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(b, &members); err != nil {
		return nil, fmt.Errorf("%s is not a JSON object: %w", name, err)
	}
	for _, member := range []string{"profile", "latency", "connect", "timing_error"} {
		if members[member] == nil {
			return nil, fmt.Errorf("%s is no report of curfew load: it has no %q; "+
				"curfew load --json FILE writes one", name, member)
		}
	}
	if err := json.Unmarshal(b, &file); err != nil {
		return nil, fmt.Errorf("%s is no report of curfew load: %w", name, err)
	}
	return &file.Result, nil
}
