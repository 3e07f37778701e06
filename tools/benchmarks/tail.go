package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/omnibucket/storage/tools/benchmarks/nullserver"
	"github.com/omnibucket/storage/tools/benchmarks/process"
)

const (
	oursHedged = ours + ", hedged reads"
	tailReads  = 1000
)

// stalling is a server that delays one of fifty responses by 200 ms more than the others.
var stalling = &nullserver.Options{Latency: 5 * time.Millisecond, Stall: 200 * time.Millisecond, StallEvery: 50}

// tailCases returns a case that compares the slowest reads. The measured time is the 99th
// percentile of a thousand reads. The measured number of requests is the average per read.
func tailCases() []benchCase {
	return []benchCase{{
		name: "s3-get-tail",
		title: fmt.Sprintf("get 1 KiB, %d times, %v a request and %v more for one in %d; times are the 99th percentile",
			tailReads, stalling.Latency, stalling.Stall, stalling.StallEvery),
		rows:  []row{tailRow(s3Ours), tailRow(amazon.ours(oursHedged, tuning{hedged: true})), tailRow(s3Raw)},
		goals: []goal{faster(oursHedged, ours, 5), faster(oursHedged, rawSDK, 5), requestsAtMost(oursHedged, 1.05)},
	}}
}

// tailRow returns a row with the 99th percentile of a contender's reads, on a server that delays some
// responses.
func tailRow(c contender) row {
	return row{
		name:   c.name,
		single: true,
		setup: func(e *env) (opFunc, error) {
			url, err := amazon.server(e, *stalling)
			if err != nil {
				return nil, err
			}
			connected, err := c.open(e, url)
			if err != nil {
				return nil, err
			}
			return e.reportOp(c.name, func() (*childReport, error) { return e.slowest(connected) }), nil
		},
	}
}

// slowest reads small objects one after the other, and reports the 99th percentile of the times.
func (e *env) slowest(c client) (*childReport, error) {
	before, err := e.requests()
	if err != nil {
		return nil, err
	}
	cpu := process.CPUTime()
	took := make([]float64, tailReads)
	for i := range took {
		start := time.Now()
		if err := getSmall(e.ctx, c, 1); err != nil {
			return nil, err
		}
		took[i] = float64(time.Since(start))
	}
	used := process.CPUTime() - cpu
	after, err := e.requests()
	slices.Sort(took)
	return &childReport{
		Nanos:    took[tailReads*99/100],
		CPU:      float64(used) / tailReads,
		Requests: since(before, after, tailReads),
	}, err
}
