package uploads

import (
	"crypto/rand"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads/rules"
)

// A Link says which URL a [Result] has.
type Link int

// The links.
const (
	NoLink     Link = iota // no URL
	PublicLink             // the URL where a public bucket serves the object
	SignedLink             // a signed URL that works for Config.LinkTTL
)

// The defaults.
const (
	DefaultKey           = "uploads/{yyyy}/{mm}/{random}{ext}"
	DefaultPendingPrefix = "pending/"
	DefaultLinkTTL       = time.Hour
	DefaultUploadTTL     = 15 * time.Minute
	DefaultPartsFrom     = 100 << 20 // bytes
)

// Config says which files are accepted and how they are stored. The zero value has
// the defaults.
type Config struct {
	// Rules say which files are accepted. The zero value is for pictures of 10 MiB.
	Rules rules.Rules
	// Key is the pattern of keys; "": DefaultKey. It must have {random}, which stands
	// for 128 bits as 26 letters and digits. It may have {yyyy}, {mm} and {dd}, in
	// UTC, and {ext} at its end, the extension that fits the content. Other names in
	// braces, at most one in a segment, are filled by [Values].
	Key string
	// CacheControl maps a media type, "image/*" or "*" to directives. The closest
	// match applies, and "" sets none. By default it is a year and immutable, because
	// the content of a key never changes: public for PublicLink, otherwise private.
	CacheControl map[string]string
	// Link says which URL a Result has, and LinkTTL how long a signed one works: 1 s
	// to 7 days, 0: DefaultLinkTTL.
	Link    Link
	LinkTTL time.Duration
	// PublicRead makes each stored file readable by anyone
	// ([storage.WithPublicRead]). It is for PublicLink in a bucket that is not public
	// itself. Files that wait under PendingPrefix stay private. The bucket needs
	// [storage.ObjectACLs].
	PublicRead bool
	// Tags are the tags of each stored file ([storage.WithTags]). Files that wait under
	// PendingPrefix have none. The bucket needs [storage.ObjectTags].
	Tags map[string]string

	// PendingPrefix is where signed uploads wait for Finish; "":
	// DefaultPendingPrefix. It has whole segments and ends in "/".
	PendingPrefix string
	// UploadTTL is how long a signed upload may start: 1 s to 7 days, 0:
	// DefaultUploadTTL. For a file in parts, that is each part. The whole file must arrive
	// and be finished within a day after UploadTTL.
	UploadTTL time.Duration
	// PartsFrom is the length from which a signed upload is in parts ([Ticket]), in bytes;
	// 0: DefaultPartsFrom. If it is negative, or if the bucket cannot sign parts
	// ([storage.SignedParts]), every file is one request, of at most 5 GiB on S3.
	PartsFrom int64
	// TokenKey signs and encrypts tickets and has at least 16 bytes. If it is nil, a random
	// key is drawn: tickets then end with the process, and are not valid in other processes.
	TokenKey []byte

	// Unguarded accepts a bucket that cannot refuse to overwrite (IfAbsent). Keys are
	// then unique only because they have 128 random bits. A sender who calls Finish
	// twice at once, and sends other bytes in between, replaces the file of that
	// ticket.
	Unguarded bool

	Now    func() time.Time // nil: time.Now
	Random io.Reader        // nil: crypto/rand; several goroutines read it at once
}

const (
	minTokenKey = 16
	minTTL      = time.Second
	maxTTL      = 7 * 24 * time.Hour
)

// setDefaults sets the defaults.
func (c *Config) setDefaults() {
	setDefault(&c.Key, DefaultKey)
	setDefault(&c.LinkTTL, DefaultLinkTTL)
	setDefault(&c.PendingPrefix, DefaultPendingPrefix)
	setDefault(&c.UploadTTL, DefaultUploadTTL)
	setDefault(&c.PartsFrom, DefaultPartsFrom)
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
	case c.TokenKey != nil && len(c.TokenKey) < minTokenKey:
		return "Config.TokenKey", "must have at least 16 bytes"
	}
	if err := new(storage.UploadOptions).Apply(storage.WithTags(c.Tags)); err != nil {
		return "Config.Tags", "must be tags that storage.WithTags accepts: " + err.Error()
	}
	if p, rule := parsePattern(c.PendingPrefix + "{random}"); rule != "" || len(p.values) > 0 || !strings.HasSuffix(c.PendingPrefix, "/") {
		return "Config.PendingPrefix", `must be whole segments of letters, digits, "-", "_" and ".", and end in "/"`
	}
	if strings.HasPrefix(c.Key, c.PendingPrefix) {
		return "Config.Key", "must not begin with PendingPrefix, where objects are removed"
	}
	return "", ""
}

// cacheControl returns the directives of the closest match.
func (c *Config) cacheControl(mediaType string) string {
	family, _, _ := strings.Cut(mediaType, "/")
	for _, row := range []string{mediaType, family + "/*", "*"} {
		if directives, ok := c.CacheControl[row]; ok {
			return directives
		}
	}
	return ""
}

// requirements returns the features that the bucket must have, and their purpose.
func (c *Config) requirements() []requirement {
	needs := []requirement{}
	if !c.Unguarded {
		needs = append(needs, requirement{storage.ConditionalCreate, "IfAbsent, so an upload might overwrite another",
			"set Config.Unguarded to rely only on the 128 random bits of keys"})
	}
	if c.Link == SignedLink {
		needs = append(needs, requirement{storage.SignedURLs, "signed addresses, for SignedLink",
			"open a local or memory bucket with storage.WithSigningBaseURL"})
	}
	if c.PublicRead {
		needs = append(needs, requirement{storage.ObjectACLs, "WithPublicRead, for PublicRead",
			"make the bucket public instead, and leave out Config.PublicRead"})
	}
	if len(c.Tags) > 0 {
		needs = append(needs, requirement{storage.ObjectTags, "WithTags, for Tags",
			"leave out Config.Tags, or use a bucket with tags"})
	}
	return slices.Clip(needs)
}

type requirement struct {
	feature    storage.Features
	what, hint string
}
