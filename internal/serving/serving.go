// Package serving lets packages of this library that the root cannot import, such as serve and transfer, reach what a
// bucket stands for. Users cannot import this one.
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

// A Token keeps other modules from calling the methods that take one: they cannot name it, and one that reflection
// makes is not valid.
type Token struct{ secret *byte }

var token = Token{new(byte)}

// Valid reports whether this package has made the token.
func (t Token) Valid() bool { return t == token }

// A Directory is the path of a directory of this machine, for [Places].
type Directory string

// An Engine is the core of package engine.
type Engine interface {
	// Places returns where the objects are; nothing if that is unknown.
	Places() []evidence.Place
	// Identity is driver.StackIdentity of the bucket's driver.
	Identity() string
	// Stored returns where the server finds the objects for a copy. The account is comparable, and equal if one
	// credential reaches both; nil means nowhere.
	Stored() (account any, bucket string)
	// Served returns Description.Origin, the bucket's name, and the base URL that was set with WithSigningBaseURL,
	// which ends in "/".
	Served() (origin any, bucket, baseURL string)
	RetryPolicy() *backoff.Policy
}

// A front is a bucket of package storage.
type front interface {
	Reached(Token) (core any, prefix string, complete bool)
	MoveFrom(t Token, ctx context.Context, to string, src any, from string, opts any) (attrs any, done bool, err error)
}

// IsBucket reports whether b is a bucket of package storage.
func IsBucket(b any) bool {
	_, ok := b.(front)
	return ok
}

// Reach returns the core of package engine that a bucket has, and the prefix of the bucket in that core. It
// returns nil if b is not a bucket of package storage, or has another core. complete is false if Ref or Prefixed
// made b.
func Reach(b any) (core Engine, prefix string, complete bool) {
	f, ok := b.(front)
	if !ok {
		return nil, "", false
	}
	reached, prefix, complete := f.Reached(token)
	core, _ = reached.(Engine)
	return core, prefix, complete
}

// Places returns where the objects of a bucket or [Directory] are: in several stores if a layer has a second one. A
// type of the user's own, and a core of it, is a place of its own.
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
		return nil // nothing that has objects
	}
	return []evidence.Place{{Account: of}}
}

// Below reports whether something that inner reaches is known to lie in what outer
// reaches. It returns the prefix there: "", or one that ends in a slash. Both arguments
// are as for Places.
func Below(inner, outer any) (prefix string, ok bool) {
	return evidence.Below(Places(inner), Places(outer))
}

// Identity returns the identity of a bucket with its layers and its prefix, in the same way in every process:
// see driver.StackIdentity. It reports false for a bucket without a core of package engine.
func Identity(b any) (identity string, known bool) {
	core, prefix, _ := Reach(b)
	if core == nil {
		return "", false
	}
	return core.Identity() + " " + prefix, true
}

// MoveInOneStep moves an object between two buckets of one core, if the core can do that in one step.
// Otherwise it does nothing. opts is []storage.CopyOption, and attrs a *storage.Attrs.
func MoveInOneStep(
	ctx context.Context, dst any, to string, src any, from string, opts any,
) (attrs any, done bool, err error) {
	f, ok := dst.(front)
	if !ok {
		return nil, false, nil
	}
	return f.MoveFrom(token, ctx, to, src, from, opts)
}

// OneAccount reports whether two buckets are known to be of one account, so that its server can copy between them.
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

// Prefix returns the prefix that a bucket adds to its keys.
func Prefix(b any) string {
	if f, ok := b.(front); ok {
		_, prefix, _ := f.Reached(token)
		return prefix
	}
	return ""
}

// Place returns a short text that names the place of a bucket, its layers that change bytes and its prefix, the same
// in every process. A mark in a bucket has this text, so a mark that was copied with its bucket shows the place of
// another one. Two addresses of one place may have different texts, so different texts do not prove different places.
// It is "" for a type of the user's own.
func Place(b any) string {
	identity, known := Identity(b)
	if !known {
		return ""
	}
	sum := sha256.Sum256([]byte(identity))
	return hex.EncodeToString(sum[:8])
}

// Source identifies an object of a bucket with its layers, in every process. It is "" for a type of the user's own.
func Source(b any, key string) string {
	identity, known := Identity(b)
	if !known {
		return ""
	}
	return identity + key
}

// Continue downloads what a file lacks of an object of a Downloader: opts is []DownloadOption, and attrs an *Attrs.
// It returns done false if the object has changed or the file is damaged, so that the download has to start over. The
// root package sets it.
var Continue func(ctx context.Context, b any, key string, part *partfile.File, opts any, progress func(done, total int64)) (attrs any, done bool, err error)

// Record has a file record what a download writes to it, if that can be continued: attrs is an *Attrs. The root package
// sets it.
var Record func(part *partfile.File, source string, attrs any, sync bool) bool
