package s3server

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/omnibucket/storage/s3server/internal/s3error"
)

// pieces returns where the memory store has the bytes of an object or a part.
func (o *object) pieces() []piece {
	pieces, _ := o.data.([]piece)
	return pieces
}

// shownID returns the x-amz-version-id of a response, or "" if the bucket never kept versions.
func (b *memoryBucket) shownID(v *version) string {
	if b.bucket.versioning == "" || v == nil {
		return ""
	}
	return v.id
}

// current returns the current version of a key, which may be a delete marker, or nil.
func (b *memoryBucket) current(key string) *version {
	versions, _ := b.keys.Get(key)
	if len(versions) == 0 {
		return nil
	}
	return versions[0]
}

// version returns the version with an id, or the current one, or nil.
func (b *memoryBucket) version(key, id string) *version {
	if id == "" {
		return b.current(key)
	}
	versions, _ := b.keys.Get(key)
	for _, v := range versions {
		if v.id == id {
			return v
		}
	}
	return nil
}

// add makes v the current version of its key, and returns the pieces that it replaces.
func (b *memoryBucket) add(v *version) (unused []piece, err error) {
	if err := b.ledger.add(v.cost()); err != nil {
		return nil, err
	}
	b.writes++
	v.number, v.id = b.writes, nullVersion
	if b.bucket.versioning == enabled {
		v.id = newVersionID(v.number)
	} else {
		unused = b.drop(v.key, nullVersion)
	}
	versions, _ := b.keys.Get(v.key)
	b.keys.Set(v.key, append([]*version{v}, versions...))
	return unused, nil
}

// drop removes one version permanently.
func (b *memoryBucket) drop(key, id string) (unused []piece) {
	versions, _ := b.keys.Get(key)
	i := slices.IndexFunc(versions, func(v *version) bool { return v.id == id })
	if i < 0 {
		return nil
	}
	unused = versions[i].object.pieces()
	b.ledger.free(versions[i].cost())
	if len(versions) == 1 {
		b.keys.Delete(key)
	} else {
		b.keys.Set(key, slices.Concat(versions[:i], versions[i+1:]))
	}
	return unused
}

// replace puts changed in the place of old.
func (b *memoryBucket) replace(old, changed *version) {
	versions, _ := b.keys.Get(old.key)
	versions = slices.Clone(versions)
	versions[slices.Index(versions, old)] = changed
	b.keys.Set(old.key, versions)
}

func (s *memoryStore) find(_ context.Context, name versionName) (v *version, shown string, err error) {
	err = s.viewed(name.bucket, func(b *memoryBucket) error {
		if v = b.version(name.key, name.id); v != nil {
			s.blobs.retain(v.object.pieces())
		}
		shown = b.shownID(v)
		return nil
	})
	return v, shown, err
}

func (s *memoryStore) release(v *version) {
	if v != nil {
		s.blobs.release(v.object.pieces())
	}
}

// prepare does nothing: the version is retained.
func (s *memoryStore) prepare(context.Context, *version, int64, int64) error { return nil }

func (s *memoryStore) read(ctx context.Context, v *version, offset, length int64, to io.Writer) error {
	return s.blobs.copyTo(ctx, to, slice(v.object.pieces(), offset, length))
}

func (s *memoryStore) put(ctx context.Context, w *write, body *body) (*version, string, error) {
	stored, err := s.blobs.put(ctx, body)
	if err != nil {
		return nil, "", err
	}
	w.object.setContent(body.digest)
	w.object.data = stored
	return s.commit(w, nil)
}

func (s *memoryStore) copy(_ context.Context, w *write, from *version) (*version, string, error) {
	s.blobs.retain(from.object.pieces())
	w.object.data = from.object.pieces()
	return s.commit(w, nil)
}

