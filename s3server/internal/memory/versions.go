package memory

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/omnibucket/storage/s3server/internal/state"
)

// piecesOf returns the content of an object or a part. data is the field Data of that
// object or part.
func piecesOf(data any) []piece {
	pieces, _ := data.([]piece)
	return pieces
}

// version returns the version with this id, or nil if there is none. If id is "", it returns the newest
// version, which may be a delete marker.
func (b *memoryBucket) version(key, id string) *state.Version {
	// The versions are sorted from the newest to the oldest.
	versions, _ := b.keys.Get(key)
	for _, v := range versions {
		if id == "" || v.ID == id {
			return v
		}
	}
	return nil
}

// add makes v the current version of its key, and returns the content of the null version that v replaces
// for the caller to release.
func (b *memoryBucket) add(v *state.Version) (unused []piece, err error) {
	if err := b.ledger.add(costOfVersion(v)); err != nil {
		return nil, err
	}

	b.writes++
	v.Number = b.writes
	v.ID = state.NullVersion
	if b.bucket.Versioning == state.Enabled {
		// The id begins with the number of the write, so that a listing can continue after a
		// version that was removed. The id is as long as AWS's.
		v.ID = fmt.Sprintf("%016x%s", v.Number, rand.Text()[:versionIDLength-16])
	} else {
		unused = b.removeVersion(v.Key, state.NullVersion)
	}

	versions, _ := b.keys.Get(v.Key)
	b.keys.Set(v.Key, append([]*state.Version{v}, versions...))
	return unused, nil
}

// removeVersion removes one version permanently, and returns its content for the caller to release.
func (b *memoryBucket) removeVersion(key, id string) (unused []piece) {
	versions, _ := b.keys.Get(key)
	i := slices.IndexFunc(versions, func(v *state.Version) bool {
		return v.ID == id
	})
	if i < 0 {
		return nil
	}

	unused = piecesOf(versions[i].Object.Data)
	b.ledger.free(costOfVersion(versions[i]))
	if len(versions) == 1 {
		b.keys.Delete(key)
	} else {
		b.keys.Set(key, slices.Concat(versions[:i], versions[i+1:]))
	}
	return unused
}

// replace replaces the version old of a key by v.
func (b *memoryBucket) replace(old, v *state.Version) {
	versions, _ := b.keys.Get(old.Key)
	versions = slices.Clone(versions)
	versions[slices.Index(versions, old)] = v
	b.keys.Set(old.Key, versions)
}

// Find returns a version, or nil if there is none, and its id as clients see it. The content stays in memory until the
// caller releases the version.
func (s *Store) Find(_ context.Context, name state.VersionName) (*state.Version, string, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	b, err := s.bucket(name.Bucket)
	if err != nil {
		return nil, "", err
	}
	v := b.version(name.Key, name.ID)
	if v != nil {
		s.blobs.retain(piecesOf(v.Object.Data))
	}
	return v, b.bucket.Shown(v), nil
}

func (s *Store) Release(v *state.Version) {
	if v != nil {
		s.blobs.release(piecesOf(v.Object.Data))
	}
}

// Prepare does nothing, because Find has retained the version's content.
func (s *Store) Prepare(context.Context, *state.Version, int64, int64) error { return nil }

func (s *Store) Read(_ context.Context, v *state.Version, offset, length int64, dst io.Writer) error {
	return writeTo(dst, slice(piecesOf(v.Object.Data), offset, length))
}

// Put stores a body as the current version of a key, and returns the version and its id as clients see it.
func (s *Store) Put(_ context.Context, w *state.Write, body *state.Body) (*state.Version, string, error) {
	pieces, err := s.blobs.put(body)
	if err != nil {
		return nil, "", err
	}
	w.Object.SetContent(body.Digest)
	w.Object.Data = pieces
	return s.commit(w, nil)
}

func (s *Store) Copy(_ context.Context, w *state.Write, src *state.Version) (*state.Version, string, error) {
	s.blobs.retain(piecesOf(src.Object.Data))
	w.Object.Data = piecesOf(src.Object.Data)
	return s.commit(w, nil)
}

// commit makes the written object the current version of its key. If the write completes an upload, commit also ends
// that upload. Otherwise upload is nil. If commit fails, it releases the object's content.
func (s *Store) commit(w *state.Write, upload *memoryUpload) (*state.Version, string, error) {
	v := &state.Version{Key: w.Key, Modified: s.now(), Object: w.Object}
	versionID, unused, err := s.addVersion(w, v, upload)
	if err != nil {
		s.blobs.release(piecesOf(v.Object.Data))
		return nil, "", err
	}
	s.blobs.release(unused)
	return v, versionID, nil
}

