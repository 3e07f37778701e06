package files

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/parallel"
)

// Delete removes a client file, its record first. If there is no such file, it
// returns nil, so that a retry is safe. If the ID is malformed, it fails with
// InvalidValue.
func (s *Store) Delete(ctx context.Context, id string) error {
	return s.remove(ctx, s.client, id)
}

// A DeleteResult is the result for one ID.
type DeleteResult struct {
	ID  string
	Err error // as of Delete
}

// removeConcurrency is how many files are removed at once.
const removeConcurrency = 8

// DeleteMany removes client files like [Store.Delete], and continues after failures.
// It returns one result for each ID, in order.
func (s *Store) DeleteMany(ctx context.Context, ids []string) []DeleteResult {
	results := make([]DeleteResult, len(ids))
	for i, err := range parallel.All(len(ids), removeConcurrency, func(i int) error { return s.Delete(ctx, ids[i]) }) {
		results[i] = DeleteResult{ids[i], err}
	}
	return results
}

func (s *Store) remove(ctx context.Context, k kind, id string) error {
	if err := validateID(id); err != nil {
		return err
	}
	record, err := k.records.Record(ctx, id)
	if err != nil && storage.CodeOf(err) != storage.ObjectNotFound {
		return toError(err)
	}
	if record == nil {
		// An earlier call may have stopped after it removed the record.
		return toError(s.removeBytes(ctx, k, id))
	}
	if err := k.records.Remove(ctx, id); err != nil {
		return toError(err)
	}
	return toError(s.bucket.Remove(ctx, k.key(record)))
}
