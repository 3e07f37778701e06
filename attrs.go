package storage

import (
	"context"
	"sync"
)

// Attrs describes the object; ObjectNotFound where there is none.
func (b *bucket) Attrs(ctx context.Context, key string, opts ...AttrsOption) (*Attrs, error) {
	a, err := b.head(ctx, mayAttrs, "Attrs", key, opts)
	if err != nil {
		return nil, err
	}
	return a, nil
}

// Exists is false, nil for an object that is not there.
func (b *bucket) Exists(ctx context.Context, key string, opts ...AttrsOption) (bool, error) {
	_, err := b.head(ctx, mayExists, "Exists", key, opts)
	if err == nil {
		return true, nil
	}
	if CodeOf(err) == ObjectNotFound {
		return false, nil
	}
	return false, err
}

// head is one call of Attrs or Exists.
type head struct {
	operation
	req GetRequest
}

var heads = sync.Pool{New: func() any { return new(head) }}

func newHead(c *core) *head {
	if c.recycles() {
		return heads.Get().(*head)
	}
	return &head{}
}

// recycle leaves h to another call, where nothing can be left that reads it.
func (h *head) recycle() {
	if h.core.recycles() {
		*h = head{}
		heads.Put(h)
	}
}

func (b *bucket) head(ctx context.Context, may permission, op, key string, opts []AttrsOption) (*Attrs, error) {
	h := newHead(b.core)
	a, err := h.look(ctx, b, may, op, key, opts)
	h.recycle()
	return a, err
}

func (h *head) look(ctx context.Context, b *bucket, may permission, op, key string, opts []AttrsOption) (*Attrs, error) {
	o, r := &h.operation, &h.req
	e := o.prepare(b, may, op, key)
	if e == nil {
		if err := r.ApplyAttrs(opts...); err != nil {
			e = ownError(err)
		} else {
			e = o.resolveRead(r)
		}
	}
	if e != nil {
		return nil, o.end(e)
	}
	ctx, e = o.begin(ctx)
	if e != nil {
		return nil, o.end(e)
	}
	a, e := o.lookUp(ctx, r)
	if e != nil {
		// "Not there" is an answer to Exists: hooks and telemetry see no failure.
		if op == "Exists" && e.Code == ObjectNotFound {
			_ = o.end(nil)
			return nil, ObjectNotFound
		}
		return nil, o.end(e)
	}
	return a, o.end(nil)
}

// resolveRead checks what reads have in common, and completes the request.
func (o *operation) resolveRead(r *GetRequest) (e *Error) {
	if e = checkReadKey(o.key); e != nil {
		return e
	}
	r.Key = o.key
	if r.set.version {
		if e = o.core.need(KeepVersions, "WithVersion"); e != nil {
			return e
		}
	}
	if e = o.core.condition(&r.Condition, 0); e != nil {
		return e
	}
	r.Native, e = o.core.natives(r.set.natives)
	return e
}

// lookUp is Head, as the user sees it.
func (o *operation) lookUp(ctx context.Context, r *GetRequest) (*Attrs, *Error) {
	var a *Attrs
	e := o.call(ctx, func(ctx context.Context) (err error) {
		a, err = o.core.driver.Head(ctx, r)
		return err
	})
	if e != nil {
		return nil, e
	}
	return o.present(a), nil
}

// present makes of a driver's Attrs what the user sees: without prefix and
// reserved metadata, the revision tagged, and a content type also where the
// store keeps none (a file that was put into a directory by hand).
func (o *operation) present(a *Attrs) *Attrs {
	a.Key = o.key[len(o.prefix):]
	a.Revision = o.core.tagged(a.Revision)
	a.Metadata = o.core.shown(a.Metadata)
	if a.ContentType == "" {
		a.ContentType = contentType("", o.key, func() []byte { return nil })
	}
	if !o.core.has(KeepVersions) {
		a.Version = ""
	}
	return a
}
