package uploads

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/redact"
	"github.com/omnibucket/storage/uploads/internal/keypattern"
	"github.com/omnibucket/storage/uploads/rules"
)

// A Link says which address a [File] has: its Location.
type Link int

// The links.
const (
	NoLink     Link = iota // no URL
	PublicLink             // the URL where a public bucket serves the object
	SignedLink             // a signed URL that works for Config.LinkTTL
)

// The defaults.
const (
	DefaultKey         = "uploads/{yyyy}/{mm}/{random}{ext}"
	DefaultPrefix      = ".uploads/"
	DefaultLinkTTL     = time.Hour
	DefaultUploadTTL   = time.Hour
	DefaultTTL         = 72 * time.Hour
	DefaultMemoryLimit = 64 << 20 // bytes
)

// Config says who may upload what, and how it is stored. For files that Go code stores
// ([Service.Store]), the zero value has the defaults. A handler needs Authorize.
type Config struct {
	// Rules say which files are accepted. The zero value is for pictures of 10 MiB.
	Rules rules.Rules
	// Key is the pattern of keys; the default is DefaultKey. It must have {random}, which
	// stands for 128 bits as 26 letters and digits, or {id}, which is such bits after the time,
	// in 36: keys are then in the order of time. It may have {yyyy}, {mm} and {dd}, in UTC, and
	// {ext} at its end, the extension that fits the content. Other names in braces, at most one
	// in a segment, are filled by [User].
	Key string
	// CacheControl maps a media type, "image/*" or "*" to directives. The closest
	// match applies, and "" sets none. By default it is a year and immutable, because
	// the content of a key never changes: public for PublicLink, otherwise private.
	CacheControl map[string]string
	// Link says which address a File has, and LinkTTL how long a signed address works: 1 s to 7
	// days; 0 means DefaultLinkTTL.
	Link    Link
	LinkTTL time.Duration
	// PublicRead makes each stored file readable by anyone
	// ([storage.WithPublicRead]). It is for PublicLink in a bucket that is not public
	// itself. Files that wait under Prefix stay private. The bucket needs
	// [storage.ObjectACLs].
	PublicRead bool
	// Tags are the tags of each stored file ([storage.WithTags]). Files that wait under
	// Prefix have none. The bucket needs [storage.ObjectTags].
	Tags map[string]string

	// Authorize determines the user from the request's session or token. It is called for
	// every request but those for bytes at a signed address. The user is bound to each
	// upload: for any other user, the upload does not exist. [storage.Unauthenticated]
	// becomes 401, [storage.PermissionDenied] 403, and an *Error its own response. Unavailable, RateLimited,
	// DeadlineExceeded and Canceled become 503 with Retry-After. Any other error becomes 500. Neither is
	// shown. Authorize must not read the body.
	Authorize func(*http.Request) (User, error)
	// Begin decides whether the user may upload a file by the S3 routes or tus, and may
	// choose where it is stored. Its errors become responses as those of Authorize do. If it is
	// nil, or the Target, Key makes the key and Rules the attributes.
	Begin func(r *http.Request, user User, n Request) (*Target, error)
	// Inspect looks at the content of a file that Rules accept, before it appears under its key. Decoders such as
	// image.Decode read it by io.NewSectionReader(content, 0, f.Size). If Inspect returns an *Error, the content is
	// removed and the error is the response, with the code Refused if it has none; for any other error the client
	// may try again. It may change f.ContentType. Until then the content is an object under Prefix, so that an
	// upload takes longer. A ticket is refused if Inspect is set, because its sender could replace what was
	// inspected.
	Inspect func(ctx context.Context, f *File, content *storage.ReaderAt) error
	// Stored is called when a file exists, whichever way it came. For a form and [Service.Store], a file for which
	// it fails is removed. For a file that came by another way, it is called at least once: if it fails or the
	// process is killed, it is called again when the client asks again, and the file stays. It is not called for a
	// file that was removed since. It may set f.Location. Its errors become responses as those of Authorize do.
	Stored func(ctx context.Context, f *File) error
	// Removed is called before the bytes of a file under Key are removed, by DELETE, [Service.Delete],
	// [Service.Remove], [Service.Sweep], or because Stored failed. It removes what was derived from the file, such as
	// smaller pictures. It is called at least once for each file, perhaps for a file that is gone already. If it
	// fails, so does the removal: the bytes stay until it is repeated, or with Records until Sweep.
	Removed func(ctx context.Context, key string) error
	// Records keeps a record of each file, if and only if its bytes exist: it is created after the bytes,
	// before Stored is called, and removed before them. Key must then be fixed text, {id} and perhaps {ext};
	// "" is then "files/content/{id}{ext}". Begin must return no Target. nil means no records.
	Records Records
	// Grace is the age, by the store's clock, at which Sweep removes bytes without a record; 0 means 24
	// hours. It must be longer than the longest upload, because some providers count an object's age from
	// the start of its upload.
	Grace time.Duration
	// OnError receives the errors that 5xx responses hide; nil means they are dropped.
	OnError func(*http.Request, error)
	// MaxFiles limits the number of files in one form; 0 means 10.
	MaxFiles int
	// DeleteShared offers DELETE even if Key has no values, like [DefaultKey]. Nothing then
	// says whose a file is: any user whom Authorize admits may delete any file. Without
	// DeleteShared, such a DELETE fails with NotAllowed.
	DeleteShared bool

	// Prefix is where the bucket keeps files that are not yet accepted, and the state of
	// uploads; the default is DefaultPrefix. It ends in "/". Nobody but the server may read it.
	Prefix string
	// UploadTTL is how long a signed address works, to which a client sends a file or a part: 1 s to
	// 7 days; 0 means DefaultUploadTTL. It never works longer than its upload. The whole file of a
	// ticket must arrive and be finished within a day after UploadTTL.
	UploadTTL time.Duration
	// TokenKey signs tickets and has at least 16 bytes. If it is nil, a random
	// key is drawn: tickets then end with the process, and are not valid in other processes.
	TokenKey []byte

	// TTL is how long an upload in parts or by tus may take, from its beginning: 1 minute to 7
	// days; 0 means DefaultTTL.
	TTL time.Duration
	// MemoryLimit bounds the buffers of all tus uploads at once, in bytes, at least 16 MiB; 0 means
	// DefaultMemoryLimit. A quarter of it is for the requests that send bytes, by any way, each of which takes 32
	// KiB: by default 512 at once. A JSON document above 4 KiB takes its length. A user has at most as many requests
	// as are still free for others: 256 if nobody else sends. If Authorize names no user, the same limit holds for an
	// address of clients (Request.RemoteAddr; in IPv6, a network /64). The rest of the memory is for parts. The parts
	// of one user take at most three times the memory that is free for others. An upload takes at most one part at a
	// time, of 8 MiB for files of up to 78 GiB, and only as its bytes arrive. If the client sends nothing for 2
	// seconds, or if there is no memory, the bytes that have arrived are stored as a segment, which costs one more
	// request. A client for which there is no memory waits for 30 seconds, and then gets 503. A file is too large if
	// its parts exceed the rest of the memory. A client that sends less than 16 KiB in a minute is disconnected; the
	// bytes that it sent count. Of other requests, the bucket may hold eight times as much: up to 8 MiB of each file,
	// and all of a part of the S3 routes that passes through. Such a part has at most twice MemoryLimit.
	MemoryLimit int64

	// States keeps the state of uploads if the bucket has no conditional writes, in a database
	// or another bucket ([BucketStates]). If it is nil, such a bucket leaves them to Records that are States,
	// and any other keeps them itself. All processes must use the same one.
	States States
	// ProxyParts lets all parts of the S3 routes pass through this handler. Without it, only
	// parts do that the store cannot sign.
	ProxyParts bool
	// BaseURL is the public address of the handler, such as "https://example.com/uploads". It
	// is used in addresses of this handler that clients get; "" means it is guessed from the
	// request (Host, X-Forwarded-Proto).
	BaseURL string
	// Origins are the origins whose pages may use the handler (CORS), such as
	// "https://example.com"; "*" stands for all, without cookies. nil means none.
	Origins []string

	// Unguarded accepts a bucket that cannot refuse to overwrite (IfAbsent). If Begin is nil,
	// the S3 routes and tus are then offered only where they work. Keys are
	// unique only because they have 128 random bits. A sender who calls Finish
	// twice at once, and sends other bytes in between, replaces the file of that
	// ticket.
	Unguarded bool

	Now    func() time.Time // nil means time.Now; it dates the end of an upload, for Sweep
	Random io.Reader        // nil means crypto/rand; several goroutines read it at once
}

