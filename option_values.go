package storage

import (
	"time"

	"github.com/omnibucket/storage/internal/markerkey"
	"github.com/omnibucket/storage/internal/unexported"
	"github.com/omnibucket/storage/internal/writeid"
)

// Each type holds what the options of one operation say. Code that implements a permission itself
// reads the options with Apply. It must refuse a value in Native whose type it does not know, with
// Unsupported: the value may be a key that encrypts the object.
type (
	// UploadOptions are those of Upload and BeginUpload.
	UploadOptions struct {
		Size   int64 // bytes; -1: not declared
		CRC32C CRC32C
		Properties
		Controls
		Condition      Condition
		UncheckedParts bool // of BeginUpload

		set unexported.Settings
	}
	// DownloadOptions are those of Download, Attrs and Exists.
	DownloadOptions struct {
		Version        string
		Offset, Length int64 // bytes; Length -1: to the end
		Suffix         int64 // > 0: the last bytes instead
		Condition      Condition
		NativeAttrs    bool
		Native         []any // values of WithNative

		set unexported.Settings
	}
	// ListOptions are those of List.
	ListOptions struct {
		Prefix, Delimiter, StartAfter string
		Limit                         int // entries; 0: all
		PageSize                      int // entries in one request; 0: the default
		SoftDeleted                   bool
		AnyOrder                      bool

		set unexported.Settings
	}
	// RemoveOptions are those of Remove.
	RemoveOptions struct {
		Version          string
		Condition        Condition
		BypassGovernance bool
		Native           []any // values of WithNative

		set unexported.Settings
	}
	// CopyOptions are those of Copy, Compose, Move and Append.
	CopyOptions struct {
		Version string // of the source
		Tail    []byte // what Append adds to the source, whose revision is then the condition; nil: none
		Properties
		Controls
		Condition    Condition // of the destination
		SourceNative []any     // values of WithSourceNative

		set unexported.Settings
	}
	// SignOptions are those of the methods that sign for uploads and downloads.
	SignOptions struct {
		Method, Version string        // of a download
		TTL             time.Duration // 0: the default
		Properties
		Controls
		Condition                  Condition
		Size                       int64 // bytes; -1: not declared
		CRC32C                     CRC32C
		ResponseType               string
		ResponseName               string // of an attachment
		ResponseContentDisposition string // the whole header; "": ResponseName decides

		set unexported.Settings
	}
	// ChangeOptions are those of SetTags, SetRetention, SetLegalHold and Restore.
	ChangeOptions struct {
		Version          string
		BypassGovernance bool
		RestoreDays      int
		RestoreTier      string // the provider's word; "": its standard
		SoftDeleted      bool   // of Restore
		Native           []any  // values of WithNative

		set unexported.Settings
	}
	// PartOptions are those of PutPart, SignPart and PutSignedPart.
	PartOptions struct {
		Size   int64 // bytes; -1: not declared
		CRC32C CRC32C
		TTL    time.Duration // of SignPart; 0: the default

		set unexported.Settings
	}
	// CompleteOptions are those of Complete.
	CompleteOptions struct {
		Size   int64 // bytes; -1: not declared
		CRC32C CRC32C
		Parts  []UploadedPart // nil: all that the store has

		set unexported.Settings
	}
)

// A Condition holds at most one field.
type Condition struct {
	Absent      bool
	Revision    string
	NotRevision string
}

// fail makes a bad option the failure of its operation.
func fail(s *unexported.Settings, argument, rule string) { s.Fail(invalid(argument, rule)) }

// atLeast makes an option fail whose value is below least, which is 0 or 1.
func atLeast[N ~int | ~int64](s *unexported.Settings, option string, value, least N) {
	switch {
	case value >= least:
	case least == 0:
		fail(s, option, "must not be negative")
	default:
		fail(s, option, "must be at least 1")
	}
}

// each applies every option, and refuses one that is nil. It returns the first failure.
func each[O any](s *unexported.Settings, opts []O, apply func(O)) error {
	for _, o := range opts {
		if any(o) == nil {
			fail(s, "option", "must not be nil")
			continue
		}
		apply(o)
	}
	if s.Err == nil {
		return nil
	}
	return s.Err
}

// settingsOf returns what options hold for the engine.
func settingsOf(options any) *unexported.Settings {
	switch o := options.(type) {
	case *UploadOptions:
		return &o.set
	case *DownloadOptions:
		return &o.set
	case *ListOptions:
		return &o.set
	case *RemoveOptions:
		return &o.set
	case *CopyOptions:
		return &o.set
	case *SignOptions:
		return &o.set
	case *ChangeOptions:
		return &o.set
	case *PartOptions:
		return &o.set
	}
	return &options.(*CompleteOptions).set
}

// Apply reads options. Size is -1 without [WithSize].
func (r *UploadOptions) Apply(opts ...UploadOption) error {
	r.Size = -1
	return each(&r.set, opts, func(o UploadOption) { o.applyUpload(r) })
}

