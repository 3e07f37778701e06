package storage

import (
	"context"
	"fmt"
	"io"
	"iter"
	"slices"
	"time"

	"github.com/omnibucket/storage/internal/unexported"
)

// A MultipartUpload is an upload whose parts may come from several calls, processes and
// machines, in any order and again: [BeginUpload] begins one. The object appears when Complete
// succeeds. The parts of an upload that nobody completes stay until Abort, or until the store drops
// them: after a week on memory and local, by a lifecycle rule on the others. [ListUploads] finds
// such uploads, and transfer.Expire removes them by age.
//
// Its methods are safe for concurrent use. It holds no connection and needs no Close.
type MultipartUpload interface {
	// Key returns the key of the object.
	Key() string

	// String returns the key, and neither the token nor the store's name of the upload.
	String() string

	// Token returns what another process needs to continue the upload with [ContinueUpload]. It has
	// letters, digits, "-" and "_": some 400 characters, and more with metadata. It holds the
	// attributes of the object and no secret, but whoever has it and the bucket can write this
	// object: keep it on the server. It is the same for the life of the upload.
	Token() string

	// Limits returns the bounds of the parts. They hold on this store; a program for every store
	// chooses parts of at least 5 MiB.
	Limits() PartLimits

	// PutPart stores part number of the upload, from 1. A part that is there is replaced; of two at
	// once, one wins. It is retried, and sent with its checksum.
	//
	// A body that Upload reads in place is read in place, also one with Seek and [WithSize]. Any other is read whole into memory, as far
	// as the [BufferLimit] of the bucket allows: if it is larger than the limit, PutPart fails with
	// TooLarge. [WithSize] declares its size, so that no more memory is taken, and [WithCRC32C] its
	// checksum. A body of another size fails with BodyFailed, one of another checksum with
	// ChecksumMismatch. Both leave the part as it was.
	//
	// A number or a size outside of Limits is InvalidArgument. If the upload was completed, aborted or
	// dropped, PutPart fails with ObjectNotFound.
	PutPart(ctx context.Context, number int, body io.Reader, opts ...PartOption) (*UploadedPart, error)

	// SignPart returns a request that anyone can make, until it expires, to store part number, from
	// 1: the method is PUT and the body is the part. It can store this part and nothing else, as often
	// as the holder likes until Complete; see [SignedUploader]. [WithTTL] sets how long it is valid.
	//
	// The store enforces the checksum of [WithCRC32C] if it has [SignedPartChecksums], else SignPart
	// fails with Unsupported. Without a checksum it fails with InvalidArgument, unless the upload has
	// [WithUncheckedParts]; with that, WithCRC32C is InvalidArgument. [WithSize] binds the size of the part if the store has [SignedSize], else it
	// is Unsupported. Complete checks the size of the whole.
	//
	// SignPart makes no request to the store, so that it succeeds for an upload that is gone. It needs
	// the permission of [SignedUploader] too. If the store lacks [SignedParts], it fails with
	// Unsupported.
	SignPart(ctx context.Context, number int, opts ...SignedPartOption) (*SignedURL, error)

	// Parts returns the parts that the store has, by number.
	//
	// If the upload was completed, aborted or dropped, Parts fails with ObjectNotFound.
	Parts(ctx context.Context) ([]UploadedPart, error)

	// Complete makes the object of the parts: of all that the store has, or of those of [WithParts].
	// Their numbers must be 1, 2, 3 and so on. The object appears whole or not at all.
	//
	// Complete fails with InvalidArgument, before the last request, if parts are missing, have another
	// ETag or are outside of Limits. So it does if the sum of sizes is not that of [WithSize], given
	// here or to [BeginUpload], or exceeds [WithMaxSize]. If there is too much, the client lied: the
	// upload is aborted. If a checksum was declared, another one of the
	// whole is ChecksumMismatch. If the store does not tell the checksums of parts, a declared
	// checksum is Unsupported. After any other error than too much the upload stays, and Complete may
	// be called again.
	//
	// If the condition of BeginUpload does not hold now, Complete fails with PreconditionFailed. If S3
	// cannot decide it because of another write at the same time, Complete fails with Unavailable and
	// Status 409: the parts are of no more use, and a new upload is needed. If
	// another call replaces a part meanwhile, Complete takes the newer one; with its ETag in WithParts,
	// Complete fails with InvalidArgument.
	//
	// Complete is idempotent: if this upload was completed, in whatever process, it returns the
	// Attrs of the object while the object is there. If the upload was aborted or dropped, or its
	// object was replaced or removed, Complete fails with ObjectNotFound. A store without [Metadata]
	// cannot tell, so that a second Complete is ObjectNotFound. A lost response is reconciled, as for
	// Upload; if that fails, errors.Is(err, OutcomeUnknown), and Complete may be called again.
	//
	// On Google and Azure, a process can end after the decision that its call makes the object and before
	// the object is there. If the key has no object then, nobody can know whether it was made and removed.
	// Later calls of Complete wait ten seconds for that process, and fail with ObjectNotFound.
	Complete(ctx context.Context, opts ...CompleteOption) (*Attrs, error)

	// Abort drops the upload and its parts. If it was completed, aborted or dropped already, Abort
	// succeeds and changes nothing: a completed object stays.
	Abort(ctx context.Context) error
}

