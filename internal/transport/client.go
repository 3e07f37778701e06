package transport

import "net/http"

// NewClient returns an HTTP client for the requests to one account. If given is nil, the client
// uses a new Transport, which NewClient also returns. Otherwise the client is a copy of given whose
// requests pass through a Transport.
//
// If given has no CheckRedirect, the client does not follow redirects. The signature of a request
// is only valid for the first host, and the response of that host explains the problem better than
// a refusal by a second host.
func NewClient(given *http.Client) (client *http.Client, own *Transport) {
	client = &http.Client{}
	if given != nil {
		*client = *given
		client.Transport = Over(given.Transport)
	} else {
		own = New(Options{})
		client.Transport = own
	}
	if client.CheckRedirect == nil {
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	return client, own
}
