package uploads

import (
	"bytes"
	"context"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/storeclock"
)

// States keeps one small text for each upload, its state. It is for a bucket without
// conditional writes, which then has only the bytes: package sqlrecords keeps them in a
// database, and [BucketStates] in another bucket. A bucket that enforces IfAbsent and
// IfRevision keeps the states itself.
//
// Keys are ASCII text of at most 600 bytes. States are JSON of some KiB, but while an upload of 10,000 parts
// completes, up to 1 MiB. Errors are a [storage.Code] or a *storage.Error. If a failed write may have taken
// effect, Unknown of the *storage.Error is set. States must be safe for concurrent use, by several processes
// too. Package uploadstest has the suite, RunStates.
type States interface {
	// State returns a state and its revision. If there is none, it fails with
	// [storage.ObjectNotFound].
	State(ctx context.Context, key string) (state []byte, revision string, err error)
	// SetState stores a state, and must not keep the slice. It returns the new revision,
	// which is not "" and which no other write of any key has. It fails with
	// [storage.PreconditionFailed] if the stored state has another revision; so it does if
	// there is none. The revision "" stores a state only if there is none.
	SetState(ctx context.Context, key string, state []byte, revision string) (string, error)
	// RemoveState removes a state that has this revision. If it has another one, or there is
	// none, it returns nil.
	RemoveState(ctx context.Context, key, revision string) error
	// ListStates returns at most limit states (1 to 1,000) whose key is greater than after,
	// by ascending key (compared byte by byte). It may return fewer, even none. next is the key
	// after which to continue, and "" only at the end.
	ListStates(ctx context.Context, after string, limit int) (found []ListedState, next string, err error)
}

// A ListedState is one state that [States] lists.
type ListedState struct {
	Key string
	// Idle is how long ago the state was stored, to the second, by the clock of the place
	// that keeps it.
	Idle time.Duration
}

// BucketStates keeps states in a bucket with [storage.ConditionalCreate] and
// [storage.ConditionalUpdate]: one object for each state, under its key.
func BucketStates(bucket storage.ReadWriter) States { return bucketStates{bucket} }

type bucketStates struct{ bucket storage.ReadWriter }

// conditional reports whether states can be swapped.
func conditional(s States) bool {
	b, inBucket := s.(bucketStates)
	return !inBucket || storage.Supports(b.bucket, conditions)
}

func (b bucketStates) State(ctx context.Context, key string) ([]byte, string, error) {
	text, attrs, err := storage.ReadAll(ctx, b.bucket, key)
	if err != nil {
		return nil, "", err
	}
	return text, attrs.Revision, nil
}

func (b bucketStates) SetState(ctx context.Context, key string, state []byte, revision string) (string, error) {
	condition := storage.UploadOption(storage.IfAbsent())
	if revision != "" {
		condition = storage.IfRevision(revision)
	}
	attrs, err := b.bucket.Upload(ctx, key, bytes.NewReader(state), condition)
	if err != nil {
		return "", err
	}
	return attrs.Revision, nil
}

// RemoveState checks first if the store has no such condition. An upload that starts between
// the two requests loses its state, and must start again.
func (b bucketStates) RemoveState(ctx context.Context, key, revision string) error {
	var opts []storage.RemoveOption
	if storage.Supports(b.bucket, storage.ConditionalRemove) {
		opts = append(opts, storage.IfRevision(revision))
	} else {
		switch _, now, err := b.State(ctx, key); {
		case err != nil && storage.CodeOf(err) != storage.ObjectNotFound:
			return err
		case now != revision: // now is "" if there is no state
			return nil
		}
	}
	err := b.bucket.Remove(ctx, key, opts...)
	if storage.CodeOf(err) == storage.PreconditionFailed {
		return nil
	}
	return err
}

// ListStates looks at no more objects than limit, because the bucket may have many others.
func (b bucketStates) ListStates(
	ctx context.Context, after string, limit int,
) (found []ListedState, next string, err error) {
	const clock = DefaultPrefix + clockName
	var now time.Time
	last, looked := after, 0
	for entry, err := range b.bucket.List(ctx, storage.WithStartAfter(after), storage.WithPageSize(min(limit+1, listPage))) {
		if err != nil {
			return nil, "", err
		}
		if looked == limit {
			next = last
			break
		}
		last, looked = entry.Key, looked+1
		if strings.HasSuffix(entry.Key, "/"+stateName) {
			if now.IsZero() {
				if now, err = storeclock.Now(ctx, b.bucket, clock); err != nil {
					return nil, "", err
				}
				_ = b.bucket.Remove(ctx, clock) // if the object stays, the next call removes it
			}
			found = append(found, ListedState{entry.Key, max(0, now.Sub(entry.Modified))})
		}
	}
	return found, next, nil
}
