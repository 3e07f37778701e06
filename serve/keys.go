package serve

import (
	"net/http"
	"net/url"
	"strings"
)

// A mount is where the handler answers: the path of the signing base address,
// with a slash at its end.
type mount string

func mountOf(baseURL string) mount {
	u, err := url.Parse(baseURL)
	if err != nil {
		return "/" // the core has read it before
	}
	return mount(strings.TrimSuffix(u.Path, "/") + "/")
}

// key is the object that a request names: what its path has behind the mount; ""
// is the bucket itself. Only how the path decodes counts: browsers and proxies
// escape it again, each in its own way. http.StripPrefix leaves RequestURI as it
// was; where a proxy has taken the prefix away before, the rest is the key.
func (m mount) key(r *http.Request) string {
	if u, err := url.ParseRequestURI(r.RequestURI); err == nil {
		if key, ok := m.under(u.Path); ok {
			return key
		}
	}
	if key, ok := m.under(r.URL.Path); ok {
		return key
	}
	return strings.TrimPrefix(r.URL.Path, "/")
}

func (m mount) under(path string) (string, bool) {
	if path+"/" == string(m) {
		return "", true
	}
	return strings.CutPrefix(path, string(m))
}
