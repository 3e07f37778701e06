package main

import (
	"fmt"

	"github.com/omnibucket/storage/tools/benchmarks/record"
)

// Some cases have several rows of this library. So the goals in this file name the row that they
// apply to.

// allocationsOver requires that the row named one makes at most n more allocations per operation
// than the row named other.
func allocationsOver(one, other string, n float64) goal {
	return goal{
		fmt.Sprintf("%s: at most %g allocations more than %s", one, n, other),
		func(rows map[string]*result) (string, bool) {
			seen := median(rows[one].allocs) - median(rows[other].allocs)
			return fmt.Sprintf("%+.1f", seen), seen < n+0.5
		},
	}
}

// allocationsAtMost requires that the row named one makes at most n allocations per operation.
func allocationsAtMost(one string, n float64) goal {
	return goal{fmt.Sprintf("%s: at most %g allocations", one, n), func(rows map[string]*result) (string, bool) {
		seen := median(rows[one].allocs)
		return fmt.Sprintf("%.1f", seen), seen < n+0.5
	}}
}

// faster requires that the row named one is at least factor times as fast as the row named other.
func faster(one, other string, factor float64) goal {
	return goal{
		fmt.Sprintf("%s: at least %g × as fast as %s", one, factor, other),
		func(rows map[string]*result) (string, bool) {
			seen := ratio(rows[other].nanos, rows[one].nanos)
			return fmt.Sprintf("%.3g ×", seen), seen >= factor
		},
	}
}

// notSlower requires that the row named one takes at most 5 percent more time than the row named
// other. Two rows that wait for the same requests to a local server differ by such an amount by
// chance.
func notSlower(one, other string) goal {
	const noise = 0.05
	return goal{fmt.Sprintf("%s: not slower than %s", one, other), func(rows map[string]*result) (string, bool) {
		seen := ratio(rows[other].nanos, rows[one].nanos)
		return fmt.Sprintf("%.3g × as fast", seen), seen >= 1-noise
	}}
}

// noMoreRequests requires that the row named one sends at most as many requests as the row named
// other.
func noMoreRequests(one, other string) goal {
	return goal{fmt.Sprintf("%s: no more requests than %s", one, other), func(rows map[string]*result) (string, bool) {
		seen, most := rows[one].sent(), rows[other].sent()
		return fmt.Sprintf("%g and %g", seen, most), seen <= most
	}}
}

// sent returns the number of requests per operation.
func (r *result) sent() (total float64) {
	for _, n := range r.requests {
		total += n
	}
	return total
}

// lessCPU requires that the row named one uses at most factor times the CPU time of the row named
// other.
func lessCPU(one, other string, factor float64) goal {
	return goal{
		fmt.Sprintf("%s: at most %g × the CPU of %s", one, factor, other),
		func(rows map[string]*result) (string, bool) {
			seen := ratio(rows[one].cpu, rows[other].cpu)
			return fmt.Sprintf("%.3g ×", seen), seen <= factor
		},
	}
}

// memoryAtMost requires that the resident memory of the row named one grows by at most that many
// bytes. The row must run in a child process.
func memoryAtMost(one string, most float64) goal {
	return goal{
		fmt.Sprintf("%s: at most %s resident above the start", one, record.Size(most)),
		func(rows map[string]*result) (string, bool) {
			seen := median(rows[one].resident)
			return record.Size(seen), seen >= 0 && seen <= most
		},
	}
}

// lessMemory requires that the resident memory of the row named one grows by at most factor times
// as much as that of the row named other.
func lessMemory(one, other string, factor float64) goal {
	return goal{
		fmt.Sprintf("%s: at most %g × the memory of %s", one, factor, other),
		func(rows map[string]*result) (string, bool) {
			seen := median(rows[one].resident) / median(rows[other].resident)
			return fmt.Sprintf("%.3g ×", seen), seen >= 0 && seen <= factor
		},
	}
}

// noRequest requires that the row named one never sends a request for the given operation.
func noRequest(one, operation string) goal {
	return goal{fmt.Sprintf("%s: no %s", one, operation), func(rows map[string]*result) (string, bool) {
		seen := rows[one].requests[operation]
		return fmt.Sprintf("%g", seen), seen == 0
	}}
}

// requestsAtMost requires that the row named one sends at most that many requests per operation.
func requestsAtMost(one string, most float64) goal {
	return goal{fmt.Sprintf("%s: at most %g requests", one, most), func(rows map[string]*result) (string, bool) {
		seen := rows[one].sent()
		return fmt.Sprintf("%g", seen), seen <= most
	}}
}

// heapAtMost requires that the heap of this library grows by at most that many bytes. The parameter
// what is a text for the report that describes this part of the heap.
func heapAtMost(what string, most float64) goal {
	return goal{
		fmt.Sprintf("the heap grows by at most %s, %s", what, record.Size(most)),
		func(rows map[string]*result) (string, bool) {
			seen := rows[ours].peak
			return record.Size(seen), seen > 0 && seen <= most
		},
	}
}
