package storage

import (
	"time"
)

// A RetryPolicy sets how often and for how long a request is retried if it fails for a reason
// that passes. It holds for every request of a bucket: parts, pages, batches and copies too. The
// zero value is the default policy; a field that is 0 has its default.
type RetryPolicy struct {
	// Attempts bounds how often one request is made, the first attempt included. The default
	// is 5, and 12 for a request that the store throttles ([RateLimited]). 1 turns retries
	// off: every failure is returned at once. Then throttling does not slow the bucket, either.
	Attempts int
	// MaxDelay is the longest wait between two attempts, by default 20 s. The
	// first wait is up to 50 ms and doubles each time, with full jitter. After
	// [RateLimited] the first three are up to 1 s, and later ones double. A store
	// that asks for a longer wait (Retry-After) gets it, up to MaxDelay.
	MaxDelay time.Duration
	// MaxWait bounds the sum of the waits between the attempts of one request; the default is
	// one minute. The attempts themselves do not count. Nor does the time for which a request
	// is held back because the store throttles the bucket: only ctx bounds that.
	MaxWait time.Duration
	// Stall is how long a connection may move no byte in either direction before it counts as
	// dropped, by default 30 s. It holds for every request. While a large body is sent, it is
	// four times as long, because the system buffers a megabyte or more without reporting
	// progress; after the body it is twice as long. A server-side copy may take longer: on S3
	// a minute and one second for each 6 MiB of the object, at most 15 minutes.
	Stall time.Duration
}
