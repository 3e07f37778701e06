// Package serving connects packages serve and transfer with a bucket of the root
// package. The root cannot import those packages, and users cannot import this one.
package serving

import (
	"context"
	"crypto/sha256"
	"encoding/hex"

	"github.com/omnibucket/storage/internal/evidence"
	"github.com/omnibucket/storage/internal/partfile"
)

// A Bucket is a bucket that engine.New returned and that was not narrowed.
type Bucket interface {
	// Served returns Description.Origin, the bucket's name, and the base URL that was
	// set with WithSigningBaseURL, which ends in "/". If the bucket was narrowed, it
	// returns nil and empty strings.
	Served(Token) (origin any, bucket, baseURL string)
}

// A Token keeps other modules from calling [Bucket.Served]: they cannot name it.
type Token struct{}

// A Directory is the path of a directory of this machine, for [Places].
type Directory string

// Places returns where the objects of a Bucket, as for driver.Overlap, or a Directory are: in several stores if a
// layer has a second one, in none if that is unknown. The root package sets Places.
var Places func(of any) []evidence.Place

// Below reports whether something that inner reaches is known to lie in what outer
// reaches. It returns the prefix there: "", or one that ends in a slash. Both arguments
// are as for Places.
func Below(inner, outer any) (prefix string, ok bool) {
	return evidence.Below(Places(inner), Places(outer))
}

// Reach returns the bucket that engine.New returned and that b is, shows or unwraps to; nil if there
// is none. The root package sets Reach.
var Reach func(b any) Bucket

// Identity returns the identity of a Bucket with its layers and its prefix, in the same way in every process:
// see driver.StackIdentity. It reports false for a value that leads to
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

// Prefix returns the prefix that a Bucket adds to its keys. The root package sets Prefix.
var Prefix func(b any) string

// Place returns a short text that names the place of a Bucket, its layers that change bytes and its prefix, the same in
// every process. A mark in a bucket has it: a mark that was copied with its bucket has that of another one. Two addresses
// of one place may have two, so that it does not tell that two places differ. It is "" for a type of the user's own.
func Place(b any) string {
	identity, known := Identity(b)
	if !known {
		return ""
	}
	sum := sha256.Sum256([]byte(identity))
	return hex.EncodeToString(sum[:8])
}

// Source identifies an object of a Bucket with its layers, in every process. It is "" for a type of the user's own.
func Source(b any, key string) string {
	identity, known := Identity(b)
	if !known {
		return ""
	}
	return identity + key
}

// Continue downloads what a file lacks of an object of a Downloader: opts is []DownloadOption, and attrs an *Attrs.
// It returns done false if the object is another now, or the file is damaged: the download has to start over.
var Continue func(ctx context.Context, b any, key string, part *partfile.File, opts any, progress func(done, total int64)) (attrs any, done bool, err error)

// Record has a file record what a download writes to it, if that can be continued: attrs is an *Attrs.
var Record func(part *partfile.File, source string, attrs any, sync bool) bool
