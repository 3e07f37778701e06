package uploads

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/crc32c"
)

// finishTus makes the object when all bytes have arrived. content is the whole file if
// the file is only in memory, and nil otherwise.
func (t *tus) finishTus(ctx context.Context, s *session, content []byte) (*session, error) {
	if s.Kind == kindFinal {
		return t.handler.keeper.finish(ctx, s, t.joinPieces(s))
	}
	state := *s.Tus
	token := s.Token
	if content != nil {
		state.CRC = crc32c.Sum(content)
		s.Tus.Whole = true
	}
	final, err := t.handler.keeper.finish(ctx, s, func(ctx context.Context, key string) (*storage.Attrs, error) {
		if token == "" || state.Parts == 0 {
			return t.storeWhole(ctx, s, key, content, state.CRC)
		}
		upload, err := storage.ContinueUpload(ctx, t.handler.bucket, token)
		if err != nil {
			return nil, err
		}
		opts := []storage.CompleteOption{storage.WithParts(numbered(state.Parts)...), storage.WithSize(s.Size)}
		attrs, err := upload.Complete(ctx, append(opts, storage.WithCRC32C(state.CRC))...)
		if storage.CodeOf(err) == storage.Unsupported { // the store does not report checksums of parts
			attrs, err = upload.Complete(ctx, opts...)
		}
		return attrs, err
	})
	if err == nil && token != "" && state.Parts == 0 {
		if upload, err := storage.ContinueUpload(ctx, t.handler.bucket, token); err == nil {
			abandon(ctx, upload)
		}
	}
	return final, err
}

func (t *tus) storeWhole(
	ctx context.Context, s *session, key string, content []byte, crc uint32,
) (*storage.Attrs, error) {
	if content == nil { // the bytes are in segments
		r := t.newReceiver(ctx, ctx, s, s.name)
		defer r.drop()
		if err := r.load(); err != nil {
			return nil, err
		}
		content = r.buf[:r.n]
	}
	target := t.handler.keeper.firstTarget(s)
	opts := optionsFor[storage.UploadOption](target, storage.WithSize(int64(len(content))), storage.WithCRC32C(crc))
	return t.handler.bucket.Upload(ctx, key, bytes.NewReader(content), s.upload(opts)...)
}

// finishWhole completes an upload whose object was stored by a call that then failed or was killed.
// If the object does not exist, finishWhole returns the session unchanged.
func (t *tus) finishWhole(ctx context.Context, s *session) (*session, error) {
	if !s.Tus.Whole || s.Phase != phaseOpen || s.Kind == kindPartial || t.handler.keeper.claimed(s) {
		return s, nil
	}
	var attrs *storage.Attrs
	err := error(storage.ObjectNotFound)
	for _, key := range t.handler.keeper.possibleKeys(s) {
		attrs, err = t.handler.bucket.Attrs(ctx, key, storage.WithWriteID(s.writeID()))
		if storage.CodeOf(err) != storage.ObjectNotFound {
			break
		}
	}
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return s, nil
	}
	if err != nil {
		return nil, storeFailed(err)
	}
	return t.handler.keeper.finish(ctx, s, func(ctx context.Context, key string) (*storage.Attrs, error) {
		if key == attrs.Key {
			return attrs, nil
		}
		// The content must be checked first, so copy the object to the key where it is checked.
		return storage.Copy(ctx, t.handler.bucket, key, t.handler.bucket, attrs.Key)
	})
}

// possibleKeys returns all keys under which the file of a session may be. There are several if the
// content decides the extension.
func (k *keeper) possibleKeys(s *session) (keys []string) {
	if s.Random == nil || s.Target.Key != "" {
		return []string{s.Target.Key}
	}
	for _, extension := range k.service.judge.Extensions() {
		keys = append(keys, k.drawnKey(s, extension))
	}
	return keys
}

const (
	maxPieces = 1000
	// keepPieces is how long the states of pieces stay after the pieces were joined. A client that
	// lost the response can repeat its request within this time.
	keepPieces = time.Hour
)

