// Package state has the types for what a server keeps: buckets with their settings, versions and
// uploads, and the interface of the stores.
package state

import (
	"context"
	"io"
	"time"

	"github.com/omnibucket/storage/internal/keyrule"
)

// A Store keeps buckets, versions and uploads, in S3's terms. Each method takes effect at once
// or not at all, also beside other calls. A bucket, version, upload or part that it returns is
// never changed, only replaced. Its errors are S3's.
type Store interface {
	// CreateBucket adds a bucket, unless there is one with its name.
	CreateBucket(ctx context.Context, b *Bucket) (created bool, err error)
	// Bucket returns a bucket. If there is none, it fails with NoSuchBucket.
	Bucket(ctx context.Context, name string) (*Bucket, error)
	// ChangeBucket replaces a bucket by a copy that change has changed, unless change fails.
	ChangeBucket(ctx context.Context, name string, change func(*Bucket) error) error
	// DeleteBucket removes a bucket and its uploads. It fails with BucketNotEmpty while there is a
	// version or a delete marker.
	DeleteBucket(ctx context.Context, name string) error
	// ListBuckets shows the buckets from a name on, by name, until show returns false.
	ListBuckets(ctx context.Context, from string, show func(*Bucket) bool) error

	// Find returns a version, which may be a delete marker, and the x-amz-version-id of a response
	// about it. Without an id, the version is the current one. It returns nil if there is none.
	// The caller must release the version.
	Find(ctx context.Context, name VersionName) (v *Version, shown string, err error)
	// ValidID reports whether a version may have this id.
	ValidID(id string) bool
	// Prepare gets these bytes of a version ready to be read. If the object was replaced meanwhile
	// and cannot be read any more, it fails with ServiceUnavailable, after which clients ask again.
	Prepare(ctx context.Context, v *Version, offset, length int64) error
	// Read writes bytes of a version.
	Read(ctx context.Context, v *Version, offset, length int64, to io.Writer) error
	// Release ends the use of a version that Find has returned; nil is allowed.
	Release(v *Version)
	// Put makes an object of a body. If the body fails, it changes nothing.
	Put(ctx context.Context, w *Write, body *Body) (v *Version, shown string, err error)
	// Copy makes an object of the bytes of another one, which Find has returned.
	Copy(ctx context.Context, w *Write, from *Version) (v *Version, shown string, err error)
	// Change replaces a version by a copy that change has changed, unless change fails. If
	// there is no such version, or if it is a delete marker, Change fails as a read does.
	Change(
		ctx context.Context, name VersionName, change func(*Bucket, *Version) error,
	) (v *Version, shown string, err error)
	// Remove removes a version or, without an id, the current object, by a delete marker if the
	// bucket keeps versions.
	Remove(ctx context.Context, r *RemoveRequest) (Removal, error)
	// List shows one page of current objects and common prefixes after a position, and reports
	// whether there are more.
	List(
		ctx context.Context, bucket string, l Listing, after Position, show func(v *Version, common string),
	) (more bool, err error)
	// ListVersions is like List, for all versions.
	ListVersions(
		ctx context.Context, bucket string, l Listing, after VersionPosition,
		show func(v *Version, latest bool, common string),
	) (more bool, err error)

	// BeginUpload adds an upload, and sets its id.
	BeginUpload(ctx context.Context, u *Upload) error
	// Upload returns an upload. If there is none, it fails with NoSuchUpload.
	Upload(ctx context.Context, bucket, key, id string) (*Upload, error)
	// PutPart adds a part, or replaces the part with this number.
	PutPart(ctx context.Context, u *Upload, number int, body *Body) (*Part, error)
	// CopyPart is like PutPart, with bytes of a version that Find has returned.
	CopyPart(ctx context.Context, u *Upload, number int, from *Version, offset, length int64) (*Part, error)
	// Parts returns at most "most" parts with numbers above after, and reports whether there are
	// more.
	Parts(ctx context.Context, u *Upload, after, most int) (parts []*Part, more bool, err error)
	// Complete makes an object of parts, and ends the upload.
	Complete(ctx context.Context, w *Write, u *Upload, parts []*Part) (v *Version, shown string, err error)
	// Abort ends an upload.
	Abort(ctx context.Context, u *Upload) error
	// ListUploads is like List, for uploads.
	ListUploads(
		ctx context.Context, bucket string, l Listing, after UploadPosition, show func(u *Upload, common string),
	) (more bool, err error)
}

// A VersionName names a version or, without an id, the current one.
type VersionName struct{ Bucket, Key, ID string }

// A Write makes an object the current version of a key, if the condition holds and the bucket
// accepts its lock.
type Write struct {
	Bucket, Key string
	Object      Object
	Condition   WriteCondition
}

// A RemoveRequest removes a version, or the current object.
type RemoveRequest struct {
	VersionName
	Condition WriteCondition
	Written   time.Time // time of the version to remove; zero means any
	Bypass    bool      // whether to bypass a retention in the mode GOVERNANCE
	Account   string    // account of the caller, who owns a delete marker
}

// Misses reports whether another version, with the time modified, has replaced the one to remove.
func (r *RemoveRequest) Misses(modified time.Time) bool {
	return !r.Written.IsZero() && !r.Written.Equal(modified)
}

// A Removal is the result of a deletion.
type Removal struct {
	Marker  bool   // whether a marker was written, or removed by its id
	ID      string // id of the marker, or of the removed version
	Missing bool   // there was nothing to remove
}

// A Position is a place in a listing: after a key, or after all keys with a prefix.
type Position struct {
	Key    string
	Prefix bool
}

// A VersionPosition is a place in a listing: after a key or, with an id, after that version of
// the key.
type VersionPosition struct{ Key, ID string }

// An UploadPosition is a place in a listing: after a key or, with an id, after that upload to
// the key.
type UploadPosition struct{ Key, ID string }

// A Listing asks for one page of keys that have a prefix. Keys with the delimiter after the prefix
// are rolled up.
type Listing struct {
	Prefix, Delimiter string
	Max               int
}

// CommonPrefix returns the common prefix that contains key, if there is one.
func (l Listing) CommonPrefix(key string) (string, bool) {
	return keyrule.CommonPrefix(key, l.Prefix, l.Delimiter)
}
