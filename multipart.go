package storage

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"
)

// A MultipartUpload is an upload whose parts may be sent by several calls, processes and machines,
// in any order and repeatedly (docs/files-of-users.md). It is safe for concurrent use. Its parts
// stay until Complete or Abort, or until a [LifecycleRule] or transfer.Expire drops them. After
// that, PutPart and Parts fail with ObjectNotFound.
type MultipartUpload interface {
	// Key returns the key of the object.
	Key() string
	// String returns the key of the object. The text has no secret.
	String() string
	// Token returns the text that another process needs for [ContinueUpload]. The text never changes. It
	// has about 400 letters, digits, "-" and "_", and more if there is metadata. It contains no secret. But a
	// client with the token and access to the bucket can write this object, so keep the token on the server.
	Token() string
	// Limits returns the bounds of the parts on this store. Every store accepts parts of 5 MiB.
	Limits() PartLimits
	// PutPart stores the part with this number, at least 1, with retries and a checksum. It replaces an existing part.
	// If two calls store the same number at the same time, one of them wins. After an error, the part stays as it was.
	//
	// PutPart reads in place what Upload reads in place (see [Bucket]). Any other body is a stream. If the bucket is
	// local or in memory, a stream is stored as it is read, without retries. For other stores, a stream is first read
	// into memory, up to the length in [WithSize]. If the stream exceeds the [BufferLimit], PutPart fails with
	// TooLarge.
	PutPart(ctx context.Context, number int, body io.Reader, opts ...PartOption) (*UploadedPart, error)
	// SignPart returns a PUT request whose body is the part. Anyone can make the request, and repeat it,
	// until it expires ([WithTTL]) or until Complete. It stores only this part. SignPart does not check that
	// the upload still exists. It also needs the permission of [SignedUploader]. [WithCRC32C] is required,
	// unless the upload has [WithUncheckedParts].
	SignPart(ctx context.Context, number int, opts ...SignedPartOption) (*SignedURL, error)
	// Parts returns the parts that the store has, in the order of their numbers.
	Parts(ctx context.Context) ([]UploadedPart, error)
	// Complete makes the object from all parts that the store has, or only from those in [WithParts], whose numbers
	// must be 1, 2, 3 and so on. The object appears whole or not at all. The condition of BeginUpload must hold when
	// Complete is called.
	//
	// Complete fails with InvalidArgument if parts are missing, have another ETag or are outside of Limits. So it does
	// if the sum of the sizes differs from [WithSize], here or of BeginUpload. If the sum exceeds [WithMaxSize], it
	// does so and aborts the upload. If the checksum of the object differs from [WithCRC32C], Complete fails with
	// ChecksumMismatch. If the store does not report the checksum, Complete fails with Unsupported.
	//
	// After any other error, the upload stays and Complete may be called again, even after OutcomeUnknown. But after
	// Unavailable with Status 409 (S3), begin a new upload.
	//
	// If any process has completed this upload, Complete returns the Attrs of the object while the object exists. If
	// the upload or its object no longer exists, Complete fails with ObjectNotFound. On Google and Azure, that may take
	// ten seconds. If the store has no [Metadata], a second call always fails with ObjectNotFound.
	Complete(ctx context.Context, opts ...CompleteOption) (*Attrs, error)
	// Abort drops the upload and its parts, if they exist. A completed object stays.
	Abort(ctx context.Context) error
}

// PartLimits are the bounds of the parts of one upload.
type PartLimits struct {
	MinSize  int64 // bytes; the last part may be smaller
	MaxSize  int64 // bytes; 0 means no limit
	Unit     int64 // if above 0, the size in bytes of all parts but the last is a multiple of Unit
	Equal    bool  // true if all parts but the last must have the same size
	MaxParts int   // largest part number; 0 means no limit
}

