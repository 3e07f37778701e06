package running

import "iter"

// EachGroup calls do with all items, in groups of the given size. The function do returns an error or nil for
// each item, and false to end EachGroup. EachGroup also ends after a group if maxFailures items or more have
// failed. It returns the number of items without an error, and the errors of the others.
func EachGroup[T any](
	all iter.Seq[T], size, maxFailures int, do func(group []T) (errs []error, mayContinue bool),
) (done int, failures []error) {
	for group := range groups(all, size) {
		errs, mayContinue := do(group)
		for _, err := range errs {
			if err == nil {
				done++
			} else {
				failures = append(failures, err)
			}
		}
		if !mayContinue || len(failures) >= maxFailures {
			break
		}
	}
	return done, failures
}

// groups yields all items in groups of the given size, except that the last one may be smaller. A
// group is valid until the next one is yielded.
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