// PartLimits are the bounds of the parts of one upload.
type PartLimits struct {
	MinSize  int64 // bytes; the last part may be smaller
	MaxSize  int64 // bytes; 0: no limit
	Unit     int64 // bytes; all parts but the last are a multiple of it; 0: any size
	Equal    bool  // all parts but the last must have one size
	MaxParts int   // the greatest part number; 0: no limit
}

// An UploadedPart is a part that the store has.
type UploadedPart struct {
	Number int    // from 1
	Size   int64  // bytes
	ETag   string // quoted, as in the response to the part's request; "" if the store has none
	CRC32C CRC32C // unknown if the store does not tell it
}

// A MultipartUploader is a bucket that takes uploads in parts: one from engine.New, or a type of your
// own, for which the functions of these names call its methods.
type MultipartUploader interface {
	BeginUpload(ctx context.Context, key string, opts ...MultipartOption) (MultipartUpload, error)
	ContinueUpload(ctx context.Context, token string, opts ...MultipartOption) (MultipartUpload, error)
	ContinueListedUpload(ctx context.Context, entry UploadEntry, opts ...MultipartOption) (MultipartUpload, error)
	ListUploads(ctx context.Context, opts ...ListOption) iter.Seq2[UploadEntry, error]
	AbortUpload(ctx context.Context, entry UploadEntry) error
	PutSignedPart(ctx context.Context, key, upload string, number int, body io.Reader, opts ...PartOption) (*UploadedPart, error)
}

// BeginUpload begins an upload of one object in parts. The options are those of the object:
// content type, metadata, tags, locks. Complete checks the condition, the size of [WithSize] or
// [WithMaxSize], and the checksum of [WithCRC32C]. Without [WithContentType] the type is that of
// the key's extension, else "application/octet-stream".
//
// If the store lacks [OpenUploads], or b is no [MultipartUploader], BeginUpload fails with
// Unsupported. The other errors are those of Upload.
func BeginUpload(ctx context.Context, b Uploader, key string, opts ...MultipartOption) (MultipartUpload, error) {
	m, e := need[MultipartUploader](b, "BeginUpload")
	if e != nil {
		return nil, located(b, "BeginUpload", key, e)
	}
	return m.BeginUpload(ctx, key, opts...)
}

// ContinueUpload returns the upload of a [MultipartUpload.Token], in any process. It makes no
// request: whether the upload is still there shows at the next call.
//
// Options are only those of [WithNative] that BeginUpload had: the token does not hold a key that
// the object is encrypted with. A token that was changed, or that is of another bucket or of a
// key outside of b's prefix, is InvalidArgument; so is another option, or one that is missing.
// If b is no [MultipartUploader], ContinueUpload fails with Unsupported.
func ContinueUpload(ctx context.Context, b Uploader, token string, opts ...MultipartOption) (MultipartUpload, error) {
	m, e := need[MultipartUploader](b, "ContinueUpload")
	if e != nil {
		return nil, located(b, "ContinueUpload", "", e)
	}
	return m.ContinueUpload(ctx, token, opts...)
}

