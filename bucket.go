package storage

import (
	"context"
	"io"
	"iter"
)

// A Bucket is a flat set of objects, ordered by the UTF-8 bytes of their keys. Every method
// is safe for concurrent use and honors ctx until it returns.
//
// A function should take the smallest interface that it needs: each one below is one
// permission, and they combine by embedding. The functions of this package do so, and work
// on a bucket that [Ref] has narrowed.
//
// Bucket never gains a method. A type of yours may implement it or one permission; it reads
// options by [UploadOptions.Apply] and the like. Functions that call only the methods that their
// interface has, such as [ReadAll], [NewReaderAt], [FS] and [Update], take it. All others need
// a bucket of this library, and fail with Unsupported for any other value, also for a struct that
// embeds a Bucket. To change what a bucket does, wrap its [Core], or its driver (driver.WithLayer).
type Bucket interface {
	// Upload stores all of body under key and returns the Attrs of the new object. The object
	// appears whole or not at all. After an error the key holds what it held before; only if
	// errors.Is(err, OutcomeUnknown), it may hold the whole new object.
	//
	// Memory is bounded. A regular *os.File, and any io.ReaderAt with Seek and Size() int64, such
	// as a bytes.Reader or *ReaderAt, is read in place: from its offset, in parallel, and the
	// offset afterwards is undefined. So is a body with Seek whose length is WithSize, in one
	// request. Of any other body Upload calls only Read, and waits if that blocks, even if ctx is
	// done. It never closes body. If Read fails, Upload fails with BodyFailed.
	Upload(ctx context.Context, key string, body io.Reader, opts ...UploadOption) (*Attrs, error)

	// Download opens the object for reading. If there is none, Download fails, not the first Read.
	//
	// The reader delivers the stored bytes, not decompressed. If the connection drops, it continues
	// at the same byte of the same revision, or fails with Changed; it never ends early. At the end
	// of a whole object, it verifies the CRC32C that the store keeps, or fails with
	// ChecksumMismatch. ctx governs the reader until Close.
	Download(ctx context.Context, key string, opts ...DownloadOption) (*Reader, error)

	// List yields the matching objects in key order and, with WithDelimiter, the common prefixes
	// among them. Each range over it lists again. Always range over both values: in "for entry :=
	// range b.List(ctx)" a failed listing looks like an empty bucket. At most one error is yielded,
	// last; if ctx is done, it is next. A store that does not list in byte order is Unsupported.
	List(ctx context.Context, opts ...ListOption) iter.Seq2[ListEntry, error]

	// Attrs describes the object.
	Attrs(ctx context.Context, key string, opts ...AttrsOption) (*Attrs, error)

	// Exists returns false, nil only if the object is missing, and not a bucket or a permission.
	Exists(ctx context.Context, key string, opts ...AttrsOption) (bool, error)

	// Remove deletes the object. If there is none, it succeeds, also with IfRevision; another
	// revision is PreconditionFailed. To claim an object, use Upload with IfAbsent or IfRevision.
	Remove(ctx context.Context, key string, opts ...RemoveOption) error

	// SignedUploadURL returns a request that anyone can make, until it expires, to store one object
	// under key. The sender chooses its type, unless WithContentType does.
	SignedUploadURL(ctx context.Context, key string, opts ...SignedUploadOption) (*SignedURL, error)

	// SignedDownloadURL returns a request that anyone can make, until it expires, to read it.
	SignedDownloadURL(ctx context.Context, key string, opts ...SignedDownloadOption) (*SignedURL, error)

	// PublicURL returns, without a request, the address of a public object: at the configured CDN
	// or custom domain, else the provider's own. A bucket not opened as public is NotPublic.
	PublicURL(key string) (string, error)
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
	// Upload is [Bucket.Upload].
	Upload(ctx context.Context, key string, body io.Reader, opts ...UploadOption) (*Attrs, error)
}

// A Downloader reads objects.
type Downloader interface {
	// Download is [Bucket.Download].
	Download(ctx context.Context, key string, opts ...DownloadOption) (*Reader, error)
}

// A Lister lists objects.
type Lister interface {
	// List is [Bucket.List].
	List(ctx context.Context, opts ...ListOption) iter.Seq2[ListEntry, error]
}

// An AttrsReader describes objects.
type AttrsReader interface {
	// Attrs is [Bucket.Attrs].
	Attrs(ctx context.Context, key string, opts ...AttrsOption) (*Attrs, error)
	// Exists is [Bucket.Exists].
	Exists(ctx context.Context, key string, opts ...AttrsOption) (bool, error)
}

// A Remover removes objects.
type Remover interface {
	// Remove is [Bucket.Remove].
	Remove(ctx context.Context, key string, opts ...RemoveOption) error
}

// A SignedUploader hands out permission to store one object.
type SignedUploader interface {
	// SignedUploadURL is [Bucket.SignedUploadURL].
	SignedUploadURL(ctx context.Context, key string, opts ...SignedUploadOption) (*SignedURL, error)
}

// A SignedDownloader hands out permission to read one object, or a future one.
type SignedDownloader interface {
	// SignedDownloadURL is [Bucket.SignedDownloadURL].
	SignedDownloadURL(ctx context.Context, key string, opts ...SignedDownloadOption) (*SignedURL, error)
}

// A PublicLinker returns addresses of public objects.
type PublicLinker interface {
	// PublicURL is [Bucket.PublicURL].
	PublicURL(key string) (string, error)
}

// Close releases what opening b took. Later operations on b, and on results of [Ref] and
// [Prefixed] of b, fail with InvalidArgument; the provider decides on those in progress.
// Close of a result of Ref or Prefixed does nothing.
func Close(b Bucket) error {
	f, e := need(b, "Close", "")
	switch {
	case e != nil:
		return e
	case f.core == nil || !f.scope.Whole():
		return nil
	}
	return f.core.Close()
}

// As returns the provider's own client, for what this package does not cover: an *s3.Client
// of aws-sdk-go-v2, *storage.Client of cloud.google.com/go, *container.Client of azblob, or
// *os.Root for a directory. For any other T, for results of [Ref] and [Prefixed], and for a
// type of your own, it returns false.
func As[T any](b Bucket) (T, bool) {
	if f, ok := b.(*front); ok && f.core != nil && f.scope.Whole() {
		native, ok := f.core.Native().(T)
		return native, ok
	}
	var none T
	return none, false
}
