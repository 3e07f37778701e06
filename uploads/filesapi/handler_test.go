package filesapi_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads"
	filesclient "github.com/omnibucket/storage/uploads/client"
	"github.com/omnibucket/storage/uploads/filesapi"
)

// An api is a store with a handler, and a client of it.
type api struct {
	fixture *fixture
	url     string
	http    *http.Client
	client  *filesclient.Client

	mu           sync.Mutex
	serverErrors []error // that OnError received
}

// userHeader is the header that names the user of a request.
const userHeader = "X-User"

// authorizeByHeader returns the user that the request names in userHeader.
func authorizeByHeader(r *http.Request) (string, error) {
	if user := r.Header.Get(userHeader); user != "" {
		return user, nil
	}
	return "", storage.Unauthenticated
}

// newAPI serves a store. A header of each request names its user.
func newAPI(t *testing.T, f *fixture, c filesapi.HandlerConfig) *api {
	t.Helper()
	a := &api{fixture: f}
	if c.Authorize == nil {
		c.Authorize = authorizeByHeader
	}
	c.OnError = func(_ *http.Request, err error) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.serverErrors = append(a.serverErrors, err)
	}

	handler, err := filesapi.Handler(f.store, c)
	require.NoError(t, err)
	server := httptest.NewServer(http.StripPrefix("/api", handler))
	t.Cleanup(server.Close)

	a.url = server.URL + "/api"
	a.http = &http.Client{Transport: userTransport{"user-1", server.Client().Transport}}
	a.client, err = filesclient.New(a.url, a.http)
	require.NoError(t, err)
	return a
}

// A userTransport sends each request as its user, unless the request names another user.
type userTransport struct {
	user string
	next http.RoundTripper
}

// RoundTrip sends the request, as t.user unless it names another user.
func (t userTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if _, ok := req.Header[userHeader]; !ok {
		req = req.Clone(req.Context())
		req.Header.Set(userHeader, t.user)
	}
	return t.next.RoundTrip(req)
}

// A response is an HTTP response whose body was read.
type response struct {
	status int
	header http.Header
	body   string
}

// A route is the method and the path of a request.
type route struct {
	method string
	path   string
}

// get makes a GET request by the method do.
func (a *api) get(t *testing.T, path string, header ...string) response {
	t.Helper()
	return a.do(t, "GET", path, "", nil, header...)
}

// do makes a request as user-1, unless a header names another user. The names and values of headers
// alternate.
func (a *api) do(t *testing.T, method, path, contentType string, body io.Reader, header ...string) response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, a.url+path, body)
	require.NoError(t, err)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header[http.CanonicalHeaderKey(header[i])] = []string{header[i+1]}
	}

	resp, err := a.http.Do(req)
	require.NoError(t, err)
	defer func() {
		require.NoError(t, resp.Body.Close())
	}()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return response{resp.StatusCode, resp.Header, string(text)}
}

// A problem is the JSON of an error response.
type problem struct {
	Code      uploads.Code     `json:"code"`
	Field     string           `json:"field"`
	Message   string           `json:"message"`
	RequestID string           `json:"requestId"`
	Record    *filesapi.Record `json:"record"`
}

// requireProblem checks the status, field and code of a response.
func (a response) requireProblem(t *testing.T, status int, field string, code uploads.Code) problem {
	t.Helper()
	require.Equal(t, status, a.status, "%s", a.body)
	require.Equal(t, "application/json", a.header.Get("Content-Type"))
	require.Equal(t, "no-store", a.header.Get("Cache-Control"))

	var p problem
	require.NoError(t, json.Unmarshal([]byte(a.body), &p), "%s", a.body)
	require.Equal(t, field, p.Field, "%s", a.body)
	require.Equal(t, code, p.Code, "%s", a.body)
	require.NotEmpty(t, p.Message)
	require.Equal(t, a.header.Get("X-Request-Id"), p.RequestID)
	require.NotEmpty(t, p.RequestID)
	return p
}

