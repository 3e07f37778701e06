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

func noEvidence(status int, reason string) *storage.Error {
	e := sdkerror.NoEvidence("Google Cloud Storage", reason)
	e.Status = status
	return e
}

// A responseChecker is a RoundTripper for the JSON API. It fails if a successful response is not Google's.
type responseChecker struct {
	base     http.RoundTripper
	emulator bool // true if STORAGE_EMULATOR_HOST is set: emulators respond to removals with an empty 200
}

// maxShort is the size in bytes up to which a document is parsed as a whole. A longer document is a
// listing or a resource, which the SDK decodes.
const maxShort = 4 << 10

const jsonRoot = "/storage/v1/b"

// RoundTrip sends the request, and checks the response if it is from the JSON API.
func (t *responseChecker) RoundTrip(r *http.Request) (*http.Response, error) {
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
	if err := t.checkResponse(r, response); err != nil {
		_ = response.Body.Close()
		return nil, err
	}
	return response, nil
}

// withKind adds the field "kind" to the fields that a listing requests. Otherwise the response to
// an empty listing would have no field at all, and could not be checked.
func withKind(r *http.Request) *http.Request {
	i := strings.Index(r.URL.RawQuery, "fields=nextPageToken")
	if i < 0 {
		return r
	}
	req := *r
	address := *r.URL
	i += len("fields=")
	address.RawQuery = address.RawQuery[:i] + url.QueryEscape("kind,") + address.RawQuery[i:]
	req.URL = &address
	return &req
}

// checkResponse returns an error if a successful response is not Google's. It reads the beginning of the
// body, and prepends it to the body again.
func (t *responseChecker) checkResponse(r *http.Request, response *http.Response) error {
	method := r.Method
	if method == http.MethodDelete && response.StatusCode == http.StatusNoContent {
		return nil
	}
	start, err := io.ReadAll(io.LimitReader(response.Body, maxShort))
	if err != nil {
		return &requestError{err}
	}
	response.Body = prependedBody{io.MultiReader(bytes.NewReader(start), response.Body), response.Body}
	if method == http.MethodDelete {
		text := strings.TrimSpace(string(start))
		if text == "null" || text == "" && t.emulator {
			// This is an emulator's response to a removal.
			return nil
		}
		return noEvidence(response.StatusCode, "it is not 204")
	}
	want := kindOf(method, r.URL.EscapedPath())
	if len(start) == maxShort && start[0] == '{' && isLongResource(start, want) || isResource(start, want) {
		return nil
	}
	return noEvidence(response.StatusCode, "it has no resource")
}

// The kinds of resources that this package requests most. Responses have them in the field "kind".
const (
	objectKind  = "storage#object"
	objectsKind = "storage#objects"
	bucketKind  = "storage#bucket"
	bucketsKind = "storage#buckets"
	rewriteKind = "storage#rewriteResponse"
)

// kindOf returns the kind of the resource in the response to a request, or "" for other requests.
// path is that of the JSON API.
func kindOf(method, path string) string {
	segments := strings.Split(strings.Trim(strings.TrimPrefix(path, jsonRoot), "/"), "/")
	switch {
	case segments[0] == "" && method == http.MethodGet:
		return bucketsKind
	case len(segments) == 1:
		return bucketKind
	case segments[1] != "o":
		return ""
	case len(segments) == 2 && method == http.MethodGet:
		return objectsKind
	case len(segments) == 3:
		return objectKind
	case len(segments) > 3:
		return map[string]string{
			"compose":   objectKind,
			"moveTo":    objectKind,
			"restore":   objectKind,
			"rewriteTo": rewriteKind,
		}[segments[3]]
	}
	return ""
}

// longKind matches the kind at the beginning of a long document.
var longKind = regexp.MustCompile(`^\s*\{\s*"kind"\s*:\s*"(storage#\w+)"`)

// longResource matches the beginning of a long document from Google. It looks for a kind or for a
// field of an object, because the order of the fields is not documented.
var longResource = regexp.MustCompile(`"kind"\s*:\s*"storage#|"(generation|metageneration|bindings)"\s*:`)

func isLongResource(start []byte, want string) bool {
	if kind := longKind.FindSubmatch(start); kind != nil && want != "" {
		return string(kind[1]) == want
	}
	return longResource.Match(start)
}

// isResource reports whether a document is a resource of Google. If want is not "", the resource
// must have this kind, or none. An object must have a generation. A rewrite must have ended, or have
// the token for its next request: otherwise the SDK would begin it again, without an end.
func isResource(document []byte, want string) bool {
	var r struct {
		Kind                                 string
		Generation, Metageneration, Bindings any // Bindings is set for an IAM policy

		Done         bool
		RewriteToken string
		Resource     struct{ Generation any }
	}
	if json.Unmarshal(document, &r) != nil {
		return false
	}
	isKind := r.Kind == want || r.Kind == ""
	if want == rewriteKind && r.Done {
		return isKind && r.Resource.Generation != nil
	}
	if want == rewriteKind {
		return isKind && r.RewriteToken != ""
	}
	if want == objectKind {
		return isKind && r.Generation != nil
	}
	if want != "" && r.Kind != "" {
		return r.Kind == want
	}
	return strings.HasPrefix(r.Kind, "storage#") || r.Generation != nil || r.Metageneration != nil || r.Bindings != nil
}

// A prependedBody is the body of a response after checkResponse has read its beginning. It
// returns these bytes again, and then the rest.
type prependedBody struct {
	io.Reader
	io.Closer
}
