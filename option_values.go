package storage

import (
	"time"

	"github.com/omnibucket/storage/internal/unexported"
)

// Each type holds what the options of one operation say. Code that implements a permission itself
// reads the options with Apply.
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

		set unexported.Settings
	}
	// ListOptions are those of List.
	ListOptions struct {
		Prefix, Delimiter, StartAfter string
		Limit                         int // entries; 0: all
		PageSize                      int // entries in one request; 0: the default

		set unexported.Settings
	}
	// RemoveOptions are those of Remove.
	RemoveOptions struct {
		Version          string
		Condition        Condition
		BypassGovernance bool

		set unexported.Settings
	}
	// copyOptions are those of Copy and Compose.
	copyOptions struct {
		version string // of the source
		Properties
		Controls
		condition Condition // of the destination

		set unexported.Settings
	}
	// signOptions are those of all ways of signing an upload or a download.
	signOptions struct {
		method, version string
		ttl             time.Duration
		Properties
		Controls
		condition                  Condition
		size                       int64 // bytes; -1: not declared
		crc                        CRC32C
		responseType               string
		responseName               string
		responseContentDisposition string

		set unexported.Settings
	}
	// changeOptions are those of SetTags, SetRetention, SetLegalHold and Restore.
	changeOptions struct {
		version          string
		bypassGovernance bool
		restoreDays      int
		restoreTier      string

		set unexported.Settings
	}
	// partOptions are those of one part.
	partOptions struct {
		size int64 // bytes; -1: not declared
		crc  CRC32C
		ttl  time.Duration

		set unexported.Settings
	}
	// completeOptions are those of Complete.
	completeOptions struct {
		size  int64 // bytes; -1: not declared
		crc   CRC32C
		parts []UploadedPart // nil: all that the store has

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

// failed is fail for a check of an option; e may be nil.
func failed(s *unexported.Settings, e *Error) {
	if e != nil {
		s.Fail(e)
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

// Apply reads options, for code that implements [Uploader] itself. A second condition or an
// invalid number is InvalidArgument. Size is -1 without [WithSize].
func (r *UploadOptions) Apply(opts ...UploadOption) error {
	r.Size = -1
	return each(&r.set, opts, func(o UploadOption) { o.applyUpload(r) })
}

// Apply reads options, for code that implements [Downloader] itself. A second condition or an
// invalid range is InvalidArgument. Without [WithRange], Offset is 0 and Length is -1.
func (r *DownloadOptions) Apply(opts ...DownloadOption) error {
	r.Length = -1
	return each(&r.set, opts, func(o DownloadOption) { o.applyDownload(r) })
}

// ApplyAttrs reads options, for code that implements [AttrsReader] itself. A second condition is
// InvalidArgument.
func (r *DownloadOptions) ApplyAttrs(opts ...AttrsOption) error {
	r.Length = -1
	return each(&r.set, opts, func(o AttrsOption) { o.applyAttrs(r) })
}

// Apply reads options, for code that implements [Lister] itself. An invalid number is
// InvalidArgument.
func (r *ListOptions) Apply(opts ...ListOption) error {
	return each(&r.set, opts, func(o ListOption) { o.applyList(r) })
}

// Apply reads options, for code that implements [Remover] itself. A second condition is
// InvalidArgument.
func (r *RemoveOptions) Apply(opts ...RemoveOption) error {
	return each(&r.set, opts, func(o RemoveOption) { o.applyRemove(r) })
}

func (r *copyOptions) apply(opts []CopyOption) error {
	return each(&r.set, opts, func(o CopyOption) { o.applyCopy(r) })
}

// Span returns which bytes of an object of size bytes the options ask for: from is the first one,
// to is past the last one. If the offset is past the end, it fails with RangeNotSatisfiable.
func (r *DownloadOptions) Span(size int64) (from, to int64, err error) {
	return span(r.Offset, r.Length, r.Suffix, size)
}

func span(offset, length, suffix, size int64) (from, to int64, err error) {
	switch {
	case suffix > 0:
		return max(0, size-suffix), size, nil
	case offset > size:
		return 0, 0, RangeNotSatisfiable
	case length < 0 || length > size-offset:
		return offset, size, nil
	}
	return offset, offset + length, nil
}
