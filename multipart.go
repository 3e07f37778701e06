package storage

import (
	"context"
	"fmt"
	"io"
	"iter"
	"slices"
	"time"

	"github.com/omnibucket/storage/internal/scope"
)

// A MultipartUpload is an upload whose parts may come from several calls, processes and
// machines, in any order and again (docs/files-of-users.md). It is safe for concurrent use.
// Its parts stay until Complete or Abort, or until a [LifecycleRule] or transfer.Expire
// drops them; see [ListUploads]. PutPart and Parts then fail with ObjectNotFound.
type MultipartUpload interface {
	// Key returns the key of the object.
	Key() string
	// String returns the key, and neither the token nor the store's name of the upload.
	String() string
	// Token returns what another process needs for [ContinueUpload]: some 400 letters, digits, "-"
	// and "_", and more with metadata. It never changes and has no secret, but a client that has it
	// and the bucket can write this object: keep it on the server.
	Token() string
	// Limits returns the bounds of the parts on this store; every store takes parts of 5 MiB.
	Limits() PartLimits
	// PutPart stores part number of the upload, from 1, with retries and its checksum. It replaces a
	// part that is there; of two at once, one wins. A body is read in place as by Upload. Any other
	// body is streamed to a local or memory bucket, without retries. For another store it is read
	// into memory, up to [WithSize]; if it exceeds the [BufferLimit], PutPart fails with TooLarge. If
	// the body has another size than [WithSize], PutPart fails with BodyFailed; if another checksum
	// than [WithCRC32C], with ChecksumMismatch. The part then stays as it was.
	PutPart(ctx context.Context, number int, body io.Reader, opts ...PartOption) (*UploadedPart, error)
	// SignPart returns a request that anyone can make, until it expires ([WithTTL]): PUT, with the
	// part as its body. It stores this part and nothing else, as often as the holder likes until
	// Complete. It is signed even if the upload is gone, and needs the permission of
	// [SignedUploader] too. [WithCRC32C] must be given, but not with [WithUncheckedParts].
	SignPart(ctx context.Context, number int, opts ...SignedPartOption) (*SignedURL, error)
	// Parts returns the parts that the store has, by number.
	Parts(ctx context.Context) ([]UploadedPart, error)
	// Complete makes the object, whole or not at all, of all parts that the store has, or of those
	// of [WithParts], numbered 1, 2, 3 and so on. The condition of BeginUpload must hold now. If
	// parts are missing, have another ETag or are outside of Limits, it fails with InvalidArgument,
	// before the last request. So does a sum of sizes that is not [WithSize] (also of BeginUpload)
	// or exceeds [WithMaxSize]: too much aborts the upload. If the whole has another checksum than
	// [WithCRC32C], Complete fails with ChecksumMismatch; if the store does not report the
	// checksum, with Unsupported.
	//
	// After any other error the upload stays, and Complete may be called again, also if
	// errors.Is(err, OutcomeUnknown), but not after Unavailable with Status 409 (S3). If this
	// upload was completed, in whatever process, it returns the Attrs of the object while it is
	// there. If the upload or its object is gone, it fails with ObjectNotFound (on Google and Azure
	// maybe after ten seconds), as a second call always does without [Metadata].
	Complete(ctx context.Context, opts ...CompleteOption) (*Attrs, error)
	// Abort drops the upload and its parts, if they are there. A completed object stays.
	Abort(ctx context.Context) error
}

// PartLimits are the bounds of the parts of one upload.
type PartLimits struct {
	MinSize  int64 // bytes; the last part may be smaller
	MaxSize  int64 // bytes; 0 means no limit
	Unit     int64 // bytes; all parts but the last are a multiple of it; 0 means any size
	Equal    bool  // all parts but the last must have one size
	MaxParts int   // the greatest part number; 0 means no limit
}

// An UploadedPart is a part that the store has.
type UploadedPart struct {
	Number int    // from 1
	Size   int64  // bytes
	ETag   string // quoted, as in the response to the part's request; "" if the store has none
	CRC32C CRC32C // unknown if the store does not tell it
}

// BeginUpload begins an upload of one object in parts, with its attributes. The content
// type is by default that of the key's extension.
func BeginUpload(ctx context.Context, b Uploader, key string, opts ...MultipartOption) (MultipartUpload, error) {
	return openUpload(b, "BeginUpload", key, opts, func(f *front, o *UploadOptions) (MultipartUpload, error) {
		return f.core.BeginUpload(ctx, f.scope.Key(key), o)
	})
}

// ContinueUpload returns the upload of a [MultipartUpload.Token], in any process. It makes
// no request: whether the upload is still there shows at the next call. The token must be
// one of this bucket, within b's prefix. Give the [WithNative] options of BeginUpload
// again: the token holds no key.
func ContinueUpload(ctx context.Context, b Uploader, token string, opts ...MultipartOption) (MultipartUpload, error) {
	return openUpload(b, "ContinueUpload", "", opts, func(f *front, o *UploadOptions) (MultipartUpload, error) {
		if e := onlyNatives(opts); e != nil {
			return nil, located(f, "ContinueUpload", "", e)
		}
		return f.core.ContinueUpload(ctx, token, o)
	})
}

