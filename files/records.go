package files

import (
	"context"
	"time"
)

// Records is where the records of client files are kept: BucketRecords, or a
// database. Arguments have been checked: IDs are well-formed, a record is whole,
// and its Created is UTC, of whole milliseconds. Errors are a storage.Code or a
// *storage.Error; where a write may have taken effect although it failed, that
// one's Unknown is set. A Records is safe for concurrent use, from several
// processes too. Package recordstest has the suite that one has to pass.
type Records interface {
	// Create stores r, which is not its to keep; storage.PreconditionFailed where
	// there is a record of this ID, whatever it says. Of several at once one wins.
	Create(ctx context.Context, r *Record) error
	// Record answers with a record of the caller's own; storage.ObjectNotFound
	// where there is none.
	Record(ctx context.Context, id string) (*Record, error)
	// SetPurpose changes a record's Purpose ("": none) and nothing else, and
	// answers with the record as it is then; storage.ObjectNotFound where there is
	// none. It never brings back what Remove takes at the same time.
	SetPurpose(ctx context.Context, id, purpose string) (*Record, error)
	// Remove takes a record away; one that is not there is nil.
	Remove(ctx context.Context, id string) error
	// List answers with records that match f, by ascending ID (compared byte by
	// byte), whose ID is greater than after (""; from the first), limit of them
	// (1 to 1,000) at most. It may stop early, even without any, to bound its
	// work: next is the ID to go on after, "" at the end alone.
	List(ctx context.Context, f ListFilter, after string, limit int) (records []*Record, next string, err error)
	// IDs is List of every record, their IDs alone: what Sweep reads.
	IDs(ctx context.Context, after string, limit int) (ids []string, next string, err error)
}

// A ListFilter says which records are meant: those that match all of it. The
// zero value is every record.
type ListFilter struct {
	Purpose    string    // "": any
	UploadedBy string    // "": anyone
	From, To   time.Time // of Created: not before From, and before To; zero: open
}

// Matches reports whether r is meant.
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
