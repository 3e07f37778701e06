package storage

import (
	"time"
)

// Each type holds what the options of one operation say. A [Core] gets options that were read already; other code
// that implements a permission reads them with Apply. Code that writes or reads an object itself must refuse a value
// in Native that it does not know, with Unsupported: the value may be a key that encrypts the object.
//
// A value of UploadOptions, DownloadOptions, ListOptions, RemoveOptions or CopyOptions is an option, too. It replaces
// all that options before it said, so that what Apply has read can be changed and passed on. In a literal, a Size or
// Length of 0 is not declared.
type (
	// UploadOptions are those of Upload and BeginUpload.
	UploadOptions struct {
		Size   int64 // bytes; -1 means not declared
		CRC32C CRC32C
		Properties
		Set PropertySet // the properties that options have set
		Controls
		Native    []NativeValue
		Condition Condition
		Transfer
		MaxSize        int64 // bytes, for BeginUpload; 0 means no bound
		UncheckedParts bool  // for BeginUpload

		err     error
		applied bool // whether Apply has read the options
	}
	// DownloadOptions are those of Download, Attrs and Exists.
	DownloadOptions struct {
		Version        string
		Offset, Length int64 // bytes; if Length is -1, to the end
		Suffix         int64 // if above 0, the last bytes are read instead
		Condition      Condition
		Native         []NativeValue
		NativeAttrs    bool
		Auxiliary      bool                    // the read is part of another operation: a native option need not fit it
		Concurrency    int                     // requests at once; 0 means not given
		Progress       func(done, total int64) // nil means none
		MaxGap         *int64                  // bytes, for ReadRanges; nil means the default
		NoSync         bool                    // for DownloadFile
		WriteID        string                  // for Attrs: another write's object counts as missing; "" means any

		err     error
		applied bool // whether Apply has read the options
	}
	// ListOptions are those of List, ListPage, Versions and ListUploads.
	ListOptions struct {
		Prefix, Delimiter, StartAfter string
		Limit                         int // entries; 0 means all
		PageSize                      int // entries in one request; 0 means the default
		SoftDeleted                   bool
		AnyOrder                      bool
		View                          string // the prefix of the view that lists, whose own folder marker is left out

		err error
	}
	// RemoveOptions are those of Remove.
	RemoveOptions struct {
		Version          string
		Condition        Condition
		BypassGovernance bool
		Native           []NativeValue

		err error
	}
	// CopyOptions are those of Copy, Compose, Move and Append.
	CopyOptions struct {
		Version string // the version of the source
		Tail    []byte // what Append adds to the source, whose revision is then the condition; nil means none
		Properties
		Set PropertySet // the properties that options replace
		Controls
		Native       []NativeValue
		SourceNative []NativeValue // options for reading the source
		Condition    Condition     // what must hold for the destination
		Transfer
		WithoutAttrs bool

		err error
	}
	// SignOptions are those of the methods that sign for uploads and downloads.
	SignOptions struct {
		Method, Version string        // for a download
		TTL             time.Duration // 0 means the default
		Properties
		Set PropertySet // the properties that options have set
		Controls
		Native                     []NativeValue
		Condition                  Condition
		Size                       int64 // bytes; -1 means not declared
		CRC32C                     CRC32C
		ResponseType               string
		ResponseName               string // the file name of an attachment
		ResponseContentDisposition string // the whole header; if "", ResponseName decides

		err error
	}
	// ChangeOptions are those of SetTags, SetRetention, SetLegalHold and Restore.
	ChangeOptions struct {
		Version          string
		BypassGovernance bool
		RestoreDays      int
		RestoreTier      string // the provider's word; "" means its standard
		SoftDeleted      bool   // for Restore
		Native           []NativeValue

		err error
	}
	// PartOptions are those of PutPart, SignPart and PutSignedPart.
	PartOptions struct {
		Size     int64 // bytes; -1 means not declared
		CRC32C   CRC32C
		TTL      time.Duration           // for SignPart; 0 means the default
		Progress func(done, total int64) // for PutPart; nil means none

		err error
	}
	// CompleteOptions are those of Complete.
	CompleteOptions struct {
		Size   int64 // bytes; -1 means not declared
		CRC32C CRC32C
		Parts  []UploadedPart // nil means all that the store has

		err error
	}
)

