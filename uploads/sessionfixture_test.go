package uploads_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/wiretest"
	"github.com/omnibucket/storage/internal/testing/wrapped"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
)

// A clock is the clock of handlers. Tests move it.
type clock struct {
	mu   sync.Mutex
	more time.Duration
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.more)
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.more += d
}

// A site is an application with a handler under /uploads.
type sessionSite struct {
	t       *testing.T
	bucket  storage.Bucket
	handler *uploads.Service
	base    string // of the handler
	clock   *clock
	client  *http.Client
}

const (
	alice = "alice"
	mallo = "mallory"
)

// withTestDefaults returns c with defaults. The header X-User of a request names its user, whose files are stored under
// "files/<user>/<name of the file>", except pages. Files may have any type.
func withTestDefaults(c uploads.Config) uploads.Config {
	if c.Authorize == nil {
		c.Authorize = func(r *http.Request) (uploads.User, error) {
			user := r.Header.Get("X-User")
			if user == "" {
				return uploads.User{}, storage.Unauthenticated
			}
			return uploads.User{ID: user}, nil
		}
	}

	if c.Begin == nil && c.Key == "" {
		c.Begin = func(_ *http.Request, user uploads.User, n uploads.Request) (*uploads.Target, error) {
			if n.Type == "text/html" {
				return nil, &uploads.Error{
					Code:    "type_not_allowed",
					Field:   "type",
					Message: "No pages.",
					Status:  http.StatusUnsupportedMediaType,
				}
			}
			name := cmp.Or(n.Name, "file")
			return &uploads.Target{
				Key:         "files/" + user.ID + "/" + name,
				ContentType: "application/x-test",
				Metadata:    map[string]string{"by": user.ID},
			}, nil
		}
	}

	if c.Rules.Types == nil {
		// Most of these tests are about bytes, and send files of no known type.
		c.Rules = rules.Any(c.Rules.MaxSize)
	}
	return c
}

// newSessionSite returns a site that an HTTP server serves until the end of the test.
func newSessionSite(t *testing.T, bucket storage.Bucket, c uploads.Config) *sessionSite {
	t.Helper()
	s := newUnservedSite(t, bucket, c)
	server := httptest.NewServer(s.routes())
	t.Cleanup(server.Close)
	s.base = server.URL + "/uploads"
	return s
}

// newSynctestSite is newSessionSite in a bubble of testing/synctest.
func newSynctestSite(t *testing.T, bucket storage.Bucket, c uploads.Config) *sessionSite {
	t.Helper()
	s := newUnservedSite(t, bucket, c)
	s.serveOnPipes(t.Context())
	return s
}

// serveOnPipes serves the site by a server whose requests end with the context.
func (s *sessionSite) serveOnPipes(ctx context.Context) *http.Server {
	server := &http.Server{Handler: s.routes(), BaseContext: func(net.Listener) context.Context { return ctx }}
	s.client = wiretest.OnPipes(s.t, server)
	s.base = "http://site.invalid/uploads"
	return server
}

func (s *sessionSite) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/uploads/", http.StripPrefix("/uploads", s.handler))
	return mux
}

// newUnservedSite returns a site without a server, whose clock is also that of its bucket.
func newUnservedSite(t *testing.T, bucket storage.Bucket, c uploads.Config) *sessionSite {
	t.Helper()
	s := &sessionSite{t: t, bucket: bucket, clock: &clock{}, client: client}
	if c.Now == nil {
		c.Now = s.clock.Now
		bucket = wrapped.Clock(t, bucket, s.clock.Now)
	}

	var err error
	s.handler, err = uploads.New(bucket, withTestDefaults(c))
	require.NoError(t, err)
	s.handler.SetBasePart(part)
	return s
}

// An answer is a response whose body was read.
type answer struct {
	*http.Response
	body []byte
}

func (resp *answer) json(t *testing.T, dst any) {
	t.Helper()
	require.NoError(t, json.Unmarshal(resp.body, dst), string(resp.body))
}

// refusal returns the status, code and field of an error response. It requires the form of such a response.
func (resp *answer) refusal(t *testing.T) string {
	t.Helper()
	var p struct{ Code, Field, Title, Detail, RequestID string }
	require.Equal(t, "application/problem+json", resp.Header.Get("Content-Type"), string(resp.body))

	resp.json(t, &p)
	require.NotEmpty(t, p.Detail)
	require.NotEmpty(t, p.RequestID)
	require.Equal(t, resp.Header.Get("X-Request-Id"), p.RequestID)

	// A refusal that is only temporary says when to try again.
	isTemporary := resp.StatusCode == http.StatusLocked ||
		resp.StatusCode >= http.StatusInternalServerError && resp.StatusCode != http.StatusNotImplemented
	hasRetryAfter := resp.Header.Get("Retry-After") != ""
	require.Equal(t, isTemporary, hasRetryAfter, resp.Status)
	return strings.TrimSpace(fmt.Sprintf("%d %s %s", resp.StatusCode, p.Code, p.Field))
}

type headers map[string]string

// try makes a request as a user, or as nobody if user is "", with the headers that have a value.
func (s *sessionSite) try(ctx context.Context, user, method, address string, body io.Reader, h headers) (*answer, error) {
	if !strings.HasPrefix(address, "http") {
		address = s.base + address
	}
	req, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return nil, err
	}
	if user != "" {
		req.Header.Set("X-User", user)
	}
	for name, value := range h {
		if value != "" {
			req.Header.Set(name, value)
		}
	}

	resp, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	return &answer{resp, data}, err
}

