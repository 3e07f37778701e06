package files

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/panics"
)

// joinParts makes the bytes of the parts, and the record to be.
func (j *joining) joinParts(ctx context.Context) (*Record, error) {
	r := j.newRecord(&j.options.UploadOptions)
	r.ID, r.Created = j.state.Claim.ID, j.state.Claim.Created
	if !j.drawn { // an earlier call may have come so far, and no further
		attrs, err := j.bucket.Attrs(ctx, j.key(r))
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
	err := j.beating(ctx, func() (err error) {
		attrs, err = j.compose(ctx, j.key(r), opts)
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
func (j *joining) compose(ctx context.Context, key string, opts []storage.CopyOption) (*storage.Attrs, error) {
	for attempt := 1; ; attempt++ {
		keys, size, err := j.parts(ctx)
		if err != nil {
			return nil, err
		}
		if len(keys) < j.options.Count {
			return nil, storage.ObjectNotFound
		}
		if j.config.MaxSize > 0 && size > j.config.MaxSize {
			return nil, tooLarge(j.config.MaxSize)
		}
		attrs, err := storage.Compose(ctx, j.bucket, key, keys, opts...)
		switch storage.CodeOf(err) {
		case "":
			j.fresh = true
			return attrs, nil
		case storage.PreconditionFailed:
			return j.bucket.Attrs(ctx, key)
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
const beatEvery = joinPatience / 3

// beating does work, and renews the claim meanwhile: a large file takes longer
// than others would wait.
func (j *joining) beating(ctx context.Context, work func() error) error {
	waiting, stop := context.WithCancel(ctx)
	var beats panics.Group
	beats.Go(func() {
		for j.pulse(waiting, beatEvery) == nil {
			j.state.Claim.Beat++
			if swapped, err := j.swap(ctx, j.state); err == nil && !swapped {
				return // another call has it now; who is done first is
			}
		}
	}, nil)
	defer beats.Wait() // a beat on its way is not cut off: its outcome would not be known
	defer stop()
	return work()
}
