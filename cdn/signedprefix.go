package cdn

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/omnibucket/storage/internal/argument"
)

// A SignedPrefix lets its holder read every object below a prefix, until it expires. Use it for a
// video of many segments, or for a gallery. The cookies and the URLs give the same permission. If a
// SignedPrefix is formatted as text or JSON, the result has no signature.
//
// The CDN only compares the beginning of a path with the prefix. For this reason, the origin must
// not resolve ".." in paths. Object stores never resolve "..".
type SignedPrefix struct {
	Prefix    string    `json:"prefix"`    // "" or a prefix that ends in "/"
	ExpiresAt time.Time `json:"expiresAt"` // UTC
	// Set these cookies by [http.SetCookie]. The host that sets them must be in the same cookie
	// domain as the CDN. The cookies are Secure and HttpOnly, have SameSite=Lax, and end with the
	// browser's session. For Bunny, which reads no cookies, the slice is nil.
	Cookies []*http.Cookie `json:"-"`

	site  *site
	query string
}

// URL returns the signed URL of an object below the prefix. A player may append the query of this URL
// to the URLs of other objects below the prefix. It fails with InvalidArgument if key is not valid, or
// does not begin with the prefix.
func (p *SignedPrefix) URL(key string) (string, error) {
	const op = "SignedPrefix.URL"
	if err := p.site.checkKey(op, key); err != nil {
		return "", err
	}
	if !strings.HasPrefix(key, p.Prefix) {
		return "", p.site.located(op, key, argument.Invalid("key", "must begin with the prefix", ""))
	}
	return p.site.address(key) + "?" + p.query, nil
}

// Format writes the prefix and the expiry, and no signature. It ignores the verb.
func (p SignedPrefix) Format(s fmt.State, _ rune) {
	_, _ = fmt.Fprintf(s, "{Prefix:%q ExpiresAt:%s}", p.Prefix, p.ExpiresAt.Format(time.RFC3339))
}
