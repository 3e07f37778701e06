package storage

import (
	"context"
	"io"
	"iter"
	"time"

	"github.com/omnibucket/storage/internal/serving"
)

// A Core implements the methods of a [Bucket] and the functions of this package. Before a method of
// a Core is called, the library checks permissions, adds prefixes to keys and reads the options. To
// change what a bucket does, define a type that embeds the Core that [Wrap] gives you, and override
// methods. The embedded Core handles all other methods, even those that later versions of this
// package add. Without an embedded Core, a later version may require new methods of your type.
//
// A method does not call another method of Core, so a Core that misses one of these methods lets
// some calls pass. A [Hook] needs no such list.
//
//   - To see what is read, override Download, Source, Compose, Move, SignedDownloadURL,
//     PublicURL, Vend and Native.
//   - To see what is written, override Upload, CopyFrom, Compose, Move, SetTags, SetRetention,
//     SetLegalHold, Restore, SignedUploadURL, SignedUploadForm, Vend, BeginUpload,
//     ContinueUpload, ContinueListedUpload, AbortUpload, AbandonUpload, PutSignedPart and
//     Native.
//   - To see what is removed, override Remove, RemoveAll, RemoveVersions, Move,
//     SignedRemoveURL, Vend and Native.
//   - To see what is listed, override List, ListPage, Versions, Vend, ListUploads and Native.
//   - To see what is described by attributes or tags, override Attrs, Exists, Tags, Vend and
//     Native.
//
// BeginUpload, ContinueUpload and ContinueListedUpload return a [MultipartUpload], whose methods
// write, too. For security, embed [UnimplementedCore] in place of a Core, and pass on only what you
// permit.
//
// A method gets the options of the caller in a struct that Apply has filled. Apply also sets
// defaults, so the struct can differ from its zero value even if the caller gave no options. Pass
// on the same struct or a changed copy, because it also has what the library needs for itself. For
// a call of another method, such as Move in place of Remove, call Apply of a new struct of that
// method. Where Remove of a missing object succeeds, Move fails with [ObjectNotFound].
// Options and results belong to the caller, so a method neither changes nor keeps them. Errors are
// *[Error] with whole keys. A Core is safe for concurrent use.
type Core interface {
	Upload(ctx context.Context, key string, body io.Reader, o *UploadOptions) (*Attrs, error)
	Download(ctx context.Context, key string, o *DownloadOptions) (*Reader, error)
	Attrs(ctx context.Context, key string, o *DownloadOptions) (*Attrs, error)
	Exists(ctx context.Context, key string, o *DownloadOptions) (bool, error)
	Remove(ctx context.Context, key string, o *RemoveOptions) error
	// RemoveAll and RemoveVersions implement the functions with these names. If the caller's bucket
	// is a view of [Prefixed], the keys include the prefix.
	RemoveAll(ctx context.Context, keys iter.Seq[string]) (removed int, err error)
	RemoveVersions(ctx context.Context, versions iter.Seq[VersionEntry]) (removed int, err error)

	List(ctx context.Context, o *ListOptions) iter.Seq2[ListEntry, error]
	ListPage(ctx context.Context, token string, o *ListOptions) (*Page, error)
	Versions(ctx context.Context, o *ListOptions) iter.Seq2[VersionEntry, error]

	// Source returns the source for a copy of an object, without a request. The Core of a store returns a
	// source that the server can copy. If your Core changes bytes or keys, or if its Download must see every
	// read, Source must return NewCopySource(itself, key). Copies then read the object by Download, and the
	// library assumes nothing about where the objects are.
	Source(key string) CopySource
	// CopyFrom is [Copy] to this Core. If your Upload and Download must see the bytes of every copy,
	// CopyFrom must return [StreamCopy] of the Core itself.
	CopyFrom(ctx context.Context, key string, from CopySource, o *CopyOptions) (*Attrs, error)
	Compose(ctx context.Context, key string, srcKeys []string, o *CopyOptions) (*Attrs, error)
	Move(ctx context.Context, from, to string, o *CopyOptions) (*Attrs, error)

	Tags(ctx context.Context, key string, o *DownloadOptions) (map[string]string, error)
	SetTags(ctx context.Context, key string, tags map[string]string, o *ChangeOptions) error
	SetRetention(ctx context.Context, key string, r Retention, o *ChangeOptions) error
	SetLegalHold(ctx context.Context, key string, hold bool, o *ChangeOptions) error
	Restore(ctx context.Context, key string, o *ChangeOptions) error

	SignedUploadURL(ctx context.Context, key string, o *SignOptions) (*SignedURL, error)
	SignedDownloadURL(ctx context.Context, key string, o *SignOptions) (*SignedURL, error)
	SignedRemoveURL(ctx context.Context, key string, o *SignOptions) (*SignedURL, error)
	SignedUploadForm(ctx context.Context, key string, minSize, maxSize int64, o *SignOptions) (*SignedForm, error)
	PublicURL(key string) (string, error)
	// Vend implements the function [Vend]. Clients use the credentials directly at the store, so the methods of the
	// Core do not see these accesses. If the methods must see every access, Vend must return Unsupported.
	Vend(ctx context.Context, prefix string, rights Rights, ttl time.Duration) (*VendedCredentials, error)

	BeginUpload(ctx context.Context, key string, o *UploadOptions) (MultipartUpload, error)
	ContinueUpload(ctx context.Context, token string, o *UploadOptions) (MultipartUpload, error)
	ContinueListedUpload(ctx context.Context, entry UploadEntry, o *UploadOptions) (MultipartUpload, error)
	ListUploads(ctx context.Context, o *ListOptions) iter.Seq2[UploadEntry, error]
	AbortUpload(ctx context.Context, entry UploadEntry) error
	// AbandonUpload implements the function AbandonUpload: it ends the upload whose record is the file at path, if the
	// key of the upload begins with prefix.
	AbandonUpload(ctx context.Context, path, prefix string) error
	PutSignedPart(
		ctx context.Context, key, upload string, number int, body io.Reader, o *PartOptions,
	) (*UploadedPart, error)

	Supports(features Features) bool
	// Name returns the provider, such as "s3", and the bucket. Both appear in errors.
	Name() (provider, bucket string)
	// Native returns the client for [As], or nil.
	Native() any
	Close() error
}

