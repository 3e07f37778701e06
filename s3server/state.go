package s3server

import (
	"net/http"
	"slices"
	"time"

	"github.com/omnibucket/storage/s3server/internal/checksum"
	"github.com/omnibucket/storage/s3server/internal/s3error"
)

// nullVersion is the version of an object that was written while the bucket kept no
// versions.
const nullVersion = "null"

// A bucket is replaced and never changed, after it was created.
type bucket struct {
	name    string
	account string // that owns it
	region  string
	created time.Time
	// versioningChanges are the times when versioning was enabled or suspended, if the store needs
	// them to tell null versions from others.
	versioningChanges []time.Time
	settings
}

// hasNulls reports whether isNull knows which versions are null versions.
func (b *bucket) hasNulls() bool { return len(b.versioningChanges) > 0 || b.versioning == suspended }

// isNull reports whether a write at a time made a null version.
func (b *bucket) isNull(at time.Time) bool {
	null := b.versioning != enabled
	for _, change := range slices.Backward(b.versioningChanges) {
		if !at.Before(change) {
			break
		}
		null = !null
	}
	return null
}

// A version is one state of a key: an object or a delete marker.
type version struct {
	key, id  string
	number   uint64 // of the write, ascending; 0 if the store has no numbers
	modified time.Time
	marker   bool
	object   object
}

// An object is everything in a version but its name.
type object struct {
	etag       string // quoted
	size       int64
	data       any          // where the store has the bytes
	parts      []objectPart // of the upload that made it; nil after a PUT
	sum        checksum.Sum
	properties properties
	account    string // that wrote it; the bucket's ownership may say otherwise
	acl        accessList
	encryption encryption
	lock       lock
	restored   restored
	upload     string // the id of the multipart upload that made it, if the store keeps that
}

// objectPart is a part of a completed upload.
type objectPart struct {
	offset, size int64
	sum          checksum.Sum
}

func (h *Handler) newBucket(name, account string) *bucket {
	return &bucket{name: name, account: account, region: h.config.Region, created: h.now(), settings: newSettings(&h.config)}
}

// view calls f with the request's bucket, which f must not change.
func (r *request) view(f func(*bucket) error) error {
	b, err := r.server.store.bucket(r.Context(), r.target.bucket)
	if err != nil {
		return err
	}
	return f(b)
}

// find returns the version that the request names, or the current one, and the error that a
// reader gets if there is none or it is a delete marker. The caller must release the version,
// also with an error.
func (r *request) find(name versionName) (v *version, shown string, err error) {
	v, shown, err = r.server.store.find(r.Context(), name)
	if err == nil {
		err = readable(v, name)
	}
	return v, shown, err
}

// readable returns the error that a reader of a version gets, which may be nil.
func readable(v *version, name versionName) error {
	switch {
	case v == nil && name.id == "":
		return s3error.New("NoSuchKey", "Key", name.key)
	case v == nil:
		return s3error.New("NoSuchVersion", "Key", name.key, "VersionId", name.id)
	case v.marker && name.id == "":
		return s3error.New("NoSuchKey", "Key", name.key).WithHeader("X-Amz-Delete-Marker", "true")
	case v.marker:
		return s3error.New("MethodNotAllowed", "Method", "GET", "ResourceType", "DeleteMarker").
			WithHeader("X-Amz-Delete-Marker", "true").WithHeader("Allow", "DELETE").WithHeader("Last-Modified", v.modified.Format(http.TimeFormat))
	}
	return nil
}