// ContinueListedUpload returns an upload that [ListUploads] has yielded, for a program that has lost
// its token. It makes no request: whether the upload is still there shows at the next call. Its
// Token continues it in other processes, too.
//
// The store does not tell how the upload was begun. Most stores get the attributes, tags and locks
// with Complete: give those options of [BeginUpload] again, or the object has none. S3 has them
// already, so that there they are InvalidArgument. On all stores, give the condition, [WithSize],
// [WithMaxSize], [WithCRC32C], [WithUncheckedParts] and native options again.
//
// If S3 loses the response of Complete, the error is OutcomeUnknown, and a second Complete fails
// with ObjectNotFound. The other errors are those of BeginUpload.
func ContinueListedUpload(ctx context.Context, b Uploader, entry UploadEntry, opts ...MultipartOption) (MultipartUpload, error) {
	m, e := need[MultipartUploader](b, "ContinueListedUpload")
	if e != nil {
		return nil, located(b, "ContinueListedUpload", entry.Key, e)
	}
	return m.ContinueListedUpload(ctx, entry, opts...)
}

// An UploadEntry is a multipart upload that was begun and neither completed nor aborted: one of
// [BeginUpload], or one that a crash or a lost connection has left. [ContinueListedUpload] continues
// it, and [AbortUpload] drops it.
type UploadEntry struct {
	Key    string
	Upload string    // the store's name of the upload
	Begun  time.Time // UTC; on some stores the time of its first or latest part
}

// ListUploads yields the multipart uploads of the bucket in progress, in no order; see List for
// the error. Only [WithPrefix] fits; any other option is InvalidArgument. If the store
// lacks [ListedUploads], or b is no [MultipartUploader], the error is Unsupported.
func ListUploads(ctx context.Context, b Lister, opts ...ListOption) iter.Seq2[UploadEntry, error] {
	m, e := need[MultipartUploader](b, "ListUploads")
	if e != nil {
		return failing[UploadEntry](located(b, "ListUploads", "", e))
	}
	return m.ListUploads(ctx, opts...)
}

// AbortUpload drops an upload that [ListUploads] has yielded, and its parts. If there is none, it
// succeeds. A call that still sends parts of it fails.
func AbortUpload(ctx context.Context, b Uploader, entry UploadEntry) error {
	m, e := need[MultipartUploader](b, "AbortUpload")
	if e != nil {
		return located(b, "AbortUpload", entry.Key, e)
	}
	return m.AbortUpload(ctx, entry)
}

type multipartOption func(*UploadOptions)

func (o multipartOption) applyMultipart(r *UploadOptions) { o(r) }

// WithMaxSize bounds the size of an object in bytes that [BeginUpload] begins. Complete of more is
// InvalidArgument and aborts the upload. Below 1, BeginUpload fails with InvalidArgument.
func WithMaxSize(bytes int64) MultipartOption {
	return multipartOption(func(r *UploadOptions) {
		if bytes < 1 {
			fail(&r.set, "WithMaxSize", "must be at least 1")
		}
		r.set.MaxSize = bytes
	})
}

// WithUncheckedParts permits [MultipartUpload.SignPart] without [WithCRC32C], for clients that
// compute no checksum before they ask for an address, such as Uppy. S3 then keeps no CRC32C of
// parts and object, and verifies only what TLS does. Stores that compute it keep it all the
// same.
func WithUncheckedParts() MultipartOption {
	return multipartOption(func(r *UploadOptions) { r.UncheckedParts = true })
}

type partsOption []UploadedPart

