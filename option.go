package storage

// Options that set something begin with With, conditions with If. An option writes into
// a type that has the options of one operation, such as UploadOptions. An option that does not fit
// an operation does not compile.
type (
	// An UploadOption fits Upload and what builds on it: each [WriteOption], [SizeOption] and
	// [TransferOption], [IfRevision], [WithPartSize], [WithResume].
	UploadOption interface{ applyUpload(*UploadOptions) }
	// A MultipartOption is one below, a [WriteOption], a [SizeOption] or [IfRevision].
	MultipartOption interface{ applyMultipart(*UploadOptions) }
	// A PartOption fits PutPart: [WithSize], [WithCRC32C], [WithProgress].
	PartOption interface{ applyPart(*PartOptions) }
	// A SignedPartOption fits SignPart: [WithSize], [WithCRC32C], [WithTTL].
	SignedPartOption interface{ applySignedPart(*PartOptions) }
	// A CompleteOption fits Complete: [WithParts], [WithSize], [WithCRC32C].
	CompleteOption interface{ applyComplete(*CompleteOptions) }
	// A DownloadOption is one below, a [ReadOption] or a [TransferOption].
	DownloadOption interface{ applyDownload(*DownloadOptions) }
	// An AttrsOption fits Attrs and Exists: each [ReadOption].
	AttrsOption interface{ applyAttrs(*DownloadOptions) }
	// A ReaderAtOption fits [NewReaderAt]: those below, each [ReadOption].
	ReaderAtOption interface{ applyReaderAt(*readerAtRequest) }
	// A ListOption fits List and the functions built on it: those below.
	ListOption interface{ applyList(*ListOptions) }
	// A RemoveOption is [WithVersion] or [IfRevision], not both, [WithGovernanceBypass], [WithNative].
	RemoveOption interface{ applyRemove(*RemoveOptions) }
	// A CopyOption fits [Copy], [Compose] and [Move]: those below, each [WriteOption] and
	// [TransferOption], [IfRevision], [WithVersion], [WithResume].
	CopyOption interface{ applyCopy(*CopyOptions) }
	// A SignedUploadOption is a [WriteOption], a [SizeOption] or [WithTTL].
	SignedUploadOption interface{ applySignedUpload(*SignOptions) }
	// A SignedDownloadOption is one below, [WithTTL], [WithVersion] or [WithNative].
	SignedDownloadOption interface{ applySignedDownload(*SignOptions) }
)

// An option for several operations has several option types.
type (
	// A WriteOption fits all ways to write: those below, [WithNative].
	WriteOption interface {
		UploadOption
		MultipartOption
		CopyOption
		SignedUploadOption
	}
	// A RevisionOption guards an operation on an existing object: [IfRevision].
	RevisionOption interface {
		UploadOption
		MultipartOption
		CopyOption // the destination's revision
		DownloadOption
		AttrsOption
		ReaderAtOption
		RemoveOption
	}
	// A ReadOption is one below, [WithVersion], [IfRevision] or [WithNative].
	ReadOption interface {
		DownloadOption
		AttrsOption
		ReaderAtOption
	}
	// A VersionOption selects one kept version: [WithVersion].
	VersionOption interface {
		DownloadOption
		AttrsOption
		ReaderAtOption
		CopyOption // the source's version
		SignedDownloadOption
		SetOption
		RetentionOption
		RestoreOption
	}
	// A NativeOption is an option of one provider, made by [WithNative].
	NativeOption interface {
		UploadOption
		MultipartOption
		DownloadOption
		AttrsOption
		ReaderAtOption
		CopyOption
		SignedUploadOption
		SignedDownloadOption
		SetOption
		RetentionOption
		RestoreOption
	}
	// A TransferOption tunes how bytes move: [WithConcurrency], [WithProgress].
	TransferOption interface {
		UploadOption
		PartOption
		DownloadOption
		CopyOption
	}
	// A SizeOption declares what a body must be: [WithSize], [WithCRC32C].
	SizeOption interface {
		UploadOption
		MultipartOption
		PartOption
		SignedPartOption
		CompleteOption
		SignedUploadOption
	}
)

// guard sets the condition of an operation, which has at most one.
func guard(c *Condition, failed *error, to Condition) {
	if *c != (Condition{}) {
		fail(failed, "condition", "may be given once: IfAbsent, IfRevision and IfRevisionNot exclude one another")
		return
	}
	*c = to
}

// IfAbsent makes a write fail with PreconditionFailed, also fs.ErrExist, if the key exists. If
// several callers write at the same time, exactly one succeeds.
func IfAbsent() WriteOption {
	return writeOption(func(w written) { guard(w.condition, w.err, Condition{Absent: true}) })
}

type revisionOption string

func (o revisionOption) guard(c *Condition, failed *error) {
	if o == "" {
		fail(failed, "IfRevision", `must not be "": that is not "no condition"`)
	}
	guard(c, failed, Condition{Revision: string(o)})
}
func (o revisionOption) applyUpload(r *UploadOptions)     { o.guard(&r.Condition, &r.err) }
func (o revisionOption) applyMultipart(r *UploadOptions)  { o.applyUpload(r) }
func (o revisionOption) applyCopy(r *CopyOptions)         { o.guard(&r.Condition, &r.err) }
func (o revisionOption) applyDownload(r *DownloadOptions) { o.guard(&r.Condition, &r.err) }
func (o revisionOption) applyAttrs(r *DownloadOptions)    { o.guard(&r.Condition, &r.err) }
func (o revisionOption) applyReaderAt(r *readerAtRequest) { o.applyAttrs(&r.get) }
func (o revisionOption) applyRemove(r *RemoveOptions)     { o.guard(&r.Condition, &r.err) }

// IfRevision makes an operation fail with PreconditionFailed if the object has another
// Attrs.Revision, which must be of this provider and not empty. Without [UniqueRevisions] (S3),
// a revision recurs if the same content is written again.
func IfRevision(revision string) RevisionOption { return revisionOption(revision) }

type revisionNotOption string

func (o revisionNotOption) guard(r *DownloadOptions) {
	if o == "" {
		fail(&r.err, "IfRevisionNot", "must not be empty")
	}
	guard(&r.Condition, &r.err, Condition{NotRevision: string(o)})
}
func (o revisionNotOption) applyDownload(r *DownloadOptions) { o.guard(r) }
func (o revisionNotOption) applyAttrs(r *DownloadOptions)    { o.guard(r) }
func (o revisionNotOption) applyReaderAt(r *readerAtRequest) { o.guard(&r.get) }

// IfRevisionNot makes a read fail with NotModified if the object still has that revision.
func IfRevisionNot(revision string) ReadOption { return revisionNotOption(revision) }
