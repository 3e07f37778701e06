package gcs

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"google.golang.org/api/googleapi"

	"github.com/omnibucket/storage/internal/escape"
	"github.com/omnibucket/storage/internal/invalid"
)

const (
	maxErrorBody    = 64 << 10 // bytes of an answer that says no: what follows is not the server's own
	maxResourceBody = 1 << 20  // bytes of an object's attributes
)

// errCutOff is of an answer that says yes and ends too early.
var errCutOff = errors.New("the answer broke off")

// request is one that this package makes itself: with its context, to an
// address below the server's root.
func (a *account) request(ctx context.Context, method, address string, body io.Reader, size int64) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, method, a.root()+address, body)
	if err != nil {
		return nil, invalid.Argument("key", "makes no address", "")
	}
	r.ContentLength = size
	if size == 0 {
		r.Body = http.NoBody
	}
	return r, nil
}

// A requestError is why a request of ours got no answer, without the address,
// which may be a session's.
type requestError struct{ err error }

func (e *requestError) Error() string { return e.err.Error() }

func (e *requestError) Unwrap() error { return e.err }

// send makes a request; an answer that is none of accepted is an error.
func (a *account) send(r *http.Request, accepted ...int) (*http.Response, error) {
	response, err := a.http.Do(r)
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			err = wrapped.Err
		}
		return nil, &requestError{err}
	}
	for _, status := range accepted {
		if response.StatusCode == status {
			return response, nil
		}
	}
	return nil, errorFromResponse(response)
}

// refused is the error that an answer is; its body is read and closed.
func errorFromResponse(response *http.Response) error {
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode < 300 {
		return fmt.Errorf("%w: status %d was not expected", errCutOff, response.StatusCode)
	}
	whole := *response
	whole.Body = io.NopCloser(io.LimitReader(response.Body, maxErrorBody))
	err := googleapi.CheckResponse(&whole)
	var e *googleapi.Error
	if errors.As(err, &e) && e.Message == "" {
		addXMLError(e)
	}
	return err
}

// readXML takes in what the XML API says of an error.
func addXMLError(e *googleapi.Error) {
	var document struct{ Code, Message, Details string }
	if xml.Unmarshal([]byte(e.Body), &document) != nil || document.Code == "" {
		return
	}
	e.Message = document.Message
	if document.Details != "" {
		e.Message += " " + document.Details
	}
	e.Errors = []googleapi.ErrorItem{{Reason: document.Code, Message: e.Message}}
}

// readResource is the object's resource that an answer to a write is.
func readResource(response *http.Response) (*resource, error) {
	defer func() { _ = response.Body.Close() }()
	var o resource
	if err := json.NewDecoder(io.LimitReader(response.Body, maxResourceBody)).Decode(&o); err != nil {
		return nil, fmt.Errorf("%w: %w", errCutOff, err)
	}
	if o.Generation == "" {
		return nil, errCutOff
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, maxErrorBody)) // so that the connection can be used again
	return &o, nil
}

// objectAddress is the object's in the XML API, which serves bytes and all
// attributes with one request.
func (d *driver) objectPath(key string) string {
	return "/" + escape.Key(d.bucket) + "/" + escape.Key(key)
}

// uploadAddress is where the JSON API takes a new object.
func (d *driver) uploadPath(query url.Values) string {
	return "/upload/storage/v1/b/" + escape.Key(d.bucket) + "/o?" + query.Encode()
}
