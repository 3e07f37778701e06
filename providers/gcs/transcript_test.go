package gcs

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"
)

// A transcript responds to requests by their method and path, and keeps the requests. If it has
// several responses for one method and path, it sends them in turn.
type transcript struct {
	t       *testing.T
	answers map[string][]string // request: status, a space, body

	mu       sync.Mutex
	requests []string
	bodies   map[string][]string
	queries  map[string]string
}

// RoundTrip records r and returns its next answer. The last answer is repeated.
func (w *transcript) RoundTrip(r *http.Request) (*http.Response, error) {
	name := r.Method + " " + strings.TrimPrefix(r.URL.Path, "/storage/v1")
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
		_ = r.Body.Close()
	}
	query := r.URL.Query()
	for _, noise := range []string{"alt", "prettyPrint"} {
		query.Del(noise)
	}

	w.mu.Lock()
	defer w.mu.Unlock()
	w.requests = append(w.requests, name)
	w.bodies[name] = append(w.bodies[name], string(body))
	w.queries[name] = query.Encode()
	answers := w.answers[name]
	if len(answers) == 0 {
		w.t.Errorf("%s was not expected", name)
		return nil, fmt.Errorf("%s was not expected", name)
	}
	if len(answers) > 1 {
		w.answers[name] = answers[1:]
	}
	return newResponse(r, answers[0])
}

// newResponse returns an answer of a transcript as the response to r.
func newResponse(r *http.Request, answer string) (*http.Response, error) {
	status, text, _ := strings.Cut(answer, " ")
	code, err := strconv.Atoi(status)
	return &http.Response{
		StatusCode:    code,
		Header:        http.Header{"Content-Type": {"application/json"}, "X-Guploader-Uploadid": {"R1"}},
		Body:          io.NopCloser(strings.NewReader(text)),
		Request:       r,
		ContentLength: int64(len(text)),
	}, err
}

// errorAnswer returns an error of Google. A transcript sends it as the answer to a request.
func errorAnswer(status int, reason, message string) string {
	return fmt.Sprintf(`%d {"error":{"code":%d,"message":%q,"errors":[{"domain":"global","reason":%q,"message":%q}]}}`,
		status, status, message, reason, message)
}

const (
	bucketAnswer        = `200 {"kind":"storage#bucket","name":"photos","location":"EUROPE-WEST1","timeCreated":"2026-03-04T05:06:07.89Z"}`
	privatePolicyAnswer = `200 {"version":3,"etag":"CAE=","bindings":[{"role":"roles/storage.legacyBucketOwner","members":["projectOwner:p"]}]}`
	publicPolicyAnswer  = `200 {"version":3,"etag":"CAE=","bindings":[{"role":"roles/storage.legacyBucketOwner","members":["projectOwner:p"]},{"role":"roles/storage.objectViewer","members":["user:a@example.com","allUsers"]}]}`
)

// newManagingService opens the project "p" with a transcript in the place of Google.
func newManagingService(t *testing.T, c Config, answers map[string][]string) (*serviceDriver, *transcript) {
	t.Helper()
	t.Setenv("STORAGE_EMULATOR_HOST", "")
	w := &transcript{t: t, answers: maps.Clone(answers), bodies: map[string][]string{}, queries: map[string]string{}}
	c.HTTPClient = &http.Client{Transport: w}
	if c.Project == "" {
		c.Project = "p"
	}
	if c.Endpoint == "" {
		c.TokenSource = oauth2.StaticTokenSource(&oauth2.Token{AccessToken: secretToken})
	}

	d, err := NewServiceDriver(t.Context(), c)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	require.Empty(t, w.requests, "opening makes no request")
	return d.(*serviceDriver), w
}
