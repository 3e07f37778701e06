package uploads

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/words"
	"github.com/omnibucket/storage/uploads/internal/ledger"
	"github.com/omnibucket/storage/uploads/internal/refusal"
	"github.com/omnibucket/storage/uploads/internal/session"
)

// A Usage is what a user has stored, and what unfinished uploads and removals reserve.
type Usage struct {
	Bytes int64 // total size of the complete files
	Files int64 // number of complete files
	// ReservedBytes and ReservedFiles belong to uploads that are not complete, and to files whose
	// removal is not complete. They count against the allowance, too. If a process is killed after it
	// has made the file of an upload, the file belongs to them until the client repeats its request,
	// or the reservation ends.
	ReservedBytes int64
	ReservedFiles int64
}

// Usage returns what the user with this ID has stored. It reads one small object or one row of a
// database. If Config.Allowance is nil, it fails with [NotAllowed].
func (s *Service) Usage(ctx context.Context, user string) (Usage, error) {
	if s.counter == nil {
		return Usage{}, publicError(noAllowances())
	}
	t, err := s.counter.book.Read(ctx, user)
	if err != nil {
		return Usage{}, publicError(refusal.StoreFailed(err))
	}
	return usageOf(t), nil
}

func usageOf(t *ledger.Text) Usage {
	u := Usage{Bytes: t.Bytes, Files: t.Files}
	u.ReservedBytes, u.ReservedFiles = t.Pending()
	return u
}

func noAllowances() *refusal.Error {
	return refusal.New("user", refusal.CodeNotAllowed, "Nothing is counted here.")
}

// A counter counts the files and bytes of each user, for [Config.Allowance]. A nil counter counts
// nothing.
type counter struct {
	setup    *setup
	book     *ledger.Book
	sessions *session.Store
}

// reservationError returns the response for an upload that failed because [ledger.Book.Reserve] returned
// err.
func reservationError(a Allowance, err error) *refusal.Error {
	overErr, isOver := errors.AsType[*ledger.OverError](err)
	if errors.Is(err, ledger.ErrBusy) {
		return &refusal.Error{
			Field:   refusal.FileField,
			Code:    refusal.CodeBusy,
			Status:  http.StatusTooManyRequests,
			Message: "Too many of your uploads are not complete. Complete or cancel some.",
			Err:     storage.RateLimited,
		}
	}
	if !isOver {
		return refusal.StoreFailed(err)
	}
	message := "There is no room for this file."
	files := max(a.Files, 0)
	if a.Files != 0 && overErr.Files >= files {
		message = fmt.Sprintf("There is no room for another file: %d of %d are used.", overErr.Files, files)
	} else if a.Bytes > 0 {
		used := words.Bytes(overErr.Bytes) + " of " + words.Bytes(a.Bytes)
		message = "There is no room for this file: " + used + " are used."
	}
	return refusal.OfFile(refusal.CodeOverAllowance, message)
}

// An ask is a request to reserve room for one upload in the allowance of its user.
type ask struct {
	user     User
	name     string // name of the reservation
	size     int64  // bytes of the file; less than 0 means that the size is not known
	maxSize  int64  // largest permitted size in bytes; 0 means no limit
	entry    ledger.Entry
	replaces []string // names of older reservations for the same bytes, which this one replaces
	stored   []*File  // files stored earlier in the same request, which are not counted yet
	keep     bool     // true if an older reservation with the same name stays
	try      bool     // true if nothing is to be reserved
}

// reserve reserves room for an upload. It returns how many bytes the file may have. If it returns
// 0, the size is not limited.
func (c *counter) reserve(ctx context.Context, a ask) (granted int64, failure *refusal.Error) {
	if c == nil {
		return a.maxSize, nil
	}
	allowed, err := c.setup.config.Allowance(ctx, a.user)
	if err != nil {
		return 0, refusal.Unauthorized(err)
	}

	r := ledger.Reservation{
		User:     a.user.ID,
		Name:     a.name,
		Least:    1,
		Most:     a.maxSize,
		Entry:    a.entry,
		Replaces: a.replaces,
		Keep:     a.keep,
		Try:      a.try,
		Sizes:    map[string]int64{},
	}
	for _, f := range a.stored {
		r.Sizes[f.reserved] = f.Size
	}

	if r.Most <= 0 {
		r.Most = math.MaxInt64
	}
	if a.size >= 0 {
		r.Least = a.size
		r.Most = a.size
	}
	granted, err = c.book.Reserve(ctx, r, ledger.Limit(allowed))
	if err != nil {
		return 0, reservationError(allowed, err)
	}
	if granted == math.MaxInt64 {
		granted = 0
	}
	return granted, nil
}

// giveBack drops the reservation of an upload that stored nothing, even if the sender has
// disconnected. If giveBack fails, Sweep drops the reservation later.
func (c *counter) giveBack(ctx context.Context, user, name string) {
	if c == nil || name == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), session.CleanUpFor)
	defer cancel()
	_ = c.book.Drop(ctx, user, name)
}

// isReserved reports whether the user has a reservation for the upload with this session name.
func (c *counter) isReserved(ctx context.Context, user, name string) bool {
	if c == nil {
		return false
	}
	t, err := c.book.Read(ctx, user)
	if err != nil {
		return false
	}
	for _, e := range t.Entries {
		if e.Session == name {
			return true
		}
	}
	return false
}