// addVersion makes v, which has the written object, the current version of its key, and ends the upload, if there is
// one. It returns the version's id as clients see it, and the content that is no longer used, which the caller must
// release.
func (s *Store) addVersion(
	w *state.Write, v *state.Version, upload *memoryUpload,
) (versionID string, unused []piece, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.bucket(w.Bucket)
	if err != nil {
		return "", nil, err
	}

	// The upload may have ended since the caller looked it up.
	hasEnded := upload != nil && b.uploads[upload.upload.ID] != upload
	if hasEnded {
		return "", nil, state.NoUpload(upload.upload.ID)
	}
	if err := w.Condition.Check(w.Key, b.version(w.Key, "")); err != nil {
		return "", nil, err
	}
	if err := b.bucket.LockNew(&v.Object, v.Modified); err != nil {
		return "", nil, err
	}

	unused, err = b.add(v)
	if err != nil {
		return "", nil, err
	}
	if upload != nil {
		b.removeUpload(upload)
		unused = append(unused, upload.pieces()...)
	}
	return b.bucket.Shown(v), unused, nil
}

// Change changes the properties of a version. It calls change with a copy, so that no reader sees half of the change.
func (s *Store) Change(
	_ context.Context, name state.VersionName, change func(*state.Bucket, *state.Version) error,
) (*state.Version, string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.bucket(name.Bucket)
	if err != nil {
		return nil, "", err
	}
	old := b.version(name.Key, name.ID)
	if err := state.Readable(old, name); err != nil {
		return nil, "", err
	}

	changed := *old
	if err := change(b.bucket, &changed); err != nil {
		return nil, "", err
	}
	// The changed version may need more memory.
	if err := s.ledger.add(costOfVersion(&changed) - costOfVersion(old)); err != nil {
		return nil, "", err
	}
	b.replace(old, &changed)
	return &changed, b.bucket.Shown(old), nil
}

// Remove removes a version of an object, or the current object if r.ID is "".
func (s *Store) Remove(_ context.Context, r *state.RemoveRequest) (state.Removal, error) {
	removal, unused, err := s.remove(r)
	s.blobs.release(unused)
	return removal, err
}

// remove removes a version or adds a delete marker, and returns the content that the caller must release.
func (s *Store) remove(r *state.RemoveRequest) (removal state.Removal, unused []piece, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.bucket(r.Bucket)
	if err != nil {
		return state.Removal{}, nil, err
	}
	if err := r.Condition.CheckDelete(r.Key, b.version(r.Key, "")); err != nil {
		return state.Removal{}, nil, err
	}

	v := b.version(r.Key, r.ID) // nil if it is missing
	if v != nil && r.Misses(v.Modified) {
		// The caller meant another version.
		return state.Removal{Missing: true}, nil, nil
	}

	if r.ID != "" {
		return s.removeNamed(b, r, v)
	}
	if b.bucket.Versioning == "" {
		// Without versioning, the only version of a key is the null version.
		unused = b.removeVersion(r.Key, state.NullVersion)
		return state.Removal{Missing: v == nil}, unused, nil
	}

	// With versioning, a delete marker becomes the current version.
	marker := &state.Version{
		Key:      r.Key,
		Modified: s.now(),
		Marker:   true,
		Object:   state.Object{Account: r.Account},
	}
	unused, err = b.add(marker)
	return state.Removal{Marker: true, ID: marker.ID}, unused, err
}

// removeNamed removes the version v, which the request names, for good. v is nil if it is missing. The caller must
// release the returned content.
func (s *Store) removeNamed(
	b *memoryBucket, r *state.RemoveRequest, v *state.Version,
) (removal state.Removal, unused []piece, err error) {
	if v == nil {
		return state.Removal{ID: r.ID, Missing: true}, nil, nil
	}
	if err := v.Object.Lock.CheckRemoval(s.now(), r.Bypass); err != nil {
		return state.Removal{}, nil, err
	}
	unused = b.removeVersion(r.Key, r.ID)
	return state.Removal{Marker: v.Marker, ID: r.ID}, unused, nil
}

const versionIDLength = 32

// numberOf returns the number of the write that created a version, with which the version's id begins. The
// id of the null version has none.
func numberOf(id string) (number uint64, ok bool) {
	if len(id) != versionIDLength {
		return 0, false
	}

	number, err := strconv.ParseUint(id[:16], 16, 64)
	return number, err == nil
}

// ValidID reports whether an id has the form of the ids that this store makes.
func (s *Store) ValidID(id string) bool {
	return id == state.NullVersion || (len(id) == versionIDLength && state.IsVersionText(id))
}
