package storage

import "math"

// Options that set something begin with With, conditions with If. An option writes into
// the request that the driver reads. An option that does not fit an operation does not
// compile. Code that implements a permission itself reads options with Apply of PutRequest,
// GetRequest, ListRequest or DeleteRequest.
type (
	// An UploadOption fits Upload and the functions built on it: the write options
	// (WithContentType, WithCacheControl, WithContentDisposition, WithContentEncoding,
	// WithContentLanguage, WithMetadata, WithStorageClass, WithPublicRead, IfAbsent),
	// IfRevision, WithSize, WithCRC32C, WithPartSize, WithConcurrency, WithProgress,
	// WithResume, WithNative.
	UploadOption interface{ applyUpload(*PutRequest) }
	// A DownloadOption fits Download and the functions built on it: WithRange,
	// WithConcurrency, WithProgress, WithVersion, IfRevision, IfRevisionNot, WithNoSync,
	// WithMaxGap, WithNative.
	DownloadOption interface{ applyDownload(*GetRequest) }
	// An AttrsOption fits Attrs and Exists: WithVersion, IfRevision, IfRevisionNot,
	// WithNative.
	AttrsOption interface{ applyAttrs(*GetRequest) }
	// A ReaderAtOption fits NewReaderAt: WithBlockSize, WithBlockCache, WithVersion,
	// IfRevision, IfRevisionNot, WithNative.
	ReaderAtOption interface{ applyReaderAt(*readerAtRequest) }
	// A ListOption fits List, ListPage, Versions and RemoveMatching: WithPrefix,
	// WithDelimiter, WithStartAfter, WithLimit, WithPageSize.
	ListOption interface{ applyList(*ListRequest) }
	// A RemoveOption fits Remove: WithVersion, IfRevision.
	RemoveOption interface{ applyRemove(*DeleteRequest) }
	// A CopyOption fits Copy and Compose: the write options (see UploadOption), IfRevision,
	// WithVersion, WithConcurrency, WithProgress, WithResume, WithNative.
	CopyOption interface{ applyCopy(*CopyRequest) }
	// A SignedUploadOption fits SignedUploadURL and SignedUploadForm: the write options (see
	// UploadOption), WithTTL, WithSize, WithCRC32C, WithNative.
	SignedUploadOption interface{ applySignedUpload(*SignRequest) }
	// A SignedDownloadOption fits SignedDownloadURL: WithTTL, WithVersion, WithMethod,
	// WithDownloadName, WithResponseContentType, WithResponseContentDisposition.
	SignedDownloadOption interface{ applySignedDownload(*SignRequest) }
)

// An option for several operations has several option types.
type (
	// A WriteOption sets a property of the object that an upload, copy or signed upload
	// writes, or guards the write: WithContentType …, IfAbsent.
	WriteOption interface {
		UploadOption
		CopyOption
		SignedUploadOption
	}
	// A RevisionOption guards an operation on an existing object: IfRevision.
	RevisionOption interface {
		UploadOption
		CopyOption // the destination's revision
		DownloadOption
		AttrsOption
		ReaderAtOption
		RemoveOption
	}
	// A ReadOption guards a read: IfRevisionNot.
	ReadOption interface {
		DownloadOption
		AttrsOption
		ReaderAtOption
	}
	// A VersionOption selects one kept version: WithVersion.
	VersionOption interface {
		DownloadOption
		AttrsOption
		ReaderAtOption
		RemoveOption
		CopyOption // the source's version
		SignedDownloadOption
	}
	// A NativeOption is an option of one provider, made by WithNative. No driver of this
	// module has one yet: each refuses it with Unsupported.
	NativeOption interface {
		UploadOption
		DownloadOption
		AttrsOption
		ReaderAtOption
		CopyOption
		SignedUploadOption
	}
	// A TransferOption tunes how bytes move: WithConcurrency, WithProgress.
	TransferOption interface {
		UploadOption
		DownloadOption
		CopyOption
	}
	// A ResumeOption records how far an upload has come: WithResume.
	ResumeOption interface {
		UploadOption
		CopyOption
	}
	// A SizeOption declares what a body must be: WithSize, WithCRC32C.
	SizeOption interface {
		UploadOption
		SignedUploadOption
	}
	// A TTLOption fits both ways of signing: WithTTL.
	TTLOption interface {
		SignedUploadOption
		SignedDownloadOption
	}
)

