// Package removal says what RemoveAll and RemoveVersions remove, and how much of it at once.
package removal

import "iter"

const (
	// MaxFailures ends RemoveAll, so that its error is bounded: the last group may add a batch.
	MaxFailures = 1000
	// A provider without batches gets single requests, AtOnce at a time, in groups of Together
	// that pass the hooks together.
	AtOnce   = 16
	Together = 256
)

// Map returns what to makes of each entry.
func Map[T, R any](entries iter.Seq[T], to func(T) R) iter.Seq[R] {
	return func(yield func(R) bool) {
		for entry := range entries {
			if !yield(to(entry)) {
				return
			}
		}
	}
}