func (t *tus) concatTus(c *call, concat string) error {
	const field = "Upload-Concat"
	if len(c.Header.Values("Upload-Length")) > 0 || c.Header.Get("Upload-Defer-Length") != "" {
		return invalid("Upload-Length", "The length of a joined file is that of its pieces.")
	}
	addresses := strings.Fields(strings.TrimPrefix(concat, "final;"))
	if len(addresses) == 0 || len(addresses) > maxPieces {
		return invalid(field, "A joined file has from 1 to "+strconv.Itoa(maxPieces)+" pieces.")
	}
	n := Request{}
	if err := n.setMetadata(c.Header.Get("Upload-Metadata")); err != nil {
		return err
	}
	pieces := make([]*session, len(addresses))
	for i, address := range addresses {
		address = strings.TrimSuffix(address, "/")
		piece, err := t.handler.keeper.load(c.Context(), address[strings.LastIndexByte(address, '/')+1:], c.user)
		if storage.CodeOf(err) == storage.ObjectNotFound || err == nil && piece.Kind != kindPartial {
			return refuse(field, InvalidValue, "Piece "+strconv.Itoa(i+1)+" does not exist.")
		}
		if err != nil {
			return err
		}
		if piece.Phase != phaseDone {
			return refuse(field, NotUploaded, "Piece "+strconv.Itoa(i+1)+" has not arrived completely.")
		}
		pieces[i] = piece
		n.Size += piece.Size
	}
	s, err := t.joining(c, n, concat, pieces)
	if err != nil {
		return err
	}
	if s.Phase != phaseDone {
		if s, err = t.finishTus(c.Context(), s, nil); err != nil {
			return err
		}
	}
	c.w.Header().Set("Location", t.location(c, s.id))
	t.writeOffset(c, s)
	c.w.WriteHeader(http.StatusCreated)
	return nil
}

// joining returns the session of the file that is joined from pieces. If there is no session yet,
// joining creates one. The ID of the session is a hash of the request. If the response is lost and
// the client repeats the request, it gets the same session. Nobody else can guess the ID, because
// the request contains the secret IDs of the pieces.
func (t *tus) joining(c *call, n Request, concat string, pieces []*session) (*session, error) {
	metadata := c.Header.Get("Upload-Metadata")
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q", concat, metadata))
	id := base32.StdEncoding.EncodeToString(sum[:])[:idLength]
	s, err := t.handler.keeper.load(c.Context(), id, c.user)
	if storage.CodeOf(err) != storage.ObjectNotFound {
		return s, err
	}
	for i, piece := range pieces {
		if piece.Tus.Joined {
			return nil, refuse("Upload-Concat", InvalidValue, "Piece "+strconv.Itoa(i+1)+" was joined already.")
		}
	}
	if s, err = t.handler.keeper.begin(c, kindFinal, n, "Upload-Concat"); err != nil {
		return nil, err
	}
	s.id, s.name, s.Tus = id, sessionName(id), &tusState{RawMetadata: metadata, Concat: concat, Offset: n.Size}
	for _, piece := range pieces {
		s.Tus.Pieces = append(s.Tus.Pieces, piece.name)
	}
	if e := t.handler.keeper.reserve(c.Context(), s, s.Tus.Pieces...); e != nil {
		return nil, e
	}
	// another call with the same request has saved the session first
	if err = t.handler.keeper.save(c.Context(), s); err == errConflict {
		return t.handler.keeper.load(c.Context(), id, c.user)
	}
	t.handler.keeper.unreserve(c.Context(), s, err)
	return s, err
}

func (t *tus) joinPieces(s *session) maker {
	return func(ctx context.Context, key string) (*storage.Attrs, error) {
		keys := make([]string, len(s.Tus.Pieces))
		for i, name := range s.Tus.Pieces {
			keys[i] = t.handler.keeper.objectKey(&session{name: name}, contentName)
		}
		opts := s.copy(optionsFor[storage.CopyOption](t.handler.keeper.firstTarget(s)))
		return storage.Compose(ctx, t.handler.bucket, key, keys, opts...)
	}
}

// removeJoined removes the bytes of the pieces that were joined to the file of a session, or that
// cannot be joined to it. Their states stay for keepPieces, so that a client that lost the response can
// repeat its request.
func (k *keeper) removeJoined(ctx context.Context, s *session) error {
	if s.Kind != kindFinal {
		return nil
	}
	expires := k.config.Now().Add(keepPieces).UTC().Truncate(time.Second)
	for _, name := range s.Tus.Pieces {
		piece, err := k.read(ctx, name)
		if storage.CodeOf(err) == storage.ObjectNotFound {
			continue
		}
		if err != nil {
			return storeFailed(err)
		}
		_, err = k.update(ctx, piece, func(s *session) (bool, error) {
			if s.Phase != phaseDone || s.Tus.Joined {
				return false, nil
			}
			s.Tus.Joined = true
			if expires.Before(s.Expires) {
				s.Expires = expires
			}
			return true, nil
		})
		if storage.CodeOf(err) == storage.ObjectNotFound {
			continue
		}
		if err == nil {
			err = k.bucket.Remove(ctx, k.objectKey(&session{name: name}, contentName))
		}
		if err != nil {
			return storeFailed(err)
		}
	}
	return nil
}
