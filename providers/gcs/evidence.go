package gcs

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/sdkerror"
)

// A proxy, a captive portal or a wrong endpoint may send status 200 to every request. So a
// successful response must also have what Google documents for the request. The type witness checks
// the responses of the JSON API. The response to an upload must have the resource of the object.
// The response to a read of bytes must have the generation.

func noEvidence(status int, why string) *storage.Error {
	e := sdkerror.NoEvidence("Google Cloud Storage", why)
	e.Status = status
	return e
}

// A witness is a RoundTripper for the JSON API. It fails if a successful response is not Google's.
type witness struct {
	base     http.RoundTripper
	emulator bool // true if STORAGE_EMULATOR_HOST is set: emulators respond to removals with an empty 200
}

// maxShort is the size in bytes up to which a document is parsed as a whole. A longer document is a
// listing or a resource, which the SDK decodes.
const maxShort = 4 << 10

const jsonRoot = "/storage/v1/b"

// RoundTrip sends the request, and checks the response if it is from the JSON API.
func (t *witness) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.HasPrefix(r.URL.Path, jsonRoot) || strings.HasPrefix(r.URL.RawQuery, "alt=media") {
		return t.base.RoundTrip(r)
	}
	if err := checkPages(r); err != nil {
		return nil, err
	}
	response, err := t.base.RoundTrip(withKind(r))
	if err != nil || response.StatusCode < http.StatusOK || response.StatusCode >= http.StatusMultipleChoices {
		return response, err
	}
	if err := t.check(r.Method, response); err != nil {
		_ = response.Body.Close()
		return nil, err
	}
	return response, nil
}

// withKind adds the field "kind" to the fields that a listing requests. Otherwise the response to
// an empty listing would have no field at all, and could not be checked.
func withKind(r *http.Request) *http.Request {
	at := strings.Index(r.URL.RawQuery, "fields=nextPageToken")
	if at < 0 {
		return r
	}
	out, address := *r, *r.URL
	at += len("fields=")
	address.RawQuery = address.RawQuery[:at] + url.QueryEscape("kind,") + address.RawQuery[at:]
	out.URL = &address
	return &out
}

// check returns an error if a successful response is not Google's. It reads the beginning of the
// body, and prepends it to the body again.
func (t *witness) check(method string, response *http.Response) error {
	if method == http.MethodDelete && response.StatusCode == http.StatusNoContent {
		return nil
	}
	start, err := io.ReadAll(io.LimitReader(response.Body, maxShort))
	if err != nil {
		return &requestError{err}
	}
	response.Body = restored{io.MultiReader(bytes.NewReader(start), response.Body), response.Body}
	if method == http.MethodDelete {
		text := strings.TrimSpace(string(start))
		if text == "null" || text == "" && t.emulator {
			return nil // an emulator's response to a removal
		}
		return noEvidence(response.StatusCode, "it is not 204")
	}
	if len(start) == maxShort && start[0] == '{' && longResource.Match(start) || isResource(start) {
		return nil
	}
	return noEvidence(response.StatusCode, "it has no resource")
}

// longResource matches the beginning of a long document from Google. It looks for a kind or for a
// field of an object, because the order of the fields is not documented.
var longResource = regexp.MustCompile(`"kind"\s*:\s*"storage#|"(generation|metageneration|bindings)"\s*:`)

func isResource(document []byte) bool {
	var r struct {
		Kind                                 string
		Generation, Metageneration, Bindings any // Bindings is set for an IAM policy
	}
	return json.Unmarshal(document, &r) == nil &&
		(strings.HasPrefix(r.Kind, "storage#") || r.Generation != nil || r.Metageneration != nil || r.Bindings != nil)
}

// A restored body is the body of a response after the method check has read its beginning. It
// returns these bytes again, and then the rest.
type restored struct {
	io.Reader
	io.Closer
}
