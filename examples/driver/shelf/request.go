package shelf

import (
	"context"
	"io"
	"net/http"
	"net/url"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// A request is one HTTP request to the store.
type request struct {
	method, key string
	query       url.Values
	header      http.Header
	body        io.Reader // nil if there is no body
	size        int64     // length of body in bytes
}

// send makes one request. It never retries, because the engine does. If the response is a success,
// send returns it, and the caller must close its body.
func (d *objectDriver) send(ctx context.Context, r request) (*http.Response, error) {
	address := url.URL{Scheme: "http", Host: d.host, Path: "/" + r.key, RawQuery: r.query.Encode()}
	req, err := http.NewRequestWithContext(ctx, r.method, address.String(), nil)
	if err != nil {
		return nil, driver.NetworkError(err)
	}
	if r.header != nil {
		req.Header = r.header
	}
	if r.body != nil {
		// The struct hides all methods except Read.
		req.Body = io.NopCloser(struct{ io.Reader }{r.body})
		req.ContentLength = r.size
	}
	response, err := d.client.Do(req)
	if err != nil {
		return nil, driver.NetworkError(err)
	}
	if response.StatusCode < 200 || response.StatusCode > 299 {
		_ = response.Body.Close()
		return nil, failure(response)
	}
	if response.Header.Get("Server") != "shelf" {
		// Another server has sent it, such as a proxy with a login page.
		_ = response.Body.Close()
		return nil, driver.UnexpectedResponse(response, "it is not from a shelf")
	}
	return response, nil
}

// failure returns the error of a response. The codes of driver.StatusError are right for this store, except for one
// status.
func failure(response *http.Response) *storage.Error {
	err := driver.StatusError(response)
	// A gateway may have sent it after the write took effect.
	err.Unknown = response.Header.Get("Server") != "shelf"
	if response.StatusCode == http.StatusUnprocessableEntity {
		// The body did not match the checksum in its header.
		err.Code = storage.ChecksumMismatch
	}
	return err
}
