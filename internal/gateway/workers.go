package gateway

import "sync"

const (
	// workersMax is how many messages are at the application at the same time, and asksMax how many
	// clients it is being asked about.
	workersMax = 160
	asksMax    = 64
	// tasksMax is how many more may wait.
	tasksMax = 1 << 14
)

// BackendConcurrency is how many requests of a gateway its application has at the same time, calls
// not counted.
const BackendConcurrency = workersMax + asksMax

// workers do what the loops must not wait for. There are as many goroutines as there is work for,
// up to a limit, and none when there is nothing to do.
type workers struct {
	limit int // set before its use, then only read

	mu struct {
		sync.Mutex
		tasks   []func() // from first on
		first   int
		running int
		closed  bool
	}
	all sync.WaitGroup
}

// do has a task done, after those that wait already, and does not wait itself. It gives false where
// too many wait.
func (w *workers) do(task func()) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	m := &w.mu
	if m.closed || len(m.tasks)-m.first >= tasksMax {
		return false
	}
	if m.running < w.limit {
		m.running++
		w.all.Go(func() { w.run(task) })
		return true
	}
	if m.first > 1024 && m.first > len(m.tasks)/2 {
		n := copy(m.tasks, m.tasks[m.first:])
		clear(m.tasks[n:])
		m.tasks, m.first = m.tasks[:n], 0
	}
	m.tasks = append(m.tasks, task)
	return true
}

// run does one task and then those that wait.
func (w *workers) run(task func()) {
	for task != nil {
		task()
		task = w.next()
	}
}

// next is the task that waits longest, nil where none does and the worker is to end.
func (w *workers) next() func() {
	w.mu.Lock()
	defer w.mu.Unlock()
	m := &w.mu
	if m.first == len(m.tasks) {
		m.tasks, m.first = m.tasks[:0], 0
		m.running--
		return nil
	}
	task := m.tasks[m.first]
	m.tasks[m.first] = nil
	m.first++
	return task
}

// close takes no more tasks and returns when those that there are have been done.
func (w *workers) close() {
	w.mu.Lock()
	w.mu.closed = true
	w.mu.Unlock()
	w.all.Wait()
}
