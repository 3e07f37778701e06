package files

import (
	"bytes"
	"context"

	"github.com/omnibucket/storage"
)

// A stateStore is where the state of an upload in parts is kept.
type stateStore interface {
	PartState(ctx context.Context, key string) (state []byte, revision string, err error)
	SetPartState(ctx context.Context, key string, state []byte, revision string) (string, error)
	RemovePartState(ctx context.Context, key, revision string) error
}

// stateStoreFor returns records if only they can keep states, and false if neither
// can.
func stateStoreFor(bucket storage.Bucket, records Records) (stateStore, bool) {
	if storage.Supports(bucket, conditions) {
		return bucketStates{bucket}, true
	}
	if states, ok := records.(PartStates); ok {
		return states, true
	}
	return bucketStates{bucket}, false
}

// bucketStates keeps each state in an object beside the parts. A listing of the parts
// has it, so that Sweep makes no other.
type bucketStates struct{ bucket storage.Bucket }

func (b bucketStates) PartState(ctx context.Context, key string) ([]byte, string, error) {
	text, attrs, err := storage.ReadAll(ctx, b.bucket, key)
	if err != nil {
		return nil, "", err
	}
	return text, attrs.Revision, nil
}

func (b bucketStates) SetPartState(ctx context.Context, key string, state []byte, revision string) (string, error) {
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

// RemovePartState checks first if the store has no such condition. An upload that
// starts between the two requests loses its state. A part in progress then fails with
// NotFound, and parts that were stored by then must be sent again.
func (b bucketStates) RemovePartState(ctx context.Context, key, revision string) error {
	var opts []storage.RemoveOption
	if storage.Supports(b.bucket, storage.ConditionalRemove) {
		opts = append(opts, storage.IfRevision(revision))
	} else {
		switch _, now, err := b.PartState(ctx, key); {
		case storage.CodeOf(err) == storage.ObjectNotFound:
			return nil
		case err != nil:
			return err
		case now != revision:
			return nil
		}
	}
	err := b.bucket.Remove(ctx, key, opts...)
	if storage.CodeOf(err) == storage.PreconditionFailed {
		return nil
	}
	return err
}
