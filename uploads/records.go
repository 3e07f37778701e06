package uploads

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/omnibucket/storage/internal/timeid"
)

// Records keeps the records of files: [BucketRecords] in a bucket, and package sqlrecords in a database. A record has
// these fields of a [File]: ID, Key, Name, Size, ContentType, CRC32C, Purpose, Expires and the ID of the User. Texts
// are valid UTF-8 without NUL, and Expires has a year of four digits; otherwise Create, SetPurpose and List fail with
// [storage.InvalidArgument]. They may also fail so if a Purpose or the ID of a User has more than 2,048 bytes. Errors
// are a [storage.Code] or a *storage.Error. If a failed write may have taken effect, Unknown of the *storage.Error is
// set. Records must be safe for concurrent use, by several processes too. Package uploadstest has the suite.
type Records interface {
	// Create stores a record, and must not keep f. If one with this ID exists, even an equal one, it fails
	// with [storage.PreconditionFailed]. If several calls are made at once, one succeeds.
	Create(ctx context.Context, f *File) error
	// Record returns a record that belongs to the caller. If there is none, it fails with
	// [storage.ObjectNotFound].
	Record(ctx context.Context, id string) (*File, error)
	// SetPurpose changes only the Purpose of a file that does not expire, and returns the new record; ""
	// removes the purpose. If there is none, or it expires, it fails with [storage.ObjectNotFound]. It
	// never restores a record that Remove removes at the same time.
	SetPurpose(ctx context.Context, id, purpose string) (*File, error)
	// Remove removes the record with the ID of f, which has at least ID and Expires. If there is none, it
	// returns nil.
	Remove(ctx context.Context, f *File) error
	// List returns at most limit records (1 to 1,000), of files that do not expire, that match q, and
	// whose ID is greater than after, by ascending ID (compared byte by byte). It may return fewer,
	// even none, to limit its work. next is the ID after which to continue, and "" only at the end.
	List(ctx context.Context, q Filter, after string, limit int) (files []*File, next string, err error)
	// IDs is like List for all records, but returns only their IDs. Sweep uses it.
	IDs(ctx context.Context, after string, limit int) (ids []string, next string, err error)
	// Expired returns at most limit files whose Expires is not after now, with at least ID and Expires.
	Expired(ctx context.Context, now time.Time, limit int) ([]*File, error)
}

// A Filter selects the files that do not expire and match all of its fields. The zero value selects all
// of them.
type Filter struct {
	Purpose  string    // "" means any
	User     string    // the ID of the user; "" means anyone
	From, To time.Time // bounds of the time in the ID: not before From, and before To; zero means no limit
}

// Matches reports whether q selects f.
func (q Filter) Matches(f *File) bool {
	created := timeid.Time(f.ID)
	return f.Expires.IsZero() && (q.Purpose == "" || f.Purpose == q.Purpose) &&
		(q.User == "" || f.User.ID == q.User) &&
		(q.From.IsZero() || !created.Before(q.From)) &&
		(q.To.IsZero() || created.Before(q.To))
}

// NewID returns a new ID for a file of this time, as a [Service] makes them. It has the time in
// milliseconds before its random bytes, so the order of IDs is that of time. It is for imports and other
// programs that fill [Records] directly.
func NewID(created time.Time) string {
	var random [timeid.Random]byte
	_, _ = rand.Read(random[:]) // never fails
	return timeid.New(created, random)
}
