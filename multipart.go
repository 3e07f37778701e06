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
// stay until Complete or Abort, or until a [LifecycleRule] or transfer.Expire drops them (see
// [ListUploads]). After the parts were dropped, PutPart and Parts fail with ObjectNotFound.
type MultipartUpload interface {
	// Key returns the key of the object.
	Key() string
	// String returns the key. It contains neither the token nor the name that the store gave the
	// upload.
	String() string
	// Token returns the text that another process needs for [ContinueUpload]. It has about 400
	// letters, digits, "-" and "_", and more if there is metadata. The token never changes and
	// contains no secret. But a client with the token and access to the bucket can write this
	// object, so keep the token on the server.
	Token() string
	// Limits returns the bounds of the parts on this store. Every store accepts parts of 5 MiB.
	Limits() PartLimits
	// PutPart stores the part with this number, with retries and a checksum. The first number is 1.
	// PutPart replaces an existing part. If two calls store the same number at the same time, one
	// of them wins.
	//
	// PutPart can read a regular *os.File in place, and all other bodies that Upload reads in place
	// (see [Bucket]). Any other body is a stream. If the bucket is local or in memory, a stream is
	// stored as it is read, without retries. For other stores, a stream is first read into memory,
	// up to the length in [WithSize]. If the stream exceeds the [BufferLimit], PutPart fails with
	// TooLarge.
	//
	// If the size of the body differs from [WithSize], PutPart fails with BodyFailed. If its
	// checksum differs from [WithCRC32C], PutPart fails with ChecksumMismatch. After an error, the
	// part stays as it was.
	PutPart(ctx context.Context, number int, body io.Reader, opts ...PartOption) (*UploadedPart, error)
	// SignPart returns a PUT request whose body is the part. Anyone can make the request, and
	// repeat it, until it expires ([WithTTL]) or until Complete. The request stores only this part.
	// SignPart does not check that the upload still exists. It also needs the permission of
	// [SignedUploader]. [WithCRC32C] is required, unless the upload has [WithUncheckedParts].
	SignPart(ctx context.Context, number int, opts ...SignedPartOption) (*SignedURL, error)
	// Parts returns the parts that the store has, in the order of their numbers.
	Parts(ctx context.Context) ([]UploadedPart, error)
	// Complete makes the object from all parts that the store has, or only from the parts in
	// [WithParts]. The object appears whole or not at all. The numbers of the parts must be 1, 2, 3
	// and so on. The condition of BeginUpload must hold when Complete is called.
	//
	// Complete fails with InvalidArgument if parts are missing, have another ETag or are outside of
	// Limits. [WithSize] may be given here or to BeginUpload. If the sum of the sizes differs from
	// it, Complete fails with InvalidArgument. If the sum exceeds [WithMaxSize], Complete fails
	// with InvalidArgument and aborts the upload. If the checksum of the object differs from
	// [WithCRC32C], Complete fails with ChecksumMismatch. If the store does not report the
	// checksum, Complete fails with Unsupported.
	//
	// After any other error, the upload stays and Complete may be called again, even if
	// errors.Is(err, OutcomeUnknown). There is one exception: after Unavailable with Status 409
	// (S3), begin a new upload.
	//
	// If any process has completed this upload, Complete returns the Attrs of the object while the
	// object exists. If the upload or its object no longer exists, Complete fails with
	// ObjectNotFound. On Google and Azure, that may take ten seconds. If the store has no
	// [Metadata], a second call always fails with ObjectNotFound.
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

// WithMaxSize sets the largest size in bytes, at least 1, of an object from [BeginUpload]. If the
// object would be larger, Complete fails with InvalidArgument and aborts the upload.
func WithMaxSize(bytes int64) MultipartOption {
	return multipartOption(func(r *UploadOptions) {
		atLeast(&r.err, "WithMaxSize", bytes, 1)
		r.MaxSize = bytes
	})
}

// WithUncheckedParts permits SignPart without [WithCRC32C], for clients that do not compute a
// checksum before they upload, such as Uppy. S3 then keeps no CRC32C of the parts and of the
// object.
func WithUncheckedParts() MultipartOption {
	return multipartOption(func(r *UploadOptions) {
		r.UncheckedParts = true
	})
}

type partsOption []UploadedPart

func (o partsOption) applyComplete(r *CompleteOptions) {
	if len(o) == 0 {
		fail(&r.err, "WithParts", "must have at least one part")
	}
	for i, part := range o {
		if part.Number != i+1 {
			fail(&r.err, "WithParts",
				fmt.Sprintf("must be numbered 1, 2, 3 and so on, and the number at place %d is %d", i+1, part.Number))
		}
	}
	r.Parts = slices.Clone(o)
}

// WithParts makes Complete join exactly these parts and drop all others. Their numbers must be 1,
// 2, 3 and so on. An ETag may be "". Complete ignores the sizes and checksums of the given parts.
func WithParts(parts ...UploadedPart) CompleteOption { return partsOption(parts) }

// WithResume records the progress of a multipart upload in the file at path. The same call resumes
// the upload after it was canceled, after it failed for a temporary reason, or after its process
// was killed. The call then sends only the parts that the store lacks, and parts with another
// CRC32C than before.
//
// An upload by one request has no file. On local and memory buckets, every upload without a part
// size is one request. A killed process loses the parts that it was sending. Without WithPartSize,
// these parts have together at most 16 MiB or a tenth of the body, whichever is more.
// [WithDefaultPartSize] may make one of the parts larger.
//
// The call must have the same key, attributes, condition, size, WithPartSize and layers. Otherwise
// a new upload starts. A new upload also starts if the encryption keys have changed, or if the
// store has dropped the parts ([LifecycleRule]). If body is a stream, it must deliver the same
// bytes again. If the store has dropped the parts of a stream, one call fails with Unavailable, and
// the next call starts a new upload. [AbandonUpload] drops the parts.
//
// Each upload needs a file of its own, in a directory that exists. WithResume creates the file. If
// the file exists, but is not from WithResume, the upload fails with InvalidArgument and does not
// change the file. If a later version of this library has written the file, the upload fails with
// Unsupported. If another call is using the file, the upload fails with Locked. On GCS, a
// program that can read the file can write the object.
func WithResume(path string) ResumeOption { return resumeOption(path) }

// A ResumeOption is [WithResume].
type ResumeOption interface {
	UploadOption
	CopyOption
}

type resumeOption string

func (o resumeOption) set(to *Transfer, failed *error) {
	if o == "" {
		fail(failed, "WithResume", "must name a file")
	}
	to.ResumeFile = string(o)
}

func (o resumeOption) applyUpload(r *UploadOptions) { o.set(&r.Transfer, &r.err) }
func (o resumeOption) applyCopy(r *CopyOptions)     { o.set(&r.Transfer, &r.err) }
