package kms

import (
	"net/http"

	"github.com/omnibucket/storage/driver"
)

// maxResponse is how many bytes of a response are read. True ones have a few thousand.
const maxResponse = 1 << 20

// Client returns a client for a service: one of its own, or a copy of given. It follows no redirect, which would
// take the token of a session along, and reads no response without end.
func Client(given *http.Client) *http.Client {
	client := http.Client{Transport: driver.NewTransport(driver.TransportOptions{})}
	if given != nil {
		client = *given
		client.Transport = driver.WrapTransport(client.Transport)
	}
	client.Transport = bounded{client.Transport}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &client
}

type bounded struct{ over http.RoundTripper }

// RoundTrip implements [http.RoundTripper].
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := b.over.RoundTrip(r)
	if err == nil {
		response.Body = http.MaxBytesReader(nil, response.Body, maxResponse)
	}
	return response, err
}
