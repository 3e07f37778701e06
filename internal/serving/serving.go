// Package serving connects packages serve and transfer with a bucket of the root
// package. The root cannot import those packages, and users cannot import this one.
package serving

import "context"

// A Bucket is a bucket that engine.New returned and that was not narrowed.
type Bucket interface {
	// Served returns Description.Origin, the bucket's name, and the base URL that was
	// set with WithSigningBaseURL, which ends in "/". If the bucket was narrowed, it
	// returns nil and empty strings.
	Served(Token) (origin any, bucket, baseURL string)
}

// A Token keeps other modules from calling [Bucket.Served]: they cannot name it.
type Token struct{}

// A Directory is the path of a directory of this machine, for [Below].
type Directory string

// Below reports whether everything that inner reaches is known to lie in what outer
// reaches. It returns the prefix there: "", or one that ends in a slash. Both arguments
// are Buckets, as for driver.Overlap, or Directories. The root package sets Below.
var Below func(inner, outer any) (prefix string, ok bool)

// Reach returns the bucket that engine.New returned and that b is, shows or unwraps to; nil if there
// is none. The root package sets Reach.
var Reach func(b any) Bucket

// Beside reports whether two Buckets are known to be folders of one bucket, neither in the other,
// so that no object is in both. The root package sets Beside.
var Beside func(a, b any) bool

// Identity returns the identity of a Bucket with its layers and its prefix, in the same way in every process:
// see driver.StackIdentity. A wrapper of a bucket has its type beside it. It reports false for a value that leads to
// no bucket of engine.New. The root package sets Identity.
var Identity func(b any) (identity string, known bool)

// MoveInOneStep moves an object between two Buckets that show one bucket, if that moves it in one step.
// Else it does nothing. opts is []storage.CopyOption, and attrs a *storage.Attrs. The root package sets
// MoveInOneStep.
var MoveInOneStep func(ctx context.Context, dst any, to string, src any, from string, opts any) (attrs any, done bool, err error)

// RemoveUnchanged removes an object of a storage.ReadWriter, unless it is another one than source, a
// *storage.Attrs: then it fails with Changed. Without a revision, times are compared. The root package sets
// RemoveUnchanged.
var RemoveUnchanged func(ctx context.Context, b any, key string, source any) error

// CopyInside reports whether a copy from one Bucket to another is made by the provider. The root package
// sets CopyInside.
var CopyInside func(dst, src any) bool
