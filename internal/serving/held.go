package serving

import (
	"context"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/omnibucket/storage/internal/evidence"
)

// The type held identifies an object that jobs must skip, such as a job's own lease. Jobs neither
// read, write nor remove the object.
type held struct {
	bucket any
	key    string
	mark   string // random text that the object contains
	outer  *held  // object that an outer job holds, or nil
}

type heldKey struct{}

// Hold returns a context for jobs that must not touch one object, such as the lease of the job. Jobs
// with this context do not read, write or remove the object. bucket and key identify it. mark is a
// random text that only this object and its copies contain.
func Hold(ctx context.Context, bucket any, key, mark string) context.Context {
	outer, _ := ctx.Value(heldKey{}).(*held)
	return context.WithValue(ctx, heldKey{}, &held{bucket, key, mark, outer})
}

// HeldIn returns the keys that jobs must skip in the Bucket or Directory input, because [Hold] has
// made ctx, or a parent of ctx, for the objects at these keys. It computes the keys if the places
// of input and of the bucket of Hold are known. Otherwise it reads each key of input that may be
// such an object, and recognizes it by the random text that Hold has stored in it.
func HeldIn(ctx context.Context, input any) (keys []string) {
	h, _ := ctx.Value(heldKey{}).(*held)
	for ; h != nil; h = h.outer {
		keys = append(keys, h.keysIn(ctx, input)...)
	}
	return keys
}

// keysIn returns the keys that the held object has in input, a Bucket or Directory, which may have
// it under several keys by mounts.
func (h *held) keysIn(ctx context.Context, input any) (keys []string) {
	keys = KeysIn(h.bucket, h.key, input)
	if len(keys) > 0 || evidence.Apart(Places(h.bucket), Places(input)) {
		return keys
	}

	// The places do not show whether input has the object, so look for its mark under each possible key.
	for _, key := range h.otherKeys() {
		if Has(ctx, input, key, h.mark) {
			keys = append(keys, key)
		}
	}
	return keys
}

// Has reports whether an object or file contains the given text in its first 64 KiB. The parameter
// input is a Bucket or a Directory. The root package sets Has.
var Has func(ctx context.Context, input any, key, text string) bool

// otherKeys returns all keys that the held object may have in another bucket or directory. That may begin
// above the object's bucket, so that its keys have more folders than h.key, or below, so that they have fewer.
// All of them are endings of the object's path.
func (h *held) otherKeys() (keys []string) {
	paths := []string{h.key}
	for _, p := range Places(h.bucket) {
		inBucket := path.Join(p.Bucket, p.Prefix)
		inDirectory := path.Join(filepath.ToSlash(p.Directory), p.Prefix)
		paths = append(paths, inBucket+"/"+h.key, inDirectory+"/"+h.key)
	}
	for _, p := range paths {
		for _, key := range endingsOf(p) {
			isKey := key != "" && key[0] != '/'
			if isKey && !slices.Contains(keys, key) {
				keys = append(keys, key)
			}
		}
	}
	return keys
}

// endingsOf returns a path, the path without its first folder, without its first two folders, and
// so on.
func endingsOf(full string) (all []string) {
	for {
		all = append(all, full)
		_, rest, hasFolder := strings.Cut(full, "/")
		if !hasFolder {
			return all
		}
		full = rest
	}
}

// KeysIn returns the keys under which an object of bucket also appears in a second Bucket or a
// Directory, as far as their places are known. If a bucket has several stores, the object may have
// several keys.
func KeysIn(bucket any, key string, input any) (keys []string) {
	inputPlaces := Places(input)
	for _, place := range Places(bucket) {
		for _, inputPlace := range inputPlaces {
			inputKey, ok := place.KeyIn(key, inputPlace)
			if ok && !slices.Contains(keys, inputKey) {
				keys = append(keys, inputKey)
			}
		}
	}
	return keys
}
