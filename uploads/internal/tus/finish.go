package tus

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/crc32c"
	"github.com/omnibucket/storage/uploads/internal/refusal"
	"github.com/omnibucket/storage/uploads/internal/session"
)

// finishStored makes the object of a session whose bytes are all in the store.
func (t *Handler) finishStored(ctx context.Context, s *session.Session) (*session.Session, error) {
	return t.finish(ctx, s, nil)
}

// finish makes the object after all bytes have arrived. If the whole file is only in memory, it is in
// content, and otherwise content is nil.
func (t *Handler) finish(ctx context.Context, s *session.Session, content []byte) (*session.Session, error) {
	if s.Kind == session.KindFinal {
		return t.Uploads.Finish(ctx, s, t.joinPieces(s))
	}

	// Finish changes the session, so the function below uses these copies.
	state := *s.Tus
	token := s.Token
	hasParts := token != "" && state.Parts > 0
	if content != nil {
		state.CRC = crc32c.Sum(content)
		// If this call is killed after it stored the object, finishWhole looks for the object.
		s.Tus.Whole = true
	}

	final, err := t.Uploads.Finish(ctx, s, func(ctx context.Context, key string) (*storage.Attrs, error) {
		if hasParts {
			return t.completeParts(ctx, s, token, &state)
		}
		if content == nil {
			return t.storeSegments(ctx, s, key, state.CRC)
		}
		return t.storeWhole(ctx, s, key, content, state.CRC)
	})
	if err != nil {
		return final, err
	}
	hasEmptyUpload := token != "" && !hasParts
	if hasEmptyUpload {
		t.abandonEmpty(ctx, token)
	}
	return final, nil
}

// abandonEmpty aborts the multipart upload with this token, which has no parts because the file was so small. If that
// fails, a lifecycle rule aborts it later.
func (t *Handler) abandonEmpty(ctx context.Context, token string) {
	upload, err := storage.ContinueUpload(ctx, t.Store.Bucket, token)
	if err == nil {
		session.Abandon(ctx, upload)
	}
}

// completeParts makes the object from the parts of the multipart upload with this token.
func (t *Handler) completeParts(
	ctx context.Context, s *session.Session, token string, state *session.TusState,
) (*storage.Attrs, error) {
	upload, err := storage.ContinueUpload(ctx, t.Store.Bucket, token)
	if err != nil {
		return nil, err
	}
	opts := []storage.CompleteOption{
		storage.WithParts(session.NumberedParts(state.Parts)...),
		storage.WithSize(s.Size),
	}
	attrs, err := upload.Complete(ctx, append(opts, storage.WithCRC32C(state.CRC))...)
	if storage.CodeOf(err) == storage.Unsupported {
		// The store does not report checksums of parts.
		return upload.Complete(ctx, opts...)
	}
	return attrs, err
}

// storeSegments stores a file that fits into one part, whose bytes are in the segments of the session.
func (t *Handler) storeSegments(
	ctx context.Context, s *session.Session, key string, crc uint32,
) (*storage.Attrs, error) {
	// The receiver reads the segments into its buffer. It receives nothing from a client.
	r := t.newReceiver(ctx, ctx, s, s.Dir)
	defer r.freeBuffer()
	if err := r.loadSegments(); err != nil {
		return nil, err
	}
	return t.storeWhole(ctx, s, key, r.buf[:r.end], crc)
}

// storeWhole stores a file that fits into one part.
func (t *Handler) storeWhole(
	ctx context.Context, s *session.Session, key string, content []byte, crc uint32,
) (*storage.Attrs, error) {
	target := t.Uploads.FirstTarget(s)
	opts := session.OptionsFor[storage.UploadOption](target, storage.WithSize(int64(len(content))), storage.WithCRC32C(crc))
	return t.Store.Bucket.Upload(ctx, key, bytes.NewReader(content), s.UploadOptions(opts)...)
}

// finishWhole completes an upload whose object an earlier call has stored, before it failed or was killed. If
// there is no such object, it returns the session unchanged.
func (t *Handler) finishWhole(ctx context.Context, s *session.Session) (*session.Session, error) {
	// Only a call that stores the whole file from memory can have left such an object.
	if !s.Tus.Whole || s.Kind == session.KindPartial {
		return s, nil
	}
	// Another call is completing the upload, or has completed it.
	if s.Phase != session.PhaseOpen || t.Store.IsClaimed(s) {
		return s, nil
	}

	attrs, err := t.findObject(ctx, s)
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return s, nil
	}
	if err != nil {
		return nil, refusal.StoreFailed(err)
	}

	return t.Uploads.Finish(ctx, s, func(ctx context.Context, key string) (*storage.Attrs, error) {
		if key == attrs.Key {
			return attrs, nil
		}
		// The content must be checked first, so copy the object to the key where it is checked.
		return storage.Copy(ctx, t.Store.Bucket, key, t.Store.Bucket, attrs.Key)
	})
}

// findObject returns the attributes of the object that an earlier call has made of a session, under one of the
// possible keys. It fails with ObjectNotFound if there is none.
func (t *Handler) findObject(ctx context.Context, s *session.Session) (*storage.Attrs, error) {
	for _, key := range t.Uploads.PossibleKeys(s) {
		attrs, err := t.Store.Bucket.Attrs(ctx, key, storage.WithWriteID(s.WriteID()))
		if storage.CodeOf(err) != storage.ObjectNotFound {
			return attrs, err
		}
	}
	return nil, storage.ObjectNotFound
}

