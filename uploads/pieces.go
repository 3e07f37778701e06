package uploads

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
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
	// Token names the upload: text that the client chose at random, at most 128 bytes. Uploads
	// of different users never share one.
	Token  string
	Count  int       // how many pieces there are, 1 to 10,000; the same in every call
	Number int       // this one's number, 1 to Count
	Body   io.Reader // the number of this piece, 1 to Count
	// User, Name, Type and Metadata belong to the file, and are the same in every call. Name and Type
	// are the client's. Name, Type and Metadata are valid UTF-8 of at most 8 KiB together.
	User       User
	Name, Type string
	Metadata   map[string]string
	// Target says how the file is stored, without a Key; nil means by Config.Key and Config.Rules.
	Target *Target
}

// pieceState is the state of a file in pieces.
type pieceState struct {
	Count int `json:"count"`
	// Target is set if the application has said how the file is stored.
	Target bool `json:"target,omitempty"`
	// Run separates the keys of these pieces from those of an earlier upload with the same
	// token, which Sweep may still be removing.
	Run string `json:"run"`
	// Asked is set by a Sweep that found the upload idle and is about to remove it. A call that
	// continues the upload clears it.
	Asked string `json:"asked,omitempty"`
}

const (
	maxPieceCount = 10_000
	maxPieceToken = 128 // bytes of a token
	piecePrefix   = "piece-"

	firstPoll = 50 * time.Millisecond
	lastPoll  = 2 * time.Second
	// maxPieceConflicts limits how often one call reads a state again because another call changed
	// it. Hundreds of calls at once stay below the limit; a store with broken conditions does not.
	maxPieceConflicts = 1000
	// joinAttempts limits how often a piece may be replaced while the pieces are joined, by calls
	// that started before the set was complete.
	joinAttempts = 40
)

// run returns the prefix of the pieces; "" for other sessions.
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

// PutPiece stores one piece of a file. Pieces have any size, and arrive in any order, at once, and
// in several processes. A piece that is sent again replaces the earlier one. The File is nil until
// all pieces are there. Then each call that finds them complete returns the same file, which is
// judged, stored under its key, and told to Config.Stored as any other. The call knows no Attrs, Modified, Width
// and Height of it, and CRC32C only with Config.Records.
//
// If the count or another field differs from the earlier pieces, PutPiece fails with PartsChanged.
// If the token has made its file already, it reads nothing, and returns that file and the error
// Completed; with Config.Records, no file if it has been removed. After any other error, send the piece again, which
// continues. If the file is refused, nothing is left of it, and the token may be used again; calls that wait for the
// same pieces fail with NotFound. An upload that is idle for Config.TTL, by the store's clock, ends with its token. If
// neither the bucket nor Config.States has conditions, PutPiece fails with StoreFailed, which wraps Unsupported.
//
// Once a call has found the set complete, the pieces are fixed: one that is sent again is not read. If that
// call failed or its process died, send its piece again, which continues. The store joins the
// pieces if it can; otherwise they are streamed. Other calls wait for the call that joins them, but
// not for one that has died.
func (s *Service) PutPiece(ctx context.Context, p Piece) (*File, error) {
	if !conditional(s.config.States) {
		return nil, &Error{Code: StoreFailed, Message: "Files cannot be uploaded in pieces here.", Err: &storage.Error{
			Code: storage.Unsupported, Op: "PutPiece",
			Hint: "set Config.States (package sqlrecords has one), or use a bucket that enforces IfAbsent and IfRevision",
		}}
	}
	if e := cmp.Or(p.check(), s.checkUser(p.User)); e != nil {
		return nil, e
	}
	var e *Error
	if p.Target, e = s.checked(p.Target, p.Name); e != nil {
		return nil, e
	}
	made, err := (&putPiece{service: s, piece: p}).do(ctx)
	if made == nil {
		return nil, err
	}
	f, failure := made.file(), error(nil)
	if s.config.Records != nil {
		f, _, failure = s.whole(ctx, keypattern.IDIn(f.Key))
	}
	switch {
	case failure == nil && f == nil: // the file was removed meanwhile
		return nil, completedToken()
	case failure == nil && made.Location == "":
		failure = s.link(ctx, f)
	case failure == nil:
		f.Location = made.Location
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
	case !utf8.ValidString(all) || len(all) > maxMetadataBytes: // the state would change them, or be too large
		return invalid(
			"metadata", "Name, type and metadata must be valid text of at most "+words.Bytes(maxMetadataBytes)+".",
		)
	}
	return nil
}

