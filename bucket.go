package storage

import (
	"context"
	"io"
	"iter"
)

// A Bucket is a flat set of objects, ordered by the UTF-8 bytes of their keys. Every method
// is safe for concurrent use, honors ctx until it returns, and returns errors that are
// *[Error].
//
// A function should take the smallest interface that it needs: each one below is one
// permission, and they combine by embedding. Everything else that a bucket can do is a
// function of this package that takes the permissions it uses, so that it works on a
// narrowed bucket too.
//
// Bucket never gains a method. A type of yours may implement it or one permission of it, or
// embed it and override a method: the functions of this package call only its methods. If they
// need more, such as versions or a copy on the server, they look for an optional interface:
// [PageLister], [Versioner], [Tagger], [Locker], [Restorer], [MultipartUploader], [FormSigner], [ServerCopier],
// [BatchRemover], [FeatureReporter] or io.Closer. Your type implements those that it permits, or
// lets all functions pass it by a method Unwrap: see [Unwrapper].
type Bucket interface {
	Uploader
	Downloader
	Lister
	AttrsReader
	Remover
	SignedUploader
	SignedDownloader
	PublicLinker
}

// ReadWriter has every permission on the objects themselves.
type ReadWriter interface {
	Uploader
	Downloader
	Lister
	AttrsReader
	Remover
}

// An Uploader stores objects.
type Uploader interface {
	// Upload stores all of body under key and returns the Attrs of the new object. The
	// object appears whole or not at all. A body of any length needs only bounded memory.
	//
	// Upload reads a regular *os.File, and any io.ReaderAt with Seek and Size() int64
	// (bytes.Reader, strings.Reader, io.SectionReader, *ReaderAt), in place, from its
	// offset, in parallel; the offset afterwards is undefined. A body with Seek that goes in one
	// request is read in place too, if WithSize is its length. For any other body it calls
	// only Read, and waits for a Read that blocks even if ctx is done. It never closes
	// body. If body.Read fails, Upload fails with BodyFailed.
	//
	// After an error the key holds what it held before. Only if
	// errors.Is(err, OutcomeUnknown), it may hold the whole new object.
	Upload(ctx context.Context, key string, body io.Reader, opts ...UploadOption) (*Attrs, error)
}

// A Downloader reads objects.
type Downloader interface {
	// Download opens the object for reading. If there is none, it fails with
	// ObjectNotFound; the first Read never does.
	//
	// The reader delivers the stored bytes and does not decompress them. If the connection
	// drops, it continues at the same byte of the same revision, or fails with Changed: it
	// never joins two revisions and never ends early. If the whole object is read and the
	// store keeps its CRC32C, the last Read fails with ChecksumMismatch if it differs.
	// ctx governs the reader until Close.
	Download(ctx context.Context, key string, opts ...DownloadOption) (*Reader, error)
}

// A Lister lists objects.
type Lister interface {
	// List yields the matching objects in key order and, with WithDelimiter, the common
	// prefixes among them.
	//
	// Always range over both values: in "for entry := range b.List(ctx)" a failed listing
	// looks like an empty bucket.
	//
	// It yields at most one error, last. If the store does not list in byte order, the error
	// is Unsupported: no key is left out silently. If ctx is done, the next entry is the
	// error. Each range over the result lists again.
	List(ctx context.Context, opts ...ListOption) iter.Seq2[ListEntry, error]
}

// An AttrsReader describes objects.
type AttrsReader interface {
	// Attrs describes the object. If there is none, it fails with ObjectNotFound.
	Attrs(ctx context.Context, key string, opts ...AttrsOption) (*Attrs, error)
	// Exists returns false, nil if there is no object. A missing bucket or a refused
	// permission is an error.
	Exists(ctx context.Context, key string, opts ...AttrsOption) (bool, error)
}

// A Remover removes objects.
type Remover interface {
	// Remove deletes the object. It succeeds if there is none, so that a retry is safe.
	// With IfRevision, it fails with PreconditionFailed if the object has another revision.
	// It succeeds if there is no object, so several callers may succeed: to claim an object,
	// use Upload with IfAbsent or IfRevision.
	Remove(ctx context.Context, key string, opts ...RemoveOption) error
}

// A SignedUploader hands out permission to store one object.
type SignedUploader interface {
	// SignedUploadURL returns a request that anyone can make, until it expires, to store one
	// object under key. If the store cannot enforce an option, it fails with Unsupported.
	// Without WithContentType the request binds no type: the object gets the type that the
	// request is sent with, or the store's default.
	SignedUploadURL(ctx context.Context, key string, opts ...SignedUploadOption) (*SignedURL, error)
}

// A SignedDownloader hands out permission to read one object.
type SignedDownloader interface {
	// SignedDownloadURL returns a request that anyone can make, until it expires, to read
	// the object, which need not exist yet.
	SignedDownloadURL(ctx context.Context, key string, opts ...SignedDownloadOption) (*SignedURL, error)
}

// A PublicLinker returns addresses of public objects.
type PublicLinker interface {
	// PublicURL returns the address at which a public object is served: that of the CDN or
	// custom domain if one is configured, else the provider's own. It makes no request. If
	// the bucket was not opened as public, it fails with NotPublic.
	PublicURL(key string) (string, error)
}

// Close releases what opening b took: connections, the handle of a local directory. After
// that, every operation on b, and on results of [Ref] and [Prefixed] of b, fails with
// InvalidArgument. Whether operations in progress fail depends on the provider. Close of a
// result of Ref or Prefixed does nothing. For a type of your own, Close calls its method Close, or
// that of the bucket that it unwraps to ([Unwrapper]). Without both it fails with Unsupported.
func Close(b Bucket) error {
	closer, e := need[io.Closer](b, "Close")
	if e != nil {
		return located(b, "Close", "", e)
	}
	return closer.Close()
}

// As returns the provider's own client of b, for what this package does not cover:
//
//	client, ok := storage.As[*s3.Client](bucket)
//
// Each driver has one type: *s3.Client of aws-sdk-go-v2's service/s3 for S3, *storage.Client
// of cloud.google.com/go/storage for Google, *container.Client of azblob for Azure (also if a
// *service.Client was supplied), *os.Root for a local directory. Memory has none. For any
// other T, and for results of [Ref] and [Prefixed], As returns false. It does so for a type of your
// own, unless that is an [Unwrapper].
func As[T any](b Bucket) (T, bool) {
	if own, ok := reach(b); ok && own.Scope().Whole() {
		native, ok := own.Client().(T)
		return native, ok
	}
	var none T
	return none, false
}
