// Package bridge is how package serve reaches what a bucket shows to nobody
// else: the root cannot import what serve does, and users cannot import this.
package bridge

// A Bucket of the root's New answers it, unless it was narrowed.
type Bucket interface {
	// Served is Description.Origin, the bucket's name, and the address that
	// WithSigningBaseURL gave, ending in "/"; nil and empty of a narrowed bucket.
	Served(ToServe) (origin any, bucket, baseURL string)
}

// ToServe keeps Served out of the reach of other modules: they cannot name it.
type ToServe struct{}