// countOff removes a file, and subtracts the file from the count of its user. It calls the function
// look to find the file, and the function remove to remove it. look returns the file, or fails with
// ObjectNotFound. In this case, countOff calls left, which removes what an interrupted call has left.
// An upload may just make the file, and count it. So left must not remove a whole file: it removes
// bytes, but no record. Sweep then removes the record, and counts again.
//
// If several calls remove the same file at the same time, only one of them subtracts the file. If the
// upload of the file has not ended, the file is not counted, and nothing is subtracted. If the process
// is killed, the file counts until a Sweep after the end of the lease.
func (c *counter) countOff(
	ctx context.Context, look func(context.Context) (*File, error), remove, left func(context.Context) error,
) error {
	if c == nil {
		return remove(ctx)
	}
	f, err := look(ctx)
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return left(ctx)
	}
	if err != nil {
		return err
	}
	r, err := c.beginRemoval(ctx, f, ledger.Entry{Bytes: f.Size, Files: 1, Stem: c.setup.pattern.Stem(f.Key)})
	if err != nil {
		return err
	}

	if r.Uncounted {
		return remove(ctx)
	}
	l := c.newLease(f.User.ID)
	l.add(ctx, r.Name())
	defer l.end()

	// Another call may have removed the file before this removal began. The other call has then
	// subtracted the file already. So check again whether the file exists.
	_, err = look(ctx)
	exists := err == nil
	if err != nil && storage.CodeOf(err) != storage.ObjectNotFound {
		return err
	}
	if err := remove(ctx); err != nil {
		if err == errKept {
			// The file stays, and still counts.
			_ = c.book.EndRemoval(ctx, r, true)
		}
		return err
	}

	if exists || !r.Joined {
		// If this fails, Sweep counts the user's files again.
		_ = c.book.EndRemoval(ctx, r, !exists)
	}
	return nil
}

// countAgain calls the function remove, which removes the record of a file that has no bytes. It is
// not known whether the file was counted. So countAgain subtracts nothing, and makes the next Sweep
// count the files of the user again.
func (c *counter) countAgain(ctx context.Context, f *File, remove func(context.Context) error) error {
	if c == nil {
		return remove(ctx)
	}
	r, err := c.beginRemoval(ctx, f, ledger.Entry{})
	if err != nil {
		return err
	}
	if err := remove(ctx); err != nil {
		return err
	}
	if r.Uncounted {
		// The upload of the file marks the ledger when it ends.
		return nil
	}
	if err := c.book.Doubt(ctx, f.User.ID); err != nil || r.Joined {
		return err
	}
	return c.book.EndRemoval(ctx, r, false)
}

// beginRemoval begins the removal of a file. e is the entry of the removal in the ledger.
func (c *counter) beginRemoval(ctx context.Context, f *File, e ledger.Entry) (ledger.Removal, error) {
	e.Until = c.leaseUntil()
	return c.book.BeginRemoval(ctx, f.User.ID, f.Key, e, func(t *ledger.Text) (string, error) {
		return c.uploadOf(ctx, t, f.Key)
	})
}

// uploadOf returns the name of the reservation whose upload makes the file with this key. If there is
// none, it returns "". A file with a reservation is not counted, because the reservation ends in the
// same write in which the file is counted.
func (c *counter) uploadOf(ctx context.Context, t *ledger.Text, key string) (string, error) {
	stem := c.setup.pattern.Stem(key)
	for _, name := range slices.Sorted(maps.Keys(t.Entries)) {
		e := t.Entries[name]
		if e.Removal != "" {
			continue
		}
		if e.Stem != "" && e.Stem == stem {
			return name, nil
		}
		if e.Stem != "" || e.Session == "" {
			continue
		}
		open, err := c.sessions.Read(ctx, e.Session)
		if storage.CodeOf(err) == storage.ObjectNotFound {
			continue
		}
		if err != nil {
			return "", err
		}
		if open.Kind == session.KindPartial || open.RunID() != e.Run {
			continue
		}
		if slices.Contains(c.setup.possibleKeys(open), key) {
			return name, nil
		}
	}
	return "", nil
}

// findByKey returns a function with which countOff finds a file. The function checks whether the
// object with this key exists.
func (c *counter) findByKey(key string, user User) func(context.Context) (*File, error) {
	return func(ctx context.Context) (*File, error) {
		attrs, err := c.setup.bucket.Attrs(ctx, key)
		if err != nil {
			return nil, err
		}
		return &File{User: user, Key: key, Size: attrs.Size}, nil
	}
}

// findByID returns a function with which countOff finds a file. The function reads the record with
// this ID.
func (c *counter) findByID(id string) func(context.Context) (*File, error) {
	return func(ctx context.Context) (*File, error) { return c.setup.config.Records.Record(ctx, id) }
}

// errKept means that a file was not removed, because a transaction has made the file permanent. The
// transaction did that after the record of the file was read.
var errKept = &storage.Error{Code: storage.PreconditionFailed, Err: errors.New("the file was kept since it was read")}

// newLease returns a lease without entries. The caller must call its method end.
func (c *counter) newLease(user string) *lease {
	if c == nil {
		return nil
	}
	return &lease{
		book:  c.book,
		until: c.leaseUntil,
		pulse: func(ctx context.Context, d time.Duration) error { return c.setup.memory.Pulse(ctx, d) },
		user:  user,
	}
}

// leaseUntil returns the end of a lease that begins now.
func (c *counter) leaseUntil() time.Time {
	length := min(leaseFor, c.setup.config.Grace)
	return c.setup.config.Now().Add(length).UTC()
}