type putPiece struct {
	service   *Service
	piece     Piece
	prefix    string // prefix of the pieces; set by enter
	conflicts int    // how often another call changed the state before this one did
}

func (u *putPiece) key(number int) string { return fmt.Sprintf("%s%05d", u.prefix, number) }

// do returns the session if it has made the file, also with the error Completed.
func (u *putPiece) do(ctx context.Context) (*session, error) {
	s, err := u.enter(ctx)
	switch {
	case err != nil:
		return nil, err
	case s.Phase == phaseDone:
		return s, completedToken()
	case s.Phase != phaseOpen:
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
		// Others may have completed it and removed the pieces. Or it has expired together with this one.
		if s, err = u.confirm(ctx, s, true); err == nil && s.Phase == phaseOpen {
			return nil, nil
		}
	}
	if err != nil {
		return nil, pieceFailed(err)
	}
	return u.finish(ctx, s)
}

// name returns the name of the directory of an upload's objects. Only the user's own token is in it.
func (p *Piece) name() string {
	text := binary.AppendUvarint([]byte("pieces\x00"), uint64(len(p.User.ID)))
	text = append(append(text, p.User.ID...), p.Token...)
	for _, name := range slices.Sorted(maps.Keys(p.User.Values)) {
		text = fmt.Appendf(text, "\x00%q%q", name, p.User.Values[name])
	}
	return sessionName(string(text))
}

