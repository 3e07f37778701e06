package files

import (
	"context"
	"time"
)

// Records keeps the records of client files, in a bucket ([BucketRecords]) or a
// database. Arguments have been checked: IDs are well-formed, records are complete,
// and Created is in UTC, in whole milliseconds. Errors are a [storage.Code] or a
// *storage.Error. If a failed write may have taken effect, Unknown of the
// *storage.Error is set. A Records must be safe for concurrent use, by several
// processes too. Package recordstest has the suite that every Records must pass.
type Records interface {
	// Create stores r, and must not keep it. If a record with this ID exists, even an
	// equal one, it fails with [storage.PreconditionFailed]. If several calls are made at
	// once, one succeeds.
	Create(ctx context.Context, r *Record) error
	// Record returns a record that belongs to the caller. If there is none, it fails
	// with [storage.ObjectNotFound].
	Record(ctx context.Context, id string) (*Record, error)
	// SetPurpose changes only a record's Purpose ("": none), and returns the new
	// record. If there is none, it fails with [storage.ObjectNotFound]. It never
	// restores a record that Remove removes at the same time.
	SetPurpose(ctx context.Context, id, purpose string) (*Record, error)
	// Remove removes a record. If there is none, it returns nil.
	Remove(ctx context.Context, id string) error
	// List returns at most limit records (1 to 1,000) that match f and whose ID is
	// greater than after, by ascending ID (compared byte by byte). It may return
	// fewer, even none, to limit its work. next is the ID after which to continue,
	// and "" only at the end.
	List(ctx context.Context, f ListFilter, after string, limit int) (records []*Record, next string, err error)
	// IDs is like List for all records, but returns only their IDs. Sweep uses it.
	IDs(ctx context.Context, after string, limit int) (ids []string, next string, err error)
}

// A ListFilter selects the records that match all of its fields. The zero value
// selects every record.
type ListFilter struct {
	Purpose    string    // "": any
	UploadedBy string    // "": anyone
	From, To   time.Time // of Created: not before From, and before To; zero: no limit
}

// Matches reports whether f selects r.
func (f ListFilter) Matches(r *Record) bool {
	return (f.Purpose == "" || r.Purpose == f.Purpose) &&
		(f.UploadedBy == "" || r.UploadedBy == f.UploadedBy) &&
		(f.From.IsZero() || !r.Created.Before(f.From)) &&
		(f.To.IsZero() || r.Created.Before(f.To))
}

// A Page is one page of List.
type Page struct {
	Records []*Record
	Token   string // for the next page; "" on the last
}