func (o partsOption) applyComplete(r *CompleteOptions) {
	if len(o) == 0 {
		fail(&r.set, "WithParts", "must have at least one part")
	}
	for i, part := range o {
		if part.Number != i+1 {
			fail(&r.set, "WithParts", fmt.Sprintf("must be numbered 1, 2, 3 and so on, and the number at place %d is %d", i+1, part.Number))
		}
	}
	r.Parts = slices.Clone(o)
}

// WithParts makes [MultipartUpload.Complete] join exactly these parts, numbered 1, 2, 3 and so on.
// The store must have each of them, with this ETag unless it is "". Parts with greater numbers are
// dropped. Sizes and checksums are the store's: those in parts are not read.
func WithParts(parts ...UploadedPart) CompleteOption { return partsOption(parts) }

// PutSignedPart stores a part for a client that was given a request by
// [MultipartUpload.SignPart]. It is for handlers that answer such requests, as package serve
// does, and have verified the signature: upload is driver.SignPartRequest.Upload. It fails as
// [MultipartUpload.PutPart] does, and with Unsupported if b is no [MultipartUploader].
func PutSignedPart(ctx context.Context, b Uploader, key, upload string, number int, body io.Reader, opts ...PartOption) (*UploadedPart, error) {
	m, e := need[MultipartUploader](b, "PutSignedPart")
	if e != nil {
		return nil, located(b, "PutSignedPart", key, e)
	}
	return m.PutSignedPart(ctx, key, upload, number, body, opts...)
}

// WithResume records in the file at path how far a multipart upload has come. The same call
// resumes an upload that was canceled, that failed for a reason that passes, or whose process
// was killed. A part that the store has is not sent again if the body still has the same
// bytes there, compared by CRC32C. The file does not hold the body. It is created when the
// first part begins and removed when the upload has ended. A body that goes in one request
// has no such file: on local and memory buckets, that is every body without [WithPartSize].
//
// Each upload needs a file of its own, in a directory that exists. If something else has
// written the file, the call fails with InvalidArgument and does not change it. If another
// call uses the file, the call fails with Locked.
//
// The same call has the same key, attributes, condition, size and WithPartSize. If
// the file describes a different call, that upload is abandoned (and its parts
// removed, if it belongs to this bucket) and a new one starts. A new one starts too
// if the store has dropped the parts: Azure, GCS, local and memory do after a week,
// S3 by a lifecycle rule. An upload that nobody resumes leaves its parts in the
// store: [AbandonUpload] removes them.
//
// A body that is read in place, such as a file, is best. A stream must deliver the
// same bytes again; if the store has dropped the parts, the call fails with
// Unavailable and the next call starts over. A failure to write the file ends the
// upload with Internal, and errors.As reaches the *fs.PathError. With GCS, a program
// that can read the file can write to the upload: the file's mode is 0600.
func WithResume(path string) ResumeOption {
	return resumeOption(path)
}

type resumeOption string

func (o resumeOption) apply(s *unexported.Settings) {
	if o == "" {
		fail(s, "WithResume", "must name a file")
	}
	s.ResumeFile = string(o)
}

func (o resumeOption) applyUpload(r *UploadOptions) { o.apply(&r.set) }
func (o resumeOption) applyCopy(r *CopyOptions)     { o.apply(&r.set) }

// AbandonUpload abandons the upload that [WithResume] recorded in the file at path:
// it removes the parts from the store, and then the file. If there is no such file,
// it does nothing.
//
// If the upload is another bucket's, its key is outside of b's prefix, or WithResume has
// not written the file, AbandonUpload fails with InvalidArgument and the file stays. If a
// call uses the file, it fails with Locked. If b is neither from engine.New nor unwraps to such a bucket
// ([Unwrapper]), it fails with Unsupported.
func AbandonUpload(ctx context.Context, b Uploader, path string) error {
	own, ok := reach(b)
	if !ok {
		return located(b, "AbandonUpload", "", unsupported(fmt.Sprintf("AbandonUpload needs a bucket from engine.New, and the value is a %T, which has no Unwrap", innermost(b)), ""))
	}
	return own.AbandonUpload(ctx, path)
}
