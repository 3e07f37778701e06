package uploads

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/bodyio"
	"github.com/omnibucket/storage/internal/words"
	"github.com/omnibucket/storage/uploads/internal/refusal"
	"github.com/omnibucket/storage/uploads/internal/session"
)

// A Piece is one part of a file that [Service.PutPiece] stores.
type Piece struct {
	// Token names the upload. The client chooses it at random. It has at most 128 bytes. Two users
	// may use the same token for different uploads.
	Token  string
	Count  int       // number of pieces of the file, 1 to 10,000; must be equal in all calls
	Number int       // number of this piece, 1 to Count
	Body   io.Reader // bytes of this piece
	// User, Name, Type and Metadata describe the file, and must be equal in all calls. Name and
	// Type are the values that the client sent. Name, Type and Metadata must be valid UTF-8 of at
	// most 8 KiB together.
	User       User
	Name, Type string
	Metadata   map[string]string
	// Target says how the file is stored, and must have no Key. If it is nil, Config.Key and
	// Config.Rules decide.
	Target *Target
}

// check fails if a field of the piece is invalid.
func (p *Piece) check() error {
	if p.Token == "" || len(p.Token) > maxPieceToken {
		return refusal.Invalid(refusal.TokenField, "The token must have 1 to 128 bytes.")
	}
	if p.Count < 1 || p.Count > maxPieceCount {
		return refusal.Invalid("count", "The number of parts must be 1 to 10,000.")
	}
	if p.Number < 1 || p.Number > p.Count {
		return refusal.Invalid("part", fmt.Sprintf("The part must be 1 to %d.", p.Count))
	}
	if p.Body == nil {
		return refusal.NoFile()
	}

	// The state must hold all texts unchanged in JSON, and stay small.
	texts := []string{p.Name, p.Type}
	for name, value := range p.Metadata {
		texts = append(texts, name, value)
	}
	all := strings.Join(texts, "")
	if !utf8.ValidString(all) || len(all) > session.MaxMetadataBytes {
		return refusal.Invalid("metadata",
			"Name, type and metadata must be valid text of at most "+words.Bytes(session.MaxMetadataBytes)+".")
	}
	return nil
}

// name returns the name of the upload's directory, which is a hash of the user and the token, so that
// nobody can reach the upload of another user.
func (p *Piece) name() string {
	// The length of the ID and the quotes keep different users and tokens from making the same text.
	text := []byte("pieces\x00")
	text = binary.AppendUvarint(text, uint64(len(p.User.ID)))
	text = append(text, p.User.ID...)
	text = append(text, p.Token...)
	for _, name := range slices.Sorted(maps.Keys(p.User.Values)) {
		text = fmt.Appendf(text, "\x00%q%q", name, p.User.Values[name])
	}
	return session.DirName(string(text))
}

// checkSame fails if the piece came with another count, name, type or metadata of its file than the earlier
// pieces.
func (p *Piece) checkSame(s *session.Session) error {
	if p.Count != s.Pieces.Count {
		return refusal.New("count", refusal.CodePartsChanged, fmt.Sprintf("The earlier parts were of %d.", s.Pieces.Count))
	}
	if p.Name != s.Name {
		return refusal.New("name", refusal.CodePartsChanged, "The earlier parts were of a file of another name.")
	}
	if p.Type != s.Type {
		return refusal.New("type", refusal.CodePartsChanged, "The earlier parts were of a file of another type.")
	}
	if !maps.Equal(p.Metadata, s.Metadata) {
		return refusal.New("metadata", refusal.CodePartsChanged, "The earlier parts were of a file with other metadata.")
	}
	return nil
}

const (
	maxPieceCount = 10_000
	maxPieceToken = 128 // length in bytes

	firstPoll = 50 * time.Millisecond
	lastPoll  = 2 * time.Second
	// maxPieceConflicts limits how often one call reads the state again because another call
	// changed it. Hundreds of concurrent calls stay below the limit. Only a store whose conditional
	// writes do not work exceeds it.
	maxPieceConflicts = 1000
)

// A putPiece is one call of PutPiece.
type putPiece struct {
	setup     *setup
	service   *Service
	piece     Piece
	prefix    string        // prefix of the pieces' keys; "" before u.open is called
	conflicts int           // number of times that another call changed the state first
	waited    time.Duration // how long this call has waited for another call that begins the upload
}

// key returns the key of the piece with this number.
func (u *putPiece) key(number int) string { return fmt.Sprintf("%s%05d", u.prefix, number) }

