package files

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/panics"
)

// joinParts makes the bytes of the parts, and the record to be.
func (a *assembly) assemble(ctx context.Context) (*Record, error) {
	r := a.newRecord(&a.options.UploadOptions)
	r.ID, r.Created = a.state.Claim.ID, a.state.Claim.Created
	if !a.drawn { // an earlier call may have come so far, and no further
		attrs, err := a.bucket.Attrs(ctx, a.key(r))
		if err == nil {
			r.describe(attrs)
			return r, nil
		}
		if storage.CodeOf(err) != storage.ObjectNotFound {
			return nil, err
		}
	}
	opts := []storage.CopyOption{storage.IfAbsent()}
	if r.MIMEType != "" {
		opts = append(opts, storage.WithContentType(r.MIMEType))
	}
	var attrs *storage.Attrs
	err := a.withHeartbeat(ctx, func() (err error) {
		attrs, err = a.compose(ctx, a.key(r), opts)
		return err
	})
	if err != nil {
		return nil, err
	}
	r.describe(attrs)
	return r, nil
}

// compose is again where a part was replaced meanwhile, and what is there where
// another call was first.
func (a *assembly) compose(ctx context.Context, key string, opts []storage.CopyOption) (*storage.Attrs, error) {
	for attempt := 1; ; attempt++ {
		keys, size, err := a.parts(ctx)
		if err != nil {
			return nil, err
		}
		if len(keys) < a.options.Count {
			return nil, storage.ObjectNotFound
		}
		if a.config.MaxSize > 0 && size > a.config.MaxSize {
			return nil, tooLargeError(a.config.MaxSize)
		}
		attrs, err := storage.Compose(ctx, a.bucket, key, keys, opts...)
		switch storage.CodeOf(err) {
		case "":
			a.fresh = true
			return attrs, nil
		case storage.PreconditionFailed:
			return a.bucket.Attrs(ctx, key)
		case storage.Changed:
			if attempt < joinAttempts {
				continue
			}
		}
		return nil, err
	}
}

// beatEvery is how often a call that joins parts shows that it lives, so that one
// lost beat, or two, are not taken for its death.
const heartbeatInterval = joinPatience / 3

// beating does work, and renews the claim meanwhile: a large file takes longer
// than others would wait.
func (a *assembly) withHeartbeat(ctx context.Context, work func() error) error {
	waiting, stop := context.WithCancel(ctx)
	var beats panics.Group
	beats.Go(func() {
		for a.pulse(waiting, heartbeatInterval) == nil {
			a.state.Claim.Beat++
			if swapped, err := a.swap(ctx, a.state); err == nil && !swapped {
				return // another call has it now; who is done first is
			}
		}
	}, nil)
	defer beats.Wait() // a beat on its way is not cut off: its outcome would not be known
	defer stop()
	return work()
}
