// Package session keeps the state of uploads that take more than one request, which any number of
// processes share. Its main type is [Store], which reads and changes a [Session]. A session has the
// Target, the user and the request of package uploads as types of its own with the same fields.
package session

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/uploadtoken"
	"github.com/omnibucket/storage/uploads/internal/refusal"
)

// lastSessionForm is the last form of a session that this version reads
// (docs/maintainers/stored-forms.md).
const lastSessionForm = 2

// ErrConflict means that another call has changed the session since it was read.
var ErrConflict = errors.New("the upload was changed by another request")

// A Store reads and writes sessions.
type Store struct {
	Bucket storage.ReadWriter // has the objects of the sessions
	States States
	Prefix string // first part of the key of each state and object
	Now    func() time.Time
	Pulse  func(context.Context, time.Duration) error // pauses between two renewals of a claim
	Calls  Calls
	// BasePart is the size of a part of a file that is not huge: that of package partsize, but in tests.
	BasePart int64
}

// States keeps the states of sessions. It has the methods of uploads.States that this package needs.
type States interface {
	State(ctx context.Context, key string) (state []byte, revision string, err error)
	SetState(ctx context.Context, key string, state []byte, revision string) (string, error)
	RemoveState(ctx context.Context, key, revision string) error
}

// Key returns the key of the object with this name, in the directory of a session.
func (st *Store) Key(s *Session, name string) string {
	return st.Prefix + s.Dir + "/" + name
}

// Read reads the session whose directory has this name. It returns an error of the store as it is, and not as
// a refusal.
func (st *Store) Read(ctx context.Context, name string) (*Session, error) {
	s := &Session{Dir: name}
	key := st.Key(s, StateName)
	text, revision, err := st.States.State(ctx, key)
	if err != nil {
		return nil, err
	}
	if err := argument.CheckForm("uploads", key, text, lastSessionForm); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, s); err != nil {
		return nil, &storage.Error{Code: storage.Internal, Key: key, Err: err}
	}
	s.setSaved(revision)
	return s, nil
}

// Save creates or replaces the state of a session, and fails with ErrConflict if another call has
// changed it.
func (st *Store) Save(ctx context.Context, s *Session) error {
	if !s.mayEnter() {
		return refusal.StoreFailed(&storage.Error{
			Code: storage.Internal,
			Op:   "uploads",
			Key:  st.Key(s, StateName),
			Err:  fmt.Errorf("an upload in the phase %q cannot enter the phase %q", s.was, s.Phase),
		})
	}

	// The nonce shows later which call has written a state.
	s.Nonce = rand.Text()
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}

	revision, err := st.States.SetState(ctx, st.Key(s, StateName), text, s.Revision)
	if errors.Is(err, storage.OutcomeUnknown) && st.confirmSave(ctx, s) {
		return nil
	}
	if storage.CodeOf(err) == storage.PreconditionFailed {
		// Another call has saved the session first.
		return ErrConflict
	}
	if err != nil {
		return refusal.StoreFailed(err)
	}

	s.setSaved(revision)
	return nil
}

// confirmSave reads the state again after a write of s with an unknown outcome, and reports whether that is known to
// have taken effect. A stored claim that this call does not know would block all other calls until it expires.
func (st *Store) confirmSave(ctx context.Context, s *Session) bool {
	current, err := st.Read(ctx, s.Dir)
	if err != nil || current.Nonce != s.Nonce {
		return false
	}
	s.setSaved(current.Revision)
	return true
}

// setSaved notes that the stored state is that of s, with this revision.
func (s *Session) setSaved(revision string) {
	s.Revision = revision
	s.was = s.Phase
}

// MaxConflicts limits how often one call reads a session again because another call changed it.
const MaxConflicts = 20

// Update changes a session and saves it. If another call has changed the session meanwhile, it reads the
// session again and repeats the change, which returns false if there is nothing to save.
func (st *Store) Update(
	ctx context.Context, s *Session, change func(*Session) (save bool, err error),
) (*Session, error) {
	for range MaxConflicts {
		save, err := change(s)
		if !save || err != nil {
			return s, err
		}
		err = st.Save(ctx, s)
		if err != ErrConflict {
			return s, err
		}
		s, err = st.Reload(ctx, s)
		if err != nil {
			return nil, err
		}
	}
	return nil, refusal.New("uploadId", refusal.CodeLocked, "Too many requests change this upload at once.")
}

// Reload reads a session again, and fails with NotFound if it is gone.
func (st *Store) Reload(ctx context.Context, old *Session) (*Session, error) {
	s, err := st.Read(ctx, old.Dir)
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return nil, refusal.NotFound()
	}
	if err != nil {
		return nil, refusal.StoreFailed(err)
	}
	if s.RunID() != old.RunID() {
		// The state is that of a later upload with the same token.
		return nil, refusal.NotFound()
	}
	s.ID = old.ID
	return s, nil
}

