package sdkerror

import (
	"net/http"
	"net/url"

	"github.com/omnibucket/storage"
)

const maxHost = 255 // largest number of bytes of a host that a hint shows

// Redirect returns the meaning of a redirect that something other than the store has sent: a proxy
// that requires https, a login page, or a host that has moved. Drivers do not follow such a
// redirect, because the signature is only valid for the original host. ok is false if status is not
// a redirect.
func Redirect(status int, header http.Header) (m Meaning, ok bool) {
	if status < http.StatusMultipleChoices || status >= http.StatusBadRequest || status == http.StatusNotModified {
		return m, false
	}
	m = Meaning{Code: storage.InvalidArgument, Hint: "the endpoint redirects: check endpoint="}
	if target, err := url.Parse(header.Get("Location")); err == nil && target.Host != "" && len(target.Host) <= maxHost {
		m.Hint = "the endpoint redirects to " + (&url.URL{Scheme: target.Scheme, Host: target.Host}).String() + ": check endpoint="
	}
	return m, true
}
