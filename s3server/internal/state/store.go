// Package state has the types of everything that a server stores: buckets and their settings,
// versions and uploads. It also has the interface of the stores.
package state

import (
	"context"
	"io"
	"iter"
	"time"

	"github.com/omnibucket/storage/internal/objectkey"
)

// A Store keeps buckets, versions and uploads, as S3 defines them. Each method takes effect
// completely or not at all, even with concurrent calls. A bucket, version, upload or part that a
// method returns is never modified afterwards, only replaced. Errors are S3 errors.
type Store interface {
	// CreateBucket adds a bucket. If a bucket with its name exists, created is false.
	CreateBucket(ctx context.Context, b *Bucket) (created bool, err error)
	// Bucket returns a bucket. It fails with NoSuchBucket if there is no such bucket.
	Bucket(ctx context.Context, name string) (*Bucket, error)
	// ChangeBucket passes a copy of a bucket to the given function. If the function succeeds, the
	// copy replaces the bucket. If the function fails, the bucket stays as it is.
	ChangeBucket(ctx context.Context, name string, change func(*Bucket) error) error
	// DeleteBucket removes a bucket and its uploads. It fails with BucketNotEmpty while there is a
	// version or a delete marker.
	DeleteBucket(ctx context.Context, name string) error
	// ListBuckets yields the buckets whose names are at least start, in the order of their names,
	// until an error.
	ListBuckets(ctx context.Context, start string) iter.Seq2[*Bucket, error]

	// Find returns the version with this name, which may be a delete marker. If the name has no id,
	// it returns the current version. If there is none, v is nil. Find also returns the value of
	// the response header x-amz-version-id. The caller must release v.
	Find(ctx context.Context, name VersionName) (v *Version, versionID string, err error)
	// ValidID reports whether an id has the form of a version id.
	ValidID(id string) bool
	// Prepare opens a range of a version for Read. If the object was replaced and can no longer be
	// read, it fails with ServiceUnavailable, and the client should retry.
	Prepare(ctx context.Context, v *Version, offset, length int64) error
	// Read writes a range of a version to a writer.
	Read(ctx context.Context, v *Version, offset, length int64, dst io.Writer) error
	// Release ends the use of a version that Find has returned. v may be nil.
	Release(v *Version)
	// Put creates an object from a body. If the body fails, nothing changes.
	Put(ctx context.Context, w *Write, body *Body) (v *Version, versionID string, err error)
	// Copy creates an object with the bytes of a version that Find has returned.
	Copy(ctx context.Context, w *Write, from *Version) (v *Version, versionID string, err error)
	// Change calls the function change with a copy of a version, and then replaces the version with
	// the copy. If change fails, the version stays as it is. If there is no such version, or if the
	// version is a delete marker, Change fails as a read does.
	Change(
		ctx context.Context, name VersionName, change func(*Bucket, *Version) error,
	) (v *Version, versionID string, err error)
	// Remove removes a version. Without an id, it removes the current object. If the bucket keeps
	// versions, this adds a delete marker.
	Remove(ctx context.Context, r *RemoveRequest) (Removal, error)
	// List passes one page of current objects and common prefixes to the function show. The page
	// begins after a position. List returns true if further entries follow the page.
	List(
		ctx context.Context, bucket string, l Listing, pos Position, show func(v *Version, common string),
	) (hasMore bool, err error)
	// ListVersions is like List, but lists all versions and delete markers.
	ListVersions(
		ctx context.Context, bucket string, l Listing, pos VersionPosition,
		show func(v *Version, latest bool, common string),
	) (hasMore bool, err error)

	// BeginUpload adds an upload, and sets its id.
	BeginUpload(ctx context.Context, u *Upload) error
	// Upload returns an upload. It fails with NoSuchUpload if there is no such upload.
	Upload(ctx context.Context, bucket, key, id string) (*Upload, error)
	// PutPart adds a part to an upload, or replaces the part with this number.
	PutPart(ctx context.Context, u *Upload, number int, body *Body) (*Part, error)
	// CopyPart is like PutPart, but the part's bytes are a range of an existing version. Find has
	// returned that version.
	CopyPart(ctx context.Context, u *Upload, number int, from *Version, offset, length int64) (*Part, error)
	// Parts returns parts of an upload. It begins after the given part number, and returns at most
	// the given number of parts. It also reports whether more parts follow.
	Parts(ctx context.Context, u *Upload, after, maximum int) (parts []*Part, hasMore bool, err error)
	// Complete creates an object from parts of an upload, and ends the upload.
	Complete(ctx context.Context, w *Write, u *Upload, parts []*Part) (v *Version, versionID string, err error)
	// Abort ends an upload and removes its parts.
	Abort(ctx context.Context, u *Upload) error
	// ListUploads is like List, but lists the multipart uploads in progress.
	ListUploads(
		ctx context.Context, bucket string, l Listing, pos UploadPosition, show func(u *Upload, common string),
	) (hasMore bool, err error)
}

// A VersionName identifies a version. If ID is "", it identifies the current version of the key.
type VersionName struct{ Bucket, Key, ID string }

// A Write describes a new current version of a key. It fails if the condition does not hold, or if
// the bucket refuses the object's lock.
type Write struct {
	Bucket, Key string
	Object      Object
	Condition   WriteCondition
}

// A RemoveRequest asks a store to remove a version or, if ID is "", the current object.
type RemoveRequest struct {
	VersionName
	Condition WriteCondition
	Written   time.Time // time when the version must have been written; zero means any
	Bypass    bool      // true to bypass a retention in governance mode
	Account   string    // account of the caller, which will own a delete marker
}

// Misses reports whether the version in the store is not the version to remove, because it was
// written at another time. modified is the time of the version in the store.
func (r *RemoveRequest) Misses(modified time.Time) bool {
	return !r.Written.IsZero() && !r.Written.Equal(modified)
}

// A Removal is the result of removing a version or an object.
type Removal struct {
	Marker  bool   // true if a delete marker was added or removed
	ID      string // id of the delete marker, or of the removed version
	Missing bool   // true if there was nothing to remove
}

// A Position is a place in a listing: after the key Key. If Prefix is true, Key is a common prefix,
// and the place is after all keys with this prefix.
type Position struct {
	Key    string
	Prefix bool
}

// A VersionPosition is a place in a listing of versions: after all versions of Key. If ID is not
// "", it is after the version of Key with this id.
type VersionPosition struct{ Key, ID string }

// An UploadPosition is a place in a listing of uploads. If ID is "", the place is after all uploads
// to Key. Otherwise the place is after the upload to Key with this id.
type UploadPosition struct{ Key, ID string }

// A Listing describes one page of keys that begin with Prefix. If Delimiter is not "", keys that
// share the text up to the next delimiter are one entry, a common prefix.
type Listing struct {
	Prefix, Delimiter string
	Max               int
}

// CommonPrefix returns the common prefix to which key belongs. It returns false if there is none.
func (l Listing) CommonPrefix(key string) (string, bool) {
	return objectkey.CommonPrefix(key, l.Prefix, l.Delimiter)
}
