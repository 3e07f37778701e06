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
	return s.updateBucket(u.Bucket, func(b *memoryBucket) error {
		u.Begin(s.now())
		upload := &memoryUpload{upload: *u, parts: map[int]*state.Part{}}
		if err := s.ledger.add(upload.cost()); err != nil {
			return err
		}
		b.uploads[u.ID] = upload
		return nil
	})
}

// Upload returns the upload with this key and id, or fails with NoSuchUpload.
func (s *Store) Upload(_ context.Context, bucket, key, id string) (u *state.Upload, err error) {
	err = s.viewBucket(bucket, func(b *memoryBucket) error {
		upload, err := b.upload(key, id)
		if err == nil {
			u = &upload.upload
		}
		return err
	})
	return u, err
}

// upload returns the upload with this key and id. The caller must hold the lock of the store.
func (b *memoryBucket) upload(key, id string) (*memoryUpload, error) {
	u, ok := b.uploads[id]
	if !ok || u.upload.Key != key {
		return nil, state.NoUpload(id)
	}
	return u, nil
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
	d := checksum.NewDigest(u.Kind, false)
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
	var replaced []piece
	err := s.updateBucket(u.Bucket, func(b *memoryBucket) error {
		upload, err := b.upload(u.Key, u.ID)
		if err != nil {
			return err // the upload has ended in the meantime
		}

		if old := upload.parts[number]; old != nil {
			replaced = piecesOf(old.Data)
		} else if err := s.ledger.add(entryCost); err != nil {
			// A new part takes memory for its entry. One that replaces another already has its entry.
			return err
		}
		upload.parts[number] = p
		return nil
	})
	if err != nil {
		s.blobs.release(pieces)
		return nil, err
	}

	s.blobs.release(replaced)
	return p, nil
}

// Parts returns at most limit parts of an upload, in order, whose numbers follow marker.
func (s *Store) Parts(_ context.Context, u *state.Upload, marker, limit int) (parts []*state.Part, hasMore bool, err error) {
	err = s.viewBucket(u.Bucket, func(b *memoryBucket) error {
		upload, err := b.upload(u.Key, u.ID)
		if err != nil {
			return err
		}
		for _, number := range slices.Sorted(maps.Keys(upload.parts)) {
			if number <= marker {
				continue
			}
			if len(parts) == limit {
				hasMore = true
				return nil
			}
			parts = append(parts, upload.parts[number])
		}
		return nil
	})
	return parts, hasMore, err
}

// Complete makes an object of the parts of an upload, whose bytes it shares. It fails if one of the parts was replaced
// after the caller had looked it up.
func (s *Store) Complete(
	_ context.Context, w *state.Write, u *state.Upload, parts []*state.Part,
) (*state.Version, string, error) {
	var upload *memoryUpload
	var pieces []piece
	// The bucket stays locked while the function looks up the parts.
	err := s.viewBucket(u.Bucket, func(b *memoryBucket) (err error) {
		upload, err = b.upload(u.Key, u.ID)
		if err != nil {
			return err
		}
		for _, p := range parts {
			if upload.parts[p.Number] != p {
				// The part was replaced in the meantime.
				return s3error.New("InvalidPart", "UploadId", u.ID)
			}
			pieces = append(pieces, piecesOf(p.Data)...)
		}

		// The object shares the bytes, which must outlive the parts.
		s.blobs.retain(pieces)
		return nil
	})
	if err != nil {
		return nil, "", err
	}

	w.Object.Data = pieces
	return s.commit(w, upload)
}

// Abort ends an upload and releases the content of its parts.
func (s *Store) Abort(_ context.Context, u *state.Upload) error {
	var unused []piece
	err := s.updateBucket(u.Bucket, func(b *memoryBucket) error {
		upload, err := b.upload(u.Key, u.ID)
		if err != nil {
			return err
		}
		b.removeUpload(upload)
		unused = upload.pieces()
		return nil
	})
	s.blobs.release(unused)
	return err
}

// removeUpload removes an upload that was completed or aborted.
func (b *memoryBucket) removeUpload(u *memoryUpload) {
	b.ledger.free(u.cost())
	delete(b.uploads, u.upload.ID)
}
