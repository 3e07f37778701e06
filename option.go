package storage

import "math"

// Options: attributes begin with With, conditions with If. Each writes into
// the request that the driver reads; one that does not fit an operation does
// not compile. Code that implements a permission itself reads them with Apply
// (PutRequest, GetRequest, ListRequest, DeleteRequest). A provider's own
// options are made with WithNative.
type (
	// An UploadOption fits Upload and what is built on it.
	UploadOption interface{ applyUpload(*PutRequest) }
	// A DownloadOption fits Download and what is built on it.
	DownloadOption interface{ applyDownload(*GetRequest) }
	// An AttrsOption fits Attrs, Exists and NewReaderAt.
	AttrsOption interface{ applyAttrs(*GetRequest) }
	// A ListOption fits List, ListPage, Versions and RemoveMatching.
	ListOption interface{ applyList(*ListRequest) }
	// A RemoveOption fits Remove.
	RemoveOption interface{ applyRemove(*DeleteRequest) }
	// A CopyOption fits Copy and Compose.
	CopyOption interface{ applyCopy(*CopyRequest) }
	// A SignedUploadOption fits SignedUploadURL and SignedUploadForm.
	SignedUploadOption interface{ applySignedUpload(*SignRequest) }
	// A SignedDownloadOption fits SignedDownloadURL.
	SignedDownloadOption interface{ applySignedDownload(*SignRequest) }
)

// An option for several operations is a value of several option types.
type (
	// WriteOption sets or guards what an upload, copy or signed upload writes.
	WriteOption interface {
		UploadOption
		CopyOption
		SignedUploadOption
	}
	// RevisionOption guards whatever touches an existing object.
	RevisionOption interface {
		UploadOption
		CopyOption // the destination's revision
		DownloadOption
		AttrsOption
		RemoveOption
	}
	// ReadOption guards a read.
	ReadOption interface {
		DownloadOption
		AttrsOption
	}
	// VersionOption addresses one kept version.
	VersionOption interface {
		DownloadOption
		AttrsOption
		RemoveOption
		CopyOption // the source's version
		SignedDownloadOption
	}
	// NativeOption is one provider's own, made by WithNative. No driver of this
	// module has one yet: each refuses it as Unsupported.
	NativeOption interface {
		UploadOption
		DownloadOption
		AttrsOption
		CopyOption
		SignedUploadOption
	}
	// TransferOption tunes how bytes move.
	TransferOption interface {
		UploadOption
		DownloadOption
		CopyOption
	}
	// ResumeOption keeps how far an upload has come.
	ResumeOption interface {
		UploadOption
		CopyOption
	}
	// SizeOption says what a body must be; it fits Upload and SignedUploadURL.
	SizeOption interface {
		UploadOption
		SignedUploadOption
	}
	// TTLOption fits both ways of signing.
	TTLOption interface {
		SignedUploadOption
		SignedDownloadOption
	}
)

// settings are what options say to the core alone. They travel inside the
// request, so that a layer that copies a request keeps them.
type settings struct {
	err         *Error // the first bad option
	natives     []native
	partSize    int64
	progress    func(done, total int64)
	resumeFile  string // of WithResume; "": none
	concurrency int32
	given       property
	guarded     bool // a condition was given
	version     bool // WithVersion was given
	noSync      bool // WithNoSync was given
}

// listSettings are settings of listings.
type listSettings struct {
	settings
	limit, pageSize int
}

// A property is a bit for each of Properties that an option has set.
type property uint8

const (
	propContentType property = 1 << iota
	propContentEncoding
	propContentDisposition
	propContentLanguage
	propCacheControl
	propMetadata
	propStorageClass
)

type native struct {
	provider string
	value    any
}

func (s *settings) fail(argument, rule string) {
	if s.err == nil {
		s.err = invalid(argument, rule)
	}
}

// failure is err, or nil.
func (s *settings) failure() error {
	if s.err == nil {
		return nil
	}
	return s.err
}

// written is the part that all requests that write have in common.
type written struct {
	properties *Properties
	publicRead *bool
	condition  *Condition
	set        *settings
}

type writeOption func(written)

func (o writeOption) applyUpload(r *PutRequest) {
	o(written{&r.Properties, &r.PublicRead, &r.Condition, &r.set})
}
func (o writeOption) applyCopy(r *CopyRequest) {
	o(written{&r.Properties, &r.PublicRead, &r.Condition, &r.set})
}
func (o writeOption) applySignedUpload(r *SignRequest) {
	o(written{&r.Properties, &r.PublicRead, &r.Condition, &r.set})
}

func propertyOption(p property, set func(*Properties)) WriteOption {
	return writeOption(func(w written) {
		set(w.properties)
		w.set.given |= p
	})
}