// A Transfer says how the bytes of a write move.
type Transfer struct {
	PartSize    int64                   // bytes; 0 means the default
	Concurrency int                     // requests at once; 0 means the default
	Progress    func(done, total int64) // nil means none
	ResumeFile  string                  // the file of WithResume; "" means none
	View        string                  // the view's prefix: WithResume continues only uploads below it
	// WriteID, 32 hexadecimal digits, names the write: if an object of this id is there, an earlier process has
	// written it, and IfAbsent succeeds. "" means the write gets an id of its own.
	WriteID string
}

// A NativeValue is what [WithNative] gave.
type NativeValue struct {
	Provider string
	Value    any
}

// A PropertySet has one bit for each of the [Properties] that an option has set, also to "".
type PropertySet uint8

// The properties.
const (
	ContentTypeSet PropertySet = 1 << iota
	ContentEncodingSet
	ContentDispositionSet
	ContentLanguageSet
	CacheControlSet
	MetadataSet
	StorageClassSet
)

// A Condition holds at most one field.
type Condition struct {
	Absent      bool
	Revision    string
	NotRevision string
}

// fail makes a bad option the error of its operation, unless an earlier option was bad.
func fail(to *error, argument, rule string) {
	if *to == nil {
		*to = invalid(argument, rule)
	}
}

// atLeast makes an option fail if its value is below least, which is 0 or 1.
func atLeast[N ~int | ~int64](to *error, option string, value, least N) {
	switch {
	case value >= least:
	case least == 0:
		fail(to, option, "must not be negative")
	default:
		fail(to, option, "must be at least 1")
	}
}

// each applies every option, and refuses one that is nil. It returns the first failure.
func each[O any](failed *error, opts []O, apply func(O)) error {
	for _, o := range opts {
		if any(o) == nil {
			fail(failed, "option", "must not be nil")
			continue
		}
		apply(o)
	}
	return *failed
}

// Apply reads options. Size is -1 without [WithSize].
func (r *UploadOptions) Apply(opts ...UploadOption) error {
	r.Size, r.applied = -1, true
	return each(&r.err, opts, func(o UploadOption) { o.applyUpload(r) })
}

// Apply reads options. Without [WithRange], Offset is 0 and Length is -1.
func (r *DownloadOptions) Apply(opts ...DownloadOption) error {
	r.Length, r.applied = -1, true
	return each(&r.err, opts, func(o DownloadOption) { o.applyDownload(r) })
}

// ApplyAttrs reads options.
func (r *DownloadOptions) ApplyAttrs(opts ...AttrsOption) error {
	r.Length, r.applied = -1, true
	return each(&r.err, opts, func(o AttrsOption) { o.applyAttrs(r) })
}

// Apply reads options.
func (r *ListOptions) Apply(opts ...ListOption) error {
	return each(&r.err, opts, func(o ListOption) { o.applyList(r) })
}

// Apply reads options.
func (r *RemoveOptions) Apply(opts ...RemoveOption) error {
	err := each(&r.err, opts, func(o RemoveOption) { o.applyRemove(r) })
	if err == nil && r.Version != "" && r.Condition != (Condition{}) { // Amazon would compare the current version
		err = invalid("IfRevision", "does not fit beside WithVersion, which names one object")
	}
	return err
}

// ApplyMultipart is Apply for BeginUpload.
func (r *UploadOptions) ApplyMultipart(opts ...MultipartOption) error {
	r.Size = -1
	return each(&r.err, opts, func(o MultipartOption) { o.applyMultipart(r) })
}

