package files

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/panics"
)

// assemble stores the bytes of the parts and returns the record to create.
func (a *assembly) assemble(ctx context.Context) (*Record, error) {
	r := a.upload.store.newRecord(&a.upload.options.UploadOptions)
	r.ID, r.Created = a.state.Claim.ID, a.state.Claim.Created
	if !a.drawn { // an earlier call may have stored the bytes
		attrs, err := a.upload.store.bucket.Attrs(ctx, a.upload.kind.key(r))
		if err == nil {
			r.describe(attrs)
			return r, nil
		}
		if storage.CodeOf(err) != storage.ObjectNotFound {
			return nil, err
		}
	}
	var opts []storage.CopyOption
	if a.upload.store.creates {
		opts = append(opts, storage.IfAbsent())
	}
	if r.MIMEType != "" && storage.Supports(a.upload.store.bucket, storage.ContentProperties) { // the record has it too
		opts = append(opts, storage.WithContentType(r.MIMEType))
	}
	err := a.withHeartbeat(ctx, func() error {
		if a.upload.store.inspects() {
			return a.joinInspected(ctx, r, opts)
		}
		attrs, err := a.compose(ctx, a.upload.kind.key(r), opts)
		if err == nil {
			r.describe(attrs)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// joinInspected joins the parts under a key of this call, so that no other call replaces what is
// inspected there.
func (a *assembly) joinInspected(ctx context.Context, r *Record, opts []storage.CopyOption) error {
	waiting := a.upload.partsPrefix() + "joined-" + a.holder + r.FileExt
	defer a.upload.store.removeWaiting(ctx, waiting)
	attrs, err := a.compose(ctx, waiting, opts)
	if err != nil {
		return err
	}
	r.describe(attrs)
	if attrs, a.fresh, err = a.upload.store.admit(ctx, a.upload.kind, r, waiting); err != nil {
		return err
	}
	r.describe(attrs)
	return nil
}

// compose joins the parts. It starts again if a part was replaced meanwhile, and
// returns the existing object if another call was first.
func (a *assembly) compose(ctx context.Context, key string, opts []storage.CopyOption) (*storage.Attrs, error) {
	for attempt := 1; ; attempt++ {
		keys, size, err := a.upload.parts(ctx)
		if err != nil {
			return nil, err
		}
		if len(keys) < a.upload.options.Count {
			return nil, storage.ObjectNotFound
		}
		if a.upload.store.config.MaxSize > 0 && size > a.upload.store.config.MaxSize {
			return nil, tooLargeError(a.upload.store.config.MaxSize)
		}
		attrs, err := storage.Compose(ctx, a.upload.store.bucket, key, keys, opts...)
		switch storage.CodeOf(err) {
		case "":
			a.fresh = true
			return attrs, nil
		case storage.PreconditionFailed:
			return a.upload.store.bucket.Attrs(ctx, key)
		case storage.Changed:
			if attempt < joinAttempts {
				continue
			}
		}
		return nil, err
	}
}

// heartbeatInterval is short enough that one or two lost heartbeats are not taken for
// the death of the call.
const heartbeatInterval = joinPatience / 3

// withHeartbeat runs work and renews the claim meanwhile, because joining a large
// file takes longer than joinPatience.
func (a *assembly) withHeartbeat(ctx context.Context, work func() error) error {
	waiting, stop := context.WithCancel(ctx)
	var beats panics.Group
	beats.Go(func() {
		for a.upload.store.pulse(waiting, heartbeatInterval) == nil {
			a.state.Claim.Beat++
			if swapped, err := a.upload.swap(ctx, a.state); err == nil && !swapped {
				return // another call has taken over; whichever finishes first wins
			}
		}
	}, nil)
	defer beats.Wait() // a heartbeat in progress is not canceled, because its outcome would not be known
	defer stop()
	return work()
}
