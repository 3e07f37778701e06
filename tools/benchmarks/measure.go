package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/omnibucket/storage/tools/benchmarks/process"
)

// A benchCase compares several contenders, one in each row.
type benchCase struct {
	name, title string
	rows        []row // the first is this library, because ratios refer to it
	goals       []goal
	grows       *growth // set if the case is a point of a curve
}

// An opFunc runs n operations. Only its calls are measured.
type opFunc func(n int) error

// A setupFunc prepares a row, which is not measured. It returns the op of the row.
type setupFunc func(e *env) (opFunc, error)

// A setupWith is like a setupFunc, and gets an open store of type S.
type setupWith[S any] func(e *env, s S) (opFunc, error)

// A row is one contender.
type row struct {
	name  string
	setup setupFunc
	// once is true for a slow contender, which runs only one operation in one round.
	once bool
	// single is true if the op always runs one operation, whatever n is. The number of operations is
	// then not calibrated.
	single bool
}

// An env is the environment of a case. All of its contenders share it.
type env struct {
	ctx     context.Context
	shared  map[string]any          // values that one contender creates and others reuse, by name
	reports map[string]*childReport // measurements of contenders that run in a child process, by the name of the row
	cleanup []func() error
	// requests returns how many requests the server of the case has received so far, by operation.
	// It is nil if the case has no server.
	requests func() (map[string]int, error)
	// received returns how many bytes the responses had so far in total. It is nil if these bytes
	// are not counted.
	received func() int
}

func newEnv(ctx context.Context) *env {
	return &env{ctx: ctx, shared: map[string]any{}, reports: map[string]*childReport{}}
}

// reportOp returns the op of a row whose measurements come from measure, such as those of another
// process. It stores them under the name of the row.
func (e *env) reportOp(row string, measure func() (*childReport, error)) opFunc {
	return func(int) error {
		report, err := measure()
		e.reports[row] = report
		return err
	}
}

// closeAtEnd calls stop when the case has ended.
func (e *env) closeAtEnd(stop func()) {
	e.cleanup = append(e.cleanup, func() error {
		stop()
		return nil
	})
}

// dir creates a directory that is removed when the case has ended.
func (e *env) dir() (string, error) {
	dir, err := os.MkdirTemp("", "omnibucket-benchmarks-")
	e.cleanup = append(e.cleanup, func() error { return os.RemoveAll(dir) })
	return dir, err
}

func (e *env) close() error {
	var errs []error
	for _, f := range slices.Backward(e.cleanup) {
		errs = append(errs, f())
	}
	return errors.Join(errs...)
}

// A result holds the measurements of a row. The slices have one value for each round.
type result struct {
	name          string
	nanos         []float64 // per operation
	allocs, bytes []float64 // per operation
	cpu           []float64 // CPU time of this process in nanoseconds per operation
	peak          float64   // growth of the heap in bytes at its peak; 0 if not measured

	resident []float64          // growth of the child's resident memory in bytes at its peak
	requests map[string]float64 // number per operation, in the last round
	received float64            // bytes of the responses per operation, in the last round; 0 if not counted
}

// hasCPU reports whether the CPU time was measured. A child process that reports the peak of its heap
// does not report it.
func (r *result) hasCPU() bool { return r.peak == 0 }

// hasAllocs reports whether allocations were measured. A child process, which reports the peak of its
// heap or of its resident memory, does not report them.
func (r *result) hasAllocs() bool { return r.peak == 0 && r.resident == nil }

// A childReport holds the measurements of one operation in a child process. They replace the
// measurements of this process.
type childReport struct {
	Nanos, CPU, Resident float64
	PeakHeap             float64 // if above 0, CPU and Resident were not measured
	Requests             map[string]float64
}

