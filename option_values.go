package storage

import (
	"time"

	"github.com/omnibucket/storage/internal/core/seam"
)

// Each of these types holds the options of one operation. The methods of a [Core] receive a value of
// such a type. Code that implements a permission itself, such as Uploader, receives a list of
// options, which Apply turns into a value of the type.
type (
	// UploadOptions are the options of Upload and BeginUpload.
	UploadOptions struct {
		Size   int64 // bytes; -1 if not declared
		CRC32C CRC32C
		Properties
		Set PropertySet // properties that options have set
		Controls
		Native    []NativeValue
		Condition Condition
		Transfer
		MaxSize        int64 // bytes, for BeginUpload; 0 means no bound
		UncheckedParts bool  // for BeginUpload

		err error
	}
	// DownloadOptions are the options of Download, Attrs and Exists.
	DownloadOptions struct {
		Version        string
		Offset, Length int64 // bytes; if Length is -1, the range goes to the end
		Suffix         int64 // bytes; if above 0, the last Suffix bytes are read instead
		Condition      Condition
		Native         []NativeValue
		NativeAttrs    bool
		Concurrency    int                     // requests in parallel; 0 if not given
		Progress       func(done, total int64) // nil means none
		MaxGap         *int64                  // bytes, for ReadRanges; nil means the default
		NoSync         bool                    // for DownloadFile

		state seam.OptionState
		err   error
	}
	// ListOptions are the options of List, ListPage, Versions and ListUploads.
	ListOptions struct {
		Prefix, Delimiter, StartAfter string
		Limit                         int // entries; 0 means all
		PageSize                      int // entries in one request; 0 means the default
		SoftDeleted                   bool
		AnyOrder                      bool

		state seam.OptionState
		err   error
	}
	// RemoveOptions are the options of Remove.
	RemoveOptions struct {
		Version          string
		Condition        Condition
		BypassGovernance bool
		Native           []NativeValue

		err error
	}
	// CopyOptions are the options of Copy, Compose, Move and Append.
	CopyOptions struct {
		Version string // version of the source
		Properties
		Set PropertySet // properties that options replace
		Controls
		Native       []NativeValue
		SourceNative []NativeValue // native options for reading the source
		Condition    Condition     // condition on the destination
		Transfer
		WithoutAttrs bool

		err error
	}
	// SignOptions are the options of SignedUploadURL, SignedDownloadURL, SignedRemoveURL and
	// SignedUploadForm.
	SignOptions struct {
		Method, Version string        // for a download
		TTL             time.Duration // 0 means the default
		StableFor       time.Duration // for a download: time for which the URL stays the same, or 0
		Properties
		Set PropertySet // properties that options have set
		Controls
		Native                     []NativeValue
		Condition                  Condition
		Size                       int64 // bytes; -1 if not declared
		CRC32C                     CRC32C
		ResponseType               string
		ResponseName               string // file name with which the object is downloaded or shown
		ResponseContentDisposition string // whole header; if "", it is made from ResponseName

		err error
	}
	// ChangeOptions are the options of SetTags, SetRetention, SetLegalHold and Restore.
	ChangeOptions struct {
		Version          string
		BypassGovernance bool
		RestoreDays      int
		RestoreTier      string // provider's own name; "" means the standard tier
		SoftDeleted      bool   // for Restore
		Native           []NativeValue

		err error
	}
	// PartOptions are the options of PutPart, SignPart and PutSignedPart.
	PartOptions struct {
		Size     int64 // bytes; -1 if not declared
		CRC32C   CRC32C
		TTL      time.Duration           // for SignPart; 0 means the default
		Progress func(done, total int64) // for PutPart; nil means none

		err error
	}
	// CompleteOptions are the options of Complete.
	CompleteOptions struct {
		Size   int64 // bytes; -1 if not declared
		CRC32C CRC32C
		Parts  []UploadedPart // if nil, all parts that the store has

		err error
	}
)

// A Transfer has the options that control how the bytes of a write are sent.
type Transfer struct {
	PartSize    int64                   // bytes; 0 means the default
	Concurrency int                     // parallel requests; 0 means the default
	Progress    func(done, total int64) // nil means none
	ResumeFile  string                  // file of WithResume, or ""

	state seam.OptionState
}

// optionsOf returns the part of an options struct that only the library sets and reads. o must be a
// pointer to one of the structs below.
func optionsOf(o any) *seam.OptionState {
	switch o := o.(type) {
	case *UploadOptions:
		return &o.state
	case *CopyOptions:
		return &o.state
	case *Transfer:
		return &o.state
	case *DownloadOptions:
		return &o.state
	default:
		// Any other type is a mistake of the caller, and panics.
		return &o.(*ListOptions).state
	}
}

