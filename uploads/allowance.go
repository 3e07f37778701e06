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
	// has made the file of an upload, the file is counted here until the client repeats its request,
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

// usageOf returns the usage in a ledger.
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

// reservationError returns the response for an upload if [ledger.Book.Reserve] failed with err.
func reservationError(a Allowance, err error) error {
	if errors.Is(err, ledger.ErrBusy) {
		return &refusal.Error{
			Field:   refusal.FileField,
			Code:    refusal.CodeBusy,
			Status:  http.StatusTooManyRequests,
			Message: "Too many of your uploads are not complete. Complete or cancel some.",
			Err:     storage.RateLimited,
		}
	}
	overErr, isOver := errors.AsType[*ledger.OverError](err)
	if !isOver {
		return refusal.StoreFailed(err)
	}

	// If the limit of files is not reached, the limit of bytes is.
	message := "There is no room for this file."
	maxFiles := max(a.Files, 0) // a negative limit permits no files
	if a.Files != 0 && overErr.Files >= maxFiles {
		message = fmt.Sprintf("There is no room for another file: %d of %d are used.", overErr.Files, maxFiles)
	} else if a.Bytes > 0 {
		used := words.Bytes(overErr.Bytes) + " of " + words.Bytes(a.Bytes)
		message = "There is no room for this file: " + used + " are used."
	}
	return refusal.OfFile(refusal.CodeOverAllowance, message)
}

// A roomRequest is a request to reserve room for one upload in the allowance of its user.
type roomRequest struct {
	user     User
	name     string // name of the reservation
	size     int64  // bytes of the file; less than 0 means that the size is not known
	maxSize  int64  // largest permitted size in bytes; 0 means no limit
	entry    ledger.Entry
	replaces []string // names of older reservations for the same bytes, which this one replaces
	stored   []*File  // files stored earlier in the same request, which are not counted yet
	keepOld  bool     // true if an older reservation with the same name stays
	dryRun   bool     // true if nothing is to be reserved
}

// reserve reserves room for an upload, as much as is allowed if the size is not known. It returns how many
// bytes the file may have, or 0 if there is no limit.
func (c *counter) reserve(ctx context.Context, request roomRequest) (int64, error) {
	if c == nil {
		return request.maxSize, nil
	}

	// Ask the application how much the user may have.
	allowed, err := c.setup.config.Allowance(ctx, request.user)
	if err != nil {
		return 0, refusal.Unauthorized(err)
	}

	granted, err := c.book.Reserve(ctx, request.reservation(), ledger.Limit(allowed))
	if err != nil {
		return 0, reservationError(allowed, err)
	}
	if granted == math.MaxInt64 {
		// Neither the upload nor the allowance has a limit.
		return 0, nil
	}
	return granted, nil
}

// reservation returns the reservation in the ledger for a request. It is for exactly the size of the file or, if that
// is not known, for any size from one byte up to the largest permitted one.
func (r *roomRequest) reservation() ledger.Reservation {
	reservation := ledger.Reservation{
		User:     r.user.ID,
		Name:     r.name,
		Least:    1,
		Most:     r.maxSize,
		Entry:    r.entry,
		Replaces: r.replaces,
		KeepOld:  r.keepOld,
		DryRun:   r.dryRun,
		Sizes:    map[string]int64{},
	}
	if r.maxSize <= 0 {
		reservation.Most = math.MaxInt64 // no limit
	}
	if r.size >= 0 {
		reservation.Least = r.size
		reservation.Most = r.size
	}

	// Earlier files that were sent without a size have reserved more than they need.
	for _, f := range r.stored {
		reservation.Sizes[f.reserved] = f.Size
	}
	return reservation
}

// releaseRoom drops the reservation of an upload that stored nothing, even if ctx has ended. An empty name
// means that there is no reservation.
func (c *counter) releaseRoom(ctx context.Context, user, name string) {
	if c == nil || name == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), session.CleanUpFor)
	defer cancel()

	// If this fails, Sweep drops the reservation later.
	_ = c.book.Drop(ctx, user, name)
}

// isReserved reports whether the user is known to have a reservation for the upload with this session
// name. If the ledger cannot be read, that is not known.
func (c *counter) isReserved(ctx context.Context, user, name string) bool {
	if c == nil {
		return false
	}
	t, err := c.book.Read(ctx, user)
	if err != nil {
		return false
	}
	for _, entry := range t.Entries {
		if entry.Session == name {
			return true
		}
	}
	return false
}

// beginRemoval adds an entry for the removal of f to its user's ledger, so that any process can continue
// the removal.
func (c *counter) beginRemoval(ctx context.Context, f *File, entry ledger.Entry) (ledger.Removal, error) {
	entry.Until = c.leaseUntil()
	return c.book.BeginRemoval(ctx, f.User.ID, f.Key, entry, func(t *ledger.Text) (string, error) {
		return c.uploadOf(ctx, t, f.Key)
	})
}

// uploadOf returns the name of the reservation for the upload that makes the file with this key, or "" if
// there is none.
func (c *counter) uploadOf(ctx context.Context, t *ledger.Text, key string) (string, error) {
	for _, name := range slices.Sorted(maps.Keys(t.Entries)) {
		makesFile, err := c.makesFile(ctx, t.Entries[name], key)
		if err != nil {
			return "", err
		}
		if makesFile {
			return name, nil
		}
	}
	return "", nil
}

// makesFile reports whether a ledger entry reserves room for the upload that makes the file with this key.
// Such an entry has the stem of the key (the key without its extension), or names a session that has it.
func (c *counter) makesFile(ctx context.Context, entry ledger.Entry, key string) (bool, error) {
	isRemoval := entry.Removal != ""
	if isRemoval {
		return false, nil
	}
	if entry.Stem != "" {
		return entry.Stem == c.setup.pattern.Stem(key), nil
	}
	if entry.Session == "" {
		// Nothing is known of the file.
		return false, nil
	}

	// Read the session, which may be gone, to find out which keys its file may have.
	upload, err := c.sessions.Read(ctx, entry.Session)
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	isOfLaterUpload := upload.RunID() != entry.Run // the upload of the entry was aborted
	// A partial upload of tus makes no file until it is joined with others.
	if isOfLaterUpload || upload.Kind == session.KindPartial {
		return false, nil
	}
	return slices.Contains(c.setup.possibleKeys(upload), key), nil
}

// newLease returns an empty lease, which renews the entries added to it until the caller ends it. Without
// allowances, it returns nil, a lease that does nothing.
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
