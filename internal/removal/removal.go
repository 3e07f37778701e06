// Package removal defines the limits of RemoveAll and RemoveVersions.
package removal

import "iter"

const (
	// MaxFailures is the number of failures after which RemoveAll stops, so that its error stays
	// small. The last group of objects may add a few more.
	MaxFailures = 1000
	// If a provider cannot remove several objects with one request, each object needs a request.
	// AtOnce is the number of such requests in parallel. Together is the number of objects for
	// which the hooks are called as one group.
	AtOnce   = 16
	Together = 256
)

// Map yields to(entry) for each entry.
func Map[T, R any](entries iter.Seq[T], to func(T) R) iter.Seq[R] {
	return func(yield func(R) bool) {
		for entry := range entries {
			if !yield(to(entry)) {
				return
			}
		}
	}
}