// A NativeValue has the arguments of [WithNative]. Code that reads or writes objects itself must
// fail with Unsupported if it does not know a value, which may be a key that encrypts the object.
type NativeValue struct {
	Provider string
	Value    any
}

// A PropertySet has one bit for each of the [Properties], which is 1 if an option has set the
// property, even to "". A [Core] that sets a property also sets its bit.
type PropertySet uint8

// Each constant is the bit of one property.
const (
	ContentTypeSet PropertySet = 1 << iota
	ContentEncodingSet
	ContentDispositionSet
	ContentLanguageSet
	CacheControlSet
	MetadataSet
	StorageClassSet
)

// A Condition is the condition of an operation. At most one field is set.
type Condition struct {
	Absent      bool
	Revision    string
	NotRevision string
}

// fail sets the error of an operation for a bad option. If an earlier option was bad, its error
// stays.
func fail(err *error, argument, rule string) {
	if *err == nil {
		*err = invalid(argument, rule)
	}
}

// atLeast sets *err to an error that names the option if value is below least, which must be 0 or 1.
func atLeast[N ~int | ~int64](err *error, option string, value, least N) {
	if value >= least {
		return
	}
	if least == 0 {
		fail(err, option, "must not be negative")
		return
	}
	fail(err, option, "must be at least 1")
}

// applyEach calls apply for every option, and returns *err, the error of the first invalid option.
// Both apply and applyEach set *err: apply for an invalid value, and applyEach for a nil option.
func applyEach[O any](err *error, opts []O, apply func(O)) error {
	for _, o := range opts {
		if any(o) == nil {
			fail(err, "option", "must not be nil")
			continue
		}
		apply(o)
	}
	return *err
}

// Apply sets r from opts, and returns the error of the first invalid one, as all methods Apply do.
// Size is -1 if [WithSize] is not given.
func (r *UploadOptions) Apply(opts ...UploadOption) error {
	r.Size = -1
	return applyEach(&r.err, opts, func(o UploadOption) {
		o.applyUpload(r)
	})
}

// Apply sets r from opts, and returns the error of the first invalid one. If [WithRange] is not
// given, Offset is 0 and Length is -1.
func (r *DownloadOptions) Apply(opts ...DownloadOption) error {
	r.Length = -1
	return applyEach(&r.err, opts, func(o DownloadOption) {
		o.applyDownload(r)
	})
}

// ApplyAttrs sets r from the options of Attrs or Exists, and returns the error of the first invalid
// one.
func (r *DownloadOptions) ApplyAttrs(opts ...AttrsOption) error {
	r.Length = -1
	return applyEach(&r.err, opts, func(o AttrsOption) {
		o.applyAttrs(r)
	})
}

// Apply sets r from opts.
func (r *ListOptions) Apply(opts ...ListOption) error {
	return applyEach(&r.err, opts, func(o ListOption) {
		o.applyList(r)
	})
}

// Apply sets r from opts. It fails with InvalidArgument if an option is invalid, or if opts have both
// WithVersion and a condition.
func (r *RemoveOptions) Apply(opts ...RemoveOption) error {
	err := applyEach(&r.err, opts, func(o RemoveOption) {
		o.applyRemove(r)
	})
	if err != nil {
		return err
	}
	if r.Version != "" && r.Condition != (Condition{}) {
		// S3 would check the current version instead.
		return invalid("IfRevision", "does not fit beside WithVersion, which names one object")
	}
	return nil
}

// ApplyMultipart sets r from the options of BeginUpload, and returns the error of the first invalid
// one.
func (r *UploadOptions) ApplyMultipart(opts ...MultipartOption) error {
	r.Size = -1
	return applyEach(&r.err, opts, func(o MultipartOption) {
		o.applyMultipart(r)
	})
}

// Apply sets r from opts.
func (r *CopyOptions) Apply(opts ...CopyOption) error {
	return applyEach(&r.err, opts, func(o CopyOption) {
		o.applyCopy(r)
	})
}

// ApplyCompose sets r from the options of Compose, and fails if one is invalid, if there is
// WithVersion, or if srcKeys is empty.
func (r *CopyOptions) ApplyCompose(srcKeys []string, opts ...CopyOption) error {
	if err := r.Apply(opts...); err != nil {
		return err
	}
	if len(srcKeys) == 0 || r.Version != "" {
		return invalid("srcKeys", "must name at least one object, and options no version")
	}
	return nil
}

