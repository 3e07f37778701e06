package storage

// Options that set something have names that begin with With, and conditions have names that begin
// with If. An option writes into a struct with all options of one operation, such as UploadOptions.
// The compiler refuses an option that does not fit the operation.
type (
	// An UploadOption fits Upload and functions that build on it: a [WriteOption], [SizeOption],
	// [TransferOption], [IfRevision], [WithPartSize], [WithResume] or [WithWriteID].
	UploadOption interface{ applyUpload(*UploadOptions) }
	// A MultipartOption fits [BeginUpload] and functions that continue such an upload: a [WriteOption],
	// [SizeOption], [IfRevision], [WithMaxSize] or [WithUncheckedParts].
	MultipartOption interface{ applyMultipart(*UploadOptions) }
	// A PartOption fits PutPart. It is [WithSize], [WithCRC32C] or [WithProgress].
	PartOption interface{ applyPart(*PartOptions) }
	// A SignedPartOption fits SignPart. It is [WithSize], [WithCRC32C] or [WithTTL].
	SignedPartOption interface{ applySignedPart(*PartOptions) }
	// A CompleteOption fits Complete. It is [WithParts], [WithSize] or [WithCRC32C].
	CompleteOption interface{ applyComplete(*CompleteOptions) }
	// A DownloadOption fits Download: a [ReadOption], a [TransferOption], [WithRange], [WithMaxGap] or [WithNoSync].
	DownloadOption interface{ applyDownload(*DownloadOptions) }
	// An AttrsOption fits Attrs and Exists. It is a [ReadOption] or [WithWriteID].
	AttrsOption interface{ applyAttrs(*DownloadOptions) }
	// A ReaderAtOption fits [NewReaderAt]: a [ReadOption], [WithBlockSize] or [WithBlockCache].
	ReaderAtOption interface{ applyReaderAt(*readerAtRequest) }
	// A ListOption fits List and functions that build on it.
	ListOption interface{ applyList(*ListOptions) }
	// A RemoveOption fits Remove: [WithVersion] or [IfRevision], which exclude each other,
	// [WithGovernanceBypass] or [WithNative].
	RemoveOption interface{ applyRemove(*RemoveOptions) }
	// A CopyOption fits [Copy], [Compose], [Move] and [Append]: a [WriteOption], [TransferOption],
	// [IfRevision], [WithVersion], [WithResume], [WithWriteID] or the result of a function that
	// returns a CopyOption.
	CopyOption interface{ applyCopy(*CopyOptions) }
	// A SignedUploadOption fits SignedUploadURL and [SignedUploadForm]. It is a [WriteOption], a [SizeOption] or [WithTTL].
	SignedUploadOption interface{ applySignedUpload(*SignOptions) }
	// A SignedDownloadOption fits SignedDownloadURL: [WithTTL], [WithVersion], [WithNative] or the result of a
	// function that returns a SignedDownloadOption.
	SignedDownloadOption interface{ applySignedDownload(*SignOptions) }
	// A SignedRemoveOption fits [SignedRemoveURL]. It is [WithTTL], [WithVersion] or [WithNative].
	SignedRemoveOption interface{ applySignedRemove(*SignOptions) }
	// A SetOption fits [SetTags] and [SetLegalHold]. It is [WithVersion] or [WithNative].
	SetOption interface{ applySet(*ChangeOptions) }
	// A RestoreOption fits [Restore]: [WithVersion], [WithNative], [WithSoftDeleted], [WithRestoreDays] or
	// [WithRestoreTier].
	RestoreOption interface{ applyRestore(*ChangeOptions) }
)

