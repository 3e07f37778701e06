// Package serving gives packages such as serve and transfer access to the engine of a bucket. Users
// cannot import it, because it is internal.
package serving

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"reflect"

	"github.com/omnibucket/storage/internal/backoff"
	"github.com/omnibucket/storage/internal/equal"
	"github.com/omnibucket/storage/internal/evidence"
	"github.com/omnibucket/storage/internal/partfile"
)

// A Token is a parameter of exported methods that only this library may call. Other modules cannot
// name the type, and a Token that they make by reflection is not valid.
type Token struct{ secret *byte }

var token = Token{new(byte)}

// Valid reports whether this package made the Token.
func (t Token) Valid() bool { return t == token }

// A Directory is the path of a local directory. It can be passed to [Places] in place of a bucket.
type Directory string

// An Engine has those methods of the engine's core that this package calls.
type Engine interface {
	// Places returns where the objects are stored, or nothing if that is unknown.
	Places() []evidence.Place
	// Identity returns the result of driver.StackIdentity for the bucket's driver.
	Identity() string
	// Stored returns the account and the bucket for copies inside the store. Accounts can be
	// compared with ==. Two accounts are equal if the same credentials give access to both. If
	// account is nil, the store's server cannot copy the objects.
	Stored() (account any, bucket string)
	// Served returns three values. The result origin is Description.Origin. The result bucket is
	// the name of the bucket. The result baseURL is the URL that was set with WithSigningBaseURL,
	// and ends in "/".
	Served() (origin any, bucket, baseURL string)
	RetryPolicy() *backoff.Policy
}

// A front is a bucket of package storage. The methods need a [Token], so that no other type can be
// used in place of a bucket.
type front interface {
	Reached(Token) (core any, prefix string, complete bool)
	MayRemove(Token) bool
	MoveFrom(t Token, ctx context.Context, to string, src any, from string, opts any) (attrs any, done bool, err error)
}

// IsBucket reports whether b is a bucket of package storage.
func IsBucket(b any) bool {
	_, ok := b.(front)
	return ok
}

// MayRemove reports whether the bucket b permits the removal of objects.
func MayRemove(b any) bool {
	f, ok := b.(front)
	return ok && f.MayRemove(token)
}

// Reach returns the core of the bucket b, and the prefix that b adds to its keys. core is nil if b
// is not a bucket of package storage, or if its core is not one of package engine. complete is
// false if b is a result of Ref or Prefixed.
func Reach(b any) (core Engine, prefix string, complete bool) {
	f, ok := b.(front)
	if !ok {
		return nil, "", false
	}
	reached, prefix, complete := f.Reached(token)
	core, _ = reached.(Engine)
	return core, prefix, complete
}

// Places returns where the objects of a bucket or [Directory] are stored. It returns several places
// if a layer has a second store. If the bucket or its core is a user's own type, the place is
// unknown. In this case, the result contains that bucket or core in the field Account.
func Places(of any) []evidence.Place {
	switch of := of.(type) {
	case nil:
		return nil
	case Directory:
		return []evidence.Place{{Directory: string(of), Direct: true}}
	case front:
		core, prefix, _ := of.Reached(token)
		if engine, ok := core.(Engine); ok {
			return evidence.In(engine.Places(), prefix)
		}
		if core == nil {
			return nil
		}
		return []evidence.Place{{Account: core, Prefix: prefix}}
	}
	if reflect.TypeOf(of).NumMethod() == 0 {
		return nil // a value without methods is not a bucket
	}
	return []evidence.Place{{Account: of}}
}

// Below reports whether the objects of inner are known to be a part of the objects of outer. prefix
// is the path of inner in outer: "", or a text that ends in a slash. inner and outer are buckets or
// values of type [Directory].
func Below(inner, outer any) (prefix string, ok bool) {
	return evidence.Below(Places(inner), Places(outer))
}

// Identity returns a text that identifies a bucket, its layers and its prefix. Every process gets
// the same text, unless the bucket is in memory (see driver.StackIdentity). known is false if the
// bucket has no core of package engine.
func Identity(b any) (identity string, known bool) {
	core, prefix, _ := Reach(b)
	if core == nil {
		return "", false
	}
	return core.Identity() + " " + prefix, true
}

// MoveInOneStep moves an object between two buckets of the same core, if the core can do that in
// one step. Otherwise it does nothing and returns done false. opts is a []storage.CopyOption, and
// attrs is a *storage.Attrs.
func MoveInOneStep(
	ctx context.Context, dst any, to string, src any, from string, opts any,
) (attrs any, done bool, err error) {
	f, ok := dst.(front)
	if !ok {
		return nil, false, nil
	}
	return f.MoveFrom(token, ctx, to, src, from, opts)
}

// OneAccount reports whether two buckets are known to belong to the same account. If they do, the
// store's server can copy objects from one bucket to the other.
func OneAccount(a, b any) bool {
	first, _, _ := Reach(a)
	second, _, _ := Reach(b)
	if first == nil || second == nil {
		return false
	}
	account, _ := first.Stored()
	other, _ := second.Stored()
	return equal.Values(account, other)
}

// Prefix returns the text that a bucket puts before each key.
func Prefix(b any) string {
	if f, ok := b.(front); ok {
		_, prefix, _ := f.Reached(token)
		return prefix
	}
	return ""
}

// Place returns a short text that identifies where the objects of b are stored. The text also
// identifies the prefix of b and the layers that change bytes. The text is the same in every
// process. If b is a user's own type, Place returns "".
//
// A job stores objects for its own use, such as a journal, and writes the Place of the bucket into
// them. If a journal was copied from another bucket, its Place differs from the Place of the bucket
// that contains it. But a different Place does not prove a copy. A bucket with two addresses may
// have two Places.
func Place(b any) string {
	identity, known := Identity(b)
	if !known {
		return ""
	}
	sum := sha256.Sum256([]byte(identity))
	return hex.EncodeToString(sum[:8])
}

// Source returns a text that identifies the object at the given key of b. The text also identifies
// the layers of b, because a layer may change the bytes of the object. Every process gets the same
// text, unless the bucket is in memory. If b is a user's own type, Source returns "".
func Source(b any, key string) string {
	identity, known := Identity(b)
	if !known {
		return ""
	}
	return identity + key
}

// Continue resumes a download into the given temporary file. It downloads only the bytes that the
// file lacks. If the object has changed or the file is damaged, the second result is false. The
// caller must then download the whole object. The parameter b is a Downloader, opts is a
// []DownloadOption, and the result attrs is an *Attrs. The root package sets Continue.
var Continue func(ctx context.Context, b any, key string, part *partfile.File, opts any, progress func(done, total int64)) (attrs any, done bool, err error)

// Record starts a record of the bytes that were downloaded into a temporary file. A later call can
// use the record to continue the download. If no later call can continue the download, Record
// returns false. The parameter attrs is an *Attrs. The root package sets Record.
var Record func(part *partfile.File, source string, attrs any, sync bool) bool
