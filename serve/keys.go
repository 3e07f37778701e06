package serve

import (
	"net/http"
	"net/url"
	"strings"
)

// WithoutPrefix tells NewHandler that requests arrive without the path of the
// signing base address, because a proxy has taken it away: what they have is the
// key then, and nothing else. Without this option a request has that path, as the
// client sent it, whether or not http.StripPrefix stands before the handler; one
// that has it not is 404. The two cannot be told apart by looking: where keys may
// begin with the path itself, the same request would mean two objects.
func WithoutPrefix() Option {
	return option(func(o *options) { o.withoutPrefix = true })
}

// A mount is where the handler answers: the path of the signing base address,
// with a slash at its end; "" where that has been taken away.
type mount string

func mountOf(baseURL string, o options) mount {
	if o.withoutPrefix {
		return ""
	}
	u, err := url.Parse(baseURL)
	if err != nil {
		return "/" // the core has read it before
	}
	return mount(strings.TrimSuffix(u.Path, "/") + "/")
}

// key is the object that a request names: what its path has behind the mount; ""
// is the bucket itself. Only how the path decodes counts: browsers and proxies
// escape it again, each in its own way. It is false where the path is not under
// the mount: what else it may mean is not guessed.
func (m mount) key(r *http.Request) (string, bool) {
	if m == "" {
		return strings.TrimPrefix(r.URL.Path, "/"), true
	}
	path := asSent(r)
	if path+"/" == string(m) {
		return "", true
	}
	return strings.CutPrefix(path, string(m))
}

// asSent is the path that came over the wire: http.StripPrefix leaves it. A
// request that no server has read has none.
func asSent(r *http.Request) string {
	if r.RequestURI == "" {
		return r.URL.Path
	}
	u, err := url.ParseRequestURI(r.RequestURI)
	if err != nil {
		return ""
	}
	return u.Path
}
