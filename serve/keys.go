package serve

import (
	"net/http"
	"net/url"
	"strings"
)

// WithoutPrefix tells [NewHandler] that a proxy removes the path of the signing base URL from
// requests. The whole path of a request is then the key.
//
// Without this option, the path that the client sent must begin with the path of the base URL. A
// request with another path fails with 404. [http.StripPrefix] has no effect on this rule, because
// the handler reads the original path.
//
// The handler cannot detect whether a proxy has removed the path of the base URL, because a key may
// itself begin with that path.
func WithoutPrefix() Option {
	return option(func(o *options) {
		o.removesPrefix = true
	})
}

// A mount is the path of the signing base URL, with a slash at its end. If a proxy removes that
// path, the mount is "".
type mount string

// mountOf returns the path of a signing base URL, below which the handler responds. It returns "" if a
// proxy removes that path from each request.
func mountOf(baseURL string, o options) mount {
	if o.removesPrefix {
		return ""
	}
	u, err := url.Parse(baseURL)
	if err != nil {
		// This cannot happen, because the bucket has already parsed the URL.
		return "/"
	}
	return mount(strings.TrimSuffix(u.Path, "/") + "/")
}

// key returns the key in the path of a request, or "" for the bucket itself. It returns false if the
// path is not below the mount. The path is the decoded one, because browsers and proxies escape
// paths differently.
func (m mount) key(r *http.Request) (key string, ok bool) {
	if m == "" {
		return strings.TrimPrefix(r.URL.Path, "/"), true
	}

	path := sentPath(r)
	if path+"/" == string(m) {
		return "", true
	}
	return strings.CutPrefix(path, string(m))
}

// sentPath returns the path that the client sent, even if http.StripPrefix has changed r.URL.
func sentPath(r *http.Request) string {
	if r.RequestURI == "" {
		// The request did not come from an http.Server.
		return r.URL.Path
	}
	u, err := url.ParseRequestURI(r.RequestURI)
	if err != nil {
		return ""
	}
	return u.Path
}
