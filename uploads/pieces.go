package uploads

import (
	"cmp"
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
	"github.com/omnibucket/storage/internal/words"
	"github.com/omnibucket/storage/uploads/internal/keypattern"
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

// pieceState is the part of a session's state that only an upload in pieces has.
type pieceState struct {
	Count int `json:"count"`
	// Target is true if the application set Piece.Target.
	Target bool `json:"target,omitempty"`
	// Run is a random text in the keys of this upload's pieces. An earlier upload with the same
	// token had another Run, so its pieces have other keys. If a Sweep is still removing the old
	// pieces, the Sweep does not remove the pieces of this upload.
	Run string `json:"run"`
	// Asked is set by a Sweep that found the upload idle and is about to remove it. A call that
	// continues the upload clears Asked, and Sweep then keeps the upload.
	Asked string `json:"asked,omitempty"`
}

const (
	maxPieceCount = 10_000
	maxPieceToken = 128 // length in bytes
	piecePrefix   = "piece-"

	firstPoll = 50 * time.Millisecond
	lastPoll  = 2 * time.Second
	// maxPieceConflicts limits how often one call reads the state again because another call
	// changed it. Hundreds of concurrent calls stay below the limit. Only a store whose conditional
	// writes do not work exceeds it.
	maxPieceConflicts = 1000
)

// run returns the random part in the keys of the pieces. For a session without pieces, it returns
// "".
func (s *session) run() string {
	if s.Pieces == nil {
		return ""
	}
	return piecePrefix + s.Pieces.Run + "/"
}

func (s *session) extension() string {
	if s.Pieces == nil {
		return ""
	}
	return extensionOf(s.Name)
}

// PutPiece stores one piece of a file. Pieces may have any size. They may arrive in any order, at
// the same time, and in several processes. A piece that is sent again replaces the earlier one.
// While pieces are missing, PutPiece returns a nil File.
//
// When all pieces have arrived, the file is checked, stored under its key, and passed to
// Config.Stored. Each call that finds all pieces returns the File. The fields Attrs, Modified,
// Width and Height of the File are not set. The field CRC32C is only set with Config.Records.
//
// If Count or another field differs from the earlier pieces, PutPiece fails with PartsChanged. If
// the file of this token exists already, PutPiece does not read the body. It returns the File and
// the error Completed. With Config.Records, the returned File is nil if the file has been removed.
// After any other error, send the piece again.
//
// If the file is refused, all its pieces are removed, and the token may be used again. Other calls
// that wait for the same pieces then fail with NotFound. If an upload is idle for Config.TTL, by
// the store's clock, it expires, and its token becomes unknown. If neither the bucket nor
// Config.States has conditional writes, PutPiece fails with StoreFailed, which wraps Unsupported.
//
// When a call has found all pieces, it joins them to one file. The store joins the pieces if it
// can. Otherwise they are streamed through this process. From then on, pieces cannot be replaced:
// PutPiece does not read a piece that is sent again. Other calls wait for the joining call, unless
// its process was killed. If the joining call failed, send any piece again to finish the file.
func (s *Service) PutPiece(ctx context.Context, p Piece) (*File, error) {
	if !conditional(s.config.States) {
		return nil, &Error{Code: StoreFailed, Message: "Files cannot be uploaded in pieces here.", Err: &storage.Error{
			Code: storage.Unsupported,
			Op:   "PutPiece",
			Hint: "set Config.States (package sqlrecords has one), or use a bucket that enforces IfAbsent and IfRevision",
		}}
	}
	if e := cmp.Or(p.check(), s.checkUser(p.User)); e != nil {
		return nil, e
	}
	var e *Error
	p.Target, e = s.checkTarget(p.Target, p.Name)
	if e != nil {
		return nil, e
	}
	current, err := (&putPiece{service: s, piece: p}).put(ctx)
	if current == nil {
		return nil, err
	}
	f := current.file()
	var failure error
	if s.config.Records != nil {
		f, _, failure = s.whole(ctx, keypattern.IDIn(f.Key))
	}
	switch {
	case failure == nil && f == nil: // the file has been removed
		return nil, completedToken()
	case failure == nil && current.Location == "":
		failure = s.link(ctx, f)
	case failure == nil:
		f.Location = current.Location
	}
	if failure != nil {
		return nil, storeFailed(failure)
	}
	return f, err
}

func (p *Piece) check() *Error {
	texts := []string{p.Name, p.Type}
	for name, value := range p.Metadata {
		texts = append(texts, name, value)
	}
	all := strings.Join(texts, "")
	switch {
	case p.Token == "" || len(p.Token) > maxPieceToken:
		return invalid(tokenField, "The token must have 1 to 128 bytes.")
	case p.Count < 1 || p.Count > maxPieceCount:
		return invalid("count", "The number of parts must be 1 to 10,000.")
	case p.Number < 1 || p.Number > p.Count:
		return invalid("part", fmt.Sprintf("The part must be 1 to %d.", p.Count))
	case p.Body == nil:
		return noFile()
	// the state must hold all texts unchanged in JSON, and stay small
	case !utf8.ValidString(all) || len(all) > maxMetadataBytes:
		return invalid("metadata",
			"Name, type and metadata must be valid text of at most "+words.Bytes(maxMetadataBytes)+".")
	}
	return nil
}

type putPiece struct {
	service   *Service
	piece     Piece
	prefix    string        // prefix of the pieces' keys; "" before u.enter is called
	conflicts int           // number of times that another call changed the state first
	waited    time.Duration // how long this call has waited for another call that begins the upload
}

func (u *putPiece) key(number int) string { return fmt.Sprintf("%s%05d", u.prefix, number) }

// put stores the piece. If the file is not complete, put returns nil. If the file is complete, put
// returns the session. If the file was complete before this call, put also returns the error
// Completed.
func (u *putPiece) put(ctx context.Context) (*session, error) {
	s, err := u.enter(ctx)
	if err != nil {
		return nil, err
	}
	if s.Phase == phaseDone {
		return s, completedToken()
	}
	if s.Phase != phaseOpen {
		return u.finish(ctx, s)
	}
	body, err := u.bounded(ctx, s)
	if err != nil {
		return nil, err
	}
	if _, err := u.service.bucket.Upload(ctx, u.key(u.piece.Number), body); err != nil {
		return nil, pieceFailed(err)
	}
	complete, err := u.complete(ctx, s)
	if err == nil && !complete {
		// Another call may have completed the upload and removed its pieces, or the upload may have
		// expired. The list of pieces cannot show that, so read the state again.
		if s, err = u.confirm(ctx, s, true); err == nil && s.Phase == phaseOpen {
			return nil, nil
		}
	}
	if err != nil {
		return nil, pieceFailed(err)
	}
	return u.finish(ctx, s)
}

// name returns the name of the upload's directory. It depends on the user and the token, so nobody
// can reach the upload of another user.
func (p *Piece) name() string {
	text := binary.AppendUvarint([]byte("pieces\x00"), uint64(len(p.User.ID)))
	text = append(append(text, p.User.ID...), p.Token...)
	for _, name := range slices.Sorted(maps.Keys(p.User.Values)) {
		text = fmt.Appendf(text, "\x00%q%q", name, p.User.Values[name])
	}
	return sessionName(string(text))
}

// enter reads the state, or creates it for the first piece. It fails if the piece does not match
// the earlier ones.
func (u *putPiece) enter(ctx context.Context) (*session, error) {
	keeper := u.service.keeper
	name := u.piece.name()
	for {
		s, err := keeper.read(ctx, name)
		revision := ""
		switch {
		case storage.CodeOf(err) == storage.ObjectNotFound:
		case err != nil:
			return nil, storeFailed(err)
		case s.Phase == phaseAborted:
			revision = s.revision
		default:
			u.prefix = keeper.objectKey(s, s.run())
			if e := s.checkSame(&u.piece); e != nil {
				return nil, e
			}
			return u.confirm(ctx, s, false)
		}
		if s, err = u.begin(ctx, name, revision); s != nil || err != nil {
			return s, err
		}
		if err := u.conflict(name); err != nil {
			return nil, err
		}
	}
}

// begin creates the state of the upload. If the upload was aborted, begin replaces the old state,
// and revision is the revision of the old state. If another call creates the state first, begin
// returns nil.
func (u *putPiece) begin(ctx context.Context, name, revision string) (*session, error) {
	p := &u.piece
	service := u.service
	target := Target{Overwrite: !service.guarded}
	if p.Target != nil {
		target = *p.Target
	} else if !service.judge.LooksAtContent() {
		target = service.target("", unjudged)
	}
	target.MaxSize = u.service.limit(&target)
	if err := service.keeper.checkFeatures(&target); err != nil {
		return nil, err
	}
	s := newSession(kindPieces, p.User, Request{Name: p.Name, Type: p.Type, Metadata: p.Metadata, Size: -1}, target,
		time.Time{})
	s.name, s.id, s.revision, s.Pieces = name, "", revision, &pieceState{
		Count:  p.Count,
		Target: p.Target != nil,
		Run:    rand.Text(),
	}
	if e := service.keeper.reserve(ctx, s); e != nil {
		if ok, err := u.begunByAnother(ctx, s); ok || err != nil {
			return nil, err
		}
		return nil, e
	}
	u.prefix = service.keeper.objectKey(s, s.run())
	err := service.keeper.save(ctx, s)
	service.keeper.unreserve(ctx, s, err)
	if err == errConflict {
		return nil, nil
	}
	return s, err
}

// waitForBegin is how long a call waits for another call that has reserved room but has not saved
// the state yet.
const waitForBegin = 2 * time.Second

// begunByAnother is called if the user's allowance has no room for the upload. The reason may be a
// concurrent call that begins the same upload. The concurrent call reserves all the room, because
// the size of the file is not known. If there is a concurrent call, begunByAnother returns true,
// and the caller reads the state again. If the concurrent call has not saved the state yet,
// begunByAnother waits a moment first.
func (u *putPiece) begunByAnother(ctx context.Context, s *session) (bool, error) {
	current, err := u.service.keeper.read(ctx, s.name)
	if err == nil && current.revision != s.revision {
		return true, nil
	}
	if err != nil && storage.CodeOf(err) != storage.ObjectNotFound {
		return false, storeFailed(err)
	}
	if !u.service.counter.isReserved(ctx, s.user(), s.name) {
		return false, nil
	}
	if u.waited >= waitForBegin {
		return false, refuse(tokenField, Locked, "Another request begins this upload. Try again in a moment.")
	}
	u.waited += firstPoll
	if err := u.service.memory.Wait(ctx, firstPoll); err != nil {
		return false, storeFailed(err)
	}
	return true, nil
}

func (s *session) checkSame(p *Piece) *Error {
	if p.Count != s.Pieces.Count {
		return refuse("count", PartsChanged, fmt.Sprintf("The earlier parts were of %d.", s.Pieces.Count))
	}
	if p.Name != s.Name {
		return refuse("name", PartsChanged, "The earlier parts were of a file of another name.")
	}
	if p.Type != s.Type {
		return refuse("type", PartsChanged, "The earlier parts were of a file of another type.")
	}
	if !maps.Equal(p.Metadata, s.Metadata) {
		return refuse("metadata", PartsChanged, "The earlier parts were of a file with other metadata.")
	}
	return nil
}

// confirm returns the current state of the upload. If reload is true, confirm first reads the
// state from the store. If the upload was aborted, confirm fails with NotFound.
//
// A Sweep sets Asked in the state of an idle upload before it removes the upload. If Asked is set,
// confirm clears Asked. The Sweep then knows that the upload is in use.
func (u *putPiece) confirm(ctx context.Context, s *session, reload bool) (_ *session, err error) {
	if reload {
		if s, err = u.service.keeper.reload(ctx, s); err != nil {
			return nil, err
		}
	}
	return u.service.keeper.update(ctx, s, func(s *session) (bool, error) {
		if s.Phase == phaseAborted {
			return false, notFound()
		}
		wasAsked := s.Pieces.Asked != ""
		s.Pieces.Asked = ""
		return wasAsked, nil
	})
}

func (u *putPiece) conflict(name string) error {
	u.conflicts++
	if u.conflicts < maxPieceConflicts {
		return nil
	}
	return storeFailed(&storage.Error{
		Code: storage.Unavailable,
		Key:  u.service.config.Prefix + name,
		Err:  fmt.Errorf("the state changed %d times while this call updated it", u.conflicts),
		Hint: "check with storagetest that the store supports IfRevision, or with uploadstest that the database compares revisions",
	})
}

// pieceFailed returns the response for an error that occurred after the state was created.
func pieceFailed(err error) error {
	e := storeFailed(err)
	if e.Code == NotFound {
		return refuse(tokenField, NotFound, "The parts have expired. Send all of them again.")
	}
	return e
}