// maxPieces is the largest number of pieces of a joined file.
const maxPieces = 1000

// join handles a POST that joins the pieces in concat, which is the value of Upload-Concat.
func (t *Handler) join(c *call, concat string) error {
	if len(c.Header.Values("Upload-Length")) > 0 || c.Header.Get("Upload-Defer-Length") != "" {
		return refusal.Invalid("Upload-Length", "The length of a joined file is that of its pieces.")
	}
	addresses := strings.Fields(strings.TrimPrefix(concat, "final;"))
	if len(addresses) == 0 || len(addresses) > maxPieces {
		return refusal.Invalid("Upload-Concat", "A joined file has from 1 to "+strconv.Itoa(maxPieces)+" pieces.")
	}
	upload := session.Request{}
	if err := setMetadata(&upload, c.Header.Get("Upload-Metadata")); err != nil {
		return err
	}

	// Look up the pieces, whose lengths together are that of the file.
	pieces := make([]*session.Session, len(addresses))
	for i, address := range addresses {
		piece, err := t.loadPiece(c, address, i+1)
		if err != nil {
			return err
		}
		pieces[i] = piece
		upload.Size += piece.Size
	}

	// Join the pieces, unless an earlier request has done so.
	s, err := t.joinedSession(c, upload, concat, pieces)
	if err != nil {
		return err
	}
	if s.Phase != session.PhaseDone {
		s, err = t.finishStored(c.Context(), s)
		if err != nil {
			return err
		}
	}

	c.W.Header().Set("Location", t.location(c, s.ID))
	t.writeOffset(c, s)
	c.W.WriteHeader(http.StatusCreated)
	return nil
}

// loadPiece returns the session of the piece with this URL or path, which must have arrived completely.
// Errors call it by its number.
func (t *Handler) loadPiece(c *call, address string, number int) (*session.Session, error) {
	const field = "Upload-Concat"
	// The ID is the last segment of the address.
	address = strings.TrimSuffix(address, "/")
	id := address[strings.LastIndexByte(address, '/')+1:]

	piece, err := t.Uploads.Load(c.Context(), id, c.User)
	isMissing := storage.CodeOf(err) == storage.ObjectNotFound
	if err != nil && !isMissing {
		return nil, err
	}
	if isMissing || piece.Kind != session.KindPartial {
		return nil, refusal.New(field, refusal.CodeInvalidValue, "Piece "+strconv.Itoa(number)+" does not exist.")
	}
	if piece.Phase != session.PhaseDone {
		return nil, refusal.New(field, refusal.CodeNotUploaded, "Piece "+strconv.Itoa(number)+" has not arrived completely.")
	}
	return piece, nil
}

// joinedSession returns the session of the file that is joined from pieces, which it creates if this is
// the first such request. A client that repeats the request gets the same session.
func (t *Handler) joinedSession(
	c *call, upload session.Request, concat string, pieces []*session.Session,
) (*session.Session, error) {
	// The ID is a hash of the request, which nobody else can guess because of the secret IDs of the pieces.
	metadata := c.Header.Get("Upload-Metadata")
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q", concat, metadata))
	id := base32.StdEncoding.EncodeToString(sum[:])[:session.IDLength]

	s, err := t.Uploads.Load(c.Context(), id, c.User)
	if storage.CodeOf(err) != storage.ObjectNotFound {
		return s, err
	}
	if err := checkUnjoined(pieces); err != nil {
		return nil, err
	}

	// Create the session.
	s, err = t.Uploads.Begin(c.Request, c.User, session.KindFinal, upload, "Upload-Concat")
	if err != nil {
		return nil, err
	}
	s.ID = id
	s.Dir = session.DirName(id)
	s.Tus = &session.TusState{RawMetadata: metadata, Concat: concat, Offset: upload.Size}
	for _, piece := range pieces {
		s.Tus.Pieces = append(s.Tus.Pieces, piece.Dir)
	}

	// Reserve room for the file in place of its pieces, and save the session under the ID.
	if err := t.Uploads.Reserve(c.Context(), s, s.Tus.Pieces...); err != nil {
		return nil, err
	}
	err = t.Store.Save(c.Context(), s)
	if err == session.ErrConflict {
		// Another call with the same request has saved the session first. The room is reserved for its session,
		// which has the same name.
		return t.Uploads.Load(c.Context(), id, c.User)
	}
	if err != nil {
		t.Uploads.Unreserve(c.Context(), s, err)
	}
	return s, err
}

// checkUnjoined fails if one of the pieces was joined to another file, because its bytes are then removed.
func checkUnjoined(pieces []*session.Session) error {
	for i, piece := range pieces {
		if piece.Tus.Joined {
			message := "Piece " + strconv.Itoa(i+1) + " was joined already."
			return refusal.New("Upload-Concat", refusal.CodeInvalidValue, message)
		}
	}
	return nil
}

// joinPieces returns a function that joins the pieces of a session to one object.
func (t *Handler) joinPieces(s *session.Session) session.Maker {
	return func(ctx context.Context, key string) (*storage.Attrs, error) {
		keys := make([]string, len(s.Tus.Pieces))
		for i, name := range s.Tus.Pieces {
			keys[i] = t.Store.Key(&session.Session{Dir: name}, session.ContentName)
		}
		opts := s.CopyOptions(session.OptionsFor[storage.CopyOption](t.Uploads.FirstTarget(s)))
		return storage.Compose(ctx, t.Store.Bucket, key, keys, opts...)
	}
}
