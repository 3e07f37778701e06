package main

import (
	"fmt"

	"github.com/omnibucket/storage/tools/benchmarks/record"
)

// Some cases have several rows of this library. So the functions in this file get the name of the
// row to which the goal applies.

// allocationsOver compares two rows, which are given by their names. The first row may make at most
// n more allocations per operation than the second row.
func allocationsOver(one, other string, n float64) goal {
	return goal{
		fmt.Sprintf("%s: at most %g allocations more than %s", one, n, other),
		func(rows map[string]*result) (string, bool) {
			value := median(rows[one].allocs) - median(rows[other].allocs)
			return fmt.Sprintf("%+.1f", value), value < n+0.5
		},
	}
}

// allocationsAtMost requires that the row with the given name makes at most n allocations per
// operation.
func allocationsAtMost(one string, n float64) goal {
	return goal{fmt.Sprintf("%s: at most %g allocations", one, n), func(rows map[string]*result) (string, bool) {
		value := median(rows[one].allocs)
		return fmt.Sprintf("%.1f", value), value < n+0.5
	}}
}

// faster returns a goal for the two rows with the given names. The speed of the first row, divided
// by the speed of the second row, must be at least the given factor.
func faster(one, other string, factor float64) goal {
	return goal{
		fmt.Sprintf("%s: at least %g × as fast as %s", one, factor, other),
		func(rows map[string]*result) (string, bool) {
			value := ratio(rows[other].nanos, rows[one].nanos)
			return fmt.Sprintf("%.3g ×", value), value >= factor
		},
	}
}

// notSlower requires that a row takes at most 5 percent more time than another row. A difference of
// up to 5 percent can be chance. Even two rows that send the same requests to a local server may
// differ that much. The parameters one and other are the names of the rows.
func notSlower(one, other string) goal {
	const noise = 0.05
	return goal{fmt.Sprintf("%s: not slower than %s", one, other), func(rows map[string]*result) (string, bool) {
		value := ratio(rows[other].nanos, rows[one].nanos)
		return fmt.Sprintf("%.3g × as fast", value), value >= 1-noise
	}}
}

// noMoreRequests requires that a row sends at most as many requests as another row. The parameters
// one and other are the names of the rows.
func noMoreRequests(one, other string) goal {
	return goal{fmt.Sprintf("%s: no more requests than %s", one, other), func(rows map[string]*result) (string, bool) {
		value := rows[one].sent()
		limit := rows[other].sent()
		return fmt.Sprintf("%g and %g", value, limit), value <= limit
	}}
}

// sent returns the number of requests per operation.
func (r *result) sent() (total float64) {
	for _, n := range r.requests {
		total += n
	}
	return total
}

// lessCPU requires that a row uses at most factor times the CPU time of another row. The parameters
// one and other are the names of the rows.
func lessCPU(one, other string, factor float64) goal {
	return goal{
		fmt.Sprintf("%s: at most %g × the CPU of %s", one, factor, other),
		func(rows map[string]*result) (string, bool) {
			value := ratio(rows[one].cpu, rows[other].cpu)
			return fmt.Sprintf("%.3g ×", value), value <= factor
		},
	}
}

// memoryAtMost limits the growth of the resident memory of the row with the given name. The limit
// is in bytes. The row must run in a child process.
func memoryAtMost(one string, limit float64) goal {
	return goal{
		fmt.Sprintf("%s: at most %s resident above the start", one, record.Size(limit)),
		func(rows map[string]*result) (string, bool) {
			value := median(rows[one].resident)
			return record.Size(value), value >= 0 && value <= limit
		},
	}
}

// lessMemory compares the growth of the resident memory of two rows. The growth of the first row
// must be at most factor times the growth of the second row. The parameters one and other are the
// names of the rows.
func lessMemory(one, other string, factor float64) goal {
	return goal{
		fmt.Sprintf("%s: at most %g × the memory of %s", one, factor, other),
		func(rows map[string]*result) (string, bool) {
			value := median(rows[one].resident) / median(rows[other].resident)
			return fmt.Sprintf("%.3g ×", value), value >= 0 && value <= factor
		},
	}
}

// noRequest requires that a row never sends a request for the given operation. one is
// the name of the row.
func noRequest(one, operation string) goal {
	return goal{fmt.Sprintf("%s: no %s", one, operation), func(rows map[string]*result) (string, bool) {
		value := rows[one].requests[operation]
		return fmt.Sprintf("%g", value), value == 0
	}}
}

// requestsAtMost limits the number of requests that a row sends per operation. one is the name of the
// row.
func requestsAtMost(one string, limit float64) goal {
	return goal{fmt.Sprintf("%s: at most %g requests", one, limit), func(rows map[string]*result) (string, bool) {
		value := rows[one].sent()
		return fmt.Sprintf("%g", value), value <= limit
	}}
}

// heapAtMost limits the growth of this library's heap. The first argument explains the limit in the
// report, such as "the buffers". The second argument is the limit in bytes.
func heapAtMost(what string, limit float64) goal {
	return goal{
		fmt.Sprintf("the heap grows by at most %s, %s", what, record.Size(limit)),
		func(rows map[string]*result) (string, bool) {
			value := rows[ours].peak
			return record.Size(value), value > 0 && value <= limit
		},
	}
}
