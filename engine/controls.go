package engine

import (
	"cmp"
	"context"
	"maps"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/metadata"
)

// checkTags returns InvalidArgument if tags break a rule. argument is the parameter or option that
// the error names.
func checkTags(argument string, tags map[string]string) *storage.Error {
	if rule := metadata.CheckTags(tags); rule != "" {
		return invalid(argument, rule)
	}
	return nil
}

func (b bucket) Tags(ctx context.Context, key string, opts *storage.DownloadOptions) (map[string]string, error) {
	o := &operation{}
	r := &driver.GetRequest{}
	e := o.prepareRead(b.engine, "Tags", key, r, opts)
	e = cmp.Or(e, b.engine.need(storage.ObjectTags, "Tags"))
	if e == nil && r.Condition != (storage.Condition{}) {
		e = invalid("IfRevision and IfRevisionNot", "do not fit Tags: tags change without a new revision")
	}
	return run(ctx, o, e, func(ctx context.Context) (map[string]string, *storage.Error) { return readTags(ctx, o, r) })
}

// readTags requests the tags of an object. The request is part of the operation o.
func readTags(ctx context.Context, o *operation, r *driver.GetRequest) (map[string]string, *storage.Error) {
	tags, e := request(ctx, o, func(ctx context.Context) (map[string]string, error) { return o.engine.driver.Tags(ctx, r) })
	if e != nil {
		withoutEffect(e)
		return nil, e
	}
	if tags == nil {
		return map[string]string{}, nil
	}
	// Return a copy, because a driver may keep its map.
	return maps.Clone(tags), nil
}

func (b bucket) SetTags(ctx context.Context, key string, tags map[string]string, opts *storage.ChangeOptions) error {
	o := &changeOp{opts: opts, req: driver.ChangeRequest{Tags: maps.Clone(tags)}}
	return o.run(ctx, b.engine, "SetTags", key, storage.ObjectTags, checkTags("tags", tags), driver.Driver.SetTags)
}

// A changeOp is one call of SetTags, SetRetention, SetLegalHold or Restore.
type changeOp struct {
	op   operation
	req  driver.ChangeRequest
	opts *storage.ChangeOptions
}

// run checks the options, and then calls the function send, which makes the request. The caller has
// already checked its own argument, such as the tags of SetTags. argErr is the error
// of that check, or nil.
func (c *changeOp) run(
	ctx context.Context, b *engine, name, key string, need storage.Features, argErr *storage.Error,
	send func(driver.Driver, context.Context, *driver.ChangeRequest) error,
) error {
	o := &c.op
	r := &c.req
	e := o.prepareWrite(b, name, key)
	e = cmp.Or(e, argErr, b.resolveChange(o.key, r, c.opts), b.need(need, name))
	return o.do(ctx, e, func(ctx context.Context) *storage.Error {
		e := o.call(ctx, func(ctx context.Context) error { return send(o.engine.driver, ctx, r) })
		switch {
		case e == nil || e.Code != storage.PreconditionFailed || !e.Unknown:
		case r.SoftDeleted:
			e.Code = storage.OutcomeUnknown
			e.Hint = "a response was lost: this call may have restored the object, or another write has made one"
		default:
			// The request has no condition, so a gateway sent the 412, not the store.
			e.Code = storage.Unavailable
		}
		return e
	})
}

// resolveChange checks the key and the options, and copies the options into r.
func (c *engine) resolveChange(key string, r *driver.ChangeRequest, opts *storage.ChangeOptions) *storage.Error {
	var unversioned, foreign *storage.Error
	r.Key = key
	r.Version = opts.Version
	r.BypassGovernance = opts.BypassGovernance
	if !opts.SoftDeleted {
		// A soft-deleted version exists even if the bucket keeps no versions.
		unversioned = c.needVersion(opts.Version)
	}
	r.Native, foreign = c.natives(opts.Native)
	return cmp.Or(c.checkReadKey(key), unversioned, foreign)
}

func (b bucket) SetRetention(ctx context.Context, key string, r storage.Retention, opts *storage.ChangeOptions) error {
	o := &changeOp{opts: opts}
	var checked *storage.Error
	if r != (storage.Retention{}) {
		r.Until = metadata.RoundUpTime(r.Until)
		if rule := metadata.CheckRetention(string(r.Mode), r.Until, time.Now()); rule != "" {
			checked = invalid("retention", rule)
		}
	}
	o.req.Retention = r
	return o.run(ctx, b.engine, "SetRetention", key, storage.ObjectLock, checked, driver.Driver.SetRetention)
}

func (b bucket) SetLegalHold(ctx context.Context, key string, hold bool, opts *storage.ChangeOptions) error {
	o := &changeOp{opts: opts, req: driver.ChangeRequest{LegalHold: hold}}
	return o.run(ctx, b.engine, "SetLegalHold", key, storage.ObjectLock, nil, driver.Driver.SetLegalHold)
}

func (b bucket) Restore(ctx context.Context, key string, opts *storage.ChangeOptions) error {
	o := &changeOp{opts: opts}
	o.req.RestoreDays = opts.RestoreDays
	o.req.RestoreTier = opts.RestoreTier
	need := storage.Restoring
	if opts.SoftDeleted {
		o.req.SoftDeleted = true
		need = storage.SoftDelete
	}
	return o.run(ctx, b.engine, "Restore", key, need, nil, driver.Driver.Restore)
}
