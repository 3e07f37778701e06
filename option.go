package storage

// Options that set something begin with With, conditions with If. An option writes into
// the request that the driver reads. An option that does not fit an operation does not
// compile. Code that implements a permission itself reads options with Apply of PutRequest,
// GetRequest, ListRequest or DeleteRequest.
type (
	// An UploadOption fits Upload and the functions built on it: the write options
	// (WithContentType, WithCacheControl, WithContentDisposition, WithContentEncoding,
	// WithContentLanguage, WithMetadata, WithStorageClass, WithPublicRead, WithTags,
	// WithRetention, WithLegalHold, IfAbsent),
	// IfRevision, WithSize, WithCRC32C, WithPartSize, WithConcurrency, WithProgress,
	// WithResume, WithNative.
	UploadOption interface{ applyUpload(*PutRequest) }
	// A MultipartOption fits BeginUpload: the write options (see UploadOption), IfRevision,
	// WithSize, WithMaxSize, WithCRC32C, WithUncheckedParts, WithNative. ContinueUpload takes
	// only WithNative.
	MultipartOption interface{ applyMultipart(*PutRequest) }
	// A PartOption fits MultipartUpload.PutPart: WithSize, WithCRC32C, WithProgress.
	PartOption interface{ applyPart(*partOptions) }
	// A SignedPartOption fits MultipartUpload.SignPart: WithSize, WithCRC32C, WithTTL.
	SignedPartOption interface{ applySignedPart(*partOptions) }
	// A CompleteOption fits MultipartUpload.Complete: WithParts, WithSize, WithCRC32C.
	CompleteOption interface{ applyComplete(*completeOptions) }
	// A DownloadOption fits Download and the functions built on it: WithRange,
	// WithConcurrency, WithProgress, WithVersion, IfRevision, IfRevisionNot, WithNoSync,
	// WithMaxGap, WithNativeAttrs, WithNative.
	DownloadOption interface{ applyDownload(*GetRequest) }
	// An AttrsOption fits Attrs and Exists: WithVersion, IfRevision, IfRevisionNot,
	// WithNativeAttrs, WithNative.
	AttrsOption interface{ applyAttrs(*GetRequest) }
	// A ReaderAtOption fits NewReaderAt: WithBlockSize, WithBlockCache, WithVersion,
	// IfRevision, IfRevisionNot, WithNative.
	ReaderAtOption interface{ applyReaderAt(*readerAtRequest) }
	// A ListOption fits List, ListPage, Versions and RemoveMatching: WithPrefix,
	// WithDelimiter, WithStartAfter, WithLimit, WithPageSize.
	ListOption interface{ applyList(*ListRequest) }
	// A RemoveOption fits Remove: WithVersion, IfRevision, WithGovernanceBypass, WithNative.
	RemoveOption interface{ applyRemove(*DeleteRequest) }
	// A CopyOption fits Copy and Compose: the write options (see UploadOption), IfRevision,
	// WithVersion, WithConcurrency, WithProgress, WithResume, WithNative, WithSourceNative,
	// WithoutAttrs.
	CopyOption interface{ applyCopy(*CopyRequest) }
	// A SignedUploadOption fits SignedUploadURL and SignedUploadForm: the write options (see
	// UploadOption), WithTTL, WithSize, WithCRC32C, WithNative.
	SignedUploadOption interface{ applySignedUpload(*SignRequest) }
	// A SignedDownloadOption fits SignedDownloadURL: WithTTL, WithVersion, WithMethod,
	// WithDownloadName, WithInlineName, WithResponseContentType, WithResponseContentDisposition,
	// WithNative.
	SignedDownloadOption interface{ applySignedDownload(*SignRequest) }
)