// do makes a request as try does, and requires a response.
func (s *sessionSite) do(user, method, address string, body io.Reader, h headers) *answer {
	s.t.Helper()
	resp, err := s.try(s.t.Context(), user, method, address, body, h)
	require.NoError(s.t, err)
	return resp
}

// get makes a GET request as a user, or as nobody if user is "".
func (s *sessionSite) get(user, address string) *answer {
	s.t.Helper()
	return s.do(user, "GET", address, nil, nil)
}

// tus makes a request of the tus protocol as alice. pairs are names and values of headers.
func (s *sessionSite) tus(method, address string, body []byte, pairs ...string) *answer {
	s.t.Helper()
	return s.tusAs(alice, method, address, body, pairs...)
}

// tusAs makes a tus request as a user. pairs has names and values of headers.
func (s *sessionSite) tusAs(user, method, address string, body []byte, pairs ...string) *answer {
	s.t.Helper()
	h := headers{"Tus-Resumable": "1.0.0"}
	for i := 0; i < len(pairs); i += 2 {
		h[pairs[i]] = pairs[i+1]
	}

	var src io.Reader
	if body != nil {
		src = bytes.NewReader(body)
		h["Content-Type"] = "application/offset+octet-stream"
	}
	return s.do(user, method, address, src, h)
}

// create begins an upload, and returns its address.
func (s *sessionSite) create(pairs ...string) string {
	s.t.Helper()
	resp := s.tus("POST", "/tus/", nil, pairs...)
	require.Equal(s.t, http.StatusCreated, resp.StatusCode, string(resp.body))
	return s.locationOf(resp, "/tus/")
}

// locationOf resolves the header Location as a client does.
func (s *sessionSite) locationOf(resp *answer, prefix string) string {
	s.t.Helper()
	base, err := url.Parse(s.base + prefix)
	require.NoError(s.t, err)
	target, err := base.Parse(resp.Header.Get("Location"))
	require.NoError(s.t, err)
	return target.String()
}

// patch sends bytes, which must be acknowledged up to the offset want.
func (s *sessionSite) patch(address string, offset int64, body []byte, want int64, pairs ...string) {
	s.t.Helper()
	resp := s.tus("PATCH", address, body, append(pairs, "Upload-Offset", strconv.FormatInt(offset, 10))...)
	require.Equal(s.t, http.StatusNoContent, resp.StatusCode, string(resp.body))
	require.Equal(s.t, strconv.FormatInt(want, 10), resp.Header.Get("Upload-Offset"))
}

// offset returns what HEAD says.
func (s *sessionSite) offset(address string) int64 {
	s.t.Helper()
	resp := s.tus("HEAD", address, nil)
	require.Equal(s.t, http.StatusOK, resp.StatusCode)
	offset, err := strconv.ParseInt(resp.Header.Get("Upload-Offset"), 10, 64)
	require.NoError(s.t, err)
	return offset
}

func size(data []byte) string { return strconv.Itoa(len(data)) }

// filenameMetadata returns the header Upload-Metadata of a file.
func filenameMetadata(name string) string {
	return "filename " + base64.StdEncoding.EncodeToString([]byte(name))
}

// content returns bytes that are the same for the same length.
func content(n int) []byte {
	data := make([]byte, n)
	source := rand.NewChaCha8([32]byte{1})
	_, _ = source.Read(data)
	return data
}

// requireStored requires that an object has this content, and returns its attributes.
func (s *sessionSite) requireStored(key string, want []byte) *storage.Attrs {
	s.t.Helper()
	data, attrs, err := storage.ReadAll(s.t.Context(), s.bucket, key)
	require.NoError(s.t, err)
	require.True(s.t, bytes.Equal(want, data), "%s has %d bytes, or others, in place of %d", key, len(data), len(want))
	return attrs
}

// requireMissing requires that there is no object with this key.
func (s *sessionSite) requireMissing(key string) {
	s.t.Helper()
	exists, err := s.bucket.Exists(s.t.Context(), key)
	require.NoError(s.t, err)
	require.False(s.t, exists, key)
}

// countObjects returns the number of objects in the bucket, including those of the handler.
func (s *sessionSite) countObjects() int {
	objects, states := s.keys()
	return len(objects) + len(states)
}

// keys returns the keys of the objects and, separately, those of the states of uploads.
func (s *sessionSite) keys() (objects, states []string) {
	s.t.Helper()
	for entry, err := range s.bucket.List(s.t.Context()) {
		require.NoError(s.t, err)
		if strings.HasPrefix(entry.Key, uploads.DefaultPrefix) && strings.HasSuffix(entry.Key, "/state.json") {
			states = append(states, entry.Key)
		} else {
			objects = append(objects, entry.Key)
		}
	}
	return objects, states
}

// openMultiparts returns the keys of the multipart uploads that are open in the store.
func (s *sessionSite) openMultiparts() (keys []string) {
	s.t.Helper()
	if !storage.Supports(s.bucket, storage.ListedUploads) { // MinIO
		return nil
	}
	for entry, err := range storage.ListUploads(s.t.Context(), s.bucket) {
		require.NoError(s.t, err)
		keys = append(keys, entry.Key)
	}
	return keys
}
