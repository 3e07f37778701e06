package cdn

import "context"

// A Purger removes objects from the caches of a CDN.
type Purger interface {
	// Purge removes the responses for urls from the caches of the CDN. The urls are http or https
	// addresses in the form that PublicURL returns. Purge makes as many requests as the API of the
	// CDN needs, and returns when the API has accepted them. It does not repeat a request.
	//
	// A caller may call Purge again with the same urls. If [storage.IsTemporary] is true for the
	// error, the same call may succeed later. Errors show no token. The operation of the bucket
	// waits for Purge, so Purge must return soon after ctx has ended. A panic is not caught.
	Purge(ctx context.Context, urls []string) error
}