// measure sets up all rows of a case, and measures them in several rounds. In each round, it runs
// the rows one after the other. An op of a row that is calibrated takes about the duration per.
func measure(c benchCase, rounds int, per time.Duration) (results []*result, err error) {
	e := newEnv(context.Background())
	defer func() {
		err = errors.Join(err, e.close())
	}()

	ops := make([]opFunc, len(c.rows))
	counts := make([]int, len(c.rows))
	for i, r := range c.rows {
		op, err := r.setup(e)
		if err != nil {
			return nil, fmt.Errorf("%s, %s: %w", c.name, r.name, err)
		}
		ops[i] = op
		results = append(results, &result{name: r.name})
	}

	for i, r := range c.rows {
		if r.once || r.single {
			counts[i] = 1
			continue
		}
		n, err := calibrate(ops[i], per)
		if err != nil {
			return nil, fmt.Errorf("%s, %s: %w", c.name, r.name, err)
		}
		counts[i] = n
	}

	for round := range rounds {
		for i, r := range c.rows {
			if r.once && round > 0 {
				continue
			}
			if err := results[i].runCounted(e, ops[i], counts[i]); err != nil {
				return nil, fmt.Errorf("%s, %s: %w", c.name, r.name, err)
			}
			results[i].take(e.reports[r.name])
		}
	}
	return results, nil
}

// calibrate returns how many operations take about as long as the given duration. It calls op to
// find that number. The calls of op also fill the caches.
func calibrate(op opFunc, per time.Duration) (int, error) {
	for n := 1; ; n *= 2 {
		start := time.Now()
		if err := op(n); err != nil {
			return 0, err
		}
		if took := time.Since(start); took >= per/2 {
			return max(1, int(float64(n)*float64(per)/float64(took))), nil
		}
	}
}

// run measures op once, with n operations.
func (r *result) run(op opFunc, n int) error {
	// Writes of the previous row would otherwise slow this one.
	process.FlushDisk()
	runtime.GC()

	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpuBefore := process.CPUTime()
	start := time.Now()

	if err := op(n); err != nil {
		return err
	}

	elapsed := time.Since(start)
	cpu := process.CPUTime() - cpuBefore
	runtime.ReadMemStats(&after)
	r.cpu = append(r.cpu, float64(cpu)/float64(n))
	r.nanos = append(r.nanos, float64(elapsed.Nanoseconds())/float64(n))
	r.allocs = append(r.allocs, float64(after.Mallocs-before.Mallocs)/float64(n))
	r.bytes = append(r.bytes, float64(after.TotalAlloc-before.TotalAlloc)/float64(n))
	return nil
}

// runCounted is like run. If the case counts requests, or also the bytes of the responses,
// runCounted stores how many there were per operation.
func (r *result) runCounted(e *env, op opFunc, n int) error {
	if e.requests == nil {
		return r.run(op, n)
	}

	requestsBefore, err := e.requests()
	if err != nil {
		return err
	}
	var bytesBefore int
	if e.received != nil {
		bytesBefore = e.received()
	}

	if err := r.run(op, n); err != nil {
		return err
	}

	if e.received != nil {
		r.received = float64(e.received()-bytesBefore) / float64(n)
	}
	requestsAfter, err := e.requests()
	r.requests = since(requestsBefore, requestsAfter, n)
	return err
}

// since returns the number of requests per operation of the benchmark. Its arguments are the counts
// of requests before and after n operations.
func since(start, end map[string]int, n int) map[string]float64 {
	requests := map[string]float64{}
	for operation := range end {
		if count := end[operation] - start[operation]; count > 0 {
			requests[operation] = float64(count) / float64(n)
		}
	}
	return requests
}

// take replaces the measurements of the last round with those in report. If report is nil, it does
// nothing.
func (r *result) take(report *childReport) {
	if report == nil {
		return
	}
	r.nanos[len(r.nanos)-1] = report.Nanos
	if report.PeakHeap > 0 {
		r.peak = report.PeakHeap
		return
	}
	r.cpu[len(r.cpu)-1] = report.CPU
	r.resident = append(r.resident, report.Resident)
	r.requests = report.Requests
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// ratio returns the median of the ratios a/b of each round. If the machine is busy during a round,
// a and b are slowed together, and the ratio changes little. If a and b have different numbers of
// rounds, ratio returns the ratio of their medians.
func ratio(a, b []float64) float64 {
	if len(a) != len(b) {
		return median(a) / median(b)
	}
	var each []float64
	for i := range a {
		each = append(each, a[i]/b[i])
	}
	return median(each)
}