// Format shows the fields of c that are set, whatever the verb is, and no secrets.
func (c Config) Format(s fmt.State, _ rune) { redact.Fields(s, c, "TokenKey") }

const (
	minTokenKey = 16
	minTTL      = time.Second
	maxTTL      = 7 * 24 * time.Hour // stores drop unfinished uploads after a week

	minSession = time.Minute
	minMemory  = 16 << 20

	defaultMaxFiles = 10
	defaultGrace    = 24 * time.Hour

	// conditions are the features that states and records in a bucket need.
	conditions = storage.ConditionalCreate | storage.ConditionalUpdate
)

func (c *Config) setDefaults(bucket storage.ReadWriter) {
	if states, ok := c.Records.(States); ok && c.States == nil && !storage.Supports(bucket, conditions) {
		c.States = states
	}
	if c.States == nil {
		c.States = bucketStates{bucket}
	}
	if c.Records != nil {
		c.Key = cmp.Or(c.Key, "files/content/{id}{ext}")
	}
	c.Key = cmp.Or(c.Key, DefaultKey)
	c.Grace = cmp.Or(c.Grace, defaultGrace)
	c.LinkTTL = cmp.Or(c.LinkTTL, DefaultLinkTTL)
	c.Prefix = cmp.Or(c.Prefix, DefaultPrefix)
	c.TTL = cmp.Or(c.TTL, DefaultTTL)
	c.MemoryLimit = cmp.Or(c.MemoryLimit, DefaultMemoryLimit)
	c.MaxFiles = cmp.Or(c.MaxFiles, defaultMaxFiles)
	c.BaseURL = strings.TrimSuffix(c.BaseURL, "/")
	c.UploadTTL = cmp.Or(c.UploadTTL, DefaultUploadTTL)
	if c.CacheControl == nil {
		c.CacheControl = map[string]string{"*": "private, max-age=31536000, immutable"}
		if c.Link == PublicLink {
			c.CacheControl["*"] = "public, max-age=31536000, immutable"
		}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Random == nil {
		c.Random = rand.Reader
	}
	if c.TokenKey = slices.Clone(c.TokenKey); c.TokenKey == nil {
		c.TokenKey = []byte(rand.Text())
	}
}

// problem returns the field that is invalid and the rule that it breaks. It is called
// after setDefaults.
func (c *Config) problem() (field, rule string) {
	switch {
	case c.Link < NoLink || c.Link > SignedLink:
		return "Config.Link", "must be NoLink, PublicLink or SignedLink"
	case c.LinkTTL < minTTL || c.LinkTTL > maxTTL:
		return "Config.LinkTTL", "must be from 1 second to 7 days"
	case c.UploadTTL < minTTL || c.UploadTTL > maxTTL:
		return "Config.UploadTTL", "must be from 1 second to 7 days"
	case len(c.TokenKey) < minTokenKey:
		return "Config.TokenKey", "must have at least 16 bytes"
	case c.Authorize == nil && c.Begin != nil:
		return "Config.Authorize", "must not be nil"
	case c.Grace < 0:
		return "Config.Grace", "must not be negative"
	case c.MaxFiles < 1:
		return "Config.MaxFiles", "must be at least 1"
	case c.TTL < minSession || c.TTL > maxTTL:
		return "Config.TTL", "must be from 1 minute to 7 days"
	case c.MemoryLimit < minMemory:
		return "Config.MemoryLimit", "must be at least 16 MiB"
	case !strings.HasSuffix(c.Prefix, "/") || strings.HasPrefix(c.Prefix, "/") || strings.Contains("/"+c.Prefix, "//"),
		strings.Contains("/"+c.Prefix, "/./"),
		strings.Contains("/"+c.Prefix, "/../"),
		len(c.Prefix) > 512,
		strings.ContainsFunc(c.Prefix, func(r rune) bool { return r != '/' && !keypattern.IsSafe(r) }):
		return "Config.Prefix", `must be whole segments of letters, digits, "-", "_" and ".", and end in "/"`
	}
	for _, origin := range c.Origins {
		if u, err := url.Parse(origin); origin != "*" &&
			(err != nil || u.Scheme == "" || u.Host == "" || u.Path != "") {
			return "Config.Origins", `must be as in "https://example.com", or "*"`
		}
	}
	if u, err := url.Parse(c.BaseURL); c.BaseURL != "" &&
		(err != nil || u.Scheme == "" || u.Host == "" || u.RawQuery != "") {
		return "Config.BaseURL", `must be as in "https://example.com/uploads"`
	}
	if err := new(storage.UploadOptions).Apply(storage.WithTags(c.Tags)); err != nil {
		return "Config.Tags", "must be tags that storage.WithTags accepts: " + err.Error()
	}
	if _, here := c.Records.(bucketRecords); here &&
		(strings.HasPrefix(c.Key, recordPrefix) || strings.HasPrefix(c.Key, expiryPrefix)) {
		return "Config.Key", `must not begin with "files/records/" or "files/expiry/", where BucketRecords keeps what it trusts`
	}
	if c.reserves(c.Key) {
		return "Config.Key", `must not begin with Prefix, where objects are removed, nor with the routes "s3/" and "tus/"`
	}
	return "", ""
}

// reserves reports whether no file can have this key: objects under Prefix are removed, and a DELETE of
// the other reserved keys would be the DELETE of an upload.
func (c *Config) reserves(key string) bool {
	return strings.HasPrefix(key, c.Prefix) || strings.HasPrefix(key, "s3/") || strings.HasPrefix(key, "tus/")
}

func (c *Config) cacheControl(mediaType string) string {
	family, _, _ := strings.Cut(mediaType, "/")
	for _, row := range []string{mediaType, family + "/*", "*"} {
		if directives, ok := c.CacheControl[row]; ok {
			return directives
		}
	}
	return ""
}

// A requirement is what the bucket, States or Records must be able to do.
type requirement struct {
	met        bool
	flaw, hint string
}

func (c *Config) requirements(bucket storage.Bucket, looksAtContent bool) []requirement {
	has := func(f storage.Features) bool { return storage.Supports(bucket, f) }
	r, inBucket := c.Records.(bucketRecords)
	return []requirement{
		{
			!inBucket || storage.Supports(r.bucket, conditions), "the bucket of the records cannot write conditionally",
			"keep the records in a database (package sqlrecords), or in a bucket of engine.New or storage.Open that enforces IfAbsent and IfRevision",
		},
		{
			!c.needsSessions() || conditional(c.States),
			"the bucket cannot write conditionally, so two processes could change the state of one upload at once",
			"set Config.States to BucketStates of a bucket that supports IfAbsent and IfRevision, or to a database (package sqlrecords)",
		},
		{
			c.Unguarded || has(storage.ConditionalCreate),
			"the bucket has no IfAbsent, so an upload might overwrite another",
			"set Config.Unguarded to rely only on the 128 random bits of keys",
		},
		{
			c.Link != SignedLink || has(storage.SignedURLs), "the bucket has no signed addresses, for SignedLink",
			"open a local or memory bucket with storage.WithSigningBaseURL",
		},
		{
			!c.PublicRead || has(storage.ObjectACLs), "the bucket has no WithPublicRead, for PublicRead",
			"make the bucket public instead, and leave out Config.PublicRead",
		},
		{
			len(c.Tags) == 0 || has(storage.ObjectTags), "the bucket has no WithTags, for Tags",
			"leave out Config.Tags, or use a bucket with tags",
		},
		{
			!c.needsSessions() || has(storage.OpenUploads),
			"the bucket has no multipart uploads whose parts come in any order",
			"set Config.Unguarded to offer only forms",
		},
		{
			!looksAtContent && (c.Begin != nil || c.Authorize == nil) || has(storage.ContentProperties),
			"the bucket keeps no content types, so a browser could run what users upload", "use a bucket that supports ContentProperties",
		},
	}
}

// needsSessions reports whether the S3 routes and tus must be offered.
func (c *Config) needsSessions() bool { return c.Begin != nil || c.Authorize != nil && !c.Unguarded }