// enter reads or creates the state, and checks that the piece matches it.
func (u *putPiece) enter(ctx context.Context) (*session, error) {
	keeper, name := u.service.keeper, u.piece.name()
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

// begin creates the state, or replaces that of an aborted upload with a revision. It returns nil if
// another call was first.
func (u *putPiece) begin(ctx context.Context, name, revision string) (*session, error) {
	p, service := &u.piece, u.service
	target := Target{Overwrite: !service.guarded}
	switch {
	case p.Target != nil:
		target = *p.Target
	case !service.judge.LooksAtContent():
		target = service.target("", unjudged)
	}
	target.MaxSize = u.service.limit(&target)
	if err := service.keeper.checkFeatures(&target); err != nil {
		return nil, err
	}
	s := newSession(
		kindPieces, p.User, Request{Name: p.Name, Type: p.Type, Metadata: p.Metadata, Size: -1}, target, time.Time{},
	)
	s.name, s.id, s.revision, s.Pieces = name, "", revision, &pieceState{
		Count: p.Count, Target: p.Target != nil, Run: rand.Text(),
	}
	u.prefix = service.keeper.objectKey(s, s.run())
	err := service.keeper.save(ctx, s)
	if err == errConflict {
		return nil, nil
	}
	return s, err
}

func (s *session) checkSame(p *Piece) *Error {
	switch {
	case p.Count != s.Pieces.Count:
		return refuse("count", PartsChanged, fmt.Sprintf("The earlier parts were of %d.", s.Pieces.Count))
	case p.Name != s.Name:
		return refuse("name", PartsChanged, "The earlier parts were of a file of another name.")
	case p.Type != s.Type:
		return refuse("type", PartsChanged, "The earlier parts were of a file of another type.")
	case !maps.Equal(p.Metadata, s.Metadata):
		return refuse("metadata", PartsChanged, "The earlier parts were of a file with other metadata.")
	}
	return nil
}

// confirm returns the state of the upload that this call has entered, and reads it again if asked to.
// If a Sweep asks whether the upload is in use, confirm tells it with a write. If the upload has ended,
// it fails with NotFound.
func (u *putPiece) confirm(ctx context.Context, s *session, read bool) (_ *session, err error) {
	if read {
		if s, err = u.service.keeper.reload(ctx, s); err != nil {
			return nil, err
		}
	}
	return u.service.keeper.update(ctx, s, func(s *session) (bool, error) {
		if s.Phase == phaseAborted {
			return false, notFound()
		}
		asked := s.Pieces.Asked != ""
		s.Pieces.Asked = ""
		return asked, nil
	})
}

func (u *putPiece) conflict(name string) error {
	if u.conflicts++; u.conflicts < maxPieceConflicts {
		return nil
	}
	return storeFailed(&storage.Error{
		Code: storage.Unavailable, Key: u.service.config.Prefix + name,
		Err:  fmt.Errorf("the state changed %d times while this call updated it", u.conflicts),
		Hint: "check with storagetest that the store supports IfRevision, or with uploadstest that the database compares revisions",
	})
}

// complete reports whether all pieces are there. The last one is usually sent last, so one request is
// enough for most pieces. If they are too large together, no file is begun, and a smaller piece can
// replace one of them.
func (u *putPiece) complete(ctx context.Context, s *session) (bool, error) {
	if u.piece.Number != s.Pieces.Count {
		there, err := u.service.bucket.Exists(ctx, u.key(s.Pieces.Count))
		if err != nil || !there {
			return false, err
		}
	}
	keys, err := u.stored(ctx, s)
	return len(keys) == s.Pieces.Count, err
}

// stored returns the keys of the pieces, up to the first that is missing.
func (u *putPiece) stored(ctx context.Context, s *session) (keys []string, err error) {
	var size int64
	for entry, err := range u.service.bucket.List(ctx, storage.WithPrefix(u.prefix)) {
		if err != nil {
			return nil, err
		}
		if entry.Key != u.key(len(keys)+1) {
			break
		}
		keys = append(keys, entry.Key)
		size += entry.Size
	}
	if most := u.service.limit(&s.Target); most > 0 && size > most && len(keys) == s.Pieces.Count {
		return nil, tooLarge(fileField, most)
	}
	return keys, nil
}

// finish makes the file of a complete set, or waits for the call that does. Many calls may come here
// in many processes, and any of them may stop. They make one file.
func (u *putPiece) finish(ctx context.Context, s *session) (*session, error) {
	var seen string // the revision that it waited for
	var waited time.Duration
	for poll := firstPoll; ; poll = min(2*poll, lastPoll) {
		s, err := u.confirm(ctx, s, true)
		switch {
		case err != nil:
			return nil, pieceFailed(err)
		case s.Phase == phaseDone:
			return s, nil
		case s.revision != seen:
			seen, waited = s.revision, 0
		}
		if u.service.keeper.claimed(s) && waited < claimFor { // by its own clock, if that of the other is ahead
			if err := u.service.memory.Wait(ctx, poll); err != nil {
				return nil, pieceFailed(err)
			}
			waited += poll
			continue
		}
		earlier := s.Target.Key // key of a call that may have stored the file
		s.overdue = seen
		done, err := u.service.keeper.finish(ctx, s, func(ctx context.Context, key string) (*storage.Attrs, error) {
			if key == earlier {
				if attrs, err := u.service.bucket.Attrs(ctx, key); storage.CodeOf(err) != storage.ObjectNotFound {
					return attrs, err
				}
			}
			return u.join(ctx, s, key)
		})
		if err == nil {
			return done, nil
		}
		now, failed := u.service.keeper.reload(ctx, s)
		switch { // another call has taken over, or has finished, or all calls are in each other's way
		case failed == nil && (now.Phase == phaseDone || now.Phase != phaseAborted && u.service.keeper.claimed(now)):
		case CodeOf(err) == Locked:
			u.conflicts += maxConflicts
		default:
			return nil, pieceFailed(err)
		}
		if err := u.conflict(s.name); err != nil {
			return nil, err
		}
	}
}

// join makes the object of the pieces. It starts again if a piece was replaced meanwhile.
func (u *putPiece) join(ctx context.Context, s *session, key string) (*storage.Attrs, error) {
	opts := optionsFor[storage.CopyOption](u.service.keeper.firstTarget(s))
	for attempt := 1; ; attempt++ {
		keys, err := u.stored(ctx, s)
		if e, ok := errors.AsType[*Error](err); ok {
			return nil, sendAgain{e}
		}
		if err != nil {
			return nil, err
		}
		if len(keys) < s.Pieces.Count {
			return nil, sendAgain{notFound()}
		}
		attrs, err := storage.Compose(ctx, u.service.bucket, key, keys, opts...)
		switch {
		case storage.CodeOf(err) == storage.ObjectNotFound:
			return nil, sendAgain{notFound()}
		case storage.CodeOf(err) != storage.Changed || attempt == joinAttempts:
			return attrs, err
		}
	}
}

// pieceFailed returns the error for a failure after the state was created.
func pieceFailed(err error) error {
	e := storeFailed(err)
	if e.Code == NotFound {
		return refuse(tokenField, NotFound, "The parts have expired. Send all of them again.")
	}
	return e
}
