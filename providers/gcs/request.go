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
	"slices"

	"google.golang.org/api/googleapi"

	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/escape"
)

const (
	maxErrorBody    = 64 << 10 // bytes of an error response; Google's own error responses are shorter
	maxResourceBody = 1 << 20  // bytes of an object's attributes
)

// userProjectHeader is the header that names the project to bill. In the JSON API, the parameter
// userProject takes precedence over the header.
const userProjectHeader = "X-Goog-User-Project"

// errCutOff is the error if a successful response is incomplete.
var errCutOff = errors.New("the response was cut off")

// request returns a request to the server. path is the escaped path, with the query. size is the
// length of the body.
func (a *account) request(
	ctx context.Context, method, path string, body io.Reader, size int64,
) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, a.root()+path, body)
	if err != nil {
		return nil, argument.Invalid("key", "must be valid in a URL", "")
	}
	req.ContentLength = size
	if size == 0 {
		// net/http would send a body of an unknown length.
		req.Body = http.NoBody
	}
	return req, nil
}

// A requestError is the error for a request without a response. It omits the URL,
// which may be that of a session.
type requestError struct{ err error }

func (e *requestError) Error() string { return e.err.Error() }

func (e *requestError) Unwrap() error { return e.err }

// send sends a request, and fails if the status of the response is not in statuses.
func (a *account) send(req *http.Request, statuses ...int) (*http.Response, error) {
	resp, err := a.http.Do(req)
	if err != nil {
		if urlErr, ok := errors.AsType[*url.Error](err); ok {
			err = urlErr.Err
		}
		return nil, &requestError{err}
	}
	if slices.Contains(statuses, resp.StatusCode) {
		return resp, nil
	}
	return nil, errorFromResponse(resp)
}

// errorFromResponse returns the error for a response with an unexpected status, and closes the body.
func errorFromResponse(resp *http.Response) error {
	defer resp.Body.Close()
	if resp.StatusCode < http.StatusMultipleChoices {
		return noEvidence(resp.StatusCode, "the status was not expected")
	}

	// CheckResponse would read a body of any length.
	clone := *resp
	clone.Body = io.NopCloser(io.LimitReader(resp.Body, maxErrorBody))
	err := googleapi.CheckResponse(&clone)
	if apiErr, ok := errors.AsType[*googleapi.Error](err); ok && apiErr.Message == "" {
		addXMLError(apiErr)
	}
	return err
}

// addXMLError adds the code and message of the XML API to apiErr, because the SDK does not read them.
func addXMLError(apiErr *googleapi.Error) {
	var document struct{ Code, Message, Details string }
	if xml.Unmarshal([]byte(apiErr.Body), &document) != nil || document.Code == "" {
		return
	}
	apiErr.Message = document.Message
	if document.Details != "" {
		apiErr.Message += " " + document.Details
	}
	apiErr.Errors = []googleapi.ErrorItem{{Reason: document.Code, Message: apiErr.Message}}
}

// readResource returns the resource in a response, which is the JSON document that describes an object. It
// closes the body.
func readResource(resp *http.Response) (*resource, error) {
	defer resp.Body.Close()
	document, err := io.ReadAll(io.LimitReader(resp.Body, maxResourceBody))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errCutOff, err)
	}
	var object struct {
		resource
		Kind string
	}
	err = json.Unmarshal(document, &object)
	isObject := object.Kind == "" || object.Kind == objectKind
	if err != nil || object.Generation == "" || !isObject {
		return nil, noEvidence(resp.StatusCode, "it has no resource")
	}
	return &object.resource, nil
}

// objectPath returns the object's path in the XML API, which serves bytes and
// attributes in one response.
func (b *bucket) objectPath(key string) string {
	return "/" + escape.Path(b.name) + "/" + escape.Path(key)
}

// resourcePath returns the path and query of an object in the JSON API. It adds to query the
// project that pays.
func (b *bucket) resourcePath(key string, query url.Values) string {
	if b.account.userProject != "" {
		query.Set("userProject", b.account.userProject)
	}
	return b.jsonPath("o", key) + "?" + query.Encode()
}

func (b *bucket) jsonPath(collection, name string) string {
	return "/storage/v1/b/" + escape.Path(b.name) + "/" + collection + "/" + escape.All(name)
}

// wantedFields is the encoded parameter with the fields in the response to an upload. It is encoded
// once, because it is the longest part of the query.
var wantedFields = url.Values{"fields": {resourceFields}}.Encode()

func (b *bucket) uploadPath(query url.Values) string {
	return "/upload/storage/v1/b/" + escape.Path(b.name) + "/o?" + query.Encode() + "&" + wantedFields
}
