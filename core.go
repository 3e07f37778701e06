package storage

import (
	"context"
	"io"
	"iter"
)

// A Core does what the methods of a [Bucket] and the functions of this package ask for: keys are whole, permissions are
// checked, and options are read. Package engine has the Core of a store. To change what a bucket does, embed the Core
// that [Wrap] gives you in a type of your own, and override methods: all others pass on, also those that later versions
// add. A type without an embedded Core may have to gain methods.
//
// A method does not call another one. To see what is written, override Upload, CopyFrom, Compose, Move, BeginUpload and
// the like. To see what is removed, override Remove, RemoveAll, RemoveVersions and Move. To see what is read, override
// Download, Source, Compose, Move, SignedDownloadURL and PublicURL.
//
// Options were read by their Apply: without options, a call passes what Apply() makes, which for some differs from the
// zero value. They belong to the caller: a method neither changes nor keeps them. What a method returns belongs to the
// caller. Errors are *[Error] with whole keys. A Core is safe for concurrent use.
type Core interface {
	Upload(ctx context.Context, key string, body io.Reader, o *UploadOptions) (*Attrs, error)
	Download(ctx context.Context, key string, o *DownloadOptions) (*Reader, error)
	Attrs(ctx context.Context, key string, o *DownloadOptions) (*Attrs, error)
	Exists(ctx context.Context, key string, o *DownloadOptions) (bool, error)
	Remove(ctx context.Context, key string, o *RemoveOptions) error
	// RemoveAll and RemoveVersions are those of this package, with whole keys.
	RemoveAll(ctx context.Context, keys iter.Seq[string]) (removed int, err error)
	RemoveVersions(ctx context.Context, versions iter.Seq[VersionEntry]) (removed int, err error)

	List(ctx context.Context, o *ListOptions) iter.Seq2[ListEntry, error]
	ListPage(ctx context.Context, token string, o *ListOptions) (*Page, error)
	Versions(ctx context.Context, o *ListOptions) iter.Seq2[VersionEntry, error]

	// Source returns what a copy reads for an object. The Core of a store returns one that the server can copy,
	// without Download. A Core whose Download must see every read returns NewCopySource(itself, key), so that copies
	// stream.
	Source(key string) CopySource
	// CopyFrom is [Copy] to this Core.
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
	SignedUploadForm(ctx context.Context, key string, minSize, maxSize int64, o *SignOptions) (*SignedForm, error)
	PublicURL(key string) (string, error)

	BeginUpload(ctx context.Context, key string, o *UploadOptions) (MultipartUpload, error)
	ContinueUpload(ctx context.Context, token string, o *UploadOptions) (MultipartUpload, error)
	ContinueListedUpload(ctx context.Context, entry UploadEntry, o *UploadOptions) (MultipartUpload, error)
	ListUploads(ctx context.Context, o *ListOptions) iter.Seq2[UploadEntry, error]
	AbortUpload(ctx context.Context, entry UploadEntry) error
	// AbandonUpload is that of this package, for a key that begins with prefix.
	AbandonUpload(ctx context.Context, path, prefix string) error
	PutSignedPart(
		ctx context.Context, key, upload string, number int, body io.Reader, o *PartOptions,
	) (*UploadedPart, error)

	Supports(features Features) bool
	// Place names the bucket in errors.
	Place() Place
	// Native is for [As].
	Native() any
	// Engine returns the Core of package engine that this one is or embeds; nil if there is none. Functions ask it
	// for what no method of Core reports, such as where the objects are. A Core that changes bytes or keys must
	// return nil, because it is a place of its own.
	Engine() any
	Close() error
}

// A Place is a bucket of a provider.
type Place struct {
	Provider string // such as "s3"
	Bucket   string
}

// A CopySource is one object that a copy reads. It leads to nothing else of its bucket.
type CopySource struct {
	core  Core       // nil if other is set
	other Downloader // of a type of the user's own
	key   string     // whole
}

// NewCopySource returns an object that a copy reads by the Download of a Core. If that is a Core of package engine,
// the server may copy instead.
func NewCopySource(c Core, key string) CopySource { return CopySource{core: c, key: key} }

// Key returns the whole key of the object.
func (s CopySource) Key() string { return s.key }

// Download reads the object.
func (s CopySource) Download(ctx context.Context, o *DownloadOptions) (*Reader, error) {
	switch {
	case s.core != nil:
		return s.core.Download(ctx, s.key, o)
	case s.other != nil:
		return s.other.Download(ctx, s.key, *o)
	}
	return nil, invalid("source", "must be made by NewCopySource")
}

// Engine returns what [Core].Engine of a Core of package engine does, whose server may copy the object. It returns nil
// if the object has to be read.
func (s CopySource) Engine() any {
	if c, ok := s.core.(interface{ CopiesOnServer() }); ok && c != nil {
		return s.core.Engine()
	}
	return nil
}

// NewBucket returns the bucket of a Core. If c is nil, every operation fails with InvalidArgument.
func NewBucket(c Core) Bucket { return whole(c) }

// Wrap returns a bucket whose Core is what wrap makes of that of b. Both buckets work, and Close of either closes what
// wrap was given. A result of [Ref] or [Prefixed] is InvalidArgument: its holder must not reach the rest of the bucket.
// So is a nil Core. A b of a type of your own is Unsupported.
func Wrap(b Bucket, wrap func(Core) Core) (Bucket, error) {
	f, e := need(b, "Wrap", "")
	if e != nil {
		return nil, e
	}
	if !f.scope.Whole() {
		return nil, located(b, "Wrap", "", invalid("bucket", "must be whole, and not a result of Ref or Prefixed"))
	}
	var c Core
	if f.core != nil { // a Core that embeds nil would only fail later
		c = wrap(f.core)
	}
	if c == nil {
		return nil, located(b, "Wrap", "", invalid("Core", "must not be nil"))
	}
	return whole(c), nil
}