// Apply reads options.
func (r *CopyOptions) Apply(opts ...CopyOption) error {
	return each(&r.err, opts, func(o CopyOption) { o.applyCopy(r) })
}

// ApplyCompose is Apply for Compose.
func (r *CopyOptions) ApplyCompose(srcKeys []string, opts ...CopyOption) error {
	err := r.Apply(opts...)
	if err == nil && (len(srcKeys) == 0 || r.Version != "") {
		err = invalid("srcKeys", "must name at least one object, and options no version")
	}
	return err
}

// ApplyMove is Apply for Move.
func (r *CopyOptions) ApplyMove(from, to string, opts ...CopyOption) error {
	err := r.Apply(opts...)
	switch {
	case err != nil:
	case r.Version != "":
		err = invalid("WithVersion", "does not fit Move: a version cannot be moved")
	case from == to:
		err = invalid("to", "must be another key than from")
	case r.Tail != nil:
		err = invalid("Tail", "does not fit Move")
	}
	return err
}

// MovesOnly reports whether the options of a Move ask for no more than another key.
func (r *CopyOptions) MovesOnly() bool {
	changes := r.Set != 0 || r.Tags != nil || r.PublicRead || r.LegalHold || r.Retention != (Retention{})
	return !changes && r.WriteID == "" && len(r.Native)+len(r.SourceNative) == 0
}

// ApplyUpload reads options.
func (r *SignOptions) ApplyUpload(opts ...SignedUploadOption) error {
	r.Size = -1
	return each(&r.err, opts, func(o SignedUploadOption) { o.applySignedUpload(r) })
}

// ApplyDownload reads options.
func (r *SignOptions) ApplyDownload(opts ...SignedDownloadOption) error {
	r.Size = -1
	return each(&r.err, opts, func(o SignedDownloadOption) { o.applySignedDownload(r) })
}

// Apply reads options.
func (r *ChangeOptions) Apply(opts ...SetOption) error {
	return each(&r.err, opts, func(o SetOption) { o.applySet(r) })
}

// ApplyRetention reads options.
func (r *ChangeOptions) ApplyRetention(opts ...RetentionOption) error {
	return each(&r.err, opts, func(o RetentionOption) { o.applyRetention(r) })
}

// ApplyRestore reads options. RestoreDays is 1 without [WithRestoreDays].
func (r *ChangeOptions) ApplyRestore(opts ...RestoreOption) error {
	r.RestoreDays = 1
	return each(&r.err, opts, func(o RestoreOption) { o.applyRestore(r) })
}

// Apply reads options. Size is -1 without [WithSize].
func (r *PartOptions) Apply(opts ...PartOption) error {
	r.Size = -1
	return each(&r.err, opts, func(o PartOption) { o.applyPart(r) })
}

// ApplySigned is Apply for SignPart.
func (r *PartOptions) ApplySigned(opts ...SignedPartOption) error {
	r.Size = -1
	return each(&r.err, opts, func(o SignedPartOption) { o.applySignedPart(r) })
}

// Apply reads options. Size is -1 without [WithSize].
func (r *CompleteOptions) Apply(opts ...CompleteOption) error {
	r.Size = -1
	return each(&r.err, opts, func(o CompleteOption) { o.applyComplete(r) })
}

// Span returns which bytes of an object of size bytes the options ask for: from is the first
// one, to is past the last one. If the offset is past the end, it fails with
// RangeNotSatisfiable.
func (r *DownloadOptions) Span(size int64) (from, to int64, err error) {
	switch {
	case r.Suffix > 0:
		return max(0, size-r.Suffix), size, nil
	case r.Offset > size:
		return 0, 0, RangeNotSatisfiable
	case r.Length < 0 || r.Length > size-r.Offset:
		return r.Offset, size, nil
	}
	return r.Offset, r.Offset + r.Length, nil
}