// commit makes the object of a write the current version of its key, or releases its bytes. It
// ends the upload that the object came from.
func (s *memoryStore) commit(w *write, from *memoryUpload) (*version, string, error) {
	v, shown := &version{key: w.key, modified: s.now(), object: w.object}, ""
	var unused []piece
	err := s.locked(w.bucket, func(b *memoryBucket) error {
		if from != nil && b.uploads[from.upload.id] != from {
			return s3error.New("NoSuchUpload", "UploadId", from.upload.id)
		}
		if err := w.condition.check(w.key, b.current(w.key)); err != nil {
			return err
		}
		if err := b.bucket.lockNew(&v.object, v.modified); err != nil {
			return err
		}
		var err error
		if unused, err = b.add(v); err != nil {
			return err
		}
		if from != nil {
			b.end(from)
			unused = append(unused, from.pieces()...)
		}
		shown = b.shownID(v)
		return nil
	})
	if err != nil {
		s.blobs.release(v.object.pieces())
		return nil, "", err
	}
	s.blobs.release(unused)
	return v, shown, nil
}

func (s *memoryStore) change(_ context.Context, name versionName, change func(*bucket, *version) error) (v *version, shown string, err error) {
	err = s.locked(name.bucket, func(b *memoryBucket) error {
		old := b.version(name.key, name.id)
		if err := readable(old, name); err != nil {
			return err
		}
		changed := *old
		if err := change(b.bucket, &changed); err != nil {
			return err
		}
		if err := s.ledger.add(changed.cost() - old.cost()); err != nil {
			return err
		}
		b.replace(old, &changed)
		v, shown = &changed, b.shownID(old)
		return nil
	})
	return v, shown, err
}

func (s *memoryStore) remove(_ context.Context, r *removeRequest) (gone removal, err error) {
	var unused []piece
	err = s.locked(r.bucket, func(b *memoryBucket) (err error) {
		if err := r.condition.checkDelete(r.key, b.current(r.key)); err != nil {
			return err
		}
		gone, unused, err = s.removeFrom(b, r)
		return err
	})
	s.blobs.release(unused)
	return gone, err
}

// removeFrom removes a version. The caller holds the lock.
func (s *memoryStore) removeFrom(b *memoryBucket, r *removeRequest) (gone removal, unused []piece, err error) {
	if r.id != "" {
		v := b.version(r.key, r.id)
		if v == nil {
			return removal{id: r.id, missing: true}, nil, nil
		}
		if err := v.object.lock.checkRemoval(s.now(), r.bypass); err != nil {
			return removal{}, nil, err
		}
		return removal{marker: v.marker, id: r.id}, b.drop(r.key, r.id), nil
	}
	if b.bucket.versioning == "" {
		return removal{missing: b.current(r.key) == nil}, b.drop(r.key, nullVersion), nil
	}
	marker := &version{key: r.key, modified: s.now(), marker: true, object: object{account: r.account}}
	unused, err = b.add(marker)
	return removal{marker: true, id: marker.id}, unused, err
}

const versionIDLength = 32

// newVersionID returns an id as long as AWS's. It begins with the number of the write,
// so that a listing can continue after a version that is gone.
func newVersionID(number uint64) string {
	return fmt.Sprintf("%016x%s", number, rand.Text()[:versionIDLength-16])
}

// numberOf returns the number of the write, which is unknown for the null version.
func numberOf(id string) (number uint64, known bool) {
	if len(id) != versionIDLength {
		return 0, false
	}
	number, err := strconv.ParseUint(id[:16], 16, 64)
	return number, err == nil
}

// validVersionID reports whether this server may have made an id.
func (h *Handler) validVersionID(id string) bool {
	if _, memory := h.store.(*memoryStore); !memory {
		return isVersionText(id) && (id == nullVersion || len(id) >= 8)
	}
	if id == nullVersion {
		return true
	}
	return len(id) == versionIDLength && !slices.ContainsFunc([]byte(id), func(c byte) bool {
		return (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '.' && c != '_' && c != '-'
	})
}
