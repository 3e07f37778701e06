// Package bridge is how packages serve and transfer reach what a bucket shows to
// nobody else: the root cannot import what they do, and users cannot import this.
package bridge

// A Bucket of the root's New answers it, unless it was narrowed.
type Bucket interface {
	// Served is Description.Origin, the bucket's name, and the address that
	// WithSigningBaseURL gave, ending in "/"; nil and empty of a narrowed bucket.
	Served(ToServe) (origin any, bucket, baseURL string)
}

// ToServe keeps Served out of the reach of other modules: they cannot name it.
type ToServe struct{}

// A Directory is the path of a directory of this machine, for Below.
type Directory string

// Below reports whether what inner reaches is known to lie in what outer reaches, and
// under which prefix there: "" or one that ends in a slash. Both are Buckets, as for
// storage.Overlap, or Directories. The root package sets it.
var Below func(inner, outer any) (prefix string, ok bool)
