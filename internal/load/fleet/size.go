package fleet

import (
	"fmt"
	"runtime"

	"github.com/curfew-go/curfew/internal/load"
)

const (
	// workerConnectionsMax is how many connections one process holds at most.
	workerConnectionsMax = 19_000
	processesMax         = 1024
)

// processesFor is how many processes hold some connections where each may open some files: those
// asked for, or where none are, one a core and more where files run out, and never so many that one
// has fewer connections than least.
func processesFor(asked, connections, least int, files uint64) (int, error) {
	if files <= load.SpareFiles {
		return 0, fmt.Errorf("a process may open only %d files here, and needs %d before its "+
			"first connection: raise the limit, such as by `ulimit -n 20000`", files,
			load.SpareFiles)
	}
	each := int(min(files-load.SpareFiles, workerConnectionsMax))
	need := (connections + each - 1) / each
	remedy := "ask for fewer --connections"
	if each < workerConnectionsMax {
		remedy = fmt.Sprintf("%s, or raise the limit of %d files a process, such as by "+
			"`ulimit -n 20000`", remedy, files)
	}
	if need > processesMax {
		return 0, fmt.Errorf("%d connections need %d processes of %d connections each, and %d "+
			"processes are the most: %s", connections, need, each, processesMax, remedy)
	}
	if left, known := machineFiles(); known && uint64(connections) > left {
		return 0, fmt.Errorf("%d connections need more files than the %d that this machine has "+
			"left: ask for fewer --connections, or raise fs.file-max by sysctl", connections, left)
	}
	most := max(connections/least, 1)
	switch {
	case asked < 0 || asked > processesMax:
		return 0, fmt.Errorf("--processes %d: 1 to %d, or 0 for as many as it takes", asked,
			processesMax)
	case asked == 0:
		return min(max(runtime.NumCPU(), need), most), nil
	case asked < need:
		return 0, fmt.Errorf("%d connections do not fit into --processes %d of %d connections "+
			"each: give at least %d, or 0 for as many as it takes", connections, asked, each, need)
	}
	return min(asked, most), nil
}

// size is how many processes a run needs on this machine, and how many files each may open.
func (o *Options) size() (processes int, files uint64, err error) {
	files, err = raiseFiles()
	if err != nil {
		return 0, 0, err
	}
	least := 1
	if o.Plan.Profile.Splits() {
		least = 2
	}
	processes, err = processesFor(o.Processes, o.Plan.Connections, least, files)
	return processes, files, err
}
