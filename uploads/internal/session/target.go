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

// options returns the options that set the attributes of t.
func (t *Target) options() []storage.WriteOption {
	opts := []storage.WriteOption{}
	add := func(isSet bool, o storage.WriteOption) {
		if isSet {
			opts = append(opts, o)
		}
	}
	add(t.ContentType != "", storage.WithContentType(t.ContentType))
	add(t.CacheControl != "", storage.WithCacheControl(t.CacheControl))
	add(t.ContentDisposition != "", storage.WithContentDisposition(t.ContentDisposition))
	add(len(t.Metadata) > 0, storage.WithMetadata(t.Metadata))
	add(len(t.Tags) > 0, storage.WithTags(t.Tags))
	add(t.PublicRead, storage.WithPublicRead())
	add(!t.Overwrite, storage.IfAbsent())
	return opts
}

// OptionsFor returns opts and the options that set the attributes of t. O is the type of the
// options.
func OptionsFor[O any](t Target, opts ...O) []O {
	for _, o := range t.options() {
		opts = append(opts, any(o).(O))
	}
	return opts
}

// CopyOptions returns the options for copying an object that a sender has stored. They set every
// attribute. Otherwise the copy would have the attributes that the sender chose.
func (t *Target) CopyOptions() []storage.CopyOption {
	return OptionsFor[storage.CopyOption](*t,
		storage.WithContentDisposition(""), storage.WithContentEncoding(""), storage.WithContentLanguage(""),
		storage.WithCacheControl(""), storage.WithMetadata(nil), storage.WithStorageClass(""), storage.WithTags(nil))
}

// longestSegment is the greatest length in bytes of a segment of a key, unless the bucket has
// [storage.LongSegments].
const longestSegment = 255

// CheckFeatures fails if the bucket lacks a feature that the Target needs. Without this check, the
// upload would fail only after its last byte, and again at each retry.
func (t *Target) CheckFeatures(bucket storage.ReadWriter) error {
	long := slices.ContainsFunc(strings.Split(t.Key, "/"), func(segment string) bool {
		return len(segment) > longestSegment
	})
	for _, n := range []struct {
		asked   bool
		feature storage.Features
		option  string
		hint    string
	}{
		{!t.Overwrite, storage.ConditionalCreate, "Target.Overwrite false", "set Target.Overwrite, with keys that nobody else writes, or use a bucket with storage.ConditionalCreate"},
		{t.ContentType != "" || t.CacheControl != "" || t.ContentDisposition != "", storage.ContentProperties, "Target.ContentType, CacheControl or ContentDisposition", "leave them empty, or use a bucket with storage.ContentProperties"},
		{len(t.Metadata) > 0, storage.Metadata, "Target.Metadata", "leave it empty, or use a bucket with storage.Metadata"},
		{len(t.Tags) > 0, storage.ObjectTags, "Target.Tags", "leave it empty, or use a bucket with storage.ObjectTags"},
		{long, storage.LongSegments, "a segment of Target.Key above 255 bytes", "return a shorter Key, or use a bucket with storage.LongSegments"},
	} {
		if n.asked && !storage.Supports(bucket, n.feature) {
			return refusal.Unsupported(&storage.Error{
				Code: storage.Unsupported,
				Op:   "uploads",
				Key:  t.Key,
				Hint: n.hint,
				Err:  errors.New(n.option + " needs a feature that the bucket does not have"),
			})
		}
	}
	return nil
}

// BadName returns the error for a file whose key cannot exist because of the name that the client
// sent.
func BadName(name string, cause error) *refusal.Error {
	e := refusal.Invalid("filename", "A file of this name cannot be stored. Choose another name.")
	e.Err = cause
	return e.WithName(filename.Clean(name))
}

// CheckKey fails if Config.Begin returned a key that no object can have. Begin often makes the key
// from the name that the client sent. Without this check, the upload would fail only after its last
// byte.
func (t *Target) CheckKey(name string) error {
	if rule := objectkey.WriteRule(t.Key); t.Key != "" && rule != "" {
		cause := argument.Invalid("Target.Key", rule, "make the key of what the application knows, or escape the name")
		cause.Op = "uploads"
		cause.Key = t.Key
		return BadName(name, cause)
	}
	return nil
}

// CheckAttributes fails if no object can have these attributes. The application has set them, so
// the error that the client sees does not describe them.
func (t *Target) CheckAttributes() error {
	if flaw := t.AttributesError(); flaw != nil {
		return refusal.Internal(flaw)
	}
	return nil
}

// AttributesError returns the error that says why no object can have these attributes. If they are valid, it
// returns nil.
func (t *Target) AttributesError() *storage.Error {
	field := ""
	rule := ""
	hint := ""
	for _, text := range []struct{ field, value string }{
		{"Target.ContentType", t.ContentType}, {"Target.CacheControl", t.CacheControl}, {"Target.ContentDisposition", t.ContentDisposition},
	} {
		if !headertext.ValidHeader(text.value) {
			field = text.field
			rule = "must be ASCII of at most 1,024 bytes without control characters or spaces at its ends"
		}
	}

	if field == "" && t.ContentType != "" && !headertext.ValidMediaType(t.ContentType) {
		field = "Target.ContentType"
		rule = "must be type/subtype"
	}
	if field == "" {
		field = "Target.Tags"
		rule = metadata.CheckTags(t.Tags)
	}
	if rule == "" {
		field = "Target.Metadata"
		_, rule, hint = metadata.Fold(t.Metadata)
	}

	if rule == "" {
		return nil
	}
	cause := argument.Invalid(field, rule, cmp.Or(hint, "check what the client says before it becomes part of a Target"))
	cause.Op = "uploads"
	cause.Key = t.Key
	return cause
}

// PendingType is the type of files that are not checked yet. Browsers save such a file,
// whatever its content is.
const PendingType = "application/octet-stream"
