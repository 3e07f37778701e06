package main

import (
	"fmt"

	"github.com/omnibucket/storage/tools/benchmarks/record"
)

// These goals name their row, for cases with several rows of ours.

// allocationsOver requires that one row makes at most n more allocations per
// operation than the other.
func allocationsOver(one, other string, n float64) goal {
	return goal{
		fmt.Sprintf("%s: at most %g allocations more than %s", one, n, other),
		func(rows map[string]*result) (string, bool) {
			seen := median(rows[one].allocs) - median(rows[other].allocs)
			return fmt.Sprintf("%+.1f", seen), seen < n+0.5
		},
	}
}

// allocationsAtMost requires that one row makes at most n allocations per operation.
func allocationsAtMost(one string, n float64) goal {
	return goal{fmt.Sprintf("%s: at most %g allocations", one, n), func(rows map[string]*result) (string, bool) {
		seen := median(rows[one].allocs)
		return fmt.Sprintf("%.1f", seen), seen < n+0.5
	}}
}

// faster requires that one row takes at most 1/factor of the other's time.
func faster(one, other string, factor float64) goal {
	return goal{
		fmt.Sprintf("%s: at least %g × as fast as %s", one, factor, other),
		func(rows map[string]*result) (string, bool) {
			seen := ratio(rows[other].nanos, rows[one].nanos)
			return fmt.Sprintf("%.3g ×", seen), seen >= factor
		},
	}
}

// notSlower requires that one row is as fast as the other. Rows that wait for the same requests to a
// server on this machine differ by noise.
func notSlower(one, other string) goal {
	const noise = 0.05
	return goal{fmt.Sprintf("%s: not slower than %s", one, other), func(rows map[string]*result) (string, bool) {
		seen := ratio(rows[other].nanos, rows[one].nanos)
		return fmt.Sprintf("%.3g × as fast", seen), seen >= 1-noise
	}}
}

// noMoreRequests requires that one row sends no more requests than the other.
func noMoreRequests(one, other string) goal {
	return goal{fmt.Sprintf("%s: no more requests than %s", one, other), func(rows map[string]*result) (string, bool) {
		seen, most := rows[one].sent(), rows[other].sent()
		return fmt.Sprintf("%g and %g", seen, most), seen <= most
	}}
}

// sent returns how many requests one operation sent.
func (r *result) sent() (total float64) {
	for _, n := range r.requests {
		total += n
	}
	return total
}

// lessCPU requires that one row uses at most factor times the CPU time of the other.
func lessCPU(one, other string, factor float64) goal {
	return goal{
		fmt.Sprintf("%s: at most %g × the CPU of %s", one, factor, other),
		func(rows map[string]*result) (string, bool) {
			seen := ratio(rows[one].cpu, rows[other].cpu)
			return fmt.Sprintf("%.3g ×", seen), seen <= factor
		},
	}
}

// memoryAtMost requires that one row's process grows by at most that many bytes.
func memoryAtMost(one string, most float64) goal {
	return goal{
		fmt.Sprintf("%s: at most %s resident above the start", one, record.Size(most)),
		func(rows map[string]*result) (string, bool) {
			seen := median(rows[one].resident)
			return record.Size(seen), seen >= 0 && seen <= most
		},
	}
}

// lessMemory requires that one row's process grows by at most factor times as much as
// the other's.
func lessMemory(one, other string, factor float64) goal {
	return goal{
		fmt.Sprintf("%s: at most %g × the memory of %s", one, factor, other),
		func(rows map[string]*result) (string, bool) {
			seen := median(rows[one].resident) / median(rows[other].resident)
			return fmt.Sprintf("%.3g ×", seen), seen >= 0 && seen <= factor
		},
	}
}

// noRequest requires that one row never sends this request.
func noRequest(one, operation string) goal {
	return goal{fmt.Sprintf("%s: no %s", one, operation), func(rows map[string]*result) (string, bool) {
		seen := rows[one].requests[operation]
		return fmt.Sprintf("%g", seen), seen == 0
	}}
}

// requestsAtMost requires that one row sends at most that many requests per
// operation.
func requestsAtMost(one string, most float64) goal {
	return goal{fmt.Sprintf("%s: at most %g requests", one, most), func(rows map[string]*result) (string, bool) {
		seen := rows[one].sent()
		return fmt.Sprintf("%g", seen), seen <= most
	}}
}

// heapAtMost requires that the heap of our process grows by at most that many bytes.
func heapAtMost(what string, most float64) goal {
	return goal{
		fmt.Sprintf("the heap grows by at most %s, %s", what, record.Size(most)),
		func(rows map[string]*result) (string, bool) {
			seen := rows[ours].peak
			return record.Size(seen), seen > 0 && seen <= most
		},
	}
}
