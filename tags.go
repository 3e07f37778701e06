package storage

import (
	"context"
)

// A SetOption fits SetTags and SetLegalHold: WithVersion, WithNative.
type SetOption interface{ applySet(*ChangeOptions) }

// A Tagger is a bucket whose objects have tags: one from [New], or a type of your own, for which
// [Tags] and [SetTags] call these methods.
type Tagger interface {
	Tags(ctx context.Context, key string, opts ...AttrsOption) (map[string]string, error)
	SetTags(ctx context.Context, key string, tags map[string]string, opts ...SetOption) error
}

// Tags returns the object's tags; if it has none, an empty map. A bucket that is narrowed
// by [Ref] needs Attrs. If the store lacks [ObjectTags], or the bucket is no [Tagger], it fails
// with Unsupported.
func Tags(ctx context.Context, b AttrsReader, key string, opts ...AttrsOption) (map[string]string, error) {
	t, e := need[Tagger](b, "Tags")
	if e != nil {
		return nil, located(b, "Tags", key, e)
	}
	return t.Tags(ctx, key, opts...)
}

// SetTags replaces the object's tags; with none it removes them. The rules are those of
// [WithTags]. The object's revision stays the same. A bucket that is narrowed by [Ref] needs
// Upload. If there is no object, it fails with ObjectNotFound; if the store lacks [ObjectTags], or
// the bucket is no [Tagger], with Unsupported.
func SetTags(ctx context.Context, b Uploader, key string, tags map[string]string, opts ...SetOption) error {
	t, e := need[Tagger](b, "SetTags")
	if e != nil {
		return located(b, "SetTags", key, e)
	}
	return t.SetTags(ctx, key, tags, opts...)
}
