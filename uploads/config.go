package uploads

import (
	"crypto/rand"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/omnibucket/storage"
)

// A Link says what address a Result has.
type Link int

// What a Result's URL is.
const (
	NoLink     Link = iota // none
	PublicLink             // where a public bucket serves the object
	SignedLink             // one that works for Config.LinkTTL
)

// The defaults.
const (
	DefaultKey           = "uploads/{yyyy}/{mm}/{random}{ext}"
	DefaultMaxSize       = 10 << 20   // bytes
	DefaultMaxPixels     = 50_000_000 // a camera's largest picture; 200 MB unpacked
	DefaultPendingPrefix = "pending/"
	DefaultLinkTTL       = time.Hour
	DefaultUploadTTL     = 15 * time.Minute
)

// Config says what is taken and how it is kept. The zero value is the defaults.
type Config struct {
	// Types are the media types that are allowed, by content; nil: DefaultTypes.
	// Any that github.com/gabriel-vasile/mimetype knows fits, but what browsers
	// run.
	Types []string
	// MinSize and MaxSize bound a file, in bytes; 0: 1 and DefaultMaxSize.
	MinSize, MaxSize int64
	// MaxPixels bounds width × height of pictures, so that nobody who unpacks
	// them runs out of memory; 0: DefaultMaxPixels. Of animations it bounds one
	// frame.
	MaxPixels int64
	// Key is the pattern of keys; "": DefaultKey. In it stand {random}, 128 bits
	// as 26 letters and digits, which it must have; {ext}, the extension that
	// fits the content, at its end; {yyyy}, {mm} and {dd} in UTC; and names of
	// the application's, one in a segment, which Values fill.
	Key string
	// CacheControl is by media type, "image/*" or "*"; the closest counts, and ""
	// sets none. Nil: a year and immutable, for what is under a key never
	// changes; public for PublicLink, else private.
	CacheControl map[string]string
	// Link says what address a Result has, and LinkTTL how long a signed one
	// works: 1 s to 7 days, 0: DefaultLinkTTL.
	Link    Link
	LinkTTL time.Duration
	// PublicRead makes each file that is kept readable by anyone
	// (storage.WithPublicRead), for PublicLink in a bucket that is not public
	// itself. What waits under PendingPrefix is not made public. The bucket needs
	// storage.ObjectACL.
	PublicRead bool

	// PendingPrefix is where signed uploads wait until Finish; "":
	// DefaultPendingPrefix. Whole segments that end in "/".
	PendingPrefix string
	// UploadTTL is how long a signed upload may be begun: 1 s to 7 days, 0:
	// DefaultUploadTTL.
	UploadTTL time.Duration
	// TokenKey signs tickets, at least 16 bytes. Nil: drawn at random, so that
	// tickets end with the process and mean nothing to its siblings.
	TokenKey []byte

	// Unguarded takes a bucket that cannot refuse to overwrite (IfAbsent). Keys
	// are still unique by their 128 bits, but nothing proves it; and who calls
	// Finish twice at the same moment, and sends other bytes between, replaces the
	// file of his ticket.
	Unguarded bool

	Now    func() time.Time // nil: time.Now
	Random io.Reader        // nil: crypto/rand's; read by several goroutines at once
}

const (
	minTokenKey = 16
	minTTL      = time.Second
	maxTTL      = 7 * 24 * time.Hour
)

// fill sets the defaults.
func (c *Config) setDefaults() {
	setDefault(&c.MinSize, 1)
	setDefault(&c.MaxSize, DefaultMaxSize)
	setDefault(&c.MaxPixels, DefaultMaxPixels)
	setDefault(&c.Key, DefaultKey)
	setDefault(&c.LinkTTL, DefaultLinkTTL)
	setDefault(&c.PendingPrefix, DefaultPendingPrefix)
	setDefault(&c.UploadTTL, DefaultUploadTTL)
	if c.Types == nil {
		c.Types = DefaultTypes()
	}
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
}

func setDefault[T comparable](to *T, value T) {
	var zero T
	if *to == zero {
		*to = value
	}
}

// flaw is the field that makes no sense, and the rule that it breaks; c has been
// filled.
func (c *Config) problem() (field, rule string) {
	switch {
	case len(c.Types) == 0:
		return "Config.Types", "must have a type, or be nil"
	case c.MinSize < 1 || c.MaxSize < c.MinSize:
		return "Config.MinSize and MaxSize", "must be bounds from 1 on, the smaller first"
	case c.MaxPixels < 1:
		return "Config.MaxPixels", "must be at least 1"
	case c.Link < NoLink || c.Link > SignedLink:
		return "Config.Link", "must be NoLink, PublicLink or SignedLink"
	case c.LinkTTL < minTTL || c.LinkTTL > maxTTL:
		return "Config.LinkTTL", "must be from 1 second to 7 days"
	case c.UploadTTL < minTTL || c.UploadTTL > maxTTL:
		return "Config.UploadTTL", "must be from 1 second to 7 days"
	case c.TokenKey != nil && len(c.TokenKey) < minTokenKey:
		return "Config.TokenKey", "must have at least 16 bytes"
	}
	if p, rule := parsePattern(c.PendingPrefix + "{random}"); rule != "" || len(p.values) > 0 || !strings.HasSuffix(c.PendingPrefix, "/") {
		return "Config.PendingPrefix", `must be whole segments of letters, digits, "-", "_" and ".", and end in "/"`
	}
	if strings.HasPrefix(c.Key, c.PendingPrefix) {
		return "Config.Key", "must not begin with PendingPrefix: what is there is cleared away"
	}
	return "", ""
}

// cacheControl is that of the closest row.
func (c *Config) cacheControl(mediaType string) string {
	family, _, _ := strings.Cut(mediaType, "/")
	for _, row := range []string{mediaType, family + "/*", "*"} {
		if directives, ok := c.CacheControl[row]; ok {
			return directives
		}
	}
	return ""
}

// needed are the features that the bucket has to have, and what for.
func (c *Config) requirements() []requirement {
	needs := []requirement{}
	if !c.Unguarded {
		needs = append(needs, requirement{storage.ConditionalCreate, "IfAbsent, without which an upload might overwrite another",
			"set Config.Unguarded to rely on keys of 128 random bits alone"})
	}
	if c.Link == SignedLink {
		needs = append(needs, requirement{storage.SignURLs, "signed addresses, for SignedLink",
			"a local or memory bucket needs storage.WithSigningBaseURL"})
	}
	if c.PublicRead {
		needs = append(needs, requirement{storage.ObjectACL, "WithPublicRead, for PublicRead",
			"make the bucket public instead, and leave out Config.PublicRead"})
	}
	return slices.Clip(needs)
}

type requirement struct {
	feature    storage.Features
	what, hint string
}