// Handler refuses a missing store and an invalid configuration.
func TestNewRefusesConfig(t *testing.T) {
	f := newMemoryFixture(t, filesapi.StoreConfig{})
	tests := []struct {
		name   string
		store  *filesapi.Store
		config filesapi.HandlerConfig
	}{
		{name: "no store", config: filesapi.HandlerConfig{Authorize: authorizeByHeader}},
		{name: "no Authorize", store: f.store, config: filesapi.HandlerConfig{}},
		{
			name:   "a negative size",
			store:  f.store,
			config: filesapi.HandlerConfig{Authorize: authorizeByHeader, MaxUploadSize: -1},
		},
		{
			name:   "a negative number of files",
			store:  f.store,
			config: filesapi.HandlerConfig{Authorize: authorizeByHeader, MaxDelete: -1},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := filesapi.Handler(tt.store, tt.config)
			require.ErrorIs(t, err, storage.InvalidArgument)
		})
	}
}

// On every route, the error of Authorize decides the status and code of the response. The response
// does not show the cause of the error. OnError gets only errors that are a failure of the
// application.
func TestHandlerAuthorizesTheUser(t *testing.T) {
	secret := errors.New("the password of the session store is hunter2")
	tests := []struct {
		name          string
		err           error
		status        int
		code          uploads.Code
		isServerError bool // whether OnError gets the error
	}{
		{name: "user unknown", err: storage.Unauthenticated, status: http.StatusUnauthorized, code: uploads.Unauthenticated},
		{
			name:   "user not allowed",
			err:    &storage.Error{Code: storage.PermissionDenied, Err: secret},
			status: http.StatusForbidden,
			code:   uploads.NotAllowed,
		},
		{
			name:   "own code and message",
			err:    &uploads.Error{Code: "quota_exceeded", Message: "Your plan is full."},
			status: http.StatusForbidden,
			code:   "quota_exceeded",
		},
		{name: "no code or message", err: &uploads.Error{Err: secret}, status: http.StatusForbidden, code: uploads.NotAllowed},
		{
			name:          "failure of the application",
			err:           secret,
			status:        http.StatusInternalServerError,
			code:          uploads.Internal,
			isServerError: true,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newMemoryFixture(t, filesapi.StoreConfig{})
			record := f.upload(t, "x")
			api := newAPI(t, f, filesapi.HandlerConfig{Authorize: func(*http.Request) (string, error) { return "", tt.err }})

			// The response of each route says what the error means, and hides the text of the
			// error.
			requests := []route{
				{method: "GET", path: "/files"},
				{method: "POST", path: "/files"},
				{method: "POST", path: "/files/parts"},
				{method: "POST", path: "/files/delete"},
				{method: "GET", path: "/files/" + record.ID},
				{method: "DELETE", path: "/files/" + record.ID},
				{method: "PUT", path: "/files/" + record.ID + "/purpose"},
				{method: "GET", path: "/files/" + record.ID + "/content"},
				{method: "POST", path: "/temp-files"},
				{method: "POST", path: "/temp-files/parts"},
				{method: "GET", path: "/temp-files/" + record.ID + "/content"},
				{method: "GET", path: "/files/malformed"},
			}
			for _, r := range requests {
				resp := api.do(t, r.method, r.path, "", nil)
				resp.requireProblem(t, tt.status, "", tt.code)
				require.NotContains(t, resp.body, "hunter2")
			}

			require.Equal(t, tt.isServerError, len(api.serverErrors) > 0)
			require.Equal(t, "x", readContent(t, f.store, record.ID), "a request has changed the file")
		})
	}
}

// A long field name in an error is cut after a whole character.
func TestErrorCutsLongFieldName(t *testing.T) {
	api := newAPI(t, newMemoryFixture(t, filesapi.StoreConfig{}), filesapi.HandlerConfig{})
	resp := api.get(t, "/files?"+strings.Repeat("x", 63)+"%C3%A9%C3%A9=1")
	resp.requireProblem(t, http.StatusBadRequest, strings.Repeat("x", 63), uploads.InvalidRequest)
}