// An UploadedPart is a part that the store has.
type UploadedPart struct {
	Number int    // at least 1
	Size   int64  // bytes
	ETag   string // quoted, as in the response to PutPart; "" if the store has none
	CRC32C CRC32C // unknown if the store does not report it
}

// An UploadEntry is an upload in progress. A process that crashed may have left it behind.
type UploadEntry struct {
	Key    string
	Upload string    // the store's name of the upload
	Begun  time.Time // UTC; on some stores the time of the first or latest part
}

type multipartOption func(*UploadOptions)

func (o multipartOption) applyMultipart(r *UploadOptions) { o(r) }

// WithMaxSize sets the largest size in bytes, at least 1, of an object from [BeginUpload]. For one
// signed upload, [SignedUploadForm] has such a limit.
func WithMaxSize(bytes int64) MultipartOption {
	return multipartOption(func(r *UploadOptions) {
		atLeast(&r.err, "WithMaxSize", bytes, 1)
		r.MaxSize = bytes
	})
}

// WithUncheckedParts permits SignPart without [WithCRC32C], for clients that compute no checksum,
// such as Uppy. S3 then keeps no CRC32C of the parts and of the object.
func WithUncheckedParts() MultipartOption {
	return multipartOption(func(r *UploadOptions) {
		r.UncheckedParts = true
	})
}

type partsOption []UploadedPart

// applyComplete sets r.Parts to the parts of WithParts. They must be numbered 1, 2, 3 and so on, in
// that order.
func (o partsOption) applyComplete(r *CompleteOptions) {
	if len(o) == 0 {
		fail(&r.err, "WithParts", "must have at least one part")
		return
	}
	for i, part := range o {
		if part.Number != i+1 {
			fail(&r.err, "WithParts",
				fmt.Sprintf("must be numbered 1, 2, 3 and so on, and the number at place %d is %d", i+1, part.Number))
			return
		}
	}
	r.Parts = slices.Clone(o)
}

// WithParts makes Complete join exactly these parts and drop all others. An ETag may be "".
// Complete ignores the sizes and checksums of the given parts.
func WithParts(parts ...UploadedPart) CompleteOption { return partsOption(parts) }

// WithResume records the progress of a multipart upload in the file at path. The same call resumes
// the upload after it was canceled, after it failed for a temporary reason, or after its process
// was killed. The call then sends only the parts that the store lacks, and parts with another
// CRC32C than before.
//
// An upload by one request has no file. On local and memory buckets, every upload without a part
// size is one request. A killed process loses the parts that it was sending. Without WithPartSize,
// these have together at most 16 MiB or a tenth of the body, whichever is more, unless
// [WithDefaultPartSize] makes one of them larger.
//
// The call must have the same key, attributes, condition, size, WithPartSize, layers and encryption
// keys. Otherwise a new upload starts, and also if the store has dropped the parts
// ([LifecycleRule]). If body is a stream, it must deliver the same bytes again. If the store has
// dropped the parts of a stream, one call fails with Unavailable, and the next call starts a new
// upload. [AbandonUpload] drops the parts.
//
// Each upload needs a file of its own, in a directory that exists. If the file exists, but is not
// from WithResume, the upload fails with InvalidArgument and does not change it. If a later version
// of this library has written the file, the upload fails with Unsupported. If another call is using
// the file, the upload fails with Locked. On GCS, a program that can read the file can write the
// object.
func WithResume(path string) ResumeOption { return resumeOption(path) }

// A ResumeOption is [WithResume].
type ResumeOption interface {
	UploadOption
	CopyOption
}

type resumeOption string

// set sets the file of WithResume.
func (o resumeOption) set(dst *Transfer, err *error) {
	if o == "" {
		fail(err, "WithResume", "must name a file")
	}
	dst.ResumeFile = string(o)
}

func (o resumeOption) applyUpload(r *UploadOptions) { o.set(&r.Transfer, &r.err) }
func (o resumeOption) applyCopy(r *CopyOptions)     { o.set(&r.Transfer, &r.err) }
