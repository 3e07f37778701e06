package s3server

import (
	"context"
	"io"
)

// A store keeps buckets, versions and uploads, in S3's terms. Each method takes effect at once
// or not at all, also beside other calls. A bucket, version, upload or part that it returns is
// never changed, only replaced. Its errors are S3's.
type store interface {
	// createBucket adds a bucket, unless there is one with its name.
	createBucket(ctx context.Context, b *bucket) (created bool, err error)
	// bucket fails with NoSuchBucket.
	bucket(ctx context.Context, name string) (*bucket, error)
	// changeBucket replaces a bucket by a copy that change has changed, unless change fails.
	changeBucket(ctx context.Context, name string, change func(*bucket) error) error
	// deleteBucket removes a bucket and its uploads. It fails with BucketNotEmpty while there is a
	// version or a delete marker.
	deleteBucket(ctx context.Context, name string) error
	// listBuckets shows the buckets from a name on, by name, until show returns false.
	listBuckets(ctx context.Context, from string, show func(*bucket) bool) error

	// find returns a version, which may be a delete marker, and the x-amz-version-id of a response
	// about it. Without an id it is the current one. It returns nil if there is none. The caller
	// must release the version.
	find(ctx context.Context, name versionName) (v *version, shown string, err error)
	// prepare makes ready to read these bytes of a version. If the object was replaced meanwhile and
	// cannot be read any more, it fails with ServiceUnavailable, after which clients ask again.
	prepare(ctx context.Context, v *version, offset, length int64) error
	// read writes bytes of a version.
	read(ctx context.Context, v *version, offset, length int64, to io.Writer) error
	// release ends the use of a version that find has returned; nil is allowed.
	release(v *version)
	// put makes an object of a body. If the body fails, it changes nothing.
	put(ctx context.Context, w *write, body *body) (v *version, shown string, err error)
	// copy makes an object of the bytes of another one, which find has returned.
	copy(ctx context.Context, w *write, from *version) (v *version, shown string, err error)
	// change replaces a version by a copy that change has changed, unless change fails. Without
	// such a version, and for a delete marker, it fails as a read does.
	change(ctx context.Context, name versionName, change func(*bucket, *version) error) (v *version, shown string, err error)
	// remove removes a version or, without an id, the current object, by a delete marker if the
	// bucket keeps versions.
	remove(ctx context.Context, r *removeRequest) (removal, error)
	// list shows one page of current objects and common prefixes after a position, and reports
	// whether there are more.
	list(ctx context.Context, bucket string, l listing, after position, show func(v *version, common string)) (more bool, err error)
	// listVersions is list for all versions.
	listVersions(ctx context.Context, bucket string, l listing, after versionPosition, show func(v *version, latest bool, common string)) (more bool, err error)

	// beginUpload adds an upload, and sets its id.
	beginUpload(ctx context.Context, u *upload) error
	// upload fails with NoSuchUpload. Without a key, any key will do.
	upload(ctx context.Context, bucket, key, id string) (*upload, error)
	// putPart adds a part, or replaces that with the number.
	putPart(ctx context.Context, u *upload, number int, body *body) (*part, error)
	// copyPart is putPart with bytes of a version that find has returned.
	copyPart(ctx context.Context, u *upload, number int, from *version, offset, length int64) (*part, error)
	// parts returns at most so many parts with higher numbers than after, and reports whether there
	// are more.
	parts(ctx context.Context, u *upload, after, most int) (parts []*part, more bool, err error)
	// complete makes an object of parts, and ends the upload.
	complete(ctx context.Context, w *write, u *upload, parts []*part) (v *version, shown string, err error)
	// abort ends an upload.
	abort(ctx context.Context, u *upload) error
	// listUploads is list for uploads.
	listUploads(ctx context.Context, bucket string, l listing, after uploadPosition, show func(u *upload, common string)) (more bool, err error)
}

// A versionName names a version or, without an id, the current one.
type versionName struct{ bucket, key, id string }

// A write makes an object the current version of a key, if the condition holds and the bucket
// accepts its lock.
type write struct {
	bucket, key string
	object      object
	condition   writeCondition
}

// A removeRequest removes a version, or the current object.
type removeRequest struct {
	versionName
	condition writeCondition
	bypass    bool   // of a retention in the mode GOVERNANCE
	account   string // of the caller, who owns a delete marker
}

// A removal is the result of a deletion.
type removal struct {
	marker  bool   // a marker was written, or removed by its id
	id      string // of the marker, or of the removed version
	missing bool   // there was nothing to remove
}

// A position in a listing is after a key, or after all keys with a prefix.
type position struct {
	key    string
	prefix bool
}

// A versionPosition is after a key or, with an id, after that version of the key.
type versionPosition struct{ key, id string }

// An uploadPosition is after a key or, with an id, after that upload to the key.
type uploadPosition struct{ key, id string }
