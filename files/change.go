package files

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/parallel"
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
const removalsAtOnce = 8

// DeleteMany removes client files as Delete does, going on past failures. The
// results are in the order of ids, one for each.
func (s *Store) DeleteMany(ctx context.Context, ids []string) []DeleteResult {
	results := make([]DeleteResult, len(ids))
	for i, err := range parallel.All(len(ids), removalsAtOnce, func(i int) error { return s.Delete(ctx, ids[i]) }) {
		results[i] = DeleteResult{ids[i], err}
	}
	return results
}

// SetPurpose changes a client file's purpose ("": none) and answers with the
// record as it is then. NotFound where there is no such file; InvalidValue for
// the ID or a purpose that is too long or holds control characters.
func (s *Store) SetPurpose(ctx context.Context, id, purpose string) (*Record, error) {
	if err := checkID(id); err != nil {
		return nil, err
	}
	if err := checkLabel(fieldPurpose, purpose); err != nil {
		return nil, err
	}
	r, err := s.client.records.SetPurpose(ctx, id, purpose)
	return r, ofFile(err)
}

func (s *Store) remove(ctx context.Context, k kind, id string) error {
	if err := checkID(id); err != nil {
		return err
	}
	record, err := k.records.Record(ctx, id)
	if err != nil && storage.CodeOf(err) != storage.ObjectNotFound {
		return failed(err)
	}
	if record == nil {
		// An earlier removal may have stopped between record and bytes.
		return failed(s.removeBytes(ctx, k, id))
	}
	if err := k.records.Remove(ctx, id); err != nil {
		return failed(err)
	}
	return failed(s.bucket.Remove(ctx, k.key(record)))
}