// WithContentType sets the media type, such as "image/png". The default is by
// the key's extension, else by the first 512 bytes, else
// "application/octet-stream"; a signed upload has none. InvalidArgument where it
// is not type/subtype. Unsupported without [ContentProperties], as the other headers.
func WithContentType(mediaType string) WriteOption {
	return propertyOption(propContentType, func(p *Properties) { p.ContentType = mediaType })
}

// WithCacheControl sets the Cache-Control header that the object is served with.
func WithCacheControl(directives string) WriteOption {
	return propertyOption(propCacheControl, func(p *Properties) { p.CacheControl = directives })
}

// WithContentDisposition sets the Content-Disposition header that the object
// is served with.
func WithContentDisposition(disposition string) WriteOption {
	return propertyOption(propContentDisposition, func(p *Properties) { p.ContentDisposition = disposition })
}

// WithContentEncoding says how the bytes are already encoded, such as "gzip".
// Nothing encodes or decodes them.
func WithContentEncoding(coding string) WriteOption {
	return propertyOption(propContentEncoding, func(p *Properties) { p.ContentEncoding = coding })
}

// WithContentLanguage sets the Content-Language header that the object is
// served with.
func WithContentLanguage(tag string) WriteOption {
	return propertyOption(propContentLanguage, func(p *Properties) { p.ContentLanguage = tag })
}

// WithMetadata sets the object's own metadata, all of it: a write replaces
// what was there. Keys are letters, digits, "-" and "_" (at most 64, a letter
// first) and are folded to lower case; those that begin with "omnibucket" are
// the library's own. Values are text without control characters or spaces at
// the ends; all together at most 2 KiB as stored. Else InvalidArgument.
// [EncodeMetadataValue] makes a value of any text, such as a file name that
// somebody else chose. Unsupported without [Metadata].
func WithMetadata(metadata map[string]string) WriteOption {
	return propertyOption(propMetadata, func(p *Properties) { p.Metadata = metadata })
}

// WithStorageClass sets the provider's storage class, in the provider's words.
// Unsupported where there are none.
func WithStorageClass(class string) WriteOption {
	return propertyOption(propStorageClass, func(p *Properties) { p.StorageClass = class })
}

// WithPublicRead makes this one object readable by anyone. Unsupported where
// objects have no access rule of their own.
func WithPublicRead() WriteOption {
	return writeOption(func(w written) { *w.publicRead = true })
}

type sizeOption int64

func (o sizeOption) applyUpload(r *PutRequest) {
	if o < 0 {
		r.set.fail("WithSize", "must not be negative")
	}
	r.Size = int64(o)
}

func (o sizeOption) applySignedUpload(r *SignRequest) {
	if o < 0 {
		r.set.fail("WithSize", "must not be negative")
	}
	r.MinSize, r.MaxSize = int64(o), int64(o)
}

// WithSize says the length of the body; another length stores nothing and is
// BodyFailed. A store that cannot refuse one through a signed URL is
// Unsupported.
func WithSize(bytes int64) SizeOption { return sizeOption(bytes) }

type crcOption uint32

func (o crcOption) applyUpload(r *PutRequest)        { sum := uint32(o); r.CRC32C = &sum }
func (o crcOption) applySignedUpload(r *SignRequest) { sum := uint32(o); r.CRC32C = &sum }

// WithCRC32C says what the body must add up to (Castagnoli); else
// ChecksumMismatch and no object.
func WithCRC32C(sum uint32) SizeOption { return crcOption(sum) }

type nativeOption native

func (o nativeOption) applyUpload(r *PutRequest)   { r.set.natives = append(r.set.natives, native(o)) }
func (o nativeOption) applyDownload(r *GetRequest) { r.set.natives = append(r.set.natives, native(o)) }
func (o nativeOption) applyAttrs(r *GetRequest)    { r.set.natives = append(r.set.natives, native(o)) }
func (o nativeOption) applyCopy(r *CopyRequest)    { r.set.natives = append(r.set.natives, native(o)) }
func (o nativeOption) applySignedUpload(r *SignRequest) {
	r.set.natives = append(r.set.natives, native(o))
}

// WithNative is for a provider's package, to make an option of its own. On a
// bucket of another provider the operation is Unsupported.
func WithNative(provider string, value any) NativeOption {
	return nativeOption{provider: provider, value: value}
}

type transferOption func(*settings)

func (o transferOption) applyUpload(r *PutRequest)   { o(&r.set) }
func (o transferOption) applyDownload(r *GetRequest) { o(&r.set) }
func (o transferOption) applyCopy(r *CopyRequest)    { o(&r.set) }

