package sdkerror

import (
	"net/http"
	"net/url"

	"github.com/omnibucket/storage"
)

const maxHost = 255 // bytes of a host that a hint shows, with its port

// Redirect returns the meaning of a redirect that the store itself has not sent: of a proxy that wants https, of a
// login page, of a host that has moved. No driver follows one, because the signature is for the first host. ok is
// false for any other status.
func Redirect(status int, header http.Header) (m Meaning, ok bool) {
	if status < http.StatusMultipleChoices || status >= http.StatusBadRequest || status == http.StatusNotModified {
		return m, false
	}
	m = Meaning{Code: storage.InvalidArgument, Hint: "the endpoint redirects: check endpoint="}
	if to, err := url.Parse(header.Get("Location")); err == nil && to.Host != "" && len(to.Host) <= maxHost {
		m.Hint = "the endpoint redirects to " + (&url.URL{Scheme: to.Scheme, Host: to.Host}).String() + ": check endpoint="
	}
	return m, true
}
