package parallel

import "iter"

// Groups passes what all yields to do, in groups of size, and adds up what do returns: an error for
// each item, or nil if it succeeded. It ends after the group with failure number most, or if do asks
// it to end.
func Groups[T any](
	all iter.Seq[T], size, most int, do func(group []T) (errs []error, more bool),
) (done int, failures []error) {
	pass := func(group []T) bool {
		errs, more := do(group)
		for _, err := range errs {
			if err == nil {
				done++
			} else {
				failures = append(failures, err)
			}
		}
		return more && len(failures) < most
	}
	var group []T
	for one := range all {
		if group = append(group, one); len(group) < size {
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
