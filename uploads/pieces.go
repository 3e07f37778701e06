package uploads

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads/internal/keypattern"
	"github.com/omnibucket/storage/uploads/internal/refusal"
	"github.com/omnibucket/storage/uploads/internal/session"
)

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
	f, err := s.storePiece(ctx, p)
	return f, publicError(err)
}

// storePiece does the work of PutPiece, and returns errors as they are.
func (s *Service) storePiece(ctx context.Context, p Piece) (*File, error) {
	if !conditional(s.setup.config.States) {
		return nil, &refusal.Error{
			Code:    refusal.CodeStoreFailed,
			Message: "Files cannot be uploaded in pieces here.",
			Err: &storage.Error{
				Code: storage.Unsupported,
				Op:   "PutPiece",
				Hint: "set Config.States (package sqlrecords has one), or use a bucket that enforces IfAbsent and IfRevision",
			},
		}
	}

	// Check the fields of the piece.
	if err := p.check(); err != nil {
		return nil, err
	}
	if err := s.setup.checkUser(p.User); err != nil {
		return nil, err
	}
	target, err := s.setup.checkTarget(p.Target, p.Name)
	if err != nil {
		return nil, err
	}

	// Store the piece. If the file was complete before, put returns both its session and an error.
	p.Target = target
	u := &putPiece{setup: s.setup, service: s, piece: p}
	current, err := u.put(ctx)
	if current == nil {
		return nil, err
	}
	f, fileErr := s.fileOfPieces(ctx, current)
	if fileErr != nil {
		return nil, fileErr
	}
	return f, err
}

// fileOfPieces returns the file of a finished upload, or fails with Completed if the file was removed
// since.
func (s *Service) fileOfPieces(ctx context.Context, current *session.Session) (*File, error) {
	f := fileOf(current)
	if s.setup.config.Records != nil {
		recorded, _, err := s.files.recordWithBytes(ctx, keypattern.IDIn(f.Key))
		if err != nil {
			return nil, refusal.StoreFailed(err)
		}
		if recorded == nil {
			return nil, completedToken()
		}
		f = recorded
	}

	if current.Location != "" {
		f.Location = current.Location
		return f, nil
	}
	if err := s.setup.link(ctx, f); err != nil {
		return nil, refusal.StoreFailed(err)
	}
	return f, nil
}

// put stores the piece, and returns the session if the file is complete, or nil. If the file was complete
// before this call, put also returns the error Completed.
func (u *putPiece) put(ctx context.Context) (*session.Session, error) {
	// Find out whether the file is still to be made.
	s, err := u.open(ctx)
	if err != nil {
		return nil, err
	}
	if s.Phase == session.PhaseDone {
		return s, completedToken()
	}
	if s.Phase != session.PhaseOpen {
		return u.finish(ctx, s)
	}

	// Store the piece.
	body, err := u.limitedReader(ctx, s)
	if err != nil {
		return nil, err
	}
	_, err = u.setup.bucket.Upload(ctx, u.key(u.piece.Number), body)
	if err != nil {
		return nil, pieceFailed(err)
	}

	// Make the file if this was the last piece.
	isComplete, err := u.hasAllPieces(ctx, s)
	if err != nil {
		return nil, pieceFailed(err)
	}
	if isComplete {
		return u.finish(ctx, s)
	}

	// Another call may have completed the upload and removed its pieces, or the upload may have expired.
	// The list of pieces cannot show that, so read the state again.
	s, err = u.reloadInUse(ctx, s)
	if err != nil {
		return nil, pieceFailed(err)
	}
	if s.Phase == session.PhaseOpen {
		return nil, nil
	}
	return u.finish(ctx, s)
}
