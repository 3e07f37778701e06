package storage

import (
	"context"
	"io"
	"iter"
)

// A Bucket is a flat set of objects, ordered by the UTF-8 bytes of their keys.
// Every method is safe for concurrent use, honours ctx until it returns, and
// returns errors that are *Error.
//
// A function that needs less than a whole bucket takes less: each permission
// below is an interface of its own, and they combine by embedding. Whatever
// else a bucket can do is a function of this package that takes the
// permissions it uses, and so works on a narrowed bucket too.
//
// Bucket never gains a method. A type of yours may implement it, a permission
// of it, or embed it and override a method: the functions of this package then
// use its methods alone. Only on what New and Ref return do they take a faster
// road, with the same rights; they know it by its type, never by a method.
type Bucket interface {
	Uploader
	Downloader
	Lister
	Attrser
	Remover
	SignedUploader
	SignedDownloader
	PublicURLer
}

// ReadWriter is every permission on the objects themselves.
type ReadWriter interface {
	Uploader
	Downloader
	Lister
	Attrser
	Remover
}

// An Uploader stores objects.
type Uploader interface {
	// Upload stores all of body under key and returns what was stored. The
	// object appears whole or not at all, never in part. A body of any length
	// is stored with bounded memory; a regular *os.File, and any io.ReaderAt
	// with Seek and Size() int64 (bytes.Reader, strings.Reader,
	// io.SectionReader, *ReaderAt), is read in place from its offset, in
	// parallel; its offset afterwards is undefined. Any other body is read by
	// Read alone, and a Read that blocks is waited for also when ctx is done.
	// Upload never closes body; what body.Read fails with is BodyFailed.
	//
	// After an error the key holds what it held before or, only where
	// errors.Is(err, OutcomeUnknown), perhaps the whole new object.
	Upload(ctx context.Context, key string, body io.Reader, opts ...UploadOption) (*Attrs, error)
}

// A Downloader reads objects.
type Downloader interface {
	// Download opens the object for reading; a missing object is
	// ObjectNotFound here, not at the first Read. The reader delivers the
	// stored bytes, never decompressed. It survives a dropped connection: it
	// continues at the byte where it stopped, on the same revision, or fails
	// with Changed; it never splices two revisions and never ends early. A
	// whole read is verified against the stored CRC32C where there is one:
	// ChecksumMismatch instead of the last io.EOF.
	// ctx governs the reader until Close.
	Download(ctx context.Context, key string, opts ...DownloadOption) (*Reader, error)
}

// A Lister lists objects.
type Lister interface {
	// List yields the matching objects in key order, and with WithDelimiter
	// the common prefixes among them.
	//
	// Always range over both values: in "for entry := range b.List(ctx)" a
	// listing that failed looks like an empty bucket.
	//
	// It yields at most one error, last. If the store does not list in byte
	// order, the error is Unsupported: no key is left out silently. If ctx is
	// done, the next entry is the error. Each range over the result lists again.
	List(ctx context.Context, opts ...ListOption) iter.Seq2[ListEntry, error]
}

// An Attrser tells about objects.
type Attrser interface {
	// Attrs describes the object; ObjectNotFound where there is none.
	Attrs(ctx context.Context, key string, opts ...AttrsOption) (*Attrs, error)
	// Exists is false, nil for an object that is not there; a missing bucket
	// or a refused permission is an error, never "false".
	Exists(ctx context.Context, key string, opts ...AttrsOption) (bool, error)
}

// A Remover removes objects.
type Remover interface {
	// Remove deletes the object. Removing what is not there succeeds, so that
	// a retry is safe. With IfRevision, another revision is PreconditionFailed;
	// nothing there still succeeds, so that it is no way to claim an object
	// (several may succeed): IfAbsent and IfRevision on Upload are.
	Remove(ctx context.Context, key string, opts ...RemoveOption) error
}

// A SignedUploader hands out permission to store one object.
type SignedUploader interface {
	// SignedUploadURL returns a request that anyone can make, until it
	// expires, to store one object under key. A guard that the store cannot
	// enforce is Unsupported. Without WithContentType the request binds no type:
	// the object has the one that the request is sent with, or the store's default.
	SignedUploadURL(ctx context.Context, key string, opts ...SignedUploadOption) (*SignedURL, error)
}

// A SignedDownloader hands out permission to read one object.
type SignedDownloader interface {
	// SignedDownloadURL returns a request that anyone can make, until it
	// expires, to read the object, whether or not it exists yet.
	SignedDownloadURL(ctx context.Context, key string, opts ...SignedDownloadOption) (*SignedURL, error)
}

// A PublicURLer tells where public objects are served.
type PublicURLer interface {
	// PublicURL is the address at which a public object is served: the CDN or
	// custom domain where one is configured, else the provider's own. It makes
	// no request. NotPublic where the bucket was not opened as public.
	PublicURL(key string) (string, error)
}