// An option for several operations has several option types.
type (
	// A WriteOption sets a property of the object that an upload, copy or signed upload
	// writes, or guards the write. UploadOption lists them.
	WriteOption interface {
		UploadOption
		MultipartOption
		CopyOption
		SignedUploadOption
	}
	// A RevisionOption guards an operation on an existing object: IfRevision.
	RevisionOption interface {
		UploadOption
		MultipartOption
		CopyOption // the destination's revision
		DownloadOption
		AttrsOption
		ReaderAtOption
		RemoveOption
	}
	// A NativeAttrsOption keeps the provider's own answer: WithNativeAttrs.
	NativeAttrsOption interface {
		DownloadOption
		AttrsOption
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
		SetOption
		RetentionOption
		RestoreOption
	}
	// A NativeOption is an option of one provider, made by WithNative. The packages of the
	// providers return them as the interface of the operations that they fit.
	NativeOption interface {
		UploadOption
		MultipartOption
		DownloadOption
		AttrsOption
		ReaderAtOption
		CopyOption
		RemoveOption
		SignedUploadOption
		SignedDownloadOption
		SetOption
		RetentionOption
		RestoreOption
	}
	// A TransferOption tunes how bytes move: WithConcurrency, WithProgress.
	TransferOption interface {
		UploadOption
		PartOption
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
		MultipartOption
		PartOption
		SignedPartOption
		CompleteOption
		SignedUploadOption
	}
	// A TTLOption fits both ways of signing: WithTTL.
	TTLOption interface {
		SignedUploadOption
		SignedPartOption
		SignedDownloadOption
	}
)

// settings are the options that only the core reads. They are part of the request, so that
// a layer which copies a request keeps them.
type settings struct {
	err           *Error // the first bad option
	natives       []native
	sourceNatives []native // of WithSourceNative
	partSize      int64
	progress      func(done, total int64)
	maxGap        *int64 // of WithMaxGap; nil: the default
	resumeFile    string // of WithResume; "": none
	writeID       string // of package writeid; "": none
	concurrency   int32
	given         property
	maxSize       int64 // of WithMaxSize; 0: none
	guarded       bool  // a condition was given
	version       bool  // WithVersion was given
	noSync        bool  // WithNoSync was given
	tags          bool  // WithTags was given
	lock          bool  // WithRetention or WithLegalHold was given
	withoutAttrs  bool  // WithoutAttrs was given
}

// listSettings are settings of listings.
type listSettings struct {
	settings        settings
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

func (s *settings) fail(argument, rule string) { s.failed(invalid(argument, rule)) }

// failed keeps the first failure of an option; e may be nil.
func (s *settings) failed(e *Error) {
	if s.err == nil {
		s.err = e
	}
}

// each applies every option to its request, and refuses one that is nil. It returns the first
// failure.
func each[O any](s *settings, opts []O, apply func(O)) error {
	for _, o := range opts {
		if any(o) == nil {
			s.fail("option", "must not be nil")
			continue
		}
		apply(o)
	}
	if s.err == nil {
		return nil
	}
	return s.err
}

// Apply reads options, for code that implements [Uploader] itself. A second condition or an
// invalid number is InvalidArgument. Size is -1 without [WithSize].
func (r *PutRequest) Apply(opts ...UploadOption) error {
	r.Size = -1
	return each(&r.set, opts, func(o UploadOption) { o.applyUpload(r) })
}

// Apply reads options, for code that implements [Downloader] itself. A second condition or an
// invalid range is InvalidArgument. Without [WithRange], Offset is 0 and Length is -1.
func (r *GetRequest) Apply(opts ...DownloadOption) error {
	r.Length = -1
	return each(&r.set, opts, func(o DownloadOption) { o.applyDownload(r) })
}

// ApplyAttrs reads options, for code that implements [AttrsReader] itself. A second condition is
// InvalidArgument.
func (r *GetRequest) ApplyAttrs(opts ...AttrsOption) error {
	r.Length = -1
	return each(&r.set, opts, func(o AttrsOption) { o.applyAttrs(r) })
}

// Apply reads options, for code that implements [Lister] itself. An invalid number is
// InvalidArgument. Limit is that of [WithLimit], or 0.
func (r *ListRequest) Apply(opts ...ListOption) error {
	err := each(&r.set.settings, opts, func(o ListOption) { o.applyList(r) })
	r.Limit = r.set.limit
	return err
}

// Apply reads options, for code that implements [Remover] itself. A second condition is
// InvalidArgument.
func (r *DeleteRequest) Apply(opts ...RemoveOption) error {
	return each(&r.set, opts, func(o RemoveOption) { o.applyRemove(r) })
}

func (r *CopyRequest) apply(opts []CopyOption) error {
	return each(&r.set, opts, func(o CopyOption) { o.applyCopy(r) })
}

// optionFailure returns the error of reading options as an *Error of its own, or nil.
func optionFailure(err error) *Error {
	if err == nil {
		return nil
	}
	return ownError(err)
}
