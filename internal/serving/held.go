package serving

import (
	"context"
	"strings"
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
		if key, ok := KeyIn(h.bucket, h.key, in); ok {
			keys = append(keys, key)
		}
	}
	return keys
}

// KeyIn returns the key that an object of a bucket has in what another Bucket or a Directory
// reaches, if it is known to lie there.
func KeyIn(bucket any, key string, in any) (string, bool) {
	if prefix, ok := Below(bucket, in); ok {
		return prefix + key, true
	}
	prefix, ok := Below(in, bucket)
	rest, below := strings.CutPrefix(key, prefix)
	return rest, ok && below
}