// open returns the session of the upload, which it creates for the first piece. It fails if the piece
// does not match the earlier ones.
func (u *putPiece) open(ctx context.Context) (*session.Session, error) {
	keeper := u.service.keeper
	name := u.piece.name()
	for {
		s, err := keeper.Read(ctx, name)
		if err != nil && storage.CodeOf(err) != storage.ObjectNotFound {
			return nil, refusal.StoreFailed(err)
		}
		exists := err == nil
		if exists && s.Phase != session.PhaseAborted {
			return u.continueUpload(ctx, s)
		}

		// Begin the upload, in place of an aborted one with the same token.
		oldRevision := ""
		if exists {
			oldRevision = s.Revision
		}
		begun, err := u.begin(ctx, name, oldRevision)
		if begun != nil || err != nil {
			return begun, err
		}

		// Another call has begun the upload first, so read its state.
		if err := u.countConflict(name); err != nil {
			return nil, err
		}
	}
}

// continueUpload returns the session of an upload that an earlier piece has begun, which must match this one.
func (u *putPiece) continueUpload(ctx context.Context, s *session.Session) (*session.Session, error) {
	u.prefix = u.service.keeper.Key(s, s.RunID())
	if err := u.piece.checkSame(s); err != nil {
		return nil, err
	}
	return u.confirmUse(ctx, s)
}

// begin creates the session of the upload, or returns nil if another call has done so first. The state of an
// aborted upload is replaced if it still has oldRevision, which is "" if there is none.
func (u *putPiece) begin(ctx context.Context, name, oldRevision string) (*session.Session, error) {
	keeper := u.service.keeper
	target, err := u.target()
	if err != nil {
		return nil, err
	}
	s := u.newSession(name, target)
	s.Revision = oldRevision

	// Reserve room for the file.
	if reserveErr := keeper.Reserve(ctx, s); reserveErr != nil {
		hasBegun, err := u.waitForOther(ctx, s)
		if hasBegun || err != nil {
			return nil, err
		}
		return nil, reserveErr
	}

	// Save the session, unless another call has been faster.
	u.prefix = keeper.Key(s, s.RunID())
	err = keeper.Save(ctx, s)
	keeper.Unreserve(ctx, s, err) // only if err is not nil
	if err == session.ErrConflict {
		return nil, nil
	}
	return s, err
}

// target returns the Target of the file, which the application or the rules choose. If the rules look at the content,
// they choose it only after all pieces have arrived.
func (u *putPiece) target() (session.Target, error) {
	target := session.Target{Overwrite: !u.setup.guarded}
	if u.piece.Target != nil {
		target = session.Target(*u.piece.Target)
	} else if !u.setup.judge.LooksAtContent() {
		target = u.setup.target("", unjudged) // without a key, which is chosen when all pieces have arrived
	}

	target.MaxSize = u.setup.limit(&target)
	return target, target.CheckFeatures(u.setup.bucket)
}

// newSession returns a new session of the upload, in the directory with this name.
func (u *putPiece) newSession(name string, target session.Target) *session.Session {
	p := &u.piece
	const unknownSize = -1 // only the pieces will show how large the file is
	request := session.Request{Name: p.Name, Type: p.Type, Metadata: p.Metadata, Size: unknownSize}
	s := session.New(session.KindPieces, session.User(p.User), request, target, time.Time{})
	// Calls find the session by its name, and not by a secret ID.
	s.Dir = name
	s.ID = ""
	s.Pieces = &session.PieceState{
		Count:  p.Count,
		Target: p.Target != nil,
		Run:    rand.Text(),
	}
	return s
}

// waitForBegin is how long a call waits for another call that has reserved room but has not saved
// the state yet.
const waitForBegin = 2 * time.Second

// waitForOther is called if there is no room for the upload. It returns true if a concurrent call, which begins the
// same upload, has reserved the room. The caller should then look for the state that the other call saves. If that is
// not saved yet, waitForOther waits a moment before it returns true, or fails if it has waited too long.
func (u *putPiece) waitForOther(ctx context.Context, s *session.Session) (bool, error) {
	current, err := u.service.keeper.Read(ctx, s.Dir)
	if err != nil && storage.CodeOf(err) != storage.ObjectNotFound {
		return false, refusal.StoreFailed(err)
	}
	if err == nil && current.Revision != s.Revision {
		// The other call has saved the state since this call read it.
		return true, nil
	}
	if !u.service.counter.isReserved(ctx, s.User, s.Dir) {
		return false, nil
	}

	// The other call has reserved the room, and saves the state soon.
	if u.waited >= waitForBegin {
		return false, refusal.New(refusal.TokenField, refusal.CodeLocked, "Another request begins this upload. Try again in a moment.")
	}
	u.waited += firstPoll
	if err := u.setup.memory.Wait(ctx, firstPoll); err != nil {
		return false, refusal.StoreFailed(err)
	}
	return true, nil
}

