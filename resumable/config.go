package resumable

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/webapi"
)

// The defaults.
const (
	DefaultTTL         = 72 * time.Hour
	DefaultPartTTL     = time.Hour
	DefaultMemoryLimit = 64 << 20 // bytes
	DefaultPrefix      = ".uploads/"
)

const (
	minTTL     = time.Minute
	maxTTL     = 7 * 24 * time.Hour // stores drop unfinished uploads after a week
	minPartTTL = time.Second
	minMemory  = 16 << 20
)

// Config says who may upload what, and for how long.
type Config struct {
	// Authorize determines the user from the request's session or token. It is called for
	// every request but those for bytes at a signed address. The user is bound to each
	// upload: for any other user, the upload does not exist. [storage.Unauthenticated]
	// becomes 401, [storage.PermissionDenied] 403, and an *Error its own response. Any
	// other error becomes 500 and is not shown. Authorize must not read the body.
	Authorize func(*http.Request) (user string, err error)
	// Begin decides whether the user may upload this file, and where it is stored. Its
	// errors become responses as those of Authorize do.
	Begin func(r *http.Request, user string, n UploadRequest) (*Target, error)
	// Inspect looks at the content when all of it has arrived, and before the object
	// appears under its key. If it returns an *Error, the content is removed and the
	// error is the response; for any other error the client may try again. It may change
	// u.ContentType. Until Inspect has returned nil, the content is an object under
	// Prefix: it is then copied, which takes longer, and needs twice the space for that
	// time. nil: the object appears under its key at once.
	Inspect func(ctx context.Context, u *Upload, content *storage.ReaderAt) error
	// OnComplete is called when the object exists, at least once: if it fails or the
	// process is killed, it is called again when the client asks again. It may set
	// u.Location. Its errors become responses as those of Authorize do; the object stays.
	OnComplete func(ctx context.Context, u *Upload) error
	// OnError receives the errors that 5xx responses hide; nil: they are dropped.
	OnError func(*http.Request, error)

	// MaxSize is the size of the largest file, in bytes; 0: that of the store. A client
	// that sends parts straight to the store may store more until it completes the
	// upload, which then fails.
	MaxSize int64
	// TTL is how long an upload may take, from its beginning: 1 minute to 7 days, 0:
	// DefaultTTL.
	TTL time.Duration
	// PartTTL is how long the signed address of a part works: 1 second to 7 days, 0:
	// DefaultPartTTL. It never works longer than its upload.
	PartTTL time.Duration
	// MemoryLimit bounds the buffers of all tus uploads at once, in bytes, at least 16
	// MiB; 0: DefaultMemoryLimit. A quarter is for the requests that send bytes, each of
	// which takes 32 KiB: by default 512 at once. A user has at most as many of them as are
	// still free for others, so 256 if nobody else sends. If Authorize names no user, that
	// holds for an address of clients (Request.RemoteAddr). The rest is for parts. An upload takes at
	// most one part at a time, of 8 MiB for files of up to 78 GiB, and only as its bytes
	// arrive. If there is no memory, what has arrived is stored, and the client waits for 30
	// seconds, and then gets 503. A file whose parts exceed the rest is too large.
	MemoryLimit int64

	// Prefix is where the bucket keeps the state of uploads and content that is not yet
	// inspected; "": DefaultPrefix. It ends in "/". Nobody but the server may read it.
	Prefix string
	// States keeps the state of uploads if the bucket has no conditional writes; nil: the
	// bucket. All processes must use the same one.
	States storage.ReadWriter
	// ProxyParts lets all parts of the S3 routes pass through this handler. Without it, only
	// those do that the store cannot sign.
	ProxyParts bool
	// BaseURL is the public address of the handler, as "https://example.com/uploads". It
	// is used in addresses of this handler that clients get; "": it is guessed from the
	// request (Host, X-Forwarded-Proto).
	BaseURL string
	// Origins are the origins whose pages may use the handler from another one (CORS), as
	// "https://example.com"; "*" stands for all, without cookies. nil: none.
	Origins []string

	Now func() time.Time // nil: time.Now
}

// A UploadRequest is what a client says of a file that it wants to upload. Nothing of it is
// verified.
type UploadRequest struct {
	Name     string            // of the file; "" if it is unknown
	Type     string            // its media type; "" if it is unknown
	Size     int64             // bytes; -1 if it is unknown
	Metadata map[string]string // all that the client says of it
	// Partial is set for a piece of a file that is joined later (tus concatenation). The
	// Target's Key is not used. Begin is called again for the whole file.
	Partial bool
}

