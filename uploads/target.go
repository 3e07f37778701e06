package uploads

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads/internal/keypattern"
)

// A User is the owner of files. The application determines it from the session or token of the
// request; the client cannot choose it.
type User struct {
	// ID fills {user} in Config.Key. Uploads are bound to it in any case. If it is in the key, it has 1 to
	// 128 letters, digits, "-", "_" and ".", and "." is neither first nor last: no e-mail address. Any other
	// ID fails with InvalidValue, and so does one that is not valid UTF-8 without NUL, or with Config.Records has
	// more than 2,048 bytes: the client gets 500, and Config.OnError is told.
	ID string
	// Values fill the other named places, by the same rule. Any other value fails with InvalidValue.
	Values map[string]string
}

// values returns the values that fill the places of a pattern.
func (u User) values() map[string]string {
	v := map[string]string{}
	maps.Copy(v, u.Values)
	if u.ID != "" {
		v[keypattern.User] = u.ID
	}
	return v
}

// A Request is what a client says of a file that it wants to upload. Nothing of it is
// verified.
type Request struct {
	Name     string            // name of the file; "" if it is unknown
	Type     string            // media type of the file; "" if it is unknown
	Size     int64             // bytes; -1 if it is unknown
	Metadata map[string]string // everything that the client says of the file
	// Partial is set for a piece of a file that is joined later (tus concatenation). The
	// Target's Key is not used. Begin is called again for the whole file.
	Partial bool
}

// A Target is where a file is stored, and how. Rules judge the file all the same; those of
// [rules.Any] let all files pass, and then the bytes go straight to their key. If the bucket
// lacks a feature that it asks for, the upload is refused before any byte, with 501, and
// Config.OnError is told. So is one whose attributes no object can have, with 500.
type Target struct {
	// Key is where the file is stored. If no object can have it, as with a backslash or ".." of the client's
	// name, the upload is refused before any byte: 400 with the code [InvalidValue], about the name.
	Key string
	// ContentType is the media type. If it is "", the type is that of the content if Rules look at it, else that
	// of the extension of the key or of the name, else application/octet-stream. Check what the client says before
	// you use it: a browser runs text/html.
	ContentType        string
	CacheControl       string
	ContentDisposition string
	Metadata           map[string]string
	Tags               map[string]string
	MaxSize            int64 // bytes; 0 means the limit of Rules
	// Overwrite lets the file replace an object under Key. Otherwise the upload fails if
	// there is one, which needs a bucket with [storage.ConditionalCreate]. Without
	// [storage.Metadata], an upload whose response was lost fails too.
	Overwrite bool
	// PublicRead makes the file readable by anyone ([storage.WithPublicRead]).
	PublicRead bool
	// Lifetime is how long after the time in its ID, which is by Config.Now, [Service.Sweep] removes the file.
	// It needs Config.Records; 0 means never.
	Lifetime time.Duration `json:",omitzero"`
}

func (t *Target) options() []storage.WriteOption {
	opts := []storage.WriteOption{}
	add := func(asked bool, o storage.WriteOption) {
		if asked {
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

// limit returns how large the file of a target may be, in bytes; 0 means as large as the store allows.
func (s *Service) limit(t *Target) int64 {
	if t.MaxSize == 0 || s.maxSize > 0 && s.maxSize < t.MaxSize {
		return s.maxSize
	}
	return t.MaxSize
}

// optionsFor returns opts, followed by the options for an object with the attributes of t, as
// options of type O.
func optionsFor[O any](t Target, opts ...O) []O {
	for _, o := range t.options() {
		opts = append(opts, any(o).(O))
	}
	return opts
}

// copyOptions returns the options for a copy of an object that a sender has stored. It sets every
// attribute, because a copy would otherwise keep those that the sender chose.
func (t *Target) copyOptions() []storage.CopyOption {
	return optionsFor[storage.CopyOption](*t,
		storage.WithContentDisposition(""), storage.WithContentEncoding(""), storage.WithContentLanguage(""),
		storage.WithCacheControl(""), storage.WithMetadata(nil), storage.WithStorageClass(""), storage.WithTags(nil))
}

// A File is a stored file.
type File struct {
	User User   `json:"-"`
	ID   string `json:"id,omitempty"` // ID of its record; "" without Config.Records
	Key  string `json:"key"`
	// Location is the address by Config.Link. Config.Stored may set it.
	Location    string         `json:"location,omitempty"`
	ExpiresAt   time.Time      `json:"expiresAt,omitzero"` // when Location expires, if it is a signed URL
	Name        string         `json:"name"`               // the name by CleanName: safe to show, but escape it in HTML
	Size        int64          `json:"size"`               // bytes
	ContentType string         `json:"type"`               // media type by the content
	Width       int            `json:"width,omitempty"`    // pixels; 0 if the type has none
	Height      int            `json:"height,omitempty"`
	CRC32C      storage.CRC32C `json:"crc32c,omitzero"`   // of all bytes; unknown if the store keeps none
	Purpose     string         `json:"purpose,omitempty"` // a category of the application, in the record: at first Metadata["purpose"], if that is a label of at most 256 characters
	Expires     time.Time      `json:"expires,omitzero"`  // by Target.Lifetime; the zero time means never
	Modified    time.Time      `json:"modified,omitzero"` // by the store, or by this machine if the store does not say (S3)

	ClaimedName string            `json:"-"` // the client's name for the file
	ClaimedType string            `json:"-"` // the client's type of the file
	Metadata    map[string]string `json:"-"` // the client's metadata
	Attrs       *storage.Attrs    `json:"-"` // attributes of the object; nil in Inspect

	lifetime time.Duration // Lifetime of the Target
	recorded bool          // it has a record
}

// longestSegment is how many bytes a segment of a key may have without [storage.LongSegments].
const longestSegment = 255

// checkFeatures fails if the bucket cannot keep what a target asks for. The upload would otherwise
// fail after its last byte, for ever.
func (k *keeper) checkFeatures(t *Target) error {
	long := slices.ContainsFunc(
		strings.Split(t.Key, "/"), func(segment string) bool { return len(segment) > longestSegment },
	)
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
		if n.asked && !storage.Supports(k.bucket, n.feature) {
			return unsupported(&storage.Error{
				Code: storage.Unsupported, Op: "uploads", Key: t.Key, Hint: n.hint,
				Err: errors.New(n.option + " needs a feature that the bucket does not have"),
			})
		}
	}
	return nil
}

// unsupported is the error for an upload that the bucket can never store.
func unsupported(err error) *Error {
	return &Error{
		Code: Internal, Status: http.StatusNotImplemented, Message: "This file cannot be stored here.", Err: err,
	}
}
