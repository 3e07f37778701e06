package gcs

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"
)

// A transcript responds to requests by method and path, with several responses in
// turn, and keeps the requests.
type transcript struct {
	t       *testing.T
	answers map[string][]string // request: status, a space, body

	mu       sync.Mutex
	requests []string
	bodies   map[string][]string
	queries  map[string]string
}

func (w *transcript) RoundTrip(r *http.Request) (*http.Response, error) {
	name := r.Method + " " + strings.TrimPrefix(r.URL.Path, "/storage/v1")
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
		_ = r.Body.Close()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.requests = append(w.requests, name)
	w.bodies[name] = append(w.bodies[name], string(body))
	query := r.URL.Query()
	for _, noise := range []string{"alt", "prettyPrint"} {
		query.Del(noise)
	}
	w.queries[name] = query.Encode()
	answers := w.answers[name]
	if len(answers) == 0 {
		w.t.Errorf("%s was not expected", name)
		return nil, fmt.Errorf("%s was not expected", name)
	}
	if len(answers) > 1 {
		w.answers[name] = answers[1:]
	}
	status, text, _ := strings.Cut(answers[0], " ")
	response := &http.Response{
		Header:        http.Header{"Content-Type": {"application/json"}, "X-Guploader-Uploadid": {"R1"}},
		Body:          io.NopCloser(strings.NewReader(text)),
		Request:       r,
		ContentLength: int64(len(text)),
	}
	_, err := fmt.Sscan(status, &response.StatusCode)
	return response, err
}

// refusal returns an error as Google sends it.
func refusal(status int, reason, message string) string {
	return fmt.Sprintf(`%d {"error":{"code":%d,"message":%q,"errors":[{"domain":"global","reason":%q,"message":%q}]}}`, status, status, message, reason, message)
}

const (
	bucketIsThere = `200 {"kind":"storage#bucket","name":"photos","location":"EUROPE-WEST1","timeCreated":"2026-03-04T05:06:07.89Z"}`
	privatePolicy = `200 {"version":3,"etag":"CAE=","bindings":[{"role":"roles/storage.legacyBucketOwner","members":["projectOwner:p"]}]}`
	publicPolicy  = `200 {"version":3,"etag":"CAE=","bindings":[{"role":"roles/storage.legacyBucketOwner","members":["projectOwner:p"]},{"role":"roles/storage.objectViewer","members":["user:a@example.com","allUsers"]}]}`
)

func newManagingService(t *testing.T, c Config, answers map[string][]string) (*serviceDriver, *transcript) {
	t.Helper()
	t.Setenv("STORAGE_EMULATOR_HOST", "")
	w := &transcript{t: t, answers: answers, bodies: map[string][]string{}, queries: map[string]string{}}
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