// settings are the options that only the core reads. They are part of the request, so that
// a layer which copies a request keeps them.
type settings struct {
	err         *Error // the first bad option
	natives     []native
	partSize    int64
	progress    func(done, total int64)
	maxGap      *int64 // of WithMaxGap; nil: the default
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

// A property has one bit for each field of Properties that an option has set.
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

// written points to the part that all requests for a write have in common.
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

// WithContentType sets the media type, such as "image/png". If it is not type/subtype, the
// operation fails with InvalidArgument. The default is that of the key's extension, else
// that of the first 512 bytes, else "application/octet-stream"; a signed upload has no
// default. Unsupported without [ContentProperties], as are the options for other headers.
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

// WithContentEncoding declares how the bytes are encoded already, such as "gzip". This
// package neither encodes nor decodes them.
func WithContentEncoding(coding string) WriteOption {
	return propertyOption(propContentEncoding, func(p *Properties) { p.ContentEncoding = coding })
}

// WithContentLanguage sets the Content-Language header that the object is
// served with.
func WithContentLanguage(tag string) WriteOption {
	return propertyOption(propContentLanguage, func(p *Properties) { p.ContentLanguage = tag })
}

// WithMetadata sets the object's metadata, all of it: a write replaces what was there. A
// key has at most 64 letters, digits, "-" and "_", begins with a letter, and is folded to
// lower case. Keys that begin with "omnibucket" are the library's own. A value is text
// without control characters and without spaces at its ends. Keys and values take at most
// 2 KiB as stored. Else the operation fails with InvalidArgument. [EncodeMetadataValue]
// makes a value of any text, such as a file name that a user chose. WithMetadata is
// Unsupported without [Metadata].
func WithMetadata(metadata map[string]string) WriteOption {
	return propertyOption(propMetadata, func(p *Properties) { p.Metadata = metadata })
}

// WithStorageClass sets the storage class, by the provider's own name. If the store has
// none, the operation fails with Unsupported.
func WithStorageClass(class string) WriteOption {
	return propertyOption(propStorageClass, func(p *Properties) { p.StorageClass = class })
}

// WithPublicRead makes this one object readable by anyone. If objects of the store have no
// access rule of their own, the operation fails with Unsupported.
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

// WithSize declares the length of the body in bytes. A body of another length stores
// nothing, and Upload fails with BodyFailed. If the store cannot enforce the length of a
// signed upload, signing fails with Unsupported.
func WithSize(bytes int64) SizeOption { return sizeOption(bytes) }

type crcOption uint32

func (o crcOption) applyUpload(r *PutRequest)        { r.CRC32C = KnownCRC32C(uint32(o)) }
func (o crcOption) applySignedUpload(r *SignRequest) { r.CRC32C = KnownCRC32C(uint32(o)) }

// WithCRC32C declares the CRC32C (Castagnoli) of the body. A body with another checksum
// stores nothing, and the upload fails with ChecksumMismatch.
func WithCRC32C(sum uint32) SizeOption { return crcOption(sum) }

type nativeOption native

func (o nativeOption) applyUpload(r *PutRequest)        { r.set.natives = append(r.set.natives, native(o)) }
func (o nativeOption) applyDownload(r *GetRequest)      { r.set.natives = append(r.set.natives, native(o)) }
func (o nativeOption) applyAttrs(r *GetRequest)         { r.set.natives = append(r.set.natives, native(o)) }
func (o nativeOption) applyReaderAt(r *readerAtRequest) { o.applyAttrs(&r.GetRequest) }
func (o nativeOption) applyCopy(r *CopyRequest)         { r.set.natives = append(r.set.natives, native(o)) }
func (o nativeOption) applySignedUpload(r *SignRequest) {
	r.set.natives = append(r.set.natives, native(o))
}

// WithNative makes an option of a provider's package. On a bucket of another provider the
// operation fails with Unsupported.
func WithNative(provider string, value any) NativeOption {
	return nativeOption{provider: provider, value: value}
}

type transferOption func(*settings)

func (o transferOption) applyUpload(r *PutRequest)   { o(&r.set) }
func (o transferOption) applyDownload(r *GetRequest) { o(&r.set) }
func (o transferOption) applyCopy(r *CopyRequest)    { o(&r.set) }

// WithPartSize sets the size of an upload's parts in bytes. A longer body is sent in parts
// of this size. The default depends on the body and the provider. If the size is outside
// the provider's bounds, the upload fails with InvalidArgument; if the provider has no
// parts, with Unsupported.
func WithPartSize(bytes int64) UploadOption {
	return transferOption(func(s *settings) {
		if bytes < 1 {
			s.fail("WithPartSize", "must be at least 1")
		}
		s.partSize = bytes
	})
}

// WithConcurrency bounds how many requests one transfer makes at once. The default is 1 for
// a download and 12 for a multipart upload, which makes at most 1,000. A download with more
// than 1 fetches parallel ranges. Below 1 the operation fails with InvalidArgument.
func WithConcurrency(n int) TransferOption {
	return transferOption(func(s *settings) {
		if n < 1 {
			s.fail("WithConcurrency", "must be at least 1")
		}
		s.concurrency = int32(min(n, math.MaxInt32))
	})
}

// WithProgress calls report as bytes move, with the bytes done and the bytes in all; total
// is -1 while it is unknown. Only one goroutine at a time calls report, and done never
// decreases. report should return soon.
func WithProgress(report func(done, total int64)) TransferOption {
	return transferOption(func(s *settings) { s.progress = report })
}

type downloadOption func(*GetRequest)

func (o downloadOption) applyDownload(r *GetRequest) { o(r) }

// WithRange reads length bytes from offset, or fewer if the object ends earlier. A length
// below 0 reads to the end. An offset below 0, which needs a length below 0, reads the last
// -offset bytes. If the offset is past the end, Download fails with RangeNotSatisfiable.
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

// WithNoSync makes [DownloadFile] leave it to the operating system when the file is written
// to the disk. That is faster, but after a power failure there may be an empty file in place
// of the old one. Other downloads ignore it.
func WithNoSync() DownloadOption {
	return downloadOption(func(r *GetRequest) { r.set.noSync = true })
}

// WithMaxGap sets up to how many bytes [ReadRanges] reads in vain between two ranges to read both
// by one request. The default is 128 KiB; 0 merges only ranges that touch or overlap. Below 0 the
// operation fails with InvalidArgument. Other downloads ignore it.
func WithMaxGap(bytes int64) DownloadOption {
	return downloadOption(func(r *GetRequest) {
		if bytes < 0 {
			r.set.fail("WithMaxGap", "must not be negative")
		}
		r.set.maxGap = &bytes
	})
}

type readerAtOption func(*readerAtRequest)

func (o readerAtOption) applyReaderAt(r *readerAtRequest) { o(r) }

// WithBlockSize sets the size of the blocks that [ReaderAt] fetches and keeps, in bytes. The
// default is 64 KiB. Larger blocks suit formats that read on from where they are, smaller ones
// records that are spread over the object. Below 1 NewReaderAt fails with InvalidArgument.
func WithBlockSize(bytes int64) ReaderAtOption {
	return readerAtOption(func(r *readerAtRequest) {
		if bytes < 1 {
			r.set.fail("WithBlockSize", "must be at least 1")
		}
		r.blockSize = bytes
	})
}

// WithBlockCache bounds the blocks that one [ReaderAt] keeps in memory, in bytes. The default is
// 8 MiB. They are part of the bucket's [BufferLimit]. With 0 nothing is kept or read ahead: each
// ReadAt is one request of exactly its bytes. Below 0 NewReaderAt fails with InvalidArgument.
func WithBlockCache(bytes int64) ReaderAtOption {
	return readerAtOption(func(r *readerAtRequest) {
		if bytes < 0 {
			r.set.fail("WithBlockCache", "must not be negative")
		}
		r.cacheBytes = bytes
	})
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
func (o versionOption) applyReaderAt(r *readerAtRequest)   { o.applyAttrs(&r.GetRequest) }
func (o versionOption) applyRemove(r *DeleteRequest)       { o.check(&r.set); r.Version = string(o) }
func (o versionOption) applyCopy(r *CopyRequest)           { o.check(&r.set); r.Source.Version = string(o) }
func (o versionOption) applySignedDownload(r *SignRequest) { o.check(&r.set); r.Version = string(o) }

// WithVersion selects one kept version, by [Attrs].Version or [VersionEntry].Version. If it
// is empty or malformed, the operation fails with InvalidArgument; if the bucket keeps no
// versions, with Unsupported.
func WithVersion(version string) VersionOption { return versionOption(version) }

type listOption func(*ListRequest)

func (o listOption) applyList(r *ListRequest) { o(r) }

// WithPrefix lists the keys that begin with prefix, which may end within a segment.
func WithPrefix(prefix string) ListOption {
	return listOption(func(r *ListRequest) { r.Prefix = prefix })
}

// WithDelimiter lists all keys that have one common prefix up to a delimiter as one entry,
// like a folder. The delimiter is usually "/".
func WithDelimiter(delimiter string) ListOption {
	return listOption(func(r *ListRequest) { r.Delimiter = delimiter })
}

// WithStartAfter lists only entries, prefixes too, whose Key is greater than key.
func WithStartAfter(key string) ListOption {
	return listOption(func(r *ListRequest) { r.StartAfter = key })
}

// WithLimit ends the listing after n entries. Below 1 the operation fails with
// InvalidArgument.
func WithLimit(n int) ListOption {
	return listOption(func(r *ListRequest) {
		if n < 1 {
			r.set.fail("WithLimit", "must be at least 1")
		}
		r.set.limit = n
	})
}

// WithPageSize sets how many entries one request returns, up to the provider's maximum.
// Below 1 the operation fails with InvalidArgument.
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

// IfAbsent makes a write fail with PreconditionFailed, which is fs.ErrExist too, if the key
// exists. If several callers create one key at once, exactly one succeeds.
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
func (o revisionOption) applyUpload(r *PutRequest)        { o.guard(&r.Condition, &r.set) }
func (o revisionOption) applyCopy(r *CopyRequest)         { o.guard(&r.Condition, &r.set) }
func (o revisionOption) applyDownload(r *GetRequest)      { o.guard(&r.Condition, &r.set) }
func (o revisionOption) applyAttrs(r *GetRequest)         { o.guard(&r.Condition, &r.set) }
func (o revisionOption) applyReaderAt(r *readerAtRequest) { o.applyAttrs(&r.GetRequest) }
func (o revisionOption) applyRemove(r *DeleteRequest)     { o.guard(&r.Condition, &r.set) }

// IfRevision makes an operation fail with PreconditionFailed if the object has another
// revision than this [Attrs].Revision. An empty revision does not mean "no condition": it is
// InvalidArgument, and so is a revision of another provider. If the bucket does not declare
// [UniqueRevisions] (S3), a revision depends on the content: an object that was changed and
// changed back passes.
func IfRevision(revision string) RevisionOption { return revisionOption(revision) }

type revisionNotOption string

func (o revisionNotOption) guard(r *GetRequest) {
	if o == "" {
		r.set.fail("IfRevisionNot", "must not be empty")
	}
	r.set.guard(&r.Condition, Condition{NotRevision: string(o)})
}
func (o revisionNotOption) applyDownload(r *GetRequest)      { o.guard(r) }
func (o revisionNotOption) applyAttrs(r *GetRequest)         { o.guard(r) }
func (o revisionNotOption) applyReaderAt(r *readerAtRequest) { o.guard(&r.GetRequest) }

// IfRevisionNot makes a read fail with NotModified if the object still has that revision.
func IfRevisionNot(revision string) ReadOption { return revisionNotOption(revision) }

// each applies every option to its request, and refuses one that is nil.
func each[O any](s *settings, opts []O, apply func(O)) {
	for _, o := range opts {
		if any(o) == nil {
			s.fail("option", "must not be nil")
			continue
		}
		apply(o)
	}
}

// Apply reads options, for code that implements [Uploader] itself. A second condition or an
// invalid number is InvalidArgument. Size is -1 without [WithSize].
func (r *PutRequest) Apply(opts ...UploadOption) error {
	r.Size = -1
	each(&r.set, opts, func(o UploadOption) { o.applyUpload(r) })
	return r.set.failure()
}

// Apply reads options, for code that implements [Downloader] itself. A second condition or an
// invalid range is InvalidArgument. Without [WithRange], Offset is 0 and Length is -1.
func (r *GetRequest) Apply(opts ...DownloadOption) error {
	r.Length = -1
	each(&r.set, opts, func(o DownloadOption) { o.applyDownload(r) })
	return r.set.failure()
}

// ApplyAttrs reads options, for code that implements [AttrsReader] itself. A second condition is
// InvalidArgument.
func (r *GetRequest) ApplyAttrs(opts ...AttrsOption) error {
	r.Length = -1
	each(&r.set, opts, func(o AttrsOption) { o.applyAttrs(r) })
	return r.set.failure()
}

// Apply reads options, for code that implements [Lister] itself. An invalid number is
// InvalidArgument. Limit is that of [WithLimit], or 0.
func (r *ListRequest) Apply(opts ...ListOption) error {
	each(&r.set.settings, opts, func(o ListOption) { o.applyList(r) })
	r.Limit = r.set.limit
	return r.set.failure()
}

// Apply reads options, for code that implements [Remover] itself. A second condition is
// InvalidArgument.
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
