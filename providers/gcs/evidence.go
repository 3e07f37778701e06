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
	err := sdkerror.NoEvidence("Google Cloud Storage", reason)
	err.Status = status
	return err
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
	resp, err := t.base.RoundTrip(withKind(r))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode < http.StatusOK || resp.StatusCode >= http.StatusMultipleChoices {
		return resp, nil
	}
	if err := t.checkResponse(r, resp); err != nil {
		_ = resp.Body.Close() // the caller gets no response, so err is the error
		return nil, err
	}
	return resp, nil
}

// withKind adds the field "kind" to the fields that a listing requests. The response to an empty listing
// would otherwise have no field at all, and could not be checked. Other requests stay as they are.
func withKind(r *http.Request) *http.Request {
	before, after, ok := strings.Cut(r.URL.RawQuery, "fields=nextPageToken")
	if !ok {
		return r
	}
	// A RoundTripper must not change the caller's request.
	req := *r
	address := *r.URL
	address.RawQuery = before + "fields=" + url.QueryEscape("kind,") + "nextPageToken" + after
	req.URL = &address
	return &req
}

// checkResponse returns an error if a successful response is not Google's. It reads the beginning of the
// body, and prepends it to the body again.
func (t *responseChecker) checkResponse(r *http.Request, resp *http.Response) error {
	// A removal is confirmed by this status, which has no body.
	if r.Method == http.MethodDelete && resp.StatusCode == http.StatusNoContent {
		return nil
	}

	start, err := io.ReadAll(io.LimitReader(resp.Body, maxShort))
	if err != nil {
		return &requestError{err}
	}
	resp.Body = prependedBody{
		Reader: io.MultiReader(bytes.NewReader(start), resp.Body),
		Closer: resp.Body,
	}

	if r.Method == http.MethodDelete {
		if t.confirmsRemoval(start) {
			return nil
		}
		return noEvidence(resp.StatusCode, "it is not 204")
	}

	// The beginning of a long document is not valid JSON, so isResource would refuse it.
	kind := kindOf(r.Method, r.URL.EscapedPath())
	isLongDocument := len(start) == maxShort && start[0] == '{'
	if isLongDocument && isLongResource(start, kind) {
		return nil
	}
	if isResource(start, kind) {
		return nil
	}
	return noEvidence(resp.StatusCode, "it has no resource")
}

// confirmsRemoval reports whether body is that of an emulator's response to a removal, which is the
// document null or, from the emulator of STORAGE_EMULATOR_HOST, may also be empty.
func (t *responseChecker) confirmsRemoval(body []byte) bool {
	switch strings.TrimSpace(string(body)) {
	case "null":
		return true
	case "":
		return t.emulator
	}
	return false
}

// The kinds of resources that this package requests most. Responses have them in the field "kind".
const (
	objectKind  = "storage#object"
	objectsKind = "storage#objects"
	bucketKind  = "storage#bucket"
	bucketsKind = "storage#buckets"
	rewriteKind = "storage#rewriteResponse"
)

// kindOf returns the kind of the resource in the response to a request of the JSON API, or "" for
// other requests. path has the form jsonRoot/BUCKET/o/OBJECT/ACTION, whose segments from BUCKET on
// are optional.
func kindOf(method, path string) string {
	rest := strings.Trim(strings.TrimPrefix(path, jsonRoot), "/")
	bucket, rest, _ := strings.Cut(rest, "/")
	collection, rest, _ := strings.Cut(rest, "/")
	object, rest, _ := strings.Cut(rest, "/")
	action, _, _ := strings.Cut(rest, "/")

	if bucket == "" && method == http.MethodGet {
		return bucketsKind
	}
	// A request to create a bucket names it only in its body.
	if collection == "" {
		return bucketKind
	}
	if collection != "o" {
		return ""
	}
	if object == "" {
		if method == http.MethodGet {
			return objectsKind
		}
		return ""
	}

	// The rest of the path names one object, and perhaps an action on it.
	switch action {
	case "", "compose", "moveTo", "restore":
		return objectKind
	case "rewriteTo":
		return rewriteKind
	}
	return ""
}

// longKind matches the kind at the beginning of a long document.
var longKind = regexp.MustCompile(`^\s*\{\s*"kind"\s*:\s*"(storage#\w+)"`)

// longResource matches the beginning of a long document from Google. It looks for a kind or for a
// field of an object, because the order of the fields is not documented.
var longResource = regexp.MustCompile(`"kind"\s*:\s*"storage#|"(generation|metageneration|bindings)"\s*:`)

// isLongResource reports whether start is the beginning of a resource of Google's, which must have
// the kind wantKind if that is not "" and the resource begins with its kind.
func isLongResource(start []byte, wantKind string) bool {
	match := longKind.FindSubmatch(start)
	if match != nil && wantKind != "" {
		kind := string(match[1])
		return kind == wantKind
	}
	return longResource.Match(start)
}

// isResource reports whether a document is a resource from Google, and not the page of a proxy or another
// JSON document. It returns false if the document names another kind than wantKind, which is "" if the
// kind is unknown.
func isResource(document []byte, wantKind string) bool {
	var r struct {
		Kind           string
		Generation     any
		Metageneration any
		Bindings       any // of an IAM policy

		// The response to a rewrite has these fields.
		Done         bool
		RewriteToken string
		Resource     struct{ Generation any }
	}
	if json.Unmarshal(document, &r) != nil {
		return false
	}
	if wantKind != "" && r.Kind != "" && r.Kind != wantKind {
		return false
	}

	// Some kinds are checked by their fields.
	switch wantKind {
	case rewriteKind:
		if r.Done {
			return r.Resource.Generation != nil
		}
		// Without the token for the next request, the SDK would begin the rewrite again and again.
		return r.RewriteToken != ""
	case objectKind:
		return r.Generation != nil
	}

	// Any other resource is known by its kind, or else by a field that Google's resources have.
	if r.Kind != "" && r.Kind == wantKind {
		return true
	}
	if strings.HasPrefix(r.Kind, "storage#") {
		return true
	}
	return r.Generation != nil || r.Metageneration != nil || r.Bindings != nil
}

// A prependedBody is the body of a response after checkResponse has read its beginning. It
// returns these bytes again, and then the rest.
type prependedBody struct {
	io.Reader
	io.Closer
}
