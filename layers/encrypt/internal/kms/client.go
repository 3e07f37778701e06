package kms

import (
	"net/http"

	"github.com/omnibucket/storage/driver"
)

// maxResponse is the largest size of a response in bytes. A service's responses have a few thousand
// bytes.
const maxResponse = 1 << 20

// Client returns a copy of base or, if that is nil, a new client. The client follows no redirect, which
// would send the token of a session to another host, and reads at most maxResponse bytes of a response.
func Client(base *http.Client) *http.Client {
	client := http.Client{Transport: driver.NewTransport(driver.TransportOptions{})}
	if base != nil {
		client = *base
		client.Transport = driver.WrapTransport(client.Transport)
	}
	client.Transport = bounded{client.Transport}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &client
}

type bounded struct{ over http.RoundTripper }

// RoundTrip limits the body of the response to maxResponse bytes. It implements [http.RoundTripper].
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := b.over.RoundTrip(r)
	if err == nil {
		response.Body = http.MaxBytesReader(nil, response.Body, maxResponse)
	}
	return response, err
}
