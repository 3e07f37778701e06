package uploads

import (
	"bytes"
	"context"
	"path"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/inquiry"
	"github.com/omnibucket/storage/uploads/internal/session"
)

// States stores the state of each unfinished upload as a small text. Use it if the bucket does not
// enforce IfAbsent and IfRevision. The bucket then has only the bytes. Package sqlrecords keeps the
// states in a database. [BucketStates] keeps the states in another bucket. A bucket that enforces
// IfAbsent and IfRevision needs no States, because it can keep the states itself.
//
// Keys are ASCII text of at most 600 bytes. States are JSON of some KiB. While an upload of 10,000
// parts completes, its state may have up to 1 MiB. Each error is a [storage.Code] or a
// *storage.Error. If a failed write may have taken effect, Unknown of the *storage.Error must be
// true. Several goroutines and several processes use States at the same time. Package uploadstest
// has a test suite, RunStates.
type States interface {
	// State returns a state and its revision. If there is no state with this key, it fails with
	// [storage.ObjectNotFound].
	State(ctx context.Context, key string) (state []byte, revision string, err error)
	// SetState stores a state, and returns its new revision. If revision is "", it
	// creates the state. If a state with this key already exists, it then fails with
	// [storage.PreconditionFailed]. For any other revision, it replaces the stored state. If the
	// stored state has another revision or does not exist, SetState fails with PreconditionFailed,
	// too.
	//
	// The new revision is never "", and differs from the revision of every other write. SetState
	// must not keep the bytes that it receives in state.
	SetState(ctx context.Context, key string, state []byte, revision string) (string, error)
	// RemoveState removes the state that has this revision. If the state has another revision or
	// does not exist, it changes nothing and returns nil.
	RemoveState(ctx context.Context, key, revision string) error
	// ListStates returns at most limit states (1 to 1,000) whose key is greater than startAfter. They
	// are sorted by key, byte by byte. It may return fewer states, or none, although more follow.
	// next is the key after which to continue. It is "" only at the end.
	ListStates(ctx context.Context, startAfter string, limit int) (states []ListedState, next string, err error)
}

// A ListedState is one entry in a list of [States].
type ListedState struct {
	Key string
	// Idle is how long ago the state was last stored, in whole seconds, by the clock of the
	// database or bucket that has it.
	Idle time.Duration
}

// BucketStates returns States that stores each state as one object in a bucket. The bucket needs
// [storage.ConditionalCreate] and [storage.ConditionalUpdate]. If it lacks [storage.ConditionalRemove],
// an upload that starts again while its earlier state is removed may lose its state. Its client must
// then start once more.
func BucketStates(bucket storage.ReadWriter) States { return bucketStates{bucket} }

type bucketStates struct{ bucket storage.ReadWriter }

// conditional reports whether s can replace a state on the condition that it has not changed.
func conditional(s States) bool {
	b, inBucket := s.(bucketStates)
	return !inBucket || storage.Supports(b.bucket, conditions)
}

// State reads the state from its object, whose revision is also that of the state.
func (b bucketStates) State(ctx context.Context, key string) ([]byte, string, error) {
	text, attrs, err := storage.ReadAll(ctx, b.bucket, key)
	if err != nil {
		return nil, "", err
	}
	return text, attrs.Revision, nil
}

// SetState writes the object of a state if the object has this revision or, if revision is "", does not exist.
// It returns the new revision.
func (b bucketStates) SetState(ctx context.Context, key string, state []byte, revision string) (string, error) {
	var condition storage.UploadOption = storage.IfAbsent()
	if revision != "" {
		condition = storage.IfRevision(revision)
	}
	attrs, err := b.bucket.Upload(ctx, key, bytes.NewReader(state), condition)
	if err != nil {
		return "", err
	}
	return attrs.Revision, nil
}

// RemoveState removes the object of a state if it has this revision. In a store without conditional
// removal, an upload that starts between two requests may lose its state, and must start again.
func (b bucketStates) RemoveState(ctx context.Context, key, revision string) error {
	var opts []storage.RemoveOption
	if storage.Supports(b.bucket, storage.ConditionalRemove) {
		opts = append(opts, storage.IfRevision(revision))
	} else {
		isCurrent, err := b.hasRevision(ctx, key, revision)
		if !isCurrent || err != nil {
			return err
		}
	}

	err := b.bucket.Remove(ctx, key, opts...)
	if storage.CodeOf(err) == storage.PreconditionFailed {
		// Another call has changed the state, so it stays.
		return nil
	}
	return err
}

// hasRevision reports whether there is a state with this key and revision.
func (b bucketStates) hasRevision(ctx context.Context, key, revision string) (bool, error) {
	_, current, err := b.State(ctx, key)
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return false, nil
	}
	return err == nil && current == revision, err
}

// ListStates returns the states after startAfter that it finds among the next limit entries of the bucket's
// listing. It reads no more, because the bucket may have many other objects.
func (b bucketStates) ListStates(
	ctx context.Context, startAfter string, limit int,
) (found []ListedState, next string, err error) {
	opts := []storage.ListOption{storage.WithStartAfter(startAfter), storage.WithPageSize(min(limit+1, listPage))}
	var now time.Time // time of the store, once it is known

	// The next call begins after the last entry that was read.
	lastKey := startAfter
	count := 0

	for entry, err := range b.bucket.List(ctx, opts...) {
		if err != nil {
			return nil, "", err
		}
		if count == limit {
			return found, lastKey, nil
		}
		lastKey = entry.Key
		count++

		prefix, isState := prefixOfState(entry.Key)
		if !isState {
			continue
		}
		if now.IsZero() {
			// The age of a state needs the store's own time, which a temporary object shows. The prefix of the service
			// is not known here, so write that object beside the first state.
			now, err = b.readClock(ctx, prefix+clockName)
			if err != nil {
				return nil, "", err
			}
		}
		found = append(found, ListedState{Key: entry.Key, Idle: max(0, now.Sub(entry.Modified))})
	}
	return found, "", nil
}

// prefixOfState returns the Config.Prefix in the key of a state. It returns false for any other key. An application may
// have objects with the name state.json, too.
func prefixOfState(key string) (prefix string, isState bool) {
	folder, hasName := strings.CutSuffix(key, "/"+session.StateName)
	prefix, name := path.Split(folder)
	return prefix, hasName && session.IsDirName(name)
}

// readClock returns the time by the clock of the store. It writes an object under key to learn it.
func (b bucketStates) readClock(ctx context.Context, key string) (time.Time, error) {
	now, err := inquiry.Now(ctx, b.bucket, key)
	if err != nil {
		return time.Time{}, err
	}
	// If the removal fails, the next call removes the object.
	_ = b.bucket.Remove(ctx, key)
	return now, nil
}

// clockName is the name of an object that Sweep writes and removes, to read the store's time. If
// Sweep is killed, the object stays.
const clockName = "clock"

// conditions are the features that a bucket needs to keep records or the state of uploads.
const conditions = storage.ConditionalCreate | storage.ConditionalUpdate