// WithPartSize sets the size in bytes of an upload's parts; a longer body goes
// in parts of this size. The default suits the body and the provider. Out of
// the provider's bounds it is InvalidArgument; where a provider has no parts it
// is Unsupported.
func WithPartSize(bytes int64) UploadOption {
	return transferOption(func(s *settings) {
		if bytes < 1 {
			s.fail("WithPartSize", "must be at least 1")
		}
		s.partSize = bytes
	})
}

// WithConcurrency sets how many requests one transfer may have under way at
// once: by default 1 for a download, which more turns into parallel ranges, and
// 12 for an upload in parts, where more than 1,000 are 1,000. Below 1 it is
// InvalidArgument.
func WithConcurrency(n int) TransferOption {
	return transferOption(func(s *settings) {
		if n < 1 {
			s.fail("WithConcurrency", "must be at least 1")
		}
		s.concurrency = int32(min(n, math.MaxInt32))
	})
}

// WithProgress calls report as bytes move: how many are done, and of how many,
// -1 while that is unknown. It is called by one goroutine at a time, never
// with less than before, and should return soon.
func WithProgress(report func(done, total int64)) TransferOption {
	return transferOption(func(s *settings) { s.progress = report })
}

type downloadOption func(*GetRequest)

func (o downloadOption) applyDownload(r *GetRequest) { o(r) }

// WithRange reads length bytes from offset on, fewer where the object ends
// earlier. A length below 0 reads to the end; an offset below 0, which needs a
// length below 0, reads the last -offset bytes. An offset behind the end is
// RangeNotSatisfiable.
func WithRange(offset, length int64) DownloadOption {
	return downloadOption(func(r *GetRequest) {
		r.Offset, r.Length, r.Suffix = 0, -1, 0
		switch {
		case offset < 0 && length >= 0:
			r.set.fail("WithRange", "with an offset below 0 takes a length below 0: the last -offset bytes")
		case offset == math.MinInt64:
			r.Suffix = math.MaxInt64
		case offset < 0:
			r.Suffix = -offset
		case length < 0:
			r.Offset = offset
		default:
			r.Offset, r.Length = offset, min(length, math.MaxInt64-offset)
		}
	})
}

// WithNoSync has [DownloadFile] leave it to the operating system when the file is
// written to the disk: faster, and a power failure may leave an empty file in the
// place of the old one. A download to anything else has no use for it.
func WithNoSync() DownloadOption {
	return downloadOption(func(r *GetRequest) { r.set.noSync = true })
}

type versionOption string

func (o versionOption) check(s *settings) {
	s.version = true
	if o == "" {
		s.fail("WithVersion", "must not be empty")
	}
}
func (o versionOption) applyDownload(r *GetRequest)        { o.check(&r.set); r.Version = string(o) }
func (o versionOption) applyAttrs(r *GetRequest)           { o.check(&r.set); r.Version = string(o) }
func (o versionOption) applyRemove(r *DeleteRequest)       { o.check(&r.set); r.Version = string(o) }
func (o versionOption) applyCopy(r *CopyRequest)           { o.check(&r.set); r.Source.Version = string(o) }
func (o versionOption) applySignedDownload(r *SignRequest) { o.check(&r.set); r.Version = string(o) }

// WithVersion addresses one kept version, by Attrs.Version or
// VersionEntry.Version. An empty or malformed one is InvalidArgument; a bucket
// that keeps none answers Unsupported.
func WithVersion(version string) VersionOption { return versionOption(version) }

type listOption func(*ListRequest)

func (o listOption) applyList(r *ListRequest) { o(r) }

// WithPrefix lists keys that begin with prefix, which may end anywhere in a
// segment.
func WithPrefix(prefix string) ListOption {
	return listOption(func(r *ListRequest) { r.Prefix = prefix })
}

// WithDelimiter rolls up all keys that have delimiter after the prefix into one
// entry, as folders: "/" as a rule.
func WithDelimiter(delimiter string) ListOption {
	return listOption(func(r *ListRequest) { r.Delimiter = delimiter })
}

// WithStartAfter lists entries whose Key is greater than key, prefixes too.
func WithStartAfter(key string) ListOption {
	return listOption(func(r *ListRequest) { r.StartAfter = key })
}

// WithLimit ends the listing after n entries in all. Below 1 it is
// InvalidArgument.
func WithLimit(n int) ListOption {
	return listOption(func(r *ListRequest) {
		if n < 1 {
			r.set.fail("WithLimit", "must be at least 1")
		}
		r.set.limit = n
	})
}

// WithPageSize sets how many entries one request asks for, at most the
// provider's own maximum. Below 1 it is InvalidArgument.
func WithPageSize(n int) ListOption {
	return listOption(func(r *ListRequest) {
		if n < 1 {
			r.set.fail("WithPageSize", "must be at least 1")
		}
		r.set.pageSize = n
	})
}

