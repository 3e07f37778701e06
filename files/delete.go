package files

import (
	"context"

	"github.com/omnibucket/storage"
)

// Delete removes a client file, its record first. One that is not there is nil,
// so that a retry is safe; a malformed ID is InvalidValue.
func (s *Store) Delete(ctx context.Context, id string) error {
	return s.remove(ctx, s.client, id)
}

// A DeleteResult is what became of one ID.
type DeleteResult struct {
	ID  string
	Err error // as of Delete
}

// removalsAtOnce is how many files are removed at a time.
const removeConcurrency = 8

// DeleteMany removes client files as Delete does, going on past failures. The
// results are in the order of ids, one for each.
func (s *Store) DeleteMany(ctx context.Context, ids []string) []DeleteResult {
	results := make([]DeleteResult, len(ids))
	for i, err := range forEach(len(ids), removeConcurrency, func(i int) error { return s.Delete(ctx, ids[i]) }) {
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
		// An earlier removal may have stopped between record and bytes.
		return toError(s.removeBytes(ctx, k, id))
	}
	if err := k.records.Remove(ctx, id); err != nil {
		return toError(err)
	}
	return toError(s.bucket.Remove(ctx, k.key(record)))
}
