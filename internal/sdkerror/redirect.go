package sdkerror

import (
	"net/http"
	"net/url"

	"github.com/omnibucket/storage"
)

const maxHost = 255 // largest number of bytes of a host that a hint shows

// Redirect returns the meaning of a redirect, or false for another status.
//
// Something other than the store sends a redirect, such as a login page. Drivers do not follow it,
// because the signature is only valid for the original host.
func Redirect(status int, header http.Header) (m Meaning, ok bool) {
	is3xx := status >= http.StatusMultipleChoices && status < http.StatusBadRequest
	if !is3xx || status == http.StatusNotModified {
		return m, false
	}

	m = Meaning{Code: storage.InvalidArgument, Hint: "the endpoint redirects: check endpoint="}
	target, err := url.Parse(header.Get("Location"))
	if err != nil || target.Host == "" || len(target.Host) > maxHost {
		return m, true
	}

	// The rest of the address may have secrets.
	host := url.URL{Scheme: target.Scheme, Host: target.Host}
	m.Hint = "the endpoint redirects to " + host.String() + ": check endpoint="
	return m, true
}