// reloadInUse reads the state of the upload again, and then does what confirmUse does.
func (u *putPiece) reloadInUse(ctx context.Context, s *session.Session) (*session.Session, error) {
	s, err := u.service.keeper.Reload(ctx, s)
	if err != nil {
		return nil, err
	}
	return u.confirmUse(ctx, s)
}

// confirmUse keeps a concurrent Sweep from removing the upload as an idle one, and returns the current state of the
// upload. It fails with NotFound if the upload was aborted.
func (u *putPiece) confirmUse(ctx context.Context, s *session.Session) (*session.Session, error) {
	return u.service.keeper.Update(ctx, s, func(s *session.Session) (bool, error) {
		if s.Phase == session.PhaseAborted {
			return false, refusal.NotFound()
		}
		// A Sweep that is about to remove the upload sets Asked, and then keeps the upload if Asked is cleared.
		mustSave := s.Pieces.Asked != ""
		s.Pieces.Asked = ""
		return mustSave, nil
	})
}

// countConflict counts a conflict with another call, and fails after too many of them.
func (u *putPiece) countConflict(name string) error {
	u.conflicts++
	if u.conflicts < maxPieceConflicts {
		return nil
	}
	return refusal.StoreFailed(&storage.Error{
		Code: storage.Unavailable,
		Key:  u.setup.config.Prefix + name,
		Err:  fmt.Errorf("the state changed %d times while this call updated it", u.conflicts),
		Hint: "check with storagetest that the store supports IfRevision, or with uploadstest that the database compares revisions",
	})
}

// completedToken returns the error for a piece whose token names a file that is complete already.
func completedToken() *refusal.Error {
	return refusal.New(refusal.TokenField, refusal.CodeCompleted, "All parts of this file have been received already.")
}

// pieceFailed returns the error for the client after the state of the upload was created.
func pieceFailed(err error) error {
	refused := refusal.StoreFailed(err)
	if refused.Code == refusal.CodeNotFound {
		return refusal.New(refusal.TokenField, refusal.CodeNotFound, "The parts have expired. Send all of them again.")
	}
	return refused
}

// limitedReader returns a reader of the piece that fails if all pieces together would exceed the limit
// of the file. It looks up the sizes of the other pieces only if this one exceeds an equal share.
func (u *putPiece) limitedReader(ctx context.Context, s *session.Session) (io.Reader, error) {
	limit := u.setup.limit(&s.Target)
	if limit == 0 {
		return u.piece.Body, nil
	}

	// A piece of at most an equal share needs no look at the others.
	share := limit / int64(u.piece.Count)
	length, isKnown := bodyio.Length(u.piece.Body)
	if isKnown && length <= share {
		return u.piece.Body, nil
	}

	// Permit the share at first. The reader calls More when the piece turns out to be larger.
	reader := &bodyio.LimitedReader{
		Body:     u.piece.Body,
		Left:     share,
		TooLarge: refusal.TooLarge(refusal.FileField, limit),
		More: func() (int64, error) {
			sizeOfOthers, err := u.sizeOfOthers(ctx)
			if err != nil {
				return 0, refusal.StoreFailed(err)
			}
			return limit - sizeOfOthers - share, nil
		},
	}
	if !isKnown {
		return reader, nil
	}
	// Look the sizes up once, and not again for each retry by the store.
	if err := reader.RaiseLimit(); err != nil {
		return nil, err
	}
	if length <= reader.Left {
		return u.piece.Body, nil
	}
	return reader, nil
}

// sizeOfOthers returns the total size in bytes of the stored pieces other than this one.
func (u *putPiece) sizeOfOthers(ctx context.Context) (size int64, err error) {
	ownKey := u.key(u.piece.Number)
	for entry, err := range u.setup.bucket.List(ctx, storage.WithPrefix(u.prefix)) {
		if err != nil {
			return 0, err
		}
		if entry.Key != ownKey {
			size += entry.Size
		}
	}
	return size, nil
}
