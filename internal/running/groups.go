package running

import "iter"

// EachGroup divides all items into groups of the given size, and calls a function for each group. The
// function returns an error or nil for each item, and a bool. If the bool is false, EachGroup ends
// early. It also ends early if the number of failures has reached maxFailures.
func EachGroup[T any](
	all iter.Seq[T], size, maxFailures int, do func(group []T) (errs []error, hasMore bool),
) (done int, failures []error) {
	pass := func(group []T) bool {
		errs, hasMore := do(group)
		for _, err := range errs {
			if err == nil {
				done++
			} else {
				failures = append(failures, err)
			}
		}
		return hasMore && len(failures) < maxFailures
	}

	var group []T
	for one := range all {
		group = append(group, one)
		if len(group) < size {
			continue
		}
		if !pass(group) {
			return done, failures
		}
		group = group[:0]
	}

	if len(group) > 0 {
		pass(group)
	}
	return done, failures
}