func (s *settings) guard(c *Condition, to Condition) {
	if s.guarded {
		s.fail("condition", "may be given once: IfAbsent, IfRevision and IfRevisionNot exclude one another")
		return
	}
	s.guarded = true
	*c = to
}

// IfAbsent is PreconditionFailed, and fs.ErrExist, where the key exists. Of
// several that create one key at once, exactly one succeeds.
func IfAbsent() WriteOption {
	return writeOption(func(w written) { w.set.guard(w.condition, Condition{Absent: true}) })
}

type revisionOption string

func (o revisionOption) guard(c *Condition, s *settings) {
	if o == "" {
		s.fail("IfRevision", `must not be "": that is not "no condition"`)
	}
	s.guard(c, Condition{Revision: string(o)})
}
func (o revisionOption) applyUpload(r *PutRequest)    { o.guard(&r.Condition, &r.set) }
func (o revisionOption) applyCopy(r *CopyRequest)     { o.guard(&r.Condition, &r.set) }
func (o revisionOption) applyDownload(r *GetRequest)  { o.guard(&r.Condition, &r.set) }
func (o revisionOption) applyAttrs(r *GetRequest)     { o.guard(&r.Condition, &r.set) }
func (o revisionOption) applyRemove(r *DeleteRequest) { o.guard(&r.Condition, &r.set) }

// IfRevision is PreconditionFailed where the object is another revision than
// this Attrs.Revision. "" is InvalidArgument, not "no condition"; so is a
// revision of another provider. Where UniqueRevisions is not declared (S3), a
// revision is the content's: an object that was changed and changed back
// passes.
func IfRevision(revision string) RevisionOption { return revisionOption(revision) }

type revisionNotOption string

func (o revisionNotOption) guard(r *GetRequest) {
	if o == "" {
		r.set.fail("IfRevisionNot", "must not be empty")
	}
	r.set.guard(&r.Condition, Condition{NotRevision: string(o)})
}
func (o revisionNotOption) applyDownload(r *GetRequest) { o.guard(r) }
func (o revisionNotOption) applyAttrs(r *GetRequest)    { o.guard(r) }

// IfRevisionNot is NotModified where the object still is that revision.
func IfRevisionNot(revision string) ReadOption { return revisionNotOption(revision) }

// each has every option write into its request, and refuses one that is nil.
func each[O any](s *settings, opts []O, apply func(O)) {
	for _, o := range opts {
		if any(o) == nil {
			s.fail("option", "must not be nil")
			continue
		}
		apply(o)
	}
}

// Apply reads options, for code that implements Uploader itself; a bad or
// second condition or a bad number is InvalidArgument. Size is -1 unless
// WithSize was given.
func (r *PutRequest) Apply(opts ...UploadOption) error {
	r.Size = -1
	each(&r.set, opts, func(o UploadOption) { o.applyUpload(r) })
	return r.set.failure()
}

// Apply reads options, for code that implements Downloader itself; a bad or
// second condition or a bad range is InvalidArgument. Without WithRange, Offset
// is 0 and Length -1.
func (r *GetRequest) Apply(opts ...DownloadOption) error {
	r.Length = -1
	each(&r.set, opts, func(o DownloadOption) { o.applyDownload(r) })
	return r.set.failure()
}

// ApplyAttrs reads options, for code that implements Attrser itself; a bad or
// second condition is InvalidArgument.
func (r *GetRequest) ApplyAttrs(opts ...AttrsOption) error {
	r.Length = -1
	each(&r.set, opts, func(o AttrsOption) { o.applyAttrs(r) })
	return r.set.failure()
}

// Apply reads options, for code that implements Lister itself; a bad number is
// InvalidArgument. Limit is WithLimit's, or 0.
func (r *ListRequest) Apply(opts ...ListOption) error {
	each(&r.set.settings, opts, func(o ListOption) { o.applyList(r) })
	r.Limit = r.set.limit
	return r.set.failure()
}

// Apply reads options, for code that implements Remover itself; a bad or second
// condition is InvalidArgument.
func (r *DeleteRequest) Apply(opts ...RemoveOption) error {
	each(&r.set, opts, func(o RemoveOption) { o.applyRemove(r) })
	return r.set.failure()
}

func (r *CopyRequest) apply(opts []CopyOption) error {
	each(&r.set, opts, func(o CopyOption) { o.applyCopy(r) })
	return r.set.failure()
}

// optionFailure returns the error of reading options as an *Error of its own, or nil.
func optionFailure(err error) *Error {
	if err == nil {
		return nil
	}
	return ownError(err)
}
