package storage

import (
	"context"
	"io"
	"iter"
)

// A Bucket is a flat set of objects, ordered by the UTF-8 bytes of their keys. Every method is safe
// for concurrent use, and honors ctx as long as it runs.
//
// Each interface below is one permission, and they combine by embedding. A function should take
// only the permissions that it needs, as the functions of this package do. They also accept a
// bucket that [Ref] has narrowed.
//
// Bucket never gains a method. A type of yours may implement Bucket or one of the permissions, and
// read its options by [UploadOptions.Apply] and the like. Some functions of this library only call
// the methods of a bucket, such as [ReadAll], [NewReaderAt], [FS] and [Update]. They accept your type. All
// others fail with Unsupported for any value that is not a bucket of this library, even for a struct that
// embeds one. To change what a method does, use [Wrap]. To see or deny calls, use [WithHook].
type Bucket interface {
	// Upload stores all of body under key and returns the Attrs of the new object, which appears whole or not at all.
	// After an error, the key holds what it held before, unless errors.Is(err, OutcomeUnknown).
	//
	// Memory is bounded. Upload reads some bodies in place, from their current offset and by parallel requests: a
	// regular *os.File, and any io.ReaderAt with Seek and Size() int64, such as a bytes.Reader or *ReaderAt. After
	// that, the offset of the body is undefined. A body with Seek whose length is given by WithSize is also read in
	// place, but by one request. Upload reads any other body by Read. If Read blocks, Upload waits, even if ctx is
	// done. If Read fails, Upload fails with BodyFailed. Upload never closes body.
	Upload(ctx context.Context, key string, body io.Reader, opts ...UploadOption) (*Attrs, error)

	// Download opens the object for reading. If the object is missing, Download itself fails, not the first Read.
	//
	// The reader delivers the stored bytes without decompressing them. If the connection drops, the reader continues at
	// the same byte of the same revision. If that revision is gone, it fails with Changed; it never ends early. At the
	// end of a whole object, it verifies the CRC32C that the store keeps, and fails with ChecksumMismatch if the bytes
	// differ. ctx governs the reader until Close.
	Download(ctx context.Context, key string, opts ...DownloadOption) (*Reader, error)

	// List yields the matching objects in key order and, with WithDelimiter, their common prefixes. Each range over the
	// result lists the bucket again. Always range over both values: in "for entry := range b.List(ctx)" a failed
	// listing looks like an empty bucket. The listing yields at most one error, and nothing after it. If ctx is done,
	// the next value is an error. If the store does not list in byte order, the error is Unsupported.
	List(ctx context.Context, opts ...ListOption) iter.Seq2[ListEntry, error]

	// Attrs describes the object.
	Attrs(ctx context.Context, key string, opts ...AttrsOption) (*Attrs, error)

	// Exists reports whether the object exists. It returns false without an error only if the
	// object is missing. If the bucket or a permission is missing, Exists fails.
	Exists(ctx context.Context, key string, opts ...AttrsOption) (bool, error)

	// Remove deletes the object. If the object does not exist, Remove succeeds, even with IfRevision, so a
	// success does not mean that this call removed the object. If exactly one of several callers must win,
	// use Upload with IfAbsent or IfRevision instead.
	Remove(ctx context.Context, key string, opts ...RemoveOption) error

	// SignedUploadURL returns a request that anyone can make, until it expires, to store one object under key. The
	// sender chooses the content type, unless WithContentType is given.
	SignedUploadURL(ctx context.Context, key string, opts ...SignedUploadOption) (*SignedURL, error)

	// SignedDownloadURL returns a request that anyone can make, until it expires, to read the object.
	SignedDownloadURL(ctx context.Context, key string, opts ...SignedDownloadOption) (*SignedURL, error)

	// PublicURL returns the address of a public object at the configured CDN or custom domain, or otherwise at the
	// provider. It makes no request. If the bucket was not opened as public, PublicURL fails with NotPublic.
	PublicURL(key string) (string, error)
}

// ReadWriter has every permission to read, write, list and remove objects, but none to sign URLs.
type ReadWriter interface {
	Uploader
	Downloader
	Lister
	AttrsReader
	Remover
}

// An Updater reads and stores objects.
type Updater interface {
	Uploader
	Downloader
}

// An Uploader stores objects.
type Uploader interface {
	Upload(ctx context.Context, key string, body io.Reader, opts ...UploadOption) (*Attrs, error)
}

// A Downloader reads objects.
type Downloader interface {
	Download(ctx context.Context, key string, opts ...DownloadOption) (*Reader, error)
}

// A Lister lists objects.
type Lister interface {
	List(ctx context.Context, opts ...ListOption) iter.Seq2[ListEntry, error]
}

// An AttrsReader describes objects.
type AttrsReader interface {
	Attrs(ctx context.Context, key string, opts ...AttrsOption) (*Attrs, error)
	Exists(ctx context.Context, key string, opts ...AttrsOption) (bool, error)
}

// A Remover removes objects.
type Remover interface {
	Remove(ctx context.Context, key string, opts ...RemoveOption) error
}

// A SignedUploader gives others permission to store one object.
type SignedUploader interface {
	SignedUploadURL(ctx context.Context, key string, opts ...SignedUploadOption) (*SignedURL, error)
}

// A SignedDownloader gives others permission to read one object, which need not exist yet.
type SignedDownloader interface {
	SignedDownloadURL(ctx context.Context, key string, opts ...SignedDownloadOption) (*SignedURL, error)
}

// A PublicLinker returns addresses of public objects.
type PublicLinker interface {
	PublicURL(key string) (string, error)
}
