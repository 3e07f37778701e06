package s3server

import (
	"crypto/rand"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/tidwall/btree"
)

type buckets = btree.Map[string, *bucket]

// nullVersion is the version of what was written while the bucket kept none.
const nullVersion = "null"

// A bucket holds objects in the order of their keys. Handler.mu guards it.
type bucket struct {
	name    string
	created time.Time
	keys    btree.Map[string, []*version] // newest first, never empty
	uploads map[string]*upload            // by id
	writes  uint64
	settings
}

// A version is one state of a key: an object, or the marker of its removal.
// Versions are replaced, never changed.
type version struct {
	key, id  string
	number   uint64 // of the write; the newer, the greater
	modified time.Time
	marker   bool
	object
}

// An object is all that a version has beside its name.
type object struct {
	etag   string // quoted
	size   int64
	pieces []piece
	parts  []objectPart // of the upload that made it; nil: it was one PUT
	sum    checksum
	properties
	acl string
}

// objectPart is a part of a finished upload.
type objectPart struct {
	offset, size int64
	sum          checksum
}

func (h *Handler) newBucket(name string) *bucket {
	b := &bucket{name: name, created: h.now(), uploads: map[string]*upload{}, settings: defaultSettings}
	if h.config.AllowACL {
		b.ownership, b.block = "ObjectWriter", nil
	}
	return b
}

// find is the bucket of that name. The lock is held.
func (h *Handler) find(name string) (*bucket, error) {
	b, found := h.buckets.Get(name)
	if !found {
		return nil, newError("NoSuchBucket", "BucketName", name)
	}
	return b, nil
}

// view calls f with the request's bucket, which f only looks at.
func (r *request) view(f func(*bucket) error) error {
	r.server.mu.RLock()
	defer r.server.mu.RUnlock()
	b, err := r.server.find(r.bucket)
	if err != nil {
		return err
	}
	return f(b)
}

// change calls f with the request's bucket; the pieces that f answers with are
// dropped when the lock is free again.
func (r *request) change(f func(*bucket) ([]piece, error)) error {
	r.server.mu.Lock()
	b, err := r.server.find(r.bucket)
	var unused []piece
	if err == nil {
		unused, err = f(b)
	}
	r.server.mu.Unlock()
	r.server.blobs.release(unused)
	return err
}

// current is what a read without a version finds, a marker too; nil where the
// key is not there.
func (b *bucket) current(key string) *version {
	versions, _ := b.keys.Get(key)
	if len(versions) == 0 {
		return nil
	}
	return versions[0]
}

func (b *bucket) version(key, id string) *version {
	versions, _ := b.keys.Get(key)
	for _, v := range versions {
		if v.id == id {
			return v
		}
	}
	return nil
}

// add makes v the key's current version, and answers with what it replaced.
func (b *bucket) add(v *version) (unused []piece) {
	b.writes++
	v.number, v.id = b.writes, nullVersion
	if b.versioning == enabled {
		v.id = newVersionID(v.number)
	} else {
		unused = b.drop(v.key, nullVersion)
	}
	versions, _ := b.keys.Get(v.key)
	b.keys.Set(v.key, append([]*version{v}, versions...))
	return unused
}

// drop takes one version away for good.
func (b *bucket) drop(key, id string) (unused []piece) {
	versions, _ := b.keys.Get(key)
	i := slices.IndexFunc(versions, func(v *version) bool { return v.id == id })
	if i < 0 {
		return nil
	}
	unused = versions[i].pieces
	if len(versions) == 1 {
		b.keys.Delete(key)
	} else {
		b.keys.Set(key, slices.Concat(versions[:i], versions[i+1:]))
	}
	return unused
}

const versionIDLength = 32

// newVersionID is as long as AWS's. It begins with the write's number: a listing
// that goes on behind a version finds its place when that version is gone.
func newVersionID(number uint64) string {
	return fmt.Sprintf("%016x%s", number, rand.Text()[:versionIDLength-16])
}

// numberOf is the write's number; of the null version it is not known.
func numberOf(id string) (number uint64, known bool) {
	if len(id) != versionIDLength {
		return 0, false
	}
	number, err := strconv.ParseUint(id[:16], 16, 64)
	return number, err == nil
}

// validVersionID tells what no S3 gave from what may once have been there.
func validVersionID(id string) bool {
	if id == nullVersion {
		return true
	}
	return len(id) == versionIDLength && !slices.ContainsFunc([]byte(id), func(c byte) bool {
		return (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '.' && c != '_' && c != '-'
	})
}

// shownID is what an answer's x-amz-version-id says: nothing where the bucket
// never kept versions.
func (b *bucket) shownID(v *version) string {
	if b.versioning == "" {
		return ""
	}
	return v.id
}
