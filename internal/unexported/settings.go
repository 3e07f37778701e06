// Package unexported has the types of fields that the root package does not export, and that the
// engine reads.
package unexported

// Settings are the options that only the engine reads.
type Settings struct {
	Err           error    // the first bad option
	Natives       []Native // what WithNative gave
	SourceNatives []Native // what WithSourceNative gave
	Transfer      Transfer
	MaxGap        *int64 // what WithMaxGap gave; nil for the default
	Given         Property
	MaxSize       int64 // what WithMaxSize gave, or 0
	Guarded       bool  // a condition was given
	Version       bool  // WithVersion was given
	NoSync        bool  // WithNoSync was given
	Tags          bool  // WithTags was given
	Lock          bool  // WithRetention or WithLegalHold was given
	WithoutAttrs  bool  // WithoutAttrs was given
	Auxiliary     bool  // the read is part of another operation
}

// Fail keeps the first failure of an option.
func (s *Settings) Fail(err error) {
	if s.Err == nil {
		s.Err = err
	}
}

// A Transfer is what a call that moves bytes needs of its options until it ends.
type Transfer struct {
	PartSize    int64 // bytes; 0 if it was not given
	Progress    func(done, total int64)
	ResumeFile  string // what WithResume gave, or ""
	WriteID     string // what package writeid gave, or ""
	Concurrency int32  // 0 if it was not given
}

// A Property has one bit for each property of an object that an option has set.
type Property uint8

// The properties.
const (
	ContentType Property = 1 << iota
	ContentEncoding
	ContentDisposition
	ContentLanguage
	CacheControl
	Metadata
	StorageClass
)

// A Native is an option of one provider.
type Native struct {
	Provider string
	Value    any
}