// ApplyMove sets r from the options of Move, and fails if one is invalid, if there is WithVersion,
// or if the two keys are equal.
func (r *CopyOptions) ApplyMove(from, to string, opts ...CopyOption) error {
	if err := r.Apply(opts...); err != nil {
		return err
	}
	if r.Version != "" {
		return invalid("WithVersion", "does not fit Move: a version cannot be moved")
	}
	if from == to {
		return invalid("to", "must be another key than from")
	}
	return nil
}

// MovesOnly reports whether a Move changes no attribute, so that a store with ServerMove can move
// the object by one request.
func (r *CopyOptions) MovesOnly() bool {
	// Set has a bit for each attribute that an option sets.
	if r.Set != 0 || r.Tags != nil || r.PublicRead {
		return false
	}
	if r.LegalHold || r.Retention != (Retention{}) {
		return false
	}
	return r.state.WriteID == "" && len(r.Native) == 0 && len(r.SourceNative) == 0
}

// ApplyUpload sets r from the options of SignedUploadURL, and returns the error of the first
// invalid one. Size is -1 if [WithSize] is not given.
func (r *SignOptions) ApplyUpload(opts ...SignedUploadOption) error {
	r.Size = -1
	return applyEach(&r.err, opts, func(o SignedUploadOption) {
		o.applySignedUpload(r)
	})
}

// ApplyDownload sets r from the options of SignedDownloadURL, and returns the error of the first
// invalid one.
func (r *SignOptions) ApplyDownload(opts ...SignedDownloadOption) error {
	r.Size = -1
	return applyEach(&r.err, opts, func(o SignedDownloadOption) {
		o.applySignedDownload(r)
	})
}

// ApplyRemove sets r from the options of SignedRemoveURL, and returns the error of the first
// invalid one.
func (r *SignOptions) ApplyRemove(opts ...SignedRemoveOption) error {
	r.Size = -1
	return applyEach(&r.err, opts, func(o SignedRemoveOption) {
		o.applySignedRemove(r)
	})
}

// Apply sets r from the options of SetTags and SetLegalHold.
func (r *ChangeOptions) Apply(opts ...SetOption) error {
	return applyEach(&r.err, opts, func(o SetOption) {
		o.applySet(r)
	})
}

// ApplyRetention sets r from the options of SetRetention.
func (r *ChangeOptions) ApplyRetention(opts ...RetentionOption) error {
	return applyEach(&r.err, opts, func(o RetentionOption) {
		o.applyRetention(r)
	})
}

// ApplyRestore sets r from the options of Restore, and returns the error of the first invalid one.
// RestoreDays is 1 if [WithRestoreDays] is not given.
func (r *ChangeOptions) ApplyRestore(opts ...RestoreOption) error {
	r.RestoreDays = 1
	return applyEach(&r.err, opts, func(o RestoreOption) {
		o.applyRestore(r)
	})
}

// Apply sets r from the options of PutPart, and returns the error of the first invalid one. Size is
// -1 if [WithSize] is not given.
func (r *PartOptions) Apply(opts ...PartOption) error {
	r.Size = -1
	return applyEach(&r.err, opts, func(o PartOption) {
		o.applyPart(r)
	})
}

// ApplySigned sets r from the options of SignPart, and returns the error of the first invalid one.
// Size is -1 if [WithSize] is not given.
func (r *PartOptions) ApplySigned(opts ...SignedPartOption) error {
	r.Size = -1
	return applyEach(&r.err, opts, func(o SignedPartOption) {
		o.applySignedPart(r)
	})
}

// Apply sets r from opts, and returns the error of the first invalid one. Size is -1 if [WithSize]
// is not given.
func (r *CompleteOptions) Apply(opts ...CompleteOption) error {
	r.Size = -1
	return applyEach(&r.err, opts, func(o CompleteOption) {
		o.applyComplete(r)
	})
}

// Span returns the range of bytes that the options select in an object of the given size, which
// begins at the offset from and ends before the offset to. If the range begins past the end of the
// object, Span fails with RangeNotSatisfiable.
func (r *DownloadOptions) Span(size int64) (from, to int64, err error) {
	if r.Suffix > 0 {
		return max(0, size-r.Suffix), size, nil
	}
	if r.Offset > size {
		return 0, 0, RangeNotSatisfiable
	}
	if r.Length < 0 || r.Length > size-r.Offset {
		return r.Offset, size, nil
	}
	return r.Offset, r.Offset + r.Length, nil
}

// A readerAtRequest has the options of NewReaderAt.
type readerAtRequest struct {
	get                   DownloadOptions
	blockSize, cacheBytes int64
}
