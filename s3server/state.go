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

// nullVersion is the version of an object that was written while the bucket kept no
// versions.
const nullVersion = "null"

// A bucket has objects in the byte order of their keys. Handler.mu guards it.
type bucket struct {
	name    string
	account string // that owns it
	region  string
	created time.Time
	keys    btree.Map[string, []*version] // newest first, never empty
	uploads map[string]*upload            // by id
	writes  uint64
	settings
}

// A version is one state of a key: an object or a delete marker. Versions are replaced
// and never changed.
type version struct {
	key, id  string
	number   uint64 // of the write, ascending
	modified time.Time
	marker   bool
	object
}

// An object is everything in a version but its name.
type object struct {
	etag   string // quoted
	size   int64
	pieces []piece
	parts  []objectPart // of the upload that made it; nil after a PUT
	sum    checksum
	properties
	account    string // that wrote it; the bucket's ownership may say otherwise
	acl        accessList
	encryption encryption
	lock       lock
	restored   restored
}

// objectPart is a part of a completed upload.
type objectPart struct {
	offset, size int64
	sum          checksum
}

func (h *Handler) newBucket(name, account string) *bucket {
	b := &bucket{name: name, account: account, region: h.config.Region, created: h.now(), uploads: map[string]*upload{}, settings: defaultSettings}
	if !h.config.Strict {
		b.ownership, b.block = "", nil
	}
	return b
}

// find returns the bucket with this name. The caller holds the lock.
func (h *Handler) find(name string) (*bucket, error) {
	b, found := h.buckets.Get(name)
	if !found {
		return nil, newError("NoSuchBucket", "BucketName", name)
	}
	return b, nil
}

// view calls f with the request's bucket, which f must not change.
func (r *request) view(f func(*bucket) error) error {
	r.server.mu.RLock()
	defer r.server.mu.RUnlock()
	b, err := r.server.find(r.bucket)
	if err != nil {
		return err
	}
	return f(b)
}

// change calls f with the request's bucket. It releases the pieces that f returns,
// after the lock.
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

// current returns the current version of a key, which may be a delete marker, or nil.
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

// add makes v the current version of its key, and returns the pieces that it replaces.
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

// drop removes one version permanently.
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

// validVersionID reports whether S3 may have made this id.
func validVersionID(id string) bool {
	if id == nullVersion {
		return true
	}
	return len(id) == versionIDLength && !slices.ContainsFunc([]byte(id), func(c byte) bool {
		return (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '.' && c != '_' && c != '-'
	})
}

// shownID returns the x-amz-version-id of a response, or "" if the bucket never kept
// versions.
func (b *bucket) shownID(v *version) string {
	if b.versioning == "" {
		return ""
	}
	return v.id
}