// A Target is where a file is stored, and how. If the bucket lacks a feature that it asks for,
// the upload is refused before any byte, with 501, and Config.OnError is told.
type Target struct {
	Key string
	// ContentType is the media type; "": that of the key's extension, else
	// application/octet-stream. Check what the client says before you use it: a browser
	// runs text/html.
	ContentType        string
	CacheControl       string
	ContentDisposition string
	Metadata           map[string]string
	Tags               map[string]string
	MaxSize            int64 // bytes; 0: Config.MaxSize
	// Overwrite lets the file replace an object under Key. Otherwise the upload fails if
	// there is one, which needs a bucket with [storage.ConditionalCreate]. Without
	// [storage.Metadata], an upload whose response was lost fails too.
	Overwrite bool
}

// An Upload is a file whose bytes have all arrived.
type Upload struct {
	User        string
	Key         string
	Name, Type  string // as the client says
	Metadata    map[string]string
	Size        int64          // bytes
	ContentType string         // Inspect may change it
	Location    string         // for the client; OnComplete may set it. Default: the public address, if there is one
	Attrs       *storage.Attrs // of the object, in OnComplete; after a restart nil
}

// setDefaults sets the defaults.
func (c *Config) setDefaults(bucket storage.ReadWriter) {
	setDefault(&c.TTL, DefaultTTL)
	setDefault(&c.PartTTL, DefaultPartTTL)
	setDefault(&c.MemoryLimit, DefaultMemoryLimit)
	setDefault(&c.Prefix, DefaultPrefix)
	if c.States == nil {
		c.States = bucket
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	c.BaseURL = strings.TrimSuffix(c.BaseURL, "/")
}

func setDefault[T comparable](to *T, value T) {
	var zero T
	if *to == zero {
		*to = value
	}
}

// problem returns the field that is invalid and the rule that it breaks. It is called
// after setDefaults.
func (c *Config) problem() (field, rule string) {
	switch {
	case c.Authorize == nil:
		return "Config.Authorize", "must not be nil"
	case c.Begin == nil:
		return "Config.Begin", "must not be nil"
	case c.MaxSize < 0:
		return "Config.MaxSize", "must not be negative"
	case c.TTL < minTTL || c.TTL > maxTTL:
		return "Config.TTL", "must be from 1 minute to 7 days"
	case c.PartTTL < minPartTTL || c.PartTTL > maxTTL:
		return "Config.PartTTL", "must be from 1 second to 7 days"
	case c.MemoryLimit < minMemory:
		return "Config.MemoryLimit", "must be at least 16 MiB"
	case !strings.HasSuffix(c.Prefix, "/") || strings.HasPrefix(c.Prefix, "/") || strings.Contains(c.Prefix, "//") || len(c.Prefix) > 512:
		return "Config.Prefix", `must be whole segments and end in "/"`
	}
	for _, origin := range c.Origins {
		if u, err := url.Parse(origin); origin != "*" && (err != nil || u.Scheme == "" || u.Host == "" || u.Path != "") {
			return "Config.Origins", `must be as in "https://example.com", or "*"`
		}
	}
	if u, err := url.Parse(c.BaseURL); c.BaseURL != "" && (err != nil || u.Scheme == "" || u.Host == "" || u.RawQuery != "") {
		return "Config.BaseURL", `must be as in "https://example.com/uploads"`
	}
	return "", ""
}

// NewHandler returns a handler for both protocols. It makes no request. If c is invalid,
// it fails with InvalidArgument. If the bucket (or Config.States) cannot write
// conditionally, or if the bucket has no multipart uploads that stay open, it fails with
// Unsupported.
func NewHandler(bucket storage.ReadWriter, c Config) (*Handler, error) {
	const op = "resumable.NewHandler"
	if bucket == nil {
		return nil, webapi.Misconfigured(op, "bucket", "must not be nil", "")
	}
	c.setDefaults(bucket)
	if field, rule := c.problem(); rule != "" {
		return nil, webapi.Misconfigured(op, field, rule, "")
	}
	if !storage.Supports(c.States, storage.ConditionalCreate|storage.ConditionalUpdate) {
		return nil, &storage.Error{
			Code: storage.Unsupported, Op: op, Err: errors.New("the bucket cannot write conditionally, so two processes could change the state of one upload at once"),
			Hint: "set Config.States to a bucket that supports IfAbsent and IfRevision, such as a local one that all processes share",
		}
	}
	if !storage.Supports(bucket, storage.OpenUploads) {
		return nil, &storage.Error{Code: storage.Unsupported, Op: op, Err: errors.New("the bucket has no multipart uploads whose parts come in any order")}
	}
	return newHandler(bucket, c), nil
}
