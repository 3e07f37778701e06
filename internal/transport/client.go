package transport

import "net/http"

// NewClient returns an HTTP client for the requests to one account. If base is nil, the client uses
// a new Transport, which NewClient also returns. Otherwise the client is a copy of base, and its
// requests pass through a Transport.
//
// If base has no CheckRedirect, the new client does not follow redirects. A second host would
// refuse the request, whose signature is only valid for the first host, and the redirect explains
// the problem better than that refusal.
func NewClient(base *http.Client) (client *http.Client, own *Transport) {
	client = &http.Client{}
	if base != nil {
		*client = *base
		client.Transport = Over(base.Transport)
	} else {
		own = New(Options{})
		client.Transport = own
	}
	if client.CheckRedirect == nil {
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	return client, own
}
