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

// checkTags returns InvalidArgument if tags, which are those of the named argument, break a rule.
func checkTags(argument string, tags map[string]string) *storage.Error {
	if rule := metadata.CheckTags(tags); rule != "" {
		return invalid(argument, rule)
	}
	return nil
}

// Tags returns the tags of the object, or an empty map if it has none.
func (b bucket) Tags(ctx context.Context, key string, opts *storage.DownloadOptions) (map[string]string, error) {
	o := &operation{}
	req := &driver.GetRequest{}
	checkErr := o.prepareTags(b.engine, key, req, opts)
	return run(ctx, o, checkErr, func(ctx context.Context) (map[string]string, *storage.Error) {
		return readTags(ctx, o, req)
	})
}

// prepareTags checks the options of Tags, and completes its request.
func (o *operation) prepareTags(
	e *engine, key string, req *driver.GetRequest, opts *storage.DownloadOptions,
) *storage.Error {
	const name = "Tags"
	if err := o.prepareRead(e, name, key, req, opts); err != nil {
		return err
	}
	if err := e.need(storage.ObjectTags, name); err != nil {
		return err
	}
	if req.Condition != (storage.Condition{}) {
		return invalid("IfRevision and IfRevisionNot", "do not fit Tags: tags change without a new revision")
	}
	return nil
}

// readTags requests the tags of an object as a part of the operation o. It returns an empty map if
// the object has none.
func readTags(ctx context.Context, o *operation, req *driver.GetRequest) (map[string]string, *storage.Error) {
	tags, err := request(ctx, o, func(ctx context.Context) (map[string]string, error) {
		return o.engine.driver.Tags(ctx, req)
	})
	if err != nil {
		withoutEffect(err) // a read changes nothing
		return nil, err
	}
	if tags == nil {
		return map[string]string{}, nil
	}
	// Return a copy, because a driver may keep its map.
	return maps.Clone(tags), nil
}

// SetTags replaces the tags of the object.
func (b bucket) SetTags(ctx context.Context, key string, tags map[string]string, opts *storage.ChangeOptions) error {
	c := &changeOp{
		name: "SetTags",
		need: storage.ObjectTags,
		send: driver.Driver.SetTags,
		req:  driver.ChangeRequest{Tags: maps.Clone(tags)},
		opts: opts,
	}
	return c.run(ctx, b.engine, key, checkTags("tags", tags))
}

// A changeOp is one call of SetTags, SetRetention, SetLegalHold or Restore.
type changeOp struct {
	op   operation
	name string
	need storage.Features // which the bucket must have
	// send is the method of the driver that makes the request.
	send func(driver.Driver, context.Context, *driver.ChangeRequest) error
	req  driver.ChangeRequest
	opts *storage.ChangeOptions
}

// run checks the call, and sends its request. argErr is the error of an argument such as the tags of
// SetTags, or nil.
func (c *changeOp) run(ctx context.Context, e *engine, key string, argErr *storage.Error) error {
	o := &c.op
	req := &c.req
	checkErr := o.prepareWrite(e, c.name, key)
	// The first error counts. With an error, do does not call the function.
	checkErr = cmp.Or(checkErr, argErr, e.resolveChange(o.key, req, c.opts), e.need(c.need, c.name))

	return o.do(ctx, checkErr, func(ctx context.Context) *storage.Error {
		err := o.call(ctx, func(ctx context.Context) error { return c.send(e.driver, ctx, req) })
		return changeFailure(err, req)
	})
}

// changeFailure turns the error of a change, or nil, into the error for the caller. It replaces a
// PreconditionFailed that follows a lost response, because the change has no condition of the caller.
func changeFailure(err *storage.Error, req *driver.ChangeRequest) *storage.Error {
	if err == nil || err.Code != storage.PreconditionFailed || !err.Unknown {
		return err
	}
	if req.SoftDeleted {
		err.Code = storage.OutcomeUnknown
		err.Hint = "a response was lost: this call may have restored the object, or another write has made one"
		return err
	}
	// The request has no condition, so a gateway and not the store has sent the 412.
	err.Code = storage.Unavailable
	return err
}

// resolveChange checks the key and the options, and copies them into req.
func (e *engine) resolveChange(key string, req *driver.ChangeRequest, opts *storage.ChangeOptions) *storage.Error {
	if err := e.checkReadKey(key); err != nil {
		return err
	}
	// A soft-deleted version exists even if the bucket keeps no versions.
	if !opts.SoftDeleted {
		if err := e.needVersion(opts.Version); err != nil {
			return err
		}
	}
	native, err := e.nativeValues(opts.Native)
	if err != nil {
		return err
	}

	req.Key = key
	req.Version = opts.Version
	req.BypassGovernance = opts.BypassGovernance
	req.Native = native
	return nil
}

// SetRetention locks the object until a time, or ends the lock if the Retention is empty.
func (b bucket) SetRetention(
	ctx context.Context, key string, retention storage.Retention, opts *storage.ChangeOptions,
) error {
	var argErr *storage.Error
	if retention != (storage.Retention{}) {
		// Every provider can store whole seconds.
		retention.Until = metadata.RoundUpTime(retention.Until)
		if rule := metadata.CheckRetention(string(retention.Mode), retention.Until, time.Now()); rule != "" {
			argErr = invalid("retention", rule)
		}
	}
	c := &changeOp{
		name: "SetRetention",
		need: storage.ObjectLock,
		send: driver.Driver.SetRetention,
		req:  driver.ChangeRequest{Retention: retention},
		opts: opts,
	}
	return c.run(ctx, b.engine, key, argErr)
}

// SetLegalHold sets the legal hold of the object, or removes it if hold is false.
func (b bucket) SetLegalHold(ctx context.Context, key string, hold bool, opts *storage.ChangeOptions) error {
	c := &changeOp{
		name: "SetLegalHold",
		need: storage.ObjectLock,
		send: driver.Driver.SetLegalHold,
		req:  driver.ChangeRequest{LegalHold: hold},
		opts: opts,
	}
	return c.run(ctx, b.engine, key, nil)
}

// Restore makes an archived object readable, or brings a soft-deleted object back.
func (b bucket) Restore(ctx context.Context, key string, opts *storage.ChangeOptions) error {
	c := &changeOp{
		name: "Restore",
		need: storage.Restoring,
		send: driver.Driver.Restore,
		req:  driver.ChangeRequest{RestoreDays: opts.RestoreDays, RestoreTier: opts.RestoreTier},
		opts: opts,
	}
	if opts.SoftDeleted {
		c.req.SoftDeleted = true
		c.need = storage.SoftDelete
	}
	return c.run(ctx, b.engine, key, nil)
}