// Apply reads options. Without [WithRange], Offset is 0 and Length is -1.
func (r *DownloadOptions) Apply(opts ...DownloadOption) error {
	r.Length = -1
	return each(&r.set, opts, func(o DownloadOption) { o.applyDownload(r) })
}

// ApplyAttrs reads options.
func (r *DownloadOptions) ApplyAttrs(opts ...AttrsOption) error {
	r.Length = -1
	return each(&r.set, opts, func(o AttrsOption) { o.applyAttrs(r) })
}

// Apply reads options.
func (r *ListOptions) Apply(opts ...ListOption) error {
	return each(&r.set, opts, func(o ListOption) { o.applyList(r) })
}

// Apply reads options.
func (r *RemoveOptions) Apply(opts ...RemoveOption) error {
	err := each(&r.set, opts, func(o RemoveOption) { o.applyRemove(r) })
	if err == nil && r.set.Version && r.set.Guarded { // Amazon would compare the current version
		err = invalid("IfRevision", "does not fit beside WithVersion, which names one object")
	}
	return err
}

// ApplyMultipart is Apply for BeginUpload.
func (r *UploadOptions) ApplyMultipart(opts ...MultipartOption) error {
	r.Size = -1
	return each(&r.set, opts, func(o MultipartOption) { o.applyMultipart(r) })
}

// Apply reads options.
func (r *CopyOptions) Apply(opts ...CopyOption) error {
	return each(&r.set, opts, func(o CopyOption) { o.applyCopy(r) })
}

// ApplyCompose is Apply for Compose.
func (r *CopyOptions) ApplyCompose(srcKeys []string, opts ...CopyOption) error {
	err := r.Apply(opts...)
	if err == nil && (len(srcKeys) == 0 || r.set.Version) {
		err = invalid("srcKeys", "must name at least one object, and options no version")
	}
	return err
}

// ApplyMove is Apply for Move.
func (r *CopyOptions) ApplyMove(from, to string, opts ...CopyOption) error {
	err := r.Apply(opts...)
	switch {
	case err != nil:
	case r.set.Version:
		err = invalid("WithVersion", "does not fit Move: a version cannot be moved")
	case from == to:
		err = invalid("to", "must be another key than from")
	}
	return err
}

// ApplyUpload reads options.
func (r *SignOptions) ApplyUpload(opts ...SignedUploadOption) error {
	r.Size = -1
	return each(&r.set, opts, func(o SignedUploadOption) { o.applySignedUpload(r) })
}

// ApplyDownload reads options.
func (r *SignOptions) ApplyDownload(opts ...SignedDownloadOption) error {
	r.Size = -1
	return each(&r.set, opts, func(o SignedDownloadOption) { o.applySignedDownload(r) })
}

// Apply reads options.
func (r *ChangeOptions) Apply(opts ...SetOption) error {
	return each(&r.set, opts, func(o SetOption) { o.applySet(r) })
}

// ApplyRetention reads options.
func (r *ChangeOptions) ApplyRetention(opts ...RetentionOption) error {
	return each(&r.set, opts, func(o RetentionOption) { o.applyRetention(r) })
}

// ApplyRestore reads options. RestoreDays is 1 without [WithRestoreDays].
func (r *ChangeOptions) ApplyRestore(opts ...RestoreOption) error {
	r.RestoreDays = 1
	return each(&r.set, opts, func(o RestoreOption) { o.applyRestore(r) })
}

// Apply reads options. Size is -1 without [WithSize].
func (r *PartOptions) Apply(opts ...PartOption) error {
	r.Size = -1
	return each(&r.set, opts, func(o PartOption) { o.applyPart(r) })
}

// ApplySigned is Apply for SignPart.
func (r *PartOptions) ApplySigned(opts ...SignedPartOption) error {
	r.Size = -1
	return each(&r.set, opts, func(o SignedPartOption) { o.applySignedPart(r) })
}

// Apply reads options. Size is -1 without [WithSize].
func (r *CompleteOptions) Apply(opts ...CompleteOption) error {
	r.Size = -1
	return each(&r.set, opts, func(o CompleteOption) { o.applyComplete(r) })
}

// Span returns which bytes of an object of size bytes the options ask for, from from up to
// before to. An offset past the end is RangeNotSatisfiable.
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

// A writeIDOption is the option of package writeid.
type writeIDOption string

func (o writeIDOption) applyUpload(r *UploadOptions)   { r.set.Transfer.WriteID = string(o) }
func (o writeIDOption) applyMultipart(*UploadOptions)  {} // an open upload has an id of its own
func (o writeIDOption) applyCopy(r *CopyOptions)       { r.set.Transfer.WriteID = string(o) }
func (o writeIDOption) applySignedUpload(*SignOptions) {}
func (o writeIDOption) applyAttrs(r *DownloadOptions)  { r.set.Transfer.WriteID = string(o) }

func init() { writeid.Option = func(id string) any { return writeIDOption(id) } }

// A markerKeyOption is the option of package markerkey.
type markerKeyOption struct{}

func (markerKeyOption) applyCopy(r *CopyOptions) { r.set.Transfer.MarkerKey = true }

func init() { markerkey.Option = func() any { return markerKeyOption{} } }
