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
	body        io.Reader // nil means none
	size        int64     // bytes of body
}

// send makes one request and no second one: the core repeats what can be repeated. It returns the
// response if it is a success, and the caller closes its body.
func (d *objectDriver) send(ctx context.Context, r request) (*http.Response, error) {
	address := url.URL{Scheme: "http", Host: d.host, Path: "/" + r.key, RawQuery: r.query.Encode()}
	out, err := http.NewRequestWithContext(ctx, r.method, address.String(), nil)
	if err != nil {
		return nil, driver.NetworkError(err)
	}
	if r.header != nil {
		out.Header = r.header
	}
	if r.body != nil {
		out.Body, out.ContentLength = io.NopCloser(struct{ io.Reader }{r.body}), r.size // only Read is used
	}
	response, err := d.client.Do(out)
	if err != nil {
		return nil, driver.NetworkError(err)
	}
	if response.StatusCode < 200 || response.StatusCode > 299 {
		_ = response.Body.Close()
		return nil, failure(response)
	}
	if response.Header.Get("Server") != "shelf" { // a proxy's login page is a success, too
		_ = response.Body.Close()
		return nil, driver.UnexpectedResponse(response, "it is not from a shelf")
	}
	return response, nil
}

// failure returns the error of a response. The usual codes of statuses are right for this store but
// for one.
func failure(response *http.Response) *storage.Error {
	err := driver.StatusError(response)
	err.Unknown = response.Header.Get("Server") != "shelf"     // a gateway's: it may have come after the effect
	if response.StatusCode == http.StatusUnprocessableEntity { // the body had another checksum than its header
		err.Code = storage.ChecksumMismatch
	}
	return err
}
