package serving

import (
	"context"
	"slices"
)

// A held object is one under which a job runs, such as a lease. Jobs leave it out.
type held struct {
	bucket any
	key    string
	outer  *held // or nil
}

type heldKey struct{}

// Hold returns a context in which jobs neither read, write nor remove an object of a bucket.
func Hold(ctx context.Context, bucket any, key string) context.Context {
	outer, _ := ctx.Value(heldKey{}).(*held)
	return context.WithValue(ctx, heldKey{}, &held{bucket, key, outer})
}

// HeldIn returns the keys of the held objects that are known to lie in what a Bucket or Directory
// reaches.
func HeldIn(ctx context.Context, in any) (keys []string) {
	h, _ := ctx.Value(heldKey{}).(*held)
	for ; h != nil; h = h.outer {
		keys = append(keys, KeysIn(h.bucket, h.key, in)...)
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
