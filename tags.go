package storage

import (
	"context"
	"maps"

	"github.com/omnibucket/storage/internal/scope"
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

func (b *bucket) Tags(ctx context.Context, key string, opts ...AttrsOption) (map[string]string, error) {
	o, r, given := &operation{}, &GetRequest{}, &DownloadOptions{}
	e := o.prepare(b, scope.Attrs, "Tags", key)
	if e == nil {
		e = optionFailure(given.ApplyAttrs(opts...))
	}
	if e == nil {
		*r = getOf(given)
		e = b.core.resolveRead(o.key, r, &given.set)
	}
	if e == nil {
		e = b.core.need(ObjectTags, "Tags")
	}
	if e == nil && r.Condition != (Condition{}) {
		e = invalid("IfRevision and IfRevisionNot", "do not fit Tags: tags change without a new revision")
	}
	tags, err := run(ctx, o, e, func(ctx context.Context) (*map[string]string, *Error) {
		tags, e := readTags(ctx, o, r)
		return &tags, e
	})
	if err != nil {
		return nil, err
	}
	return *tags, nil
}

// readTags requests the tags, within o.
func readTags(ctx context.Context, o *operation, r *GetRequest) (map[string]string, *Error) {
	tags, e := request(ctx, o, func(ctx context.Context) (map[string]string, error) { return o.core.driver.Tags(ctx, r) })
	if e != nil {
		withoutEffect(e)
		return nil, e
	}
	if tags == nil {
		return map[string]string{}, nil
	}
	return maps.Clone(tags), nil // a driver may keep its map
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

func (b *bucket) SetTags(ctx context.Context, key string, tags map[string]string, opts ...SetOption) error {
	c := &changeOp{req: ChangeRequest{Tags: maps.Clone(tags)}}
	applied := c.given.Apply(opts...)
	return c.run(ctx, b, "SetTags", key, ObjectTags, applied, checkTags("tags", tags), Driver.SetTags)
}

// A changeOp is one call that changes what is kept with an object.
type changeOp struct {
	op    operation
	req   ChangeRequest
	given ChangeOptions
}

// run checks the request and makes it. applied and checked are how reading the options and
// checking the argument went.
func (c *changeOp) run(ctx context.Context, b *bucket, name, key string, need Features, applied error, checked *Error, call func(Driver, context.Context, *ChangeRequest) error) error {
	o, r := &c.op, &c.req
	e := o.prepare(b, scope.Upload, name, key)
	if e == nil {
		e = optionFailure(applied)
	}
	if e == nil {
		e = checked
	}
	if e == nil {
		e = b.core.resolveChange(o.key, r, &c.given)
	}
	if e == nil {
		e = b.core.need(need, name)
	}
	if e == nil {
		ctx, e = o.begin(ctx)
	}
	if e == nil {
		e = o.call(ctx, func(ctx context.Context) error { return call(o.core.driver, ctx, r) })
	}
	if e != nil && e.Unknown && e.Code == PreconditionFailed {
		e.Code = Unavailable // the store was asked for no condition: it is a gateway's 412
	}
	return o.end(e)
}

// resolveChange checks the key and the options, and completes the request.
func (c *core) resolveChange(key string, r *ChangeRequest, given *ChangeOptions) (e *Error) {
	if e = c.checkReadKey(key); e != nil {
		return e
	}
	r.Key, r.Version, r.BypassGovernance = key, given.Version, given.BypassGovernance
	if e = c.needVersion(&given.set); e != nil {
		return e
	}
	r.Native, e = c.natives(given.set.Natives)
	return e
}
