package cdn

import "context"

// A Purger removes objects from the caches of a CDN.
type Purger interface {
	// Purge removes the cached responses for urls, which are http or https addresses in the form
	// that PublicURL returns. It makes as many requests as the API of the CDN needs, and returns
	// when the API has accepted them. It does not repeat a request, but may be called again with
	// the same urls. If [storage.IsTemporary] is true for its error, the same call may succeed
	// later. Errors show no token. Purge returns soon after ctx has ended, because the operation of
	// the bucket waits for Purge. A panic is not caught.
	Purge(ctx context.Context, urls []string) error
}
