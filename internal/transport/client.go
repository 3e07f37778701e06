package transport

import "net/http"

// NewClient is the HTTP client of an account: a copy of the one that its user
// gave, with a Transport around its own, or one over a Transport made here, which
// is answered too. No redirect is
// followed that the user's own rule does not follow: a signature is of the first
// host, and the answer's own error tells more.
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