// ContinueListedUpload is [ContinueUpload] for an entry of [ListUploads], without a token. Give
// the options of BeginUpload again, without attributes, tags and locks on S3, which has them.
// If the response to Complete on S3 is lost, Complete fails with OutcomeUnknown, and a second
// call with ObjectNotFound.
func ContinueListedUpload(
	ctx context.Context, b Uploader, entry UploadEntry, opts ...MultipartOption,
) (MultipartUpload, error) {
	open := func(f *front, o *UploadOptions) (MultipartUpload, error) {
		entry.Key = f.scope.Key(entry.Key)
		return f.core.ContinueListedUpload(ctx, entry, o)
	}
	return openUpload(b, "ContinueListedUpload", entry.Key, opts, open)
}

// An UploadEntry is an upload in progress, also one that a crash has left.
type UploadEntry struct {
	Key    string
	Upload string    // the store's name of the upload
	Begun  time.Time // UTC; on some stores the time of its first or latest part
}

// ListUploads yields the multipart uploads in progress, in no order; see List for the
// error. It takes only [WithPrefix].
func ListUploads(ctx context.Context, b Lister, opts ...ListOption) iter.Seq2[UploadEntry, error] {
	return listWith(b, "ListUploads", opts,
		func(c Core, o *ListOptions) iter.Seq2[UploadEntry, error] { return c.ListUploads(ctx, o) },
		func(e *UploadEntry) *string { return &e.Key })
}

// AbortUpload drops an upload that [ListUploads] has yielded, and its parts. If there is
// none, it succeeds. A call that still sends parts of it fails.
func AbortUpload(ctx context.Context, b Uploader, entry UploadEntry) error {
	f, e := need(b, "AbortUpload", entry.Key)
	if e != nil {
		return e
	}
	if err := f.check(scope.Upload, "AbortUpload", entry.Key, nil); err != nil {
		return err
	}
	entry.Key = f.scope.Key(entry.Key)
	return f.outward(f.core.AbortUpload(ctx, entry))
}

type multipartOption func(*UploadOptions)

func (o multipartOption) applyMultipart(r *UploadOptions) { o(r) }

// WithMaxSize bounds the size of an object from [BeginUpload], in bytes, at least 1. Complete
// of a larger one fails with InvalidArgument and aborts the upload.
func WithMaxSize(bytes int64) MultipartOption {
	return multipartOption(func(r *UploadOptions) {
		atLeast(&r.err, "WithMaxSize", bytes, 1)
		r.MaxSize = bytes
	})
}

// WithUncheckedParts permits SignPart without [WithCRC32C], for clients that do not hash
// first, such as Uppy. S3 then keeps no CRC32C of parts and object.
func WithUncheckedParts() MultipartOption {
	return multipartOption(func(r *UploadOptions) { r.UncheckedParts = true })
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

// WithParts makes Complete join exactly these parts, numbered 1, 2, 3 and so on, and drop
// others. An ETag may be ""; sizes and checksums are not read.
func WithParts(parts ...UploadedPart) CompleteOption { return partsOption(parts) }

// PutSignedPart is [MultipartUpload.PutPart] for a handler that has verified a request of
// SignPart: upload is driver.SignPartRequest.Upload.
func PutSignedPart(
	ctx context.Context, b Uploader, key, upload string, number int, body io.Reader, opts ...PartOption,
) (*UploadedPart, error) {
	f, e := need(b, "PutSignedPart", key)
	if e != nil {
		return nil, e
	}
	given := &PartOptions{}
	if err := f.check(scope.Upload, "PutPart", key, given.Apply(opts...)); err != nil {
		return nil, err
	}
	part, err := f.core.PutSignedPart(ctx, f.scope.Key(key), upload, number, body, given)
	return part, f.outward(err)
}

// WithResume records in the file at path how far a multipart upload has come. The same call then resumes an upload
// that was canceled, that failed for a reason that passes, or whose process was killed. It sends only the parts that
// the store lacks, or whose bytes have another CRC32C. A body that goes in one request has no file: on local and
// memory buckets, that is any body without a part size. Without WithPartSize, the parts in flight, which a killed
// process loses, are at most 16 MiB together, or a tenth of the body. [WithDefaultPartSize] may make one larger.
//
// The call has the same key, attributes, condition, size, WithPartSize and layers. Otherwise, or if the store has
// dropped the parts ([LifecycleRule]) or the encryption keys are others, a new upload starts. [AbandonUpload] drops
// the parts. A stream must deliver the same bytes again: if the store has dropped its parts, one call fails with
// Unavailable.
//
// Each upload needs a file of its own, in a directory that exists. If another call is using the file, the upload
// fails with Locked. If the file was not written by WithResume, it stays, and the upload fails with InvalidArgument.
// With GCS, a program that can read it can write the object.
func WithResume(path string) interface {
	UploadOption
	CopyOption
} {
	return resumeOption(path)
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

// AbandonUpload removes the file that [WithResume] has written at path, if it is there, and the
// parts that it records. If the file is of another kind, or for no key of b, it fails with
// InvalidArgument; if a call is using the file, with Locked.
func AbandonUpload(ctx context.Context, b Uploader, path string) error {
	f, e := need(b, "AbandonUpload", "")
	if e != nil {
		return e
	}
	if err := f.check(scope.Upload, "AbandonUpload", "", nil); err != nil {
		return err
	}
	return f.outward(f.core.AbandonUpload(ctx, path, f.scope.Prefix))
}
