package transport

import "net/http"

// NewClient returns the HTTP client of an account. It is a copy of given, with a Transport
// around the transport of given. If given is nil, it is a new client, and own is its Transport.
// The client follows redirects only if given has its own rule for them, because a signature is
// for the first host and the error of the response says more.
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