// A response with status 503 has the header Retry-After, even if the error of Authorize names no time.
func TestHandlerSetsRetryAfter(t *testing.T) {
	for _, code := range []storage.Code{
		storage.Unavailable,
		storage.RateLimited,
		storage.DeadlineExceeded,
		storage.Canceled,
	} {
		t.Run(string(code), func(t *testing.T) {
			api := newAPI(t, newMemoryFixture(t, filesapi.StoreConfig{}), filesapi.HandlerConfig{
				Authorize: func(*http.Request) (string, error) { return "", code },
			})
			resp := api.get(t, "/files")
			require.Equal(t, http.StatusServiceUnavailable, resp.status)
			require.Equal(t, "1", resp.header.Get("Retry-After"))

			// The server has not failed if the client has gone away.
			isFailure := code != storage.Canceled
			require.Equal(t, isFailure, len(api.serverErrors) > 0)
		})
	}
}

// AuthorizeFile decides about each file, even if one request deletes several.
func TestHandlerAuthorizesEachFile(t *testing.T) {
	f := newMemoryFixture(t, filesapi.StoreConfig{})
	mine := f.upload(t, "mine")
	theirs := f.upload(t, "theirs")

	// The user may access the file mine, but not the file theirs.
	api := newAPI(t, f, filesapi.HandlerConfig{AuthorizeFile: func(r *http.Request, user, id string) error {
		if user != "user-1" || id == theirs.ID {
			return storage.PermissionDenied
		}
		return nil
	}})

	t.Run("one file", func(t *testing.T) {
		requests := []route{
			{method: "GET", path: "/files/" + theirs.ID},
			{method: "DELETE", path: "/files/" + theirs.ID},
			{method: "PUT", path: "/files/" + theirs.ID + "/purpose"},
			{method: "GET", path: "/files/" + theirs.ID + "/content"},
			{method: "GET", path: "/temp-files/" + theirs.ID + "/content"},
		}
		for _, r := range requests {
			api.do(t, r.method, r.path, "", nil).requireProblem(t, http.StatusForbidden, "", uploads.NotAllowed)
		}
		require.Equal(t, http.StatusOK, api.get(t, "/files/"+mine.ID).status)
	})

	t.Run("several files to be deleted", func(t *testing.T) {
		deletions, err := api.client.DeleteMany(t.Context(), []string{theirs.ID, mine.ID})
		require.NoError(t, err)
		require.Len(t, deletions, 2)
		require.Equal(t, theirs.ID, deletions[0].ID)
		require.False(t, deletions[0].Deleted)
		require.Equal(t, uploads.NotAllowed, deletions[0].Err.Code)
		require.Equal(t, filesclient.Deletion{ID: mine.ID, Deleted: true}, deletions[1])
		require.Equal(t, "theirs", readContent(t, f.store, theirs.ID))
	})
}

// If AuthorizeFile returns ObjectNotFound, the handler responds with 404. AuthorizeFile may look up the owner of the file
// in a database, and find no file.
func TestHandlerAuthorizeFileDoesNotFind(t *testing.T) {
	f := newMemoryFixture(t, filesapi.StoreConfig{})
	id := f.upload(t, "x").ID
	require.NoError(t, f.store.Delete(t.Context(), id))

	tests := []struct {
		name  string
		err   error  // what AuthorizeFile returns
		field string // of the response
	}{
		{name: "code", err: storage.ObjectNotFound, field: "ID"},
		{
			name:  "wrapped error",
			err:   fmt.Errorf("owner: %w", &storage.Error{Code: storage.ObjectNotFound}),
			field: "ID",
		},
		{
			name:  "own field and message",
			err:   &uploads.Error{Code: uploads.NotFound, Field: "file", Message: "It is in the archive."},
			field: "file",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			api := newAPI(t, f, filesapi.HandlerConfig{
				AuthorizeFile: func(*http.Request, string, string) error { return tt.err },
			})
			requests := []route{
				{method: "GET", path: "/files/" + id},
				{method: "DELETE", path: "/files/" + id},
				{method: "GET", path: "/files/" + id + "/content"},
			}
			for _, r := range requests {
				api.do(t, r.method, r.path, "", nil).requireProblem(t, http.StatusNotFound, tt.field, uploads.NotFound)
			}
			require.Empty(t, api.serverErrors)
		})
	}
}

