// Package serving has the ways past the API between the engine and other packages. Packages such as serve and transfer
// reach the engine of a bucket. A [Call] passes data about one operation between the engine and the HTTP transport. It
// is in the context, so that the drivers and layers in between do not handle it. Users cannot import this package,
// because it is internal.
package serving

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"reflect"

	"github.com/omnibucket/storage/internal/evidence"
	"github.com/omnibucket/storage/internal/partfile"
	"github.com/omnibucket/storage/internal/running"
)

// A Directory is the path of a local directory. It can be passed to [Places] in place of a bucket.
type Directory string

// An Engine has those methods of package engine that this package calls. A program cannot
// get an Engine from a bucket.
type Engine interface {
	// Places returns where the objects are stored, or nothing if that is unknown.
	Places() []evidence.Place
	// Identity returns the result of driver.StackIdentity for the bucket's driver.
	Identity() string
	// SharesAccount reports whether both engines have the same account, so that the store's server
	// can copy objects from one bucket to the other.
	SharesAccount(Engine) bool
	// Served returns what the handler of package serve needs.
	Served() Served
	RetryPolicy() *running.Policy
}

// Served is what the handler of package serve needs to know about a bucket.
type Served struct {
	Origin  any    // Description.Origin
	Bucket  string // name
	BaseURL string // URL of WithSigningBaseURL, which ends in "/", or ""
}

// EngineOf returns the engine of a Core. It returns nil if the Core is of another package. Package
// engine sets EngineOf.
var EngineOf = func(core any) Engine { return nil }

// A View tells this package about a bucket of package storage.
type View struct {
	Core      any    // the bucket's storage.Core. Use it only for comparisons.
	Engine    Engine // nil if no engine has the objects, or if the Core changes keys or bytes
	Prefix    string // text that the bucket puts before each key
	Whole     bool   // true if the bucket shows all keys and permits all operations
	MayRemove bool   // true if the bucket permits the removal of objects
}

// ViewOf returns the View of b. It returns false if b is not a bucket of package storage. The root
// package sets ViewOf.
var ViewOf func(b any) (View, bool)

// IsBucket reports whether b is a bucket of package storage.
func IsBucket(b any) bool {
	_, ok := ViewOf(b)
	return ok
}

// MayRemove reports whether the bucket b permits the removal of objects.
func MayRemove(b any) bool {
	v, _ := ViewOf(b)
	return v.MayRemove
}

// Reach returns the engine of the bucket b, and the prefix that b adds to its keys. engine is nil if
// b is not a bucket of package storage, or if View.Engine is nil. complete is false if b is a result
// of Ref or Prefixed.
func Reach(b any) (engine Engine, prefix string, complete bool) {
	v, _ := ViewOf(b)
	return v.Engine, v.Prefix, v.Whole
}

// Places returns where the objects of a bucket or [Directory] are stored, which are several places
// if a layer has a second store. If the bucket or its Core has a user's own type, the place is
// unknown and has that bucket or Core as its Account.
func Places(location any) []evidence.Place {
	if location == nil {
		return nil
	}
	if dir, ok := location.(Directory); ok {
		return []evidence.Place{{Directory: string(dir), Direct: true}}
	}
	if v, ok := ViewOf(location); ok {
		return v.places()
	}
	if reflect.TypeOf(location).NumMethod() == 0 {
		// A value without methods is not a bucket.
		return nil
	}
	return []evidence.Place{{Account: location}}
}

// places returns where the objects of the view are stored, which is an unknown place for a Core
// without an engine.
func (v View) places() []evidence.Place {
	if v.Engine != nil {
		return evidence.In(v.Engine.Places(), v.Prefix)
	}
	if v.Core == nil {
		return nil
	}
	return []evidence.Place{{Account: v.Core, Prefix: v.Prefix}}
}

// Below reports whether the objects of inner are known to be a part of the objects of outer. prefix
// is the path of inner in outer: "", or a text that ends in a slash. inner and outer are buckets or
// values of type [Directory].
func Below(inner, outer any) (prefix string, ok bool) {
	return evidence.Below(Places(inner), Places(outer))
}

// Identity returns a text that identifies a bucket with its layers and its prefix. It is the same
// in every process, unless the bucket is in memory (see driver.StackIdentity). known is false if
// the bucket has no engine (see View).
func Identity(b any) (identity string, known bool) {
	engine, prefix, _ := Reach(b)
	if engine == nil {
		return "", false
	}
	return engine.Identity() + " " + prefix, true
}

// MoveInOneStep moves an object between two buckets of the same Core, if the Core can do that in
// one step. Otherwise it does nothing and returns done false. opts is a []storage.CopyOption, and
// attrs is a *storage.Attrs. The root package sets MoveInOneStep.
var MoveInOneStep func(
	ctx context.Context, dst any, to string, src any, from string, opts any,
) (attrs any, done bool, err error)

// OneAccount reports whether two buckets are known to belong to the same account. If they do, the
// store's server can copy objects from one bucket to the other.
func OneAccount(a, b any) bool {
	first, _, _ := Reach(a)
	second, _, _ := Reach(b)
	return first != nil && second != nil && first.SharesAccount(second)
}

// Prefix returns the text that a bucket puts before each key.
func Prefix(b any) string {
	v, _ := ViewOf(b)
	return v.Prefix
}

// PlaceID returns a short text that identifies where the objects of b are stored, the prefix of b,
// and the layers that change bytes. It is the same in every process, and "" if b has a user's own
// type.
//
// A job writes the PlaceID of a bucket into objects for its own use, such as a journal. If a
// journal was copied from another bucket, its id differs from that of the bucket that contains it.
// A different id proves no copy, because a bucket with two addresses may have two ids.
func PlaceID(b any) string {
	identity, ok := Identity(b)
	if !ok {
		return ""
	}
	sum := sha256.Sum256([]byte(identity))
	return hex.EncodeToString(sum[:8])
}

// Source returns a text that identifies the object at key of b and the layers of b, which may
// change its bytes. It is the same in every process, unless the bucket is in memory, and "" if b
// has a user's own type.
func Source(b any, key string) string {
	identity, ok := Identity(b)
	if !ok {
		return ""
	}
	return identity + key
}

// Continue resumes a download into the given temporary file. It downloads only the bytes that the
// file lacks. If the object has changed or the file is damaged, the second result is false. The
// caller must then download the whole object. b is a Downloader, opts is a
// []DownloadOption, and the result attrs is an *Attrs. The root package sets Continue.
var Continue func(ctx context.Context, b any, key string, part *partfile.File, opts any, progress func(done, total int64)) (attrs any, done bool, err error)

// Record starts a record of the bytes that were downloaded into a temporary file. A later call can
// use the record to continue the download. If no later call can continue the download, Record
// returns false. attrs is an *Attrs. The root package sets Record.
var Record func(part *partfile.File, source string, attrs any, sync bool) bool
