package uploads

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/omnibucket/storage/uploads/internal/timeid"
)

// Records stores the records of files. [BucketRecords] keeps them in a bucket, and package
// sqlrecords in a database. Package uploadstest has a test suite for implementations. Several
// goroutines and several processes use Records at the same time.
//
// A record has these fields of a [File]: ID, Key, Name, Size, ContentType, CRC32C, Purpose, Expires
// and the ID of the User. Texts must be valid UTF-8 without NUL, and Expires must have a year of
// four digits. If not, Create, SetPurpose and List fail with [storage.InvalidArgument]. They may
// fail in the same way if Purpose or the user's ID has more than 2,048 bytes.
//
// Each error is a [storage.Code] or a *storage.Error. If a failed write may have taken effect,
// Unknown of the *storage.Error is true.
type Records interface {
	// Create stores a record, and must not keep f. If a record with this ID exists, even an equal
	// one, it fails with [storage.PreconditionFailed]. If several calls create the same record at
	// the same time, one of them succeeds.
	Create(ctx context.Context, f *File) error
	// Record returns the record with this ID. The caller may modify the returned File. If there is
	// no such record, it fails with [storage.ObjectNotFound].
	Record(ctx context.Context, id string) (*File, error)
	// SetPurpose changes only the Purpose of a file that does not expire, and returns the new record. If purpose is "",
	// it removes the purpose. If there is no such file, or if the file expires, it fails with [storage.ObjectNotFound].
	// It never restores a record that Remove removes at the same time.
	SetPurpose(ctx context.Context, id, purpose string) (*File, error)
	// Remove removes the record with the ID of f. If no record has this ID, Remove returns nil. The
	// caller sets at least the fields ID and Expires of f. For a file that does not expire, Expires
	// is zero.
	//
	// If f.Expires is set but the stored record has no Expires, a transaction has made the file permanent
	// since f was read. Remove then changes nothing, and fails with [storage.PreconditionFailed].
	Remove(ctx context.Context, f *File) error
	// List returns at most limit records (1 to 1,000) that match q. It returns only records with an
	// ID that is greater than startAfter. The records are sorted by ID, byte by byte. To
	// limit its work, List may return fewer records, or none, although more follow. next is the ID
	// after which to continue. It is "" only at the end.
	List(ctx context.Context, q Filter, startAfter string, limit int) (files []*File, next string, err error)
	// IDs returns the IDs of all records in pages, with the same parameters as List. Sweep uses it.
	IDs(ctx context.Context, startAfter string, limit int) (ids []string, next string, err error)
	// Expired returns at most limit files whose Expires is now or earlier. At least ID and Expires
	// of each file are set.
	Expired(ctx context.Context, now time.Time, limit int) ([]*File, error)
}

// A Filter selects the files that match all of its fields. The zero value selects all files that do
// not expire.
type Filter struct {
	Purpose string // "" selects files of any purpose
	User    string // the ID of the user; "" selects files of all users
	// From and To limit the time in the ID. The time must be equal to or after From, and must be
	// before To. A zero time means no limit.
	From, To time.Time
	Expiring bool // true selects expiring files, too
}

// Matches reports whether f matches all fields of q.
func (q Filter) Matches(f *File) bool {
	if !q.Expiring && !f.Expires.IsZero() {
		return false
	}
	if q.Purpose != "" && f.Purpose != q.Purpose {
		return false
	}
	if q.User != "" && f.User.ID != q.User {
		return false
	}

	created := timeid.Time(f.ID)
	if !q.From.IsZero() && created.Before(q.From) {
		return false
	}
	return q.To.IsZero() || created.Before(q.To)
}

// NewID returns a new ID in the form that a [Service] uses. The ID begins with the time in
// milliseconds and ends in random bits, so IDs sort by time. Use it in imports and other programs
// that write to [Records] directly.
func NewID(created time.Time) string {
	var random [timeid.Random]byte
	// It never fails.
	_, _ = rand.Read(random[:])
	return timeid.New(created, random)
}