// Authorize gets the route and the ID of the file with the request.
func TestHandlerPassesOperationAndFileToAuthorize(t *testing.T) {
	f := newMemoryFixture(t, filesapi.StoreConfig{})
	record := f.upload(t, "x")
	pattern := ""
	id := ""
	api := newAPI(t, f, filesapi.HandlerConfig{Authorize: func(r *http.Request) (string, error) {
		pattern = r.Pattern
		id = r.PathValue("id")
		return "user-1", nil
	}})

	require.NoError(t, api.client.Delete(t.Context(), record.ID))
	require.Equal(t, "DELETE /files/{id}", pattern)
	require.Equal(t, record.ID, id)
}

// A response has the X-Request-Id of its request. If that ID would be unsafe in a log, the response
// has a new one.
func TestHandlerGivesEveryRequestAnID(t *testing.T) {
	api := newAPI(t, newMemoryFixture(t, filesapi.StoreConfig{}), filesapi.HandlerConfig{})
	tests := []struct {
		name    string
		id      string // ID in the request
		isValid bool   // whether the response has the same ID
	}{
		{name: "letters and punctuation", id: "6f1f-A.b_c", isValid: true},
		{name: "no ID", id: "", isValid: false},
		{name: "space", id: "a b", isValid: false},
		{name: "forged field of a log", id: "a;level=error", isValid: false},
		{name: "too long", id: strings.Repeat("x", 129), isValid: false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := api.get(t, "/files", "X-Request-Id", tt.id).header.Get("X-Request-Id")
			require.NotEmpty(t, got)
			require.Equal(t, tt.isValid, got == tt.id)
		})
	}
}

// The response to an unknown path, method or ID is JSON, as all error responses are.
func TestHandlerRespondsWithJSONForUnknownPaths(t *testing.T) {
	api := newAPI(t, newMemoryFixture(t, filesapi.StoreConfig{}), filesapi.HandlerConfig{})
	id := uploads.NewID(newClock().Now())

	tests := []struct {
		name, method, path string
		status             int
		field              string
		code               uploads.Code
	}{
		{name: "an unknown path", method: "GET", path: "/else", status: http.StatusNotFound, code: uploads.NotFound},
		{name: "a longer path", method: "GET", path: "/files/" + id + "/content/x", status: http.StatusNotFound, code: uploads.NotFound},
		{name: "an unknown method", method: "PATCH", path: "/files", status: http.StatusMethodNotAllowed, code: uploads.InvalidRequest},
		{name: "details of a temp file", method: "GET", path: "/temp-files/" + id, status: http.StatusNotFound, code: uploads.NotFound},
		{name: "details of a missing file", method: "GET", path: "/files/" + id, status: http.StatusNotFound, field: "ID", code: uploads.NotFound},
		{
			name:   "a download of a missing file",
			method: "GET",
			path:   "/files/" + id + "/content",
			status: http.StatusNotFound,
			field:  "ID",
			code:   uploads.NotFound,
		},
		{
			name:   "a download of a missing temp file",
			method: "GET",
			path:   "/temp-files/" + id + "/content",
			status: http.StatusNotFound,
			field:  "ID",
			code:   uploads.NotFound,
		},
		{name: "an ID that is too short", method: "GET", path: "/files/7", status: http.StatusBadRequest, field: "ID", code: uploads.InvalidValue},
		{
			name:   "an ID that is a path",
			method: "GET",
			path:   "/files/..%2F..%2Fetc%2Fpasswd",
			status: http.StatusBadRequest,
			field:  "ID",
			code:   uploads.InvalidValue,
		},
		{
			name:   "an ID of 10,000 characters",
			method: "DELETE",
			path:   "/files/" + strings.Repeat("a", 10_000),
			status: http.StatusBadRequest,
			field:  "ID",
			code:   uploads.InvalidValue,
		},
		{
			name:   "an ID that is not text",
			method: "GET",
			path:   "/files/%ff%00/content",
			status: http.StatusBadRequest,
			field:  "ID",
			code:   uploads.InvalidValue,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			api.do(t, tt.method, tt.path, "", nil).requireProblem(t, tt.status, tt.field, tt.code)
		})
	}
	require.Equal(t, "GET, HEAD, POST", api.do(t, "PATCH", "/files", "", nil).header.Get("Allow"))
	require.Empty(t, api.serverErrors)
}
