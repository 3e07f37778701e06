package session

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/headertext"
	"github.com/omnibucket/storage/internal/metadata"
	"github.com/omnibucket/storage/internal/objectkey"
	"github.com/omnibucket/storage/uploads/internal/filename"
	"github.com/omnibucket/storage/uploads/internal/refusal"
)

// A Target is an uploads.Target. It is part of the stored state.
type Target struct {
	Key                string
	ContentType        string
	CacheControl       string
	ContentDisposition string
	Metadata           map[string]string
	Tags               map[string]string
	MaxSize            int64
	Overwrite          bool
	PublicRead         bool
	Lifetime           time.Duration `json:",omitzero"`
}

// A User is an uploads.User.
type User struct {
	ID     string
	Values map[string]string
}

// A Request is an uploads.Request.
type Request struct {
	Name     string
	Type     string
	Size     int64
	Metadata map[string]string
	Partial  bool
}

// options returns the options that make a write set the attributes of t, and fail if the object exists unless
// t.Overwrite is true.
func (t *Target) options() []storage.WriteOption {
	opts := []storage.WriteOption{}
	if t.ContentType != "" {
		opts = append(opts, storage.WithContentType(t.ContentType))
	}
	if t.CacheControl != "" {
		opts = append(opts, storage.WithCacheControl(t.CacheControl))
	}
	if t.ContentDisposition != "" {
		opts = append(opts, storage.WithContentDisposition(t.ContentDisposition))
	}
	if len(t.Metadata) > 0 {
		opts = append(opts, storage.WithMetadata(t.Metadata))
	}
	if len(t.Tags) > 0 {
		opts = append(opts, storage.WithTags(t.Tags))
	}
	if t.PublicRead {
		opts = append(opts, storage.WithPublicRead())
	}
	if !t.Overwrite {
		opts = append(opts, storage.IfAbsent())
	}
	return opts
}

// OptionsFor appends the options that set the attributes of t to opts. All options of t must be of the
// type O.
func OptionsFor[O any](t Target, opts ...O) []O {
	for _, o := range t.options() {
		opts = append(opts, any(o).(O))
	}
	return opts
}

// CopyOptions returns the options for copying an object that a sender has stored. They set every attribute,
// so that the copy has none that the sender chose.
func (t *Target) CopyOptions() []storage.CopyOption {
	return OptionsFor[storage.CopyOption](*t,
		storage.WithContentDisposition(""), storage.WithContentEncoding(""), storage.WithContentLanguage(""),
		storage.WithCacheControl(""), storage.WithMetadata(nil), storage.WithStorageClass(""), storage.WithTags(nil))
}

// longestSegment is the greatest length in bytes of a segment of a key, unless the bucket has
// [storage.LongSegments].
const longestSegment = 255

// CheckFeatures fails if the bucket lacks a feature that the Target needs. Without this check, the upload
// would fail only after its last byte, and again at each retry.
func (t *Target) CheckFeatures(bucket storage.ReadWriter) error {
	// List what the Target needs and how to do without it.
	hasLongSegment := slices.ContainsFunc(strings.Split(t.Key, "/"), func(segment string) bool {
		return len(segment) > longestSegment
	})
	needs := []struct {
		isSet   bool
		feature storage.Features
		option  string
		hint    string
	}{
		{
			isSet:   !t.Overwrite,
			feature: storage.ConditionalCreate,
			option:  "Target.Overwrite false",
			hint:    "set Target.Overwrite, with keys that nobody else writes, or use a bucket with storage.ConditionalCreate",
		},
		{
			isSet:   t.ContentType != "" || t.CacheControl != "" || t.ContentDisposition != "",
			feature: storage.ContentProperties,
			option:  "Target.ContentType, CacheControl or ContentDisposition",
			hint:    "leave them empty, or use a bucket with storage.ContentProperties",
		},
		{
			isSet:   len(t.Metadata) > 0,
			feature: storage.Metadata,
			option:  "Target.Metadata",
			hint:    "leave it empty, or use a bucket with storage.Metadata",
		},
		{
			isSet:   len(t.Tags) > 0,
			feature: storage.ObjectTags,
			option:  "Target.Tags",
			hint:    "leave it empty, or use a bucket with storage.ObjectTags",
		},
		{
			isSet:   hasLongSegment,
			feature: storage.LongSegments,
			option:  "a segment of Target.Key above 255 bytes",
			hint:    "return a shorter Key, or use a bucket with storage.LongSegments",
		},
	}

	// Fail for the first need that is not met.
	for _, need := range needs {
		if !need.isSet || storage.Supports(bucket, need.feature) {
			continue
		}
		return refusal.Unsupported(&storage.Error{
			Code: storage.Unsupported,
			Op:   "uploads",
			Key:  t.Key,
			Hint: need.hint,
			Err:  errors.New(need.option + " needs a feature that the bucket does not have"),
		})
	}
	return nil
}

// BadName returns the error for a file whose key cannot exist because of the name that the client
// sent.
func BadName(name string, cause error) *refusal.Error {
	err := refusal.Invalid("filename", "A file of this name cannot be stored. Choose another name.")
	err.Err = cause
	return err.WithName(filename.Clean(name))
}

// CheckKey fails if no object can have the key, which the application often makes from the name that the
// client has sent. Without this check, the upload would fail only after its last byte.
func (t *Target) CheckKey(name string) error {
	if t.Key == "" {
		return nil
	}
	rule := objectkey.WriteRule(t.Key) // the rule that the key breaks, or ""
	if rule == "" {
		return nil
	}

	cause := argument.Invalid("Target.Key", rule, "make the key of what the application knows, or escape the name")
	cause.Op = "uploads"
	cause.Key = t.Key
	return BadName(name, cause)
}

// CheckAttributes fails if no object can have these attributes. Because the application has set them, the
// client sees only an internal error.
func (t *Target) CheckAttributes() error {
	if flaw := t.AttributesError(); flaw != nil {
		return refusal.Internal(flaw)
	}
	return nil
}

// AttributesError returns the reason why no object can have these attributes, or nil.
func (t *Target) AttributesError() *storage.Error {
	// These attributes become headers of the response to a download.
	headers := []struct {
		field string
		value string
	}{
		{field: "Target.ContentDisposition", value: t.ContentDisposition},
		{field: "Target.CacheControl", value: t.CacheControl},
		{field: "Target.ContentType", value: t.ContentType},
	}
	for _, header := range headers {
		if !headertext.ValidHeader(header.value) {
			const rule = "must be ASCII of at most 1,024 bytes without control characters or spaces at its ends"
			return t.invalidError(header.field, rule, "")
		}
	}
	if t.ContentType != "" && !headertext.ValidMediaType(t.ContentType) {
		return t.invalidError("Target.ContentType", "must be type/subtype", "")
	}

	if rule := metadata.CheckTags(t.Tags); rule != "" {
		return t.invalidError("Target.Tags", rule, "")
	}
	if _, rule, hint := metadata.Fold(t.Metadata); rule != "" {
		return t.invalidError("Target.Metadata", rule, hint)
	}
	return nil
}

// invalidError returns the error for a field that breaks a rule. If hint is "", the error has a general hint.
func (t *Target) invalidError(field, rule, hint string) *storage.Error {
	cause := argument.Invalid(field, rule, cmp.Or(hint, "check what the client says before it becomes part of a Target"))
	cause.Op = "uploads"
	cause.Key = t.Key
	return cause
}

// PendingType is the type of files that are not checked yet. Browsers save such a file,
// whatever its content is.
const PendingType = "application/octet-stream"