// The option types below fit several operations. Each of them combines several of the types above.
type (
	// A WriteOption fits all ways to write: [WithNative] or the result of a function that returns a
	// WriteOption, such as [WithMetadata].
	WriteOption interface {
		UploadOption
		MultipartOption
		CopyOption
		SignedUploadOption
	}
	// A RevisionOption is [IfRevision].
	RevisionOption interface {
		ReadOption
		UploadOption
		MultipartOption
		CopyOption // compares the revision of the destination
		RemoveOption
	}
	// A ReadOption fits all ways to read: [WithVersion], [IfRevision], [IfRevisionNot], [WithNative] or
	// [WithNativeAttrs].
	ReadOption interface {
		DownloadOption
		AttrsOption
		ReaderAtOption
	}
	// A VersionOption is [WithVersion].
	VersionOption interface {
		ReadOption
		CopyOption // selects the version of the source
		SignedDownloadOption
		SignedRemoveOption
		SetOption
		RetentionOption
		RestoreOption
	}
	// A NativeOption is the result of [WithNative].
	NativeOption interface {
		ReadOption
		WriteOption
		SignedDownloadOption
		SignedRemoveOption
		SetOption
		RetentionOption
		RestoreOption
	}
	// A RetentionOption fits [SetRetention]. It is [WithGovernanceBypass], [WithVersion] or [WithNative].
	RetentionOption interface {
		RemoveOption
		applyRetention(*ChangeOptions)
	}
	// A TransferOption controls how bytes move.
	TransferOption interface {
		UploadOption
		PartOption
		DownloadOption
		CopyOption
	}
	// A SizeOption declares the length or checksum of a body.
	SizeOption interface {
		UploadOption
		MultipartOption
		PartOption
		SignedPartOption
		CompleteOption
		SignedUploadOption
	}
)

// setCondition sets *dst to the condition of an option, or sets *err if there already is a
// condition.
func setCondition(dst *Condition, err *error, condition Condition) {
	if *dst != (Condition{}) {
		fail(err, "condition", "may be given once: IfAbsent, IfRevision and IfRevisionNot exclude one another")
		return
	}
	*dst = condition
}

// IfAbsent makes a write fail with PreconditionFailed (also fs.ErrExist) if the object exists. If
// several callers write at the same time, exactly one succeeds.
func IfAbsent() WriteOption {
	return writeOption(func(w written) { setCondition(w.condition, w.err, Condition{Absent: true}) })
}

type revisionOption string

// setCondition sets the condition of IfRevision.
func (o revisionOption) setCondition(dst *Condition, err *error) {
	if o == "" {
		fail(err, "IfRevision", `must not be "": that is not "no condition"`)
		return
	}
	setCondition(dst, err, Condition{Revision: string(o)})
}
func (o revisionOption) applyUpload(r *UploadOptions)     { o.setCondition(&r.Condition, &r.err) }
func (o revisionOption) applyMultipart(r *UploadOptions)  { o.applyUpload(r) }
func (o revisionOption) applyCopy(r *CopyOptions)         { o.setCondition(&r.Condition, &r.err) }
func (o revisionOption) applyDownload(r *DownloadOptions) { o.setCondition(&r.Condition, &r.err) }
func (o revisionOption) applyAttrs(r *DownloadOptions)    { o.setCondition(&r.Condition, &r.err) }
func (o revisionOption) applyReaderAt(r *readerAtRequest) { o.applyAttrs(&r.get) }
func (o revisionOption) applyRemove(r *RemoveOptions)     { o.setCondition(&r.Condition, &r.err) }

// IfRevision makes an operation fail with PreconditionFailed if the object has another revision
// than this one, which is an Attrs.Revision from the same provider. In a store without
// [UniqueRevisions] (S3), writing the same content again keeps the revision.
func IfRevision(revision string) RevisionOption { return revisionOption(revision) }

type revisionNotOption string

// setCondition sets the condition of IfRevisionNot.
func (o revisionNotOption) setCondition(r *DownloadOptions) {
	if o == "" {
		fail(&r.err, "IfRevisionNot", "must not be empty")
		return
	}
	setCondition(&r.Condition, &r.err, Condition{NotRevision: string(o)})
}
func (o revisionNotOption) applyDownload(r *DownloadOptions) { o.setCondition(r) }
func (o revisionNotOption) applyAttrs(r *DownloadOptions)    { o.setCondition(r) }
func (o revisionNotOption) applyReaderAt(r *readerAtRequest) { o.setCondition(&r.get) }

// IfRevisionNot makes a read fail with NotModified if the object still has that revision.
func IfRevisionNot(revision string) ReadOption { return revisionNotOption(revision) }
