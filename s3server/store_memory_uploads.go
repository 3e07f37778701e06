package s3server

import (
	"context"
	"crypto/rand"
	"slices"

	"github.com/omnibucket/storage/s3server/internal/checksum"
	"github.com/omnibucket/storage/s3server/internal/s3error"
)

// A memoryUpload has its parts by number. memoryStore.mu guards them.
type memoryUpload struct {
	upload upload
	parts  map[int]*part
}

// pieces returns the pieces of all parts.
func (u *memoryUpload) pieces() (all []piece) {
	for _, p := range u.parts {
		all = append(all, p.pieces()...)
	}
	return all
}

func (p *part) pieces() []piece {
	pieces, _ := p.data.([]piece)
	return pieces
}

func (s *memoryStore) beginUpload(_ context.Context, u *upload) error {
	return s.locked(u.bucket, func(b *memoryBucket) error {
		u.id, u.initiated = rand.Text()+rand.Text(), s.now()
		begun := &memoryUpload{upload: *u, parts: map[int]*part{}}
		if err := s.ledger.add(begun.cost()); err != nil {
			return err
		}
		b.uploads[u.id] = begun
		return nil
	})
}

func noUpload(id string) error { return s3error.New("NoSuchUpload", "UploadId", id) }

func (s *memoryStore) upload(_ context.Context, bucket, key, id string) (u *upload, err error) {
	err = s.viewed(bucket, func(b *memoryBucket) error {
		found, err := b.upload(key, id)
		if err == nil {
			u = &found.upload
		}
		return err
	})
	return u, err
}

func (b *memoryBucket) upload(key, id string) (*memoryUpload, error) {
	u, found := b.uploads[id]
	if !found || u.upload.key != key {
		return nil, noUpload(id)
	}
	return u, nil
}

func (s *memoryStore) putPart(ctx context.Context, u *upload, number int, body *body) (*part, error) {
	stored, err := s.blobs.put(ctx, body)
	if err != nil {
		return nil, err
	}
	return s.addPart(u, number, stored, body.digest)
}

func (s *memoryStore) copyPart(ctx context.Context, u *upload, number int, from *version, offset, length int64) (*part, error) {
	pieces := slices.Clone(slice(from.object.pieces(), offset, length))
	d := checksum.NewDigest(u.kind, false)
	if err := s.blobs.copyTo(ctx, d, pieces); err != nil {
		return nil, err
	}
	s.blobs.retain(pieces)
	return s.addPart(u, number, pieces, d)
}

// addPart adds a part, whose pieces are retained, or replaces the part with its number.
func (s *memoryStore) addPart(u *upload, number int, pieces []piece, d *checksum.Digest) (*part, error) {
	p := newPart(u, number, d, s.now())
	p.data = pieces
	unused := pieces
	err := s.locked(u.bucket, func(b *memoryBucket) error {
		of, err := b.upload(u.key, u.id) // it may have ended meanwhile
		if err != nil {
			return err
		}
		old := of.parts[number]
		if old == nil {
			if err := s.ledger.add(entryCost); err != nil {
				return err
			}
		}
		unused = nil
		if old != nil {
			unused = old.pieces()
		}
		of.parts[number] = p
		return nil
	})
	s.blobs.release(unused)
	return p, err
}

func (s *memoryStore) parts(_ context.Context, u *upload, after, most int) (parts []*part, more bool, err error) {
	err = s.viewed(u.bucket, func(b *memoryBucket) error {
		of, err := b.upload(u.key, u.id)
		if err != nil {
			return err
		}
		var numbers []int
		for n := range of.parts {
			if n > after {
				numbers = append(numbers, n)
			}
		}
		slices.Sort(numbers)
		if more = len(numbers) > most; more {
			numbers = numbers[:most]
		}
		for _, n := range numbers {
			parts = append(parts, of.parts[n])
		}
		return nil
	})
	return parts, more, err
}

func (s *memoryStore) complete(_ context.Context, w *write, u *upload, parts []*part) (*version, string, error) {
	var of *memoryUpload
	var joined []piece
	err := s.viewed(u.bucket, func(b *memoryBucket) (err error) {
		if of, err = b.upload(u.key, u.id); err != nil {
			return err
		}
		for _, p := range parts {
			if of.parts[p.number] != p {
				return s3error.New("InvalidPart", "UploadId", u.id) // it was replaced meanwhile
			}
			joined = append(joined, p.pieces()...)
		}
		s.blobs.retain(joined)
		return nil
	})
	if err != nil {
		return nil, "", err
	}
	w.object.data = joined
	return s.commit(w, of)
}

func (s *memoryStore) abort(_ context.Context, u *upload) error {
	var unused []piece
	err := s.locked(u.bucket, func(b *memoryBucket) error {
		of, err := b.upload(u.key, u.id)
		if err != nil {
			return err
		}
		b.end(of)
		unused = of.pieces()
		return nil
	})
	s.blobs.release(unused)
	return err
}

// end forgets an upload.
func (b *memoryBucket) end(u *memoryUpload) {
	b.ledger.free(u.cost())
	delete(b.uploads, u.upload.id)
}
