package serving

import (
	"context"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/omnibucket/storage/internal/evidence"
)

// A held object is one under which a job runs, such as a lease. Jobs leave it out.
type held struct {
	bucket any
	key    string
	mark   string // a random text that the object has
	outer  *held  // or nil
}

type heldKey struct{}

// Hold returns a context in which jobs neither read, write nor remove an object of a bucket. mark is a random text that
// no other object has, except for copies.
func Hold(ctx context.Context, bucket any, key, mark string) context.Context {
	outer, _ := ctx.Value(heldKey{}).(*held)
	return context.WithValue(ctx, heldKey{}, &held{bucket, key, mark, outer})
}

// HeldIn returns the keys of the held objects that lie in what a Bucket or Directory reaches. If the places do not
// show whether a held object is there, it looks for the mark in the objects with a key that the held one may have.
func HeldIn(ctx context.Context, in any) (keys []string) {
	h, _ := ctx.Value(heldKey{}).(*held)
	for ; h != nil; h = h.outer {
		known := KeysIn(h.bucket, h.key, in)
		if len(known) == 0 && !evidence.Apart(Places(h.bucket), Places(in)) {
			for _, key := range h.otherKeys() {
				if Has(ctx, in, key, h.mark) {
					known = append(known, key)
				}
			}
		}
		keys = append(keys, known...)
	}
	return keys
}

// Has reports whether an object of a Bucket or a file of a Directory has a text in its first 64 KiB. The root package
// sets Has.
var Has func(ctx context.Context, in any, key, text string) bool

// otherKeys returns the keys that the object may have in a bucket or directory around its own, or in one in it.
func (h *held) otherKeys() (keys []string) {
	paths := []string{h.key}
	for _, p := range Places(h.bucket) {
		paths = append(
			paths, path.Join(p.Bucket, p.Prefix)+"/"+h.key,
			path.Join(filepath.ToSlash(p.Directory), p.Prefix)+"/"+h.key,
		)
	}
	for _, key := range paths {
		for more := true; more; _, key, more = strings.Cut(key, "/") {
			if key != "" && key[0] != '/' && !slices.Contains(keys, key) {
				keys = append(keys, key)
			}
		}
	}
	return keys
}

// KeysIn returns the keys that an object of a bucket has in what another Bucket or a Directory
// reaches, if it is known to lie there. Among several stores it may have several.
func KeysIn(bucket any, key string, in any) (keys []string) {
	ends := Places(in)
	for _, of := range Places(bucket) {
		for _, end := range ends {
			if found, ok := of.KeyIn(key, end); ok && !slices.Contains(keys, found) {
				keys = append(keys, found)
			}
		}
	}
	return keys
}