// CleanUpFor limits what a call still does after it has failed or its client has gone.
const CleanUpFor = 30 * time.Second

// Remove removes the multipart upload, the objects and finally the state of a session, which must be
// aborted or done.
func (st *Store) Remove(ctx context.Context, s *Session) error {
	if s.Token != "" {
		// If the multipart upload was completed, this removes only parts that arrived later.
		if err := st.abortMultipart(ctx, s.Token); err != nil {
			return err
		}
	}
	if err := st.RemoveObjects(ctx, s); err != nil {
		return err
	}
	return st.States.RemoveState(ctx, st.Key(s, StateName), s.Revision)
}

// abortMultipart aborts the multipart upload with this token if it belongs to the bucket.
func (st *Store) abortMultipart(ctx context.Context, token string) error {
	upload, err := storage.ContinueUpload(ctx, st.Bucket, token)
	if storage.CodeOf(err) == storage.InvalidArgument && strings.Contains(err.Error(), uploadtoken.OtherBucket) {
		// The bucket is a copy, and the multipart upload belongs to the original bucket.
		return nil
	}
	if err != nil {
		return err
	}
	return upload.Abort(ctx)
}

// RemoveObjects removes the objects of a session, but not its state.
func (st *Store) RemoveObjects(ctx context.Context, s *Session) error {
	state := st.Key(s, StateName)
	isObject := func(entry storage.ListEntry) bool { return entry.Key != state }
	prefix := storage.WithPrefix(st.Prefix + s.Dir + "/" + s.RunID())
	_, err := storage.RemoveMatching(ctx, st.Bucket, isObject, prefix)
	return err
}

// RemoveKeys removes the objects of a session with these names. If this fails, Sweep removes them later.
func (st *Store) RemoveKeys(ctx context.Context, s *Session, names ...string) {
	keys := make([]string, len(names))
	for i, name := range names {
		keys[i] = st.Key(s, name)
	}
	_, _ = storage.RemoveAll(ctx, st.Bucket, slices.Values(keys))
}

// keepPieces is how long the states of pieces stay after the pieces were joined. A client that
// lost the response can repeat its request within this time.
const keepPieces = time.Hour

// RemoveJoined removes the bytes of the pieces from which a file was joined. Their states stay for
// keepPieces, so that a client that has lost the response can repeat its request.
func (st *Store) RemoveJoined(ctx context.Context, s *Session) error {
	if s.Kind != KindFinal {
		return nil
	}
	expires := st.Now().Add(keepPieces).UTC().Truncate(time.Second)
	for _, name := range s.Tus.Pieces {
		if err := st.removePiece(ctx, name, expires); err != nil {
			return refusal.StoreFailed(err)
		}
	}
	return nil
}

// removePiece removes the bytes of a piece that was joined, and lets its state expire at this time or earlier. It
// does nothing if the piece has been removed already.
func (st *Store) removePiece(ctx context.Context, name string, expires time.Time) error {
	piece, err := st.Read(ctx, name)
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return nil
	}
	if err != nil {
		return err
	}

	// Mark the piece as joined, so that it is not used again.
	_, err = st.Update(ctx, piece, func(latest *Session) (bool, error) {
		if latest.Phase != PhaseDone || latest.Tus.Joined {
			return false, nil
		}
		latest.Tus.Joined = true
		if expires.Before(latest.Expires) {
			latest.Expires = expires
		}
		return true, nil
	})
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return nil
	}
	if err != nil {
		return err
	}
	return st.Bucket.Remove(ctx, st.Key(piece, ContentName))
}

// A Maker makes the object of a session under key. It may be called several times.
type Maker func(ctx context.Context, key string) (*storage.Attrs, error)

// A SendAgain error means that the file cannot be made before the client sends a part or piece
// again.
type SendAgain struct{ Refusal *refusal.Error }

// Error returns the text of Refusal.
func (e SendAgain) Error() string { return e.Refusal.Error() }

// Abandon aborts an upload and its parts, even if the sender has disconnected. If that fails, the
// parts stay until a lifecycle rule removes them.
func Abandon(ctx context.Context, upload storage.MultipartUpload) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), CleanUpFor)
	defer cancel()
	_ = upload.Abort(ctx)
}

// NumberedParts returns the parts with the numbers 1 to n.
func NumberedParts(n int) []storage.UploadedPart {
	parts := make([]storage.UploadedPart, n)
	for i := range parts {
		parts[i].Number = i + 1
	}
	return parts
}
