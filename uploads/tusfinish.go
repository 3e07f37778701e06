package uploads

import (
	"bytes"
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/crc32c"
	"github.com/omnibucket/storage/uploads/internal/keypattern"
)

// finishTus makes the object. content is the whole file, if it is not stored yet.
func (h *tus) finishTus(ctx context.Context, s *session, content []byte) (*session, error) {
	if s.Kind == kindFinal {
		return h.keeper.finish(ctx, s, h.joinPieces(s))
	}
	t := *s.Tus
	token := s.Token
	if content != nil {
		t.CRC = crc32c.Sum(content)
		s.Tus.Whole = true
	}
	done, err := h.keeper.finish(ctx, s, func(ctx context.Context, key string) (*storage.Attrs, error) {
		if token == "" || t.Parts == 0 {
			return h.storeWhole(ctx, s, key, content, t.CRC)
		}
		upload, err := storage.ContinueUpload(ctx, h.bucket, token)
		if err != nil {
			return nil, err
		}
		opts := []storage.CompleteOption{storage.WithParts(numbered(t.Parts)...), storage.WithSize(s.Size)}
		attrs, err := upload.Complete(ctx, append(opts, storage.WithCRC32C(t.CRC))...)
		if storage.CodeOf(err) == storage.Unsupported { // the store does not tell the checksums of parts
			attrs, err = upload.Complete(ctx, opts...)
		}
		return attrs, err
	})
	if err == nil && token != "" && t.Parts == 0 {
		if upload, err := storage.ContinueUpload(ctx, h.bucket, token); err == nil {
			abandon(ctx, upload)
		}
	}
	return done, err
}

// storeWhole stores a file that fits one part.
func (h *tus) storeWhole(ctx context.Context, s *session, key string, content []byte, crc uint32) (*storage.Attrs, error) {
	if content == nil { // an earlier call stored it as segments
		r := &receiver{h: h, ctx: ctx, s: s, segments: s.Tus.Tail, have: int(s.Tus.tailSize())}
		r.n, r.saved = r.have, r.have
		defer r.drop()
		if err := r.load(); err != nil {
			return nil, err
		}
		content = r.buf[:r.n]
	}
	opts := optionsFor[storage.UploadOption](h.keeper.firstTarget(s), storage.WithSize(int64(len(content))), storage.WithCRC32C(crc), s.writeID())
	return h.bucket.Upload(ctx, key, bytes.NewReader(content), opts...)
}

// finishWhole completes an upload whose object a call stored from memory before it failed or was
// killed. If the object is not there, it returns the session as it is.
func (h *tus) finishWhole(ctx context.Context, s *session) (*session, error) {
	if !s.Tus.Whole || s.Phase != phaseOpen || s.Kind == kindPartial || s.claimed(h.config.Now()) {
		return s, nil
	}
	var there *storage.Attrs
	err := error(storage.ObjectNotFound)
	for _, key := range h.keeper.possibleKeys(s) {
		if there, err = h.bucket.Attrs(ctx, key, s.writeID().(storage.AttrsOption)); storage.CodeOf(err) != storage.ObjectNotFound {
			break
		}
	}
	switch {
	case storage.CodeOf(err) == storage.ObjectNotFound:
		return s, nil
	case err != nil:
		return nil, storeFailed(err)
	}
	return h.keeper.finish(ctx, s, func(ctx context.Context, key string) (*storage.Attrs, error) {
		if key == there.Key {
			return there, nil
		}
		return storage.Copy(ctx, h.bucket, key, h.bucket, there.Key) // to be judged
	})
}

// possibleKeys returns the keys that the file of a session may have.
func (k *keeper) possibleKeys(s *session) (keys []string) {
	if s.Random == nil || s.Target.Key != "" {
		return []string{s.Target.Key}
	}
	for _, extension := range k.service.judge.Extensions() {
		keys = append(keys, k.service.pattern.Key(s.file().User.values(), s.Begun, keypattern.Random(s.Random), extension))
	}
	return keys
}
