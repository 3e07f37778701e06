package serve

import (
	"net/http"
	"net/url"
	"strings"
)

// WithoutPrefix tells [NewHandler] that a proxy removes the path of the signing base
// address from requests, so that the whole path is the key. Without this option, the
// path that the client sent must begin with that of the base address, with or without
// [http.StripPrefix]. Otherwise the request fails with 404. The handler cannot tell
// the two apart by itself: if a key begins with the path, the same request could mean
// two objects.
func WithoutPrefix() Option {
	return option(func(o *options) { o.withoutPrefix = true })
}

// A mount is the path of the signing base address, with a slash at its end. It is ""
// if a proxy removes the path.
type mount string

func mountOf(baseURL string, o options) mount {
	if o.withoutPrefix {
		return ""
	}
	u, err := url.Parse(baseURL)
	if err != nil {
		return "/" // the root package has parsed it already
	}
	return mount(strings.TrimSuffix(u.Path, "/") + "/")
}

// key returns the key that a request names, the part of its path after the mount. ""
// is the bucket itself. Only the decoded path counts, because browsers and proxies
// escape it differently. It returns false if the path is not under the mount.
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

// asSent returns the path that the client sent, which http.StripPrefix does not
// change. A request that no server has read does not have one.
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
