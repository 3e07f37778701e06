package memory

import (
	"context"
	"maps"
	"slices"

	"github.com/omnibucket/storage/s3server/internal/checksum"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
)

// A memoryUpload is an upload and its parts by number. Store.mu guards it.
type memoryUpload struct {
	upload state.Upload
	parts  map[int]*state.Part
}

// pieces returns the content of all parts.
func (u *memoryUpload) pieces() (all []piece) {
	for _, p := range u.parts {
		all = append(all, piecesOf(p.Data)...)
	}
	return all
}

// BeginUpload begins an upload, and sets its id and its time in u.
func (s *Store) BeginUpload(_ context.Context, u *state.Upload) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.bucket(u.Bucket)
	if err != nil {
		return err
	}

	u.Begin(s.now())
	upload := &memoryUpload{upload: *u, parts: map[int]*state.Part{}}
	if err := s.ledger.add(upload.cost()); err != nil {
		return err
	}
	b.uploads[u.ID] = upload
	return nil
}

// Upload returns the upload with this key and id, or fails with NoSuchUpload.
func (s *Store) Upload(_ context.Context, bucket, key, id string) (*state.Upload, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	_, upload, err := s.upload(bucket, key, id)
	if err != nil {
		return nil, err
	}
	return &upload.upload, nil
}

// upload returns the upload with this key and id, and its bucket. The caller must hold s.mu as long as it uses them.
func (s *Store) upload(bucket, key, id string) (*memoryBucket, *memoryUpload, error) {
	b, err := s.bucket(bucket)
	if err != nil {
		return nil, nil, err
	}
	u, ok := b.uploads[id]
	if !ok || u.upload.Key != key {
		return nil, nil, state.NoUpload(id)
	}
	return b, u, nil
}

// PutPart stores a body as a part of an upload, in place of the part with this number if there is one.
func (s *Store) PutPart(_ context.Context, u *state.Upload, number int, body *state.Body) (*state.Part, error) {
	pieces, err := s.blobs.put(body)
	if err != nil {
		return nil, err
	}
	return s.addPart(u, number, pieces, body.Digest)
}

// CopyPart stores a range of a version as a part. The part shares the bytes in memory with the version.
func (s *Store) CopyPart(
	_ context.Context, u *state.Upload, number int, src *state.Version, offset, length int64,
) (*state.Part, error) {
	pieces := slices.Clone(slice(piecesOf(src.Object.Data), offset, length))
	const needsSHA256 = false
	d := checksum.NewDigest(u.Kind, needsSHA256)
	if err := writeTo(d, pieces); err != nil {
		return nil, err
	}
	s.blobs.retain(pieces)
	return s.addPart(u, number, pieces, d)
}

// addPart adds a part with this content to an upload, or replaces the part with this number. The reference
// counts of the content must already include the part.
func (s *Store) addPart(u *state.Upload, number int, pieces []piece, d *checksum.Digest) (*state.Part, error) {
	p := state.NewPart(u, number, d, s.now())
	p.Data = pieces
	replaced, err := s.setPart(u, p)
	if err != nil {
		s.blobs.release(pieces)
		return nil, err
	}
	s.blobs.release(replaced)
	return p, nil
}

// setPart makes p the part of an upload with its number, and returns the content of the part that had this number, if
// there was one. The caller must release that content.
func (s *Store) setPart(u *state.Upload, p *state.Part) (replaced []piece, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, upload, err := s.upload(u.Bucket, u.Key, u.ID)
	if err != nil {
		// The upload has ended in the meantime.
		return nil, err
	}

	if old := upload.parts[p.Number]; old != nil {
		upload.parts[p.Number] = p
		return piecesOf(old.Data), nil
	}

	// A new part takes memory for its entry. One that replaces another already has its entry.
	if err := s.ledger.add(entryCost); err != nil {
		return nil, err
	}
	upload.parts[p.Number] = p
	return nil, nil
}

// Parts returns at most limit parts of an upload, in order, whose numbers follow marker.
func (s *Store) Parts(_ context.Context, u *state.Upload, marker, limit int) (parts []*state.Part, hasMore bool, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	_, upload, err := s.upload(u.Bucket, u.Key, u.ID)
	if err != nil {
		return nil, false, err
	}
	for _, number := range slices.Sorted(maps.Keys(upload.parts)) {
		if number <= marker {
			continue
		}
		if len(parts) == limit {
			return parts, true, nil
		}
		parts = append(parts, upload.parts[number])
	}
	return parts, false, nil
}

// Complete makes an object of the parts of an upload, whose bytes it shares. It fails if one of the parts was replaced
// after the caller had looked it up.
func (s *Store) Complete(
	_ context.Context, w *state.Write, u *state.Upload, parts []*state.Part,
) (*state.Version, string, error) {
	upload, pieces, err := s.retainParts(u, parts)
	if err != nil {
		return nil, "", err
	}
	w.Object.Data = pieces
	return s.commit(w, upload)
}

// retainParts returns an upload and the content of its parts, which the caller must release. It fails if one of the
// parts was replaced.
func (s *Store) retainParts(u *state.Upload, parts []*state.Part) (*memoryUpload, []piece, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	_, upload, err := s.upload(u.Bucket, u.Key, u.ID)
	if err != nil {
		return nil, nil, err
	}

	var pieces []piece
	for _, p := range parts {
		isReplaced := upload.parts[p.Number] != p
		if isReplaced {
			return nil, nil, s3error.New("InvalidPart", "UploadId", u.ID)
		}
		pieces = append(pieces, piecesOf(p.Data)...)
	}

	// The object shares the bytes, which must outlive the parts. Retain them while the bucket is locked.
	s.blobs.retain(pieces)
	return upload, pieces, nil
}

// Abort ends an upload and releases the content of its parts.
func (s *Store) Abort(_ context.Context, u *state.Upload) error {
	unused, err := s.abort(u)
	s.blobs.release(unused)
	return err
}

// abort ends an upload, and returns the content of its parts, which the caller must release.
func (s *Store) abort(u *state.Upload) (unused []piece, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, upload, err := s.upload(u.Bucket, u.Key, u.ID)
	if err != nil {
		return nil, err
	}
	b.removeUpload(upload)
	return upload.pieces(), nil
}

// removeUpload removes an upload that was completed or aborted.
func (b *memoryBucket) removeUpload(u *memoryUpload) {
	b.ledger.free(u.cost())
	delete(b.uploads, u.upload.ID)
}