// A CopySource is one object that a copy reads. It gives no access to the other objects of the
// bucket.
type CopySource struct {
	core  Core       // nil if other is set
	other Downloader // a Downloader of the user's own type
	key   string     // whole key
}

// NewCopySource returns the source for a copy that reads the object by c.Download. If c is a Core of package engine,
// the server may copy the object instead.
func NewCopySource(c Core, key string) CopySource { return CopySource{core: c, key: key} }

// Key returns the whole key of the object.
func (s CopySource) Key() string { return s.key }

// Download opens the source for reading. It fails with InvalidArgument for the zero CopySource.
func (s CopySource) Download(ctx context.Context, o *DownloadOptions) (*Reader, error) {
	if s.core != nil {
		return s.core.Download(ctx, s.key, o)
	}
	if s.other != nil {
		return s.other.Download(ctx, s.key, downloadOption(func(r *DownloadOptions) {
			*r = *o // one option that sets all of them
		}))
	}
	return nil, invalid("source", "must be made by NewCopySource")
}

// NewBucket returns the bucket of a Core. If c is nil, every operation of the bucket fails with
// InvalidArgument.
func NewBucket(c Core) Bucket {
	f := newFront(c)
	if engine, ok := serving.EngineOf(c).(engineCore); ok {
		f.hooks = engine.Hooks()
	}
	return f
}

// Wrap calls wrap with the Core of b, and returns a bucket whose Core is the result. In this bucket,
// Remove does something else:
//
//	type logged struct{ storage.Core }
//
//	func (l logged) Remove(ctx context.Context, key string, o *storage.RemoveOptions) error {
//		log.Print("remove ", key)
//		return l.Core.Remove(ctx, key, o)
//	}
//
//	bucket, err = storage.Wrap(bucket, func(c storage.Core) storage.Core { return logged{c} })
//
// A Core that overrides only Remove does not see all removals: [Core] lists the methods to override,
// and [WithHook] sees all removals.
//
// b stays usable, and Close of either bucket closes the Core of b. A result of [Ref] or [Prefixed], or
// a bucket opened with prefix=, cannot be wrapped, because the caller must not reach the rest of the
// bucket. If b is a type of your own, Wrap fails with Unsupported.
func Wrap(b Bucket, wrap func(Core) Core) (Bucket, error) {
	f, err := frontOf(b, "Wrap", "")
	if err != nil {
		return nil, err
	}
	if !f.scope.Whole() {
		const rule = "must be whole, and not a result of Ref or Prefixed, or of an address with prefix="
		return nil, locateError(b, "Wrap", "", invalid("bucket", rule))
	}
	if wrap == nil {
		return nil, locateError(b, "Wrap", "", invalid("wrap", "must not be nil"))
	}

	// Around a nil Core, wrap might return one whose methods panic, so it is not called.
	var c Core
	if f.core != nil {
		c = wrap(f.core)
	}
	if c == nil {
		return nil, locateError(b, "Wrap", "", invalid("Core", "must not be nil"))
	}

	wrapped := newFront(c)
	wrapped.hooks = f.hooks
	return wrapped, nil
}
