// Package removal defines the limits of RemoveAll and RemoveVersions.
package removal

import "iter"

const (
	// MaxFailures is the number of failures after which RemoveAll stops, so that its error stays
	// small. The last group of objects may add a few more.
	MaxFailures = 1000
	// AtOnce and Together apply if a provider needs one request for each removed object. The
	// constant AtOnce is the number of requests in parallel. The constant Together is the number of
	// objects in a group. Hooks are called once for a group.
	AtOnce   = 16
	Together = 256
)

// Map yields the result of convert for each entry.
func Map[T, R any](entries iter.Seq[T], convert func(T) R) iter.Seq[R] {
	return func(yield func(R) bool) {
		for entry := range entries {
			if !yield(convert(entry)) {
				return
			}
		}
	}
}
