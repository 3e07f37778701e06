package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"
)

// A benchCase is several contenders that do the same.
type benchCase struct {
	name, title string
	rows        []row // ours first: ratios are to it
	goals       []goal
}

// A row is one contender. Setup is not measured; op does the thing n times.
type row struct {
	name  string
	setup func(e *env) (op func(n int) error, err error)
	// once is for a contender so slow that one operation a run, and one run,
	// is all that is asked of it.
	once bool
	// single is for one that does the same whatever n is: it is not calibrated.
	single bool
}

// An env is what a case's contenders share, until all of them are measured.
type env struct {
	ctx     context.Context
	shared  map[string]any     // what one contender made and another uses
	peaks   map[string]float64 // by row: bytes of heap that a process of its own took at most
	told    map[string]*told   // by row: what a process of its own saw
	cleanup []func() error
	// requests are those of the case's server so far, by operation; nil where
	// there is none.
	requests func() (map[string]int, error)
}

func newEnv(ctx context.Context) *env {
	return &env{ctx: ctx, shared: map[string]any{}, peaks: map[string]float64{}, told: map[string]*told{}}
}

// dir is a directory of the case's own.
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

// A result is what was seen of one row, round by round.
type result struct {
	name          string
	nanos         []float64 // an operation
	allocs, bytes []float64 // an operation
	cpu           []float64 // nanoseconds of this process's, an operation
	peak          float64   // as env.peaks, or 0

	resident []float64          // bytes above the start, at most; of a process of its own
	requests map[string]float64 // an operation, in the last round
}

// A told is what a process of its own says of one operation. It counts instead
// of what was seen from outside.
type told struct {
	Nanos, CPU, Resident float64
	Requests             map[string]int
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
			if err := results[i].counted(e, ops[i], counts[i]); err != nil {
				return nil, fmt.Errorf("%s, %s: %w", c.name, r.name, err)
			}
			results[i].peak = e.peaks[r.name]
			results[i].take(e.told[r.name])
		}
	}
	return results, nil
}

// calibrate is how many operations take about as long as per; it warms up too.
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
	settle() // what the row before left is not this one's
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	computed := cpuTime()
	start := time.Now()
	if err := op(n); err != nil {
		return err
	}
	took := time.Since(start)
	computed = cpuTime() - computed
	runtime.ReadMemStats(&after)
	r.cpu = append(r.cpu, float64(computed)/float64(n))
	r.nanos = append(r.nanos, float64(took.Nanoseconds())/float64(n))
	r.allocs = append(r.allocs, float64(after.Mallocs-before.Mallocs)/float64(n))
	r.bytes = append(r.bytes, float64(after.TotalAlloc-before.TotalAlloc)/float64(n))
	return nil
}

// counted is run, with what it asked of the case's server.
func (r *result) counted(e *env, op func(int) error, n int) error {
	if e.requests == nil {
		return r.run(op, n)
	}
	before, err := e.requests()
	if err != nil {
		return err
	}
	if err := r.run(op, n); err != nil {
		return err
	}
	after, err := e.requests()
	r.requests = map[string]float64{}
	for operation := range after {
		if asked := after[operation] - before[operation]; asked > 0 {
			r.requests[operation] = float64(asked) / float64(n)
		}
	}
	return err
}

// take puts what a child says in the place of what was seen of it; nil says
// nothing.
func (r *result) take(t *told) {
	if t == nil {
		return
	}
	last := len(r.nanos) - 1
	r.nanos[last], r.cpu[last] = t.Nanos, t.CPU
	r.resident = append(r.resident, t.Resident)
	r.requests = map[string]float64{}
	for operation, asked := range t.Requests {
		r.requests[operation] = float64(asked)
	}
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

// ratio is the median of a/b, round by round, so that a machine that is busy
// for a while slows both sides of one ratio. A row that ran once has no rounds
// to compare: its ratio is of medians.
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
