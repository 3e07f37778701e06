// Package removal has the limits of RemoveAll and RemoveVersions, and how many objects they
// remove at once.
package removal

import "iter"

const (
	// MaxFailures is the number of failures after which RemoveAll ends, so that its error is
	// bounded: the last group may add a batch.
	MaxFailures = 1000
	// A provider without batches gets single requests, AtOnce at a time, in groups of Together
	// that pass the hooks together.
	AtOnce   = 16
	Together = 256
)

// Map yields the result of to for each entry.
func Map[T, R any](entries iter.Seq[T], to func(T) R) iter.Seq[R] {
	return func(yield func(R) bool) {
		for entry := range entries {
			if !yield(to(entry)) {
				return
			}
		}
	}
}
