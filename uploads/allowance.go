package uploads

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/words"
	"github.com/omnibucket/storage/uploads/internal/ledger"
)

// An Allowance limits how much a user may store. [Config.Allowance] returns it.
type Allowance struct {
	// Bytes limits the total size of the user's files, in bytes. If Bytes is 0, the size is not
	// limited. If Bytes is negative, the user may store no bytes.
	Bytes int64
	// Files limits the number of the user's files. If Files is 0, the number is not limited. If
	// Files is negative, the user may store no files.
	Files int64
}

// A Usage is what a user has stored, and what unfinished uploads and removals reserve.
type Usage struct {
	Bytes int64 // total size of the complete files
	Files int64 // number of complete files
	// ReservedBytes and ReservedFiles belong to uploads that are not complete, and to files whose
	// removal is not complete. They count against the allowance, too.
	ReservedBytes int64
	ReservedFiles int64
}

// Usage returns what the user with this ID has stored. It reads one small object or one row of a
// database. If Config.Allowance is nil, it fails with [NotAllowed].
func (s *Service) Usage(ctx context.Context, user string) (Usage, error) {
	if s.counter == nil {
		return Usage{}, noAllowances()
	}
	t, err := s.counter.book.Read(ctx, user)
	if err != nil {
		return Usage{}, storeFailed(err)
	}
	return usageOf(t), nil
}

func usageOf(t *ledger.Text) Usage {
	u := Usage{Bytes: t.Bytes, Files: t.Files}
	u.ReservedBytes, u.ReservedFiles = t.Pending()
	return u
}

func noAllowances() *Error { return refuse("user", NotAllowed, "Nothing is counted here.") }

// A counter counts the files and bytes of each user, for [Config.Allowance]. A nil counter counts
// nothing.
type counter struct {
	service *Service
	book    *ledger.Book
}

// notReserved returns the response for an upload that failed because [ledger.Book.Reserve] returned
// err.
func notReserved(a Allowance, err error) *Error {
	overErr, isOver := errors.AsType[*ledger.OverError](err)
	if errors.Is(err, ledger.ErrBusy) {
		return &Error{
			Field:   fileField,
			Code:    Busy,
			Status:  http.StatusTooManyRequests,
			Message: "Too many of your uploads are not complete. Complete or cancel some.",
			Err:     storage.RateLimited,
		}
	}
	if !isOver {
		return storeFailed(err)
	}
	message := "There is no room for this file."
	files := max(a.Files, 0)
	if a.Files != 0 && overErr.Files >= files {
		message = fmt.Sprintf("There is no room for another file: %d of %d are used.", overErr.Files, files)
	} else if a.Bytes > 0 {
		used := words.Bytes(overErr.Bytes) + " of " + words.Bytes(a.Bytes)
		message = "There is no room for this file: " + used + " are used."
	}
	return refuseFile(OverAllowance, message)
}

// An ask is a request to reserve room for one upload in the allowance of its user.
type ask struct {
	user     User
	name     string // name of the reservation
	size     int64  // bytes of the file; less than 0 means that the size is not known
	most     int64  // largest permitted size in bytes; 0 means no limit
	entry    ledger.Entry
	replaces []string // names of older reservations for the same bytes, which this one replaces
	stored   []*File  // files stored earlier in the same request, which are not counted yet
	keep     bool     // true if an older reservation with the same name stays
	try      bool     // true if nothing is to be reserved
}

// reserve reserves room for an upload. It returns how many bytes the file may have. If it returns
// 0, the size is not limited.
func (c *counter) reserve(ctx context.Context, a ask) (granted int64, failure *Error) {
	if c == nil {
		return a.most, nil
	}
	allowed, err := c.service.config.Allowance(ctx, a.user)
	if err != nil {
		e, _ := errors.AsType[*Error](unauthorized(err))
		return 0, e
	}
	r := ledger.Reservation{
		User:     a.user.ID,
		Name:     a.name,
		Least:    1,
		Most:     a.most,
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
		return 0, notReserved(allowed, err)
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
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpFor)
	defer cancel()
	_ = c.book.Drop(ctx, user, name)
}

// isReserved reports whether the user has a reservation for the upload with this session name.
func (c *counter) isReserved(ctx context.Context, user User, session string) bool {
	if c == nil {
		return false
	}
	t, err := c.book.Read(ctx, user.ID)
	if err != nil {
		return false
	}
	for _, e := range t.Entries {
		if e.Session == session {
			return true
		}
	}
	return false
}

// countOff removes a file, and subtracts the file from the count of its user. It calls the function
// look to find the file, and the function remove to remove it. look returns the file, or fails with
// ObjectNotFound. In this case, countOff calls left, which removes what an interrupted call has left.
// An upload may just make the file, and count it. So left must not remove a whole file: it removes
// bytes, but no record. Sweep then removes the record, and counts again. If several calls remove the same file at the same time, only one of them
// subtracts the file. If the upload of the file has not ended, the file is not counted, and nothing
// is subtracted. If the process is killed, the file counts until the next Sweep.
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
	r, err := c.beginRemoval(ctx, f, ledger.Entry{Bytes: f.Size, Files: 1, Stem: c.service.pattern.Stem(f.Key)})
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
			_ = c.book.EndRemoval(ctx, r, true) // the file stays, and still counts
		}
		return err
	}
	if exists || !r.Joined {
		_ = c.book.EndRemoval(ctx, r, !exists) // if this fails, Sweep counts the user's files again
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
	if r.Uncounted { // the upload of the file marks the ledger when it ends
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
	stem := c.service.pattern.Stem(key)
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
		open, err := c.service.keeper.read(ctx, e.Session)
		if storage.CodeOf(err) == storage.ObjectNotFound {
			continue
		}
		if err != nil {
			return "", err
		}
		if open.Kind == kindPartial || open.run() != e.Run {
			continue
		}
		if slices.Contains(c.service.keeper.possibleKeys(open), key) {
			return name, nil
		}
	}
	return "", nil
}

// lookAt returns a function with which countOff finds a file. The function checks whether the
// object with this key exists.
func (c *counter) lookAt(key string, user User) func(context.Context) (*File, error) {
	return func(ctx context.Context) (*File, error) {
		attrs, err := c.service.bucket.Attrs(ctx, key)
		if err != nil {
			return nil, err
		}
		return &File{User: user, Key: key, Size: attrs.Size}, nil
	}
}

// lookUp returns a function with which countOff finds a file. The function reads the record with
// this ID.
func (c *counter) lookUp(id string) func(context.Context) (*File, error) {
	return func(ctx context.Context) (*File, error) { return c.service.config.Records.Record(ctx, id) }
}
