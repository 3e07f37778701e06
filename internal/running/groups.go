package running

import "iter"

// EachGroup divides all items into groups of the given size, and calls a function for each group. The
// function returns an error or nil for each item, and a bool. If the bool is false, EachGroup ends
// early. It also ends early if the number of failures has reached maxFailures.
func EachGroup[T any](
	all iter.Seq[T], size, maxFailures int, do func(group []T) (errs []error, hasMore bool),
) (done int, failures []error) {
	for group := range groups(all, size) {
		errs, hasMore := do(group)
		for _, err := range errs {
			if err == nil {
				done++
			} else {
				failures = append(failures, err)
			}
		}
		if !hasMore || len(failures) >= maxFailures {
			break
		}
	}
	return done, failures
}

// groups yields all items in groups of the given size. The last group may be smaller. A group is
// valid until the next one is yielded.
func groups[T any](all iter.Seq[T], size int) iter.Seq[[]T] {
	return func(yield func([]T) bool) {
		var group []T
		for item := range all {
			group = append(group, item)
			if len(group) < size {
				continue
			}
			if !yield(group) {
				return
			}
			group = group[:0]
		}
		if len(group) > 0 {
			yield(group)
		}
	}
}
