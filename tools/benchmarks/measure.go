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

// A benchCase is a comparison of several contenders.
type benchCase struct {
	name, title string
	rows        []row // ours first, for ratios
	goals       []goal
	grows       *growth // nil if the case has one size
}

// A row is one contender. Its set-up is not measured. op does n operations.
type row struct {
	name  string
	setup func(e *env) (op func(n int) error, err error)
	// once is set for a slow contender, which runs one operation in one round only.
	once bool
	// single is set if op ignores n. The row is not calibrated.
	single bool
}

// An env has the state that the contenders of a case share.
type env struct {
	ctx     context.Context
	shared  map[string]any          // values that contenders share
	reports map[string]*childReport // by row, if it runs in a process of its own
	cleanup []func() error
	// requests returns the requests of the case's server so far, by operation. It is
	// nil if there is no server.
	requests func() (map[string]int, error)
	// received returns the bytes of all responses so far; nil means they are not counted.
	received func() int
}

func newEnv(ctx context.Context) *env {
	return &env{ctx: ctx, shared: map[string]any{}, reports: map[string]*childReport{}}
}

// dir creates a directory, which is removed after the case.
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

// A result has the measurements of a row, one per round.
type result struct {
	name          string
	nanos         []float64 // an operation
	allocs, bytes []float64 // an operation
	cpu           []float64 // nanoseconds of this process's, an operation
	peak          float64   // of the heap, in bytes above the start; 0 if not measured

	resident []float64          // bytes above the start, at most; of a process of its own
	requests map[string]float64 // an operation, in the last round
	received float64            // bytes of responses, likewise; 0 if not counted
}

// A childReport is what a process of its own measured in one operation. It
// replaces what this process measured.
type childReport struct {
	Nanos, CPU, Resident float64
	PeakHeap             float64 // if set, CPU and Resident are not measured
	Requests             map[string]float64
}

func measure(c benchCase, rounds int, per time.Duration) (results []*result, err error) {
	e := newEnv(context.Background())
	defer func() { err = errors.Join(err, e.close()) }()
	ops := make([]func(int) error, len(c.rows))
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
		counts[i] = 1
		if !r.once && !r.single {
			if counts[i], err = calibrate(ops[i], per); err != nil {
				return nil, fmt.Errorf("%s, %s: %w", c.name, r.name, err)
			}
		}
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

// calibrate returns how many operations take about as long as per. It also warms up.
func calibrate(op func(int) error, per time.Duration) (int, error) {
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

// run measures n operations once.
func (r *result) run(op func(int) error, n int) error {
	process.FlushDisk() // the previous row's writes do not count
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	computed := process.CPUTime()
	start := time.Now()
	if err := op(n); err != nil {
		return err
	}
	took := time.Since(start)
	computed = process.CPUTime() - computed
	runtime.ReadMemStats(&after)
	r.cpu = append(r.cpu, float64(computed)/float64(n))
	r.nanos = append(r.nanos, float64(took.Nanoseconds())/float64(n))
	r.allocs = append(r.allocs, float64(after.Mallocs-before.Mallocs)/float64(n))
	r.bytes = append(r.bytes, float64(after.TotalAlloc-before.TotalAlloc)/float64(n))
	return nil
}

// runCounted runs n operations and counts their requests, and the bytes of the responses.
func (r *result) runCounted(e *env, op func(int) error, n int) error {
	if e.requests == nil {
		return r.run(op, n)
	}
	before, err := e.requests()
	if err != nil {
		return err
	}
	var received int
	if e.received != nil {
		received = e.received()
	}
	if err := r.run(op, n); err != nil {
		return err
	}
	if e.received != nil {
		r.received = float64(e.received()-received) / float64(n)
	}
	after, err := e.requests()
	r.requests = since(before, after, n)
	return err
}

// since returns the requests of each of n operations between two counts.
func since(before, after map[string]int, n int) map[string]float64 {
	requests := map[string]float64{}
	for operation := range after {
		if sent := after[operation] - before[operation]; sent > 0 {
			requests[operation] = float64(sent) / float64(n)
		}
	}
	return requests
}

// take replaces the measurements of the last round by those of a child, unless report
// is nil.
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

// ratio returns the median of a/b in each round, so that a busy machine slows both
// sides. If a row has only one round, it returns the ratio of medians.
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
