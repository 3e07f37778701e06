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
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/redact"
	"github.com/omnibucket/storage/uploads/internal/keypattern"
	"github.com/omnibucket/storage/uploads/internal/ledger"
	"github.com/omnibucket/storage/uploads/rules"
)

// A Link says which URL the Location of a [File] has.
type Link int

// The links.
const (
	NoLink     Link = iota // no URL
	PublicLink             // the URL of the object in a public bucket
	SignedLink             // a presigned URL, which works for Config.LinkTTL
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

// Config says who may upload which files, and how they are stored. For a service that only calls
// [Service.Store], the zero value is enough. To serve HTTP requests, set Authorize.
type Config struct {
	// Rules say which files are accepted. The zero value accepts pictures of up to 10 MiB.
	Rules rules.Rules
	// Key is the pattern of the keys under which files are stored. If it is "", DefaultKey is used.
	// The pattern must have exactly one of these three names in braces:
	//
	//   - {random} is replaced by 128 random bits, written as 26 letters and digits.
	//   - {id} is replaced by the time and 128 random bits, written as 36 letters and digits. A
	//     listing then begins with the oldest file.
	//   - {newest} is like {id}, but a listing begins with the newest file ([Newest]).
	//
	// The pattern may also have {yyyy}, {mm} and {dd}, which are the date in UTC. It may end in
	// {ext}, which is the extension that fits the content. It may also have {user} and names that
	// the application chooses. [User] has the values for {user} and the application's names. A
	// segment of the pattern must not have two of these values.
	Key string
	// CacheControl maps a media type such as "image/png", "image/*" or "*" to Cache-Control
	// directives. The most specific match applies. If its value is "", no directives are set. By
	// default, files are immutable and cached for a year, because the content of a key never
	// changes. With PublicLink the default is public, otherwise private.
	CacheControl map[string]string
	// Link says which URL a File has as its Location. LinkTTL is how long the URL of a SignedLink
	// works, from 1 second to 7 days. If LinkTTL is 0, DefaultLinkTTL is used.
	Link    Link
	LinkTTL time.Duration
	// PublicRead lets anyone read each stored file ([storage.WithPublicRead]). Use it with
	// PublicLink in a bucket that is not public itself. Files under Prefix, which are not accepted
	// yet, stay private. The bucket needs [storage.ObjectACLs].
	PublicRead bool
	// Tags are set on each stored file ([storage.WithTags]). Files under Prefix, which are not
	// accepted yet, have no tags. The bucket needs [storage.ObjectTags].
	Tags map[string]string

	// Authorize determines the user from the request's session or token. It is called for every
	// request except those that send bytes to a signed URL of the handler. An upload belongs to the
	// user that began it: for any other user, it does not exist. If Authorize fails, its error
	// determines the response:
	//
	//   - [storage.Unauthenticated] becomes 401, and [storage.PermissionDenied] 403.
	//   - Unavailable, RateLimited, DeadlineExceeded and Canceled become 503 with Retry-After.
	//   - An *Error chooses its own response.
	//   - Any other error becomes 500. Its text is not shown to the client.
	//
	// Authorize must not read the body.
	Authorize func(*http.Request) (User, error)
	// Begin decides whether the user may upload a file by the S3 routes or tus. The [Target] that
	// it returns may choose where the file is stored. If Begin fails, its error becomes a response
	// by the rules of Authorize. If Begin or its Target is nil, the pattern Key makes the key, and
	// Rules decide the attributes.
	Begin func(r *http.Request, user User, n Request) (*Target, error)
	// Inspect checks the content of a file that Rules accept. The file appears under its key only
	// after Inspect has returned nil. A decoder such as image.Decode can read the content from
	// io.NewSectionReader(content, 0, f.Size). Inspect may change f.ContentType.
	//
	// If Inspect returns an *Error, the content is removed, and the *Error is the response. If the
	// *Error has no code, the code is Refused. After any other error, the client may try again.
	//
	// During Inspect, the content is an object under Prefix. The service then copies this object to
	// the key of the file, so an upload takes longer. If Inspect is set, [Service.Sign] fails,
	// because the sender could replace the file of a ticket after Inspect has seen it. A ticket that
	// was signed before Inspect was set can still be finished. Inspect does not see its file.
	// Another TokenKey makes such tickets invalid.
	Inspect func(ctx context.Context, f *File, content *storage.ReaderAt) error
	// Stored is called after a file was stored, whichever protocol stored the file. Stored may set
	// f.Location. For each file, Stored is called at least once, unless the file was removed before
	// the call.
	//
	// If Stored fails, its error determines the response, as an error of Authorize does. If the
	// file came in a form or by [Service.Store], the service then removes the file. With all other
	// protocols, the file stays, and Stored is called again when the client repeats its request.
	// Stored is also called again if the process was killed, and the client repeats its request.
	Stored func(ctx context.Context, f *File) error
	// Removed is called before the bytes of a file under Key are removed. They are removed by
	// DELETE, [Service.Delete], [Service.Remove] and [Service.Sweep], and after Stored has failed.
	// Removed should remove data that was derived from the file, such as thumbnails. It is called
	// at least once for each file, and possibly for a file that no longer exists. If Removed fails,
	// the removal of the file fails too, and the bytes stay until the removal is repeated. If
	// Records is set, Sweep repeats the removal.
	Removed func(ctx context.Context, key string) error
	// Records keeps a record of each file. If Records is nil, files have no records. A record is
	// created after the bytes of the file are stored, and before Stored is called. It is removed
	// before the bytes are removed. So the bytes exist as long as the record exists, even if the
	// process is killed.
	//
	// With Records, Key must consist of fixed text, {id} and perhaps {ext}. If Key is "", the key
	// is "files/content/{id}{ext}". Begin must not return a Target, because a Target has its own
	// key.
	Records Records
	// Allowance returns how much the user may store. It is called when an upload begins. If it
	// fails, its error becomes a response by the rules of Authorize. If Allowance is nil, nothing
	// is counted.
	//
	// When an upload begins, the service reserves the bytes of the file. If the size of the file is
	// not known, the service reserves everything that the rules and the allowance permit. An upload
	// can fail for these reasons:
	//
	//   - The file does not fit into the allowance. The upload fails with OverAllowance.
	//   - The upload outgrows its reservation. An upload of unknown size by tus, pieces or the S3
	//     routes then fails with TooLarge.
	//   - The user has 1,000 unfinished uploads. The upload fails with Busy and the status 429.
	//
	// When the file exists, its bytes are counted. When a file is removed or its upload is
	// abandoned, its bytes become free. After the process was killed, the count may be too high
	// until a Sweep at least ten minutes later. The count of files is never too low. With Records,
	// bytes that a killed call has left without a record are not counted, and Sweep removes them
	// after Grace. A client may continue what it has begun, so a ticket reserves its room until
	// Finish, Cancel or its end, and an upload in several requests until it is complete, aborted or
	// expired.
	//
	// The service counts files by User.ID. If many people share an allowance, such as all users of
	// one customer, Authorize must return the same ID for all of them. Key must have {user}, or
	// Records must be set. Begin must not return a Target.
	//
	// The counts are kept with the state of uploads. If Key changes, the counts begin again from 0.
	// Call [Service.Recount] for all users after the change.
	Allowance func(ctx context.Context, user User) (Allowance, error)
	// Lifetime is how long a file is kept if Target.Lifetime is 0. After this time, [Service.Sweep]
	// removes the file, unless a transaction has made the file permanent (sqlrecords.In). Lifetime
	// needs Records. It must be at least twice TTL, because an upload takes time. If Lifetime is 0,
	// files do not expire.
	Lifetime time.Duration
	// Grace is the age at which Sweep removes bytes that have no record. The age is by the clock of
	// the store. Grace must be longer than the longest upload, because some providers count the age
	// of an object from the start of its upload. If Grace is 0, 24 hours are used.
	Grace time.Duration
	// OnError receives the error behind each 5xx response. The response does not show this error.
	// If OnError is nil, these errors are dropped.
	OnError func(*http.Request, error)
	// MaxFiles limits the number of files in one form. If it is 0, 10 is used.
	MaxFiles int
	// DeleteShared allows DELETE requests even if the pattern Key has no values such as {user}, as
	// is the case for [DefaultKey]. The key of a file then does not say who owns the file, so any
	// user that Authorize admits may delete any file. Without DeleteShared, such a DELETE fails
	// with NotAllowed.
	DeleteShared bool

	// Prefix is a prefix of keys. The service stores files that are not accepted yet under Prefix,
	// and also the state of uploads. With Allowance, what each user has stored is counted beside it,
	// by default under ".uploads-usage/". If you change Prefix, call Service.Recount for each user.
	// Prefix must end in "/". If it is "", DefaultPrefix is used. Only the server may have the right
	// to read objects under Prefix.
	Prefix string
	// UploadTTL is the lifetime of the signed URLs to which clients send files and parts. It is
	// from 1 second to 7 days. If it is 0, DefaultUploadTTL is used. If the upload expires earlier,
	// the URL expires with the upload. The file of a ticket must be sent and finished within
	// UploadTTL plus one day.
	UploadTTL time.Duration
	// TokenKey signs tickets, and has at least 16 bytes. If it is nil, a random key is used.
	// Tickets are then valid only in this process.
	TokenKey []byte

	// TTL is how long an upload in parts or by tus may take from its beginning, between 1 minute
	// and 7 days. If it is 0, DefaultTTL is used.
	TTL time.Duration
	// MemoryLimit is the limit, in bytes, for the memory of all requests that send bytes. It must
	// be at least 16 MiB. If it is 0, DefaultMemoryLimit is used.
	//
	// A quarter of MemoryLimit is for reading the bodies of requests, with any protocol. Each
	// request takes 32 KiB. By default, 512 requests can send bytes at the same time. A request
	// with a JSON document above 4 KiB takes the length of the document instead of 32 KiB.
	//
	// No user can take the whole quarter with several requests. If a user sends several requests,
	// they take at most half of the memory that other users leave. By default, a user can send 256
	// requests at the same time if nobody else sends. If Authorize returns no user, this limit
	// applies to each client address (Request.RemoteAddr, or its /64 network in IPv6).
	//
	// The other three quarters of MemoryLimit are for parts of tus uploads. If a user has several
	// parts, they take at most three quarters of the memory that other users leave. An upload takes
	// memory for at most one part at a time, and only as its bytes arrive. For files of up to
	// 78 GiB, a part has 8 MiB. A file is too large if one of its parts would need more than the
	// memory for all parts.
	//
	// If a client of tus sends nothing for 2 seconds, or if there is no memory, the bytes in memory
	// are stored as a segment, which is a small object. Each segment costs one more request to the
	// store. If there is no memory, a client waits for up to 30 seconds, and then gets 503.
	//
	// A client that sends less than 16 KiB in a minute is disconnected. The bytes that it sent
	// before are kept.
	//
	// With all other protocols, the bucket may buffer bytes in memory. All its buffers together
	// have at most eight times MemoryLimit. The bucket buffers up to 8 MiB of each file. If a part
	// of the S3 routes passes through the handler, the bucket buffers the whole part. The part may
	// have at most twice MemoryLimit.
	MemoryLimit int64

	// States keeps the state of uploads, in a database or in another bucket ([BucketStates]). All
	// processes must use the same States.
	//
	// If States is nil, a bucket with conditional writes keeps the state of its uploads itself. For
	// a bucket without conditional writes, Records keeps the state if it implements [States].
	States States
	// ProxyParts makes all parts of the S3 routes pass through this handler. Otherwise a client
	// sends each part directly to the store, unless the store cannot sign the request.
	ProxyParts bool
	// BaseURL is the public URL of the handler, such as "https://example.com/uploads". It is used
	// in URLs of this handler that clients receive. If it is "", the URL is guessed from the Host
	// and X-Forwarded-Proto of each request.
	BaseURL string
	// Origins lists the origins whose pages may use the handler (CORS), such as
	// "https://example.com". The origin "*" allows all pages, but without cookies. If Origins is
	// empty, only pages of the handler's own origin may use it.
	Origins []string

	// Unguarded accepts a bucket without conditional writes (IfAbsent). In such a bucket, only the
	// 128 random bits of a key keep files from overwriting each other. The sender of a ticket can
	// replace the finished file. To do that, it sends other bytes while one call of Finish runs,
	// and starts a second call.
	//
	// If Begin is nil, Unguarded also accepts a bucket that cannot support the S3 routes and tus.
	// The service then does not offer these protocols.
	Unguarded bool

	Now    func() time.Time // the clock for IDs and for the expiry of uploads; nil means time.Now
	Random io.Reader        // must allow concurrent reads; nil means crypto/rand
}

// Format prints the fields of c that are set, without secrets. The output is the same for all
// verbs.
func (c Config) Format(s fmt.State, _ rune) { redact.Fields(s, c, "TokenKey") }

const (
	minTokenKey = 16
	minTTL      = time.Second
	maxTTL      = 7 * 24 * time.Hour // stores drop unfinished uploads after 7 days

	minSession = time.Minute
	minMemory  = 16 << 20

	defaultMaxFiles = 10
	defaultGrace    = 24 * time.Hour
)

// setDefaults sets the fields that the application has left out, and clones TokenKey.
func (c *Config) setDefaults(bucket storage.ReadWriter) {
	// If the bucket cannot write conditionally, prefer the database of the records.
	recordStates, keepsStates := c.Records.(States)
	if c.States == nil && keepsStates && !storage.Supports(bucket, conditions) {
		c.States = recordStates
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

	// A later change by the application must not change the key.
	c.TokenKey = slices.Clone(c.TokenKey)
	if c.TokenKey == nil {
		// Tokens of this key are valid only until the process ends.
		c.TokenKey = []byte(rand.Text())
	}
}

// opNew is the operation in the errors of [New].
const opNew = "uploads.New"

// validate fails with InvalidArgument if a field is invalid. Call it after setDefaults.
func (c *Config) validate() error {
	if err := c.validateLimits(); err != nil {
		return err
	}
	if err := c.validateTexts(); err != nil {
		return err
	}
	return c.validateKey()
}

// invalidConfig returns the error for a field of a Config that breaks a rule.
func invalidConfig(field, rule string) error { return argument.InvalidFor(opNew, field, rule, "") }

// validateLimits is validate for numbers, functions and the length of TokenKey.
func (c *Config) validateLimits() error {
	if c.Link < NoLink || c.Link > SignedLink {
		return invalidConfig("Config.Link", "must be NoLink, PublicLink or SignedLink")
	}
	if c.LinkTTL < minTTL || c.LinkTTL > maxTTL {
		return invalidConfig("Config.LinkTTL", "must be from 1 second to 7 days")
	}
	if c.UploadTTL < minTTL || c.UploadTTL > maxTTL {
		return invalidConfig("Config.UploadTTL", "must be from 1 second to 7 days")
	}
	if len(c.TokenKey) < minTokenKey {
		return invalidConfig("Config.TokenKey", "must have at least 16 bytes")
	}

	if c.Authorize == nil && c.Begin != nil {
		return invalidConfig("Config.Authorize", "must not be nil")
	}
	if c.Lifetime != 0 && (c.Records == nil || c.Lifetime < 2*c.TTL) {
		return invalidConfig("Config.Lifetime", "must be at least twice Config.TTL, and needs Config.Records")
	}
	if c.Grace < 0 {
		return invalidConfig("Config.Grace", "must not be negative")
	}
	if c.MaxFiles < 1 {
		return invalidConfig("Config.MaxFiles", "must be at least 1")
	}

	if c.TTL < minSession || c.TTL > maxTTL {
		return invalidConfig("Config.TTL", "must be from 1 minute to 7 days")
	}
	if c.MemoryLimit < minMemory {
		return invalidConfig("Config.MemoryLimit", "must be at least 16 MiB")
	}
	return nil
}

// validateTexts is validate for the fields that are texts or tags, except Key.
func (c *Config) validateTexts() error {
	if !isKeyPrefix(c.Prefix) {
		return invalidConfig("Config.Prefix", `must be whole segments of letters, digits, "-", "_" and ".", and end in "/"`)
	}
	for _, origin := range c.Origins {
		if origin != "*" && !isOrigin(origin) {
			return invalidConfig("Config.Origins", `must be as in "https://example.com", or "*"`)
		}
	}
	if c.BaseURL != "" && !isBaseURL(c.BaseURL) {
		return invalidConfig("Config.BaseURL", `must be as in "https://example.com/uploads"`)
	}
	if err := new(storage.UploadOptions).Apply(storage.WithTags(c.Tags)); err != nil {
		return invalidConfig("Config.Tags", "must be tags that storage.WithTags accepts: "+err.Error())
	}
	return nil
}

// validateKey is validate for Key, which must not begin with a prefix that this package uses itself.
func (c *Config) validateKey() error {
	_, recordsInBucket := c.Records.(bucketRecords)
	isRecordKey := strings.HasPrefix(c.Key, recordPrefix) || strings.HasPrefix(c.Key, expiryPrefix)
	if recordsInBucket && isRecordKey {
		return invalidConfig("Config.Key", `must not begin with "files/records/" or "files/expiry/", where BucketRecords keeps what it trusts`)
	}
	_, statesInBucket := c.States.(bucketStates)
	if statesInBucket && c.Allowance != nil && strings.HasPrefix(c.Key, ledger.OldPrefix) {
		return invalidConfig("Config.Key", `must not begin with "files/usage/", where older versions kept the usage of users`)
	}
	if c.reserves(c.Key) {
		return invalidConfig("Config.Key", `must not begin with Prefix, where objects are removed, nor with the routes "s3/" and "tus/"`)
	}
	return nil
}

// validatePattern fails with InvalidArgument if the pattern of Key breaks a rule of another field.
func (c *Config) validatePattern(pattern *keypattern.Pattern) error {
	// Records need keys in the order of the IDs.
	_, isOrdered := pattern.Ordered()
	if c.Records != nil && !isOrdered {
		const rule = "must be fixed text, {id} and perhaps {ext}, if Config.Records is set"
		return argument.InvalidFor(opNew, "Config.Key", rule, "as in files/{id}{ext}")
	}

	// Without records, the keys must show whose files they are.
	hasUser := slices.Contains(pattern.Values, keypattern.User)
	if c.Allowance != nil && c.Records == nil && !hasUser {
		const rule = "must have {user} if Config.Allowance is set without Config.Records"
		return argument.InvalidFor(opNew, "Config.Key", rule, "as in users/{user}/{random}{ext}")
	}
	return nil
}

// isKeyPrefix reports whether prefix consists of whole segments that are safe in a key.
func isKeyPrefix(prefix string) bool {
	const maxLength = 512 // bytes
	if len(prefix) > maxLength || strings.HasPrefix(prefix, "/") {
		return false
	}
	segments, isWhole := strings.CutSuffix(prefix, "/")
	if !isWhole {
		return false
	}
	for segment := range strings.SplitSeq(segments, "/") {
		if segment == "" || segment == "." || segment == ".." {
			return false
		}
		hasUnsafe := strings.ContainsFunc(segment, func(r rune) bool { return !keypattern.IsSafe(r) })
		if hasUnsafe {
			return false
		}
	}
	return true
}

// isOrigin reports whether text is an address with a scheme and a host, and without a path.
func isOrigin(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Scheme != "" && u.Host != "" && u.Path == ""
}

// isBaseURL reports whether text is an address with a scheme and a host, and without a query.
func isBaseURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Scheme != "" && u.Host != "" && u.RawQuery == ""
}

// usagePrefix is the prefix of the counts of the users. It is not below Prefix, because a lifecycle
// rule may remove everything there.
func (c *Config) usagePrefix() string { return strings.TrimSuffix(c.Prefix, "/") + "-usage/" }

// reserves reports whether no file may have the key, because the service needs it.
func (c *Config) reserves(key string) bool {
	// Sweep removes the objects under Prefix, and the counts of users are under usagePrefix. A file under
	// s3/ or tus/ could not be deleted, because its path would be that of an upload.
	for _, prefix := range []string{c.Prefix, c.usagePrefix(), "s3/", "tus/"} {
		if strings.HasPrefix(key, prefix) {
			return true
		}
	}
	return false
}

// cacheControl returns the directives of Config.CacheControl for a media type, for its family, or for all
// types.
func (c *Config) cacheControl(mediaType string) string {
	family, _, _ := strings.Cut(mediaType, "/")
	for _, pattern := range []string{mediaType, family + "/*", "*"} {
		if directives, ok := c.CacheControl[pattern]; ok {
			return directives
		}
	}
	return ""
}

// A requirement is a feature that the configuration needs from the bucket, States or Records. New
// fails with the flaw if the requirement is not met.
type requirement struct {
	met        bool
	flaw, hint string
}

// requirements returns what the configuration needs of the bucket, of the records and of the states. A
// requirement has a flaw and a hint for the error if it is not met.
func (c *Config) requirements(bucket storage.Bucket, looksAtContent bool) []requirement {
	records, recordsInBucket := c.Records.(bucketRecords)

	// If Rules do not look at the content, the service detects no types. The bucket need not keep types if the
	// application chooses them by Begin, or serves no users over HTTP.
	choosesTypes := !looksAtContent && (c.Begin != nil || c.Authorize == nil)

	return []requirement{
		{
			met:  !recordsInBucket || storage.Supports(records.bucket, conditions),
			flaw: "the bucket of the records cannot write conditionally",
			hint: "keep the records in a database (package sqlrecords), or in a bucket of engine.New or storage.Open that enforces IfAbsent and IfRevision",
		},
		{
			met:  !c.needsSessions() || conditional(c.States),
			flaw: "the bucket cannot write conditionally, so two processes could change the state of one upload at once",
			hint: "set Config.States to BucketStates of a bucket that supports IfAbsent and IfRevision, or to a database (package sqlrecords)",
		},
		{
			met:  c.Allowance == nil || conditional(c.States),
			flaw: "the bucket cannot write conditionally, so two processes could use the same room of an allowance",
			hint: "set Config.States to BucketStates of a bucket that supports IfAbsent and IfRevision, or to a database (package sqlrecords)",
		},
		{
			met:  c.Unguarded || storage.Supports(bucket, storage.ConditionalCreate),
			flaw: "the bucket has no IfAbsent, so an upload might overwrite another",
			hint: "set Config.Unguarded to rely only on the 128 random bits of keys",
		},
		{
			met:  c.Link != SignedLink || storage.Supports(bucket, storage.SignedURLs),
			flaw: "the bucket has no signed addresses, for SignedLink",
			hint: "open a local or memory bucket with storage.WithSigningBaseURL",
		},
		{
			met:  !c.PublicRead || storage.Supports(bucket, storage.ObjectACLs),
			flaw: "the bucket has no WithPublicRead, for PublicRead",
			hint: "make the bucket public instead, and leave out Config.PublicRead",
		},
		{
			met:  len(c.Tags) == 0 || storage.Supports(bucket, storage.ObjectTags),
			flaw: "the bucket has no WithTags, for Tags",
			hint: "leave out Config.Tags, or use a bucket with tags",
		},
		{
			met:  !c.needsSessions() || storage.Supports(bucket, storage.OpenUploads),
			flaw: "the bucket has no multipart uploads whose parts come in any order",
			hint: "set Config.Unguarded to offer only forms",
		},
		{
			met:  choosesTypes || storage.Supports(bucket, storage.ContentProperties),
			flaw: "the bucket keeps no content types, so a browser could run what users upload",
			hint: "use a bucket that supports ContentProperties",
		},
	}
}

// needsSessions reports whether the service must offer the S3 routes and tus, so that New fails for a bucket
// that cannot support them.
func (c *Config) needsSessions() bool {
	if c.Begin != nil {
		return true
	}
	return c.Authorize != nil && !c.Unguarded
}

// An Allowance limits how much a user may store. [Config.Allowance] returns it.
type Allowance struct {
	// Bytes limits the total size of the user's files, in bytes. If Bytes is 0, the size is not
	// limited. If Bytes is negative, the user may store no bytes.
	Bytes int64
	// Files limits the number of the user's files. If Files is 0, the number is not limited. If
	// Files is negative, the user may store no files.
	Files int64
}
