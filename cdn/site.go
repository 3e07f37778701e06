package cdn

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/escape"
	"github.com/omnibucket/storage/internal/objectkey"
)

// A site is the address at which a CDN serves a bucket.
type site struct {
	provider string
	base     string // ends in "/"
	host     string // without port
	path     string // escaped path of base
	now      func() time.Time

	forwards    bool   // whether the CDN passes parameters of S3 to the store
	forwardHint string // hint for an option that needs parameters which the CDN does not pass on
	unescaped   bool   // true if the CDN can sign only keys that need no escape
}

// newSite returns the site for a base URL. Since the URL may become part of a policy in JSON, it must
// have no wildcards of a policy, and no characters that JSON escapes.
func newSite(provider, base string) (site, error) {
	u, err := url.Parse(base)
	if err != nil || !isWebAddress(u) || strings.ContainsAny(base, "?#") {
		return site{}, argument.Invalid("Config.BaseURL",
			"must be an http or https address without user, query or fragment", "")
	}
	if strings.ContainsFunc(base, func(r rune) bool { return !isPlain(r) && r != '%' }) {
		return site{}, argument.Invalid("Config.BaseURL", `must have only letters, digits and "-._~/:[]%"`,
			"escape other characters of its path")
	}
	if prefix := strings.Trim(u.Path, "/"); prefix != "" && objectkey.Rule(prefix) != "" {
		return site{}, argument.Invalid("Config.BaseURL", `must not have a path with a segment "." or ".."`, "")
	}

	return site{
		provider: provider,
		base:     strings.TrimSuffix(base, "/") + "/",
		host:     u.Hostname(),
		path:     strings.TrimSuffix(u.EscapedPath(), "/") + "/",
		now:      time.Now,
	}, nil
}

// isWebAddress reports whether u is an http or https address with a host and without a user.
func isWebAddress(u *url.URL) bool {
	if u.Scheme != "http" && u.Scheme != "https" {
		return false
	}
	return u.Hostname() != "" && u.User == nil
}

// isPlain reports whether a character of a base URL has no special meaning in a URL or in a policy.
func isPlain(r rune) bool {
	isLetter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
	isDigit := '0' <= r && r <= '9'
	return isLetter || isDigit || strings.ContainsRune("-._~/:[]", r)
}

// format writes only the base URL, because the other fields of a signer are secrets.
func (s *site) format(f fmt.State) { _, _ = fmt.Fprintf(f, "{BaseURL:%s}", s.base) }

// address returns the URL of an object.
func (s *site) address(key string) string { return s.base + escape.Path(key) }

// cookie returns a cookie that browsers send with requests for objects below a prefix.
func (s *site) cookie(domain, prefix, name, value string) *http.Cookie {
	return &http.Cookie{
		Name:     name,
		Value:    value,
		Domain:   domain,
		Path:     s.path + escape.Path(prefix),
		Secure:   true,
		HttpOnly: true,
		SameSite: http.SameSiteLaxMode,
	}
}

// cookieDomain returns the domain of cookies: the configured one or, if that is empty, the host. It
// fails for a domain that the host does not belong to, because browsers would never send such cookies
// to the CDN.
func (s *site) cookieDomain(configured string) (string, error) {
	if configured == "" {
		return s.host, nil
	}

	host := strings.ToLower(s.host)
	domain := strings.ToLower(strings.TrimPrefix(configured, "."))
	if domain != "" && (host == domain || strings.HasSuffix(host, "."+domain)) {
		return domain, nil
	}
	return "", argument.Invalid("Config.CookieDomain", "must be the host of BaseURL, or a domain that it belongs to", "")
}

// checkKey returns an error if an object cannot have a URL at the CDN.
func (s *site) checkKey(op, key string) error {
	return s.check(op, key, "key", objectkey.Rule(key))
}

// checkPrefix fails if a prefix cannot be signed. It must not end within a name, because users/4 would
// also permit users/42/.
func (s *site) checkPrefix(op, prefix string) error {
	if prefix == "" {
		return nil
	}
	rule := objectkey.Rule(prefix)
	if !strings.HasSuffix(prefix, "/") {
		rule = `must be "" or end in "/"`
	}
	return s.check(op, prefix, "prefix", rule)
}

// check fails if a key or prefix breaks a rule, or cannot be signed. rule is "" if it breaks none, and
// name is that of the argument.
func (s *site) check(op, key, name, rule string) error {
	if rule != "" {
		return s.located(op, key, argument.Invalid(name, rule, ""))
	}
	if s.unescaped && escape.Path(key) != key {
		return s.unsupported(op, key, "a key with characters that a URL escapes", "")
	}
	return nil
}

// unsupported returns the error for an option or key that the CDN cannot sign, which what names.
func (s *site) unsupported(op, key, what, hint string) error {
	return s.located(op, key, &storage.Error{
		Code: storage.Unsupported,
		Err:  errors.New("the CDN cannot sign " + what),
		Hint: hint,
	})
}

// located adds the operation, the CDN and the key to e, and returns it.
func (s *site) located(op, key string, err *storage.Error) *storage.Error {
	err.Op = op
	err.Provider = s.provider
	err.Key = key
	return err
}
