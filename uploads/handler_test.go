package uploads_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
)

type formFile struct {
	field       string
	name        string
	contentType string
	content     string
}

// newForm returns a multipart form with a caption and files, and its content type.
func newForm(t *testing.T, files ...formFile) (body *bytes.Buffer, contentType string) {
	t.Helper()
	body = &bytes.Buffer{}
	w := multipart.NewWriter(body)
	require.NoError(t, w.WriteField("caption", "not a file"))

	for _, f := range files {
		part, err := w.CreatePart(textproto.MIMEHeader{
			"Content-Disposition": {`form-data; name="` + f.field + `"; filename="` + f.name + `"`},
			"Content-Type":        {f.contentType},
		})
		require.NoError(t, err)
		_, err = io.WriteString(part, f.content)
		require.NoError(t, err)
	}

	require.NoError(t, w.Close())
	return body, w.FormDataContentType()
}

// byHeader returns the user in the header User.
func byHeader(r *http.Request) (uploads.User, error) {
	user := r.Header.Get("User")
	if user == "" {
		return uploads.User{}, storage.Unauthenticated
	}
	return uploads.User{ID: user}, nil
}

// A site serves a service at /uploads. The header User names the user of a request, see byHeader.
type site struct {
	t       *testing.T
	bucket  storage.Bucket
	handler http.Handler
}

// newSite returns a site with a service that takes at most three files in a form.
func newSite(t *testing.T, b storage.Bucket, c uploads.Config) *site {
	s := &site{t: t, bucket: b}
	c.Key = keyOfUser
	c.Authorize = byHeader
	c.MaxFiles = 3
	s.handler = http.StripPrefix("/uploads", newService(t, b, c))
	return s
}

// ask makes a request of a user, and returns the status and the JSON document of the response.
func (s *site) ask(user, method, path, contentType string, body io.Reader) (int, map[string]any) {
	s.t.Helper()
	r := httptest.NewRequestWithContext(s.t.Context(), method, "/uploads"+path, body)
	r.Header.Set("Content-Type", contentType)
	if user != "" {
		r.Header.Set("User", user)
	}

	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)

	document := map[string]any{}
	if w.Body.Len() > 0 && strings.Contains(w.Header().Get("Content-Type"), "json") {
		require.NoError(s.t, json.Unmarshal(w.Body.Bytes(), &document), w.Body.String())
		require.Equal(s.t, "no-store", w.Header().Get("Cache-Control"))
		require.Equal(s.t, w.Code >= 400, w.Header().Get("Content-Type") == "application/problem+json")
	}
	return w.Code, document
}

// form sends files in a form, and returns the status and the JSON document of the response.
func (s *site) form(user string, files ...formFile) (int, map[string]any) {
	s.t.Helper()
	body, contentType := newForm(s.t, files...)
	return s.ask(user, http.MethodPost, "/", contentType, body)
}

// The files of a form are stored under safe names and types, and can be deleted by the user who sent them.
func TestFormFilesAreStoredAndDeleted(t *testing.T) {
	runOnBuckets(t, func(t *testing.T, bucket storage.Bucket) {
		s := newSite(t, bucket, uploads.Config{Link: uploads.SignedLink})

		// Send files whose names and types are not to be trusted.
		status, answer := s.form("42",
			formFile{field: "photo", name: `C:\fakepath\me.png`, contentType: "text/html", content: newPNG()},
			formFile{field: "photo", name: "two.gif", contentType: "image/png", content: newGIF(3, 2)})
		require.Equal(t, http.StatusCreated, status, answer)

		// The types follow from the content, and the names have no path.
		wantFiles := []struct {
			name        string
			contentType string
		}{
			{name: "me.png", contentType: "image/png"},
			{name: "two.gif", contentType: "image/gif"},
		}
		files := answer["files"].([]any)
		require.Len(t, files, 2)
		keys := listKeys(t, bucket)
		for i, want := range wantFiles {
			file := files[i].(map[string]any)
			require.Equal(t, want.contentType, file["type"])
			require.Contains(t, keys, file["key"])
			require.Contains(t, file["location"], "http")
			require.Equal(t, want.name, file["name"])
		}

		// Only the user who sent the files may delete them.
		for _, key := range keys {
			status, _ = s.ask("43", http.MethodDelete, "/"+key, "", nil)
			require.Equal(t, http.StatusForbidden, status)
			status, _ = s.ask("42", http.MethodDelete, "/"+key, "", nil)
			require.Equal(t, http.StatusNoContent, status)
		}
		require.Empty(t, listKeys(t, bucket))
	})
}

// A form stores all of its files or none.
func TestFormIsStoredWholeOrNotAtAll(t *testing.T) {
	good := formFile{field: "photo", name: "good.png", contentType: "image/png", content: newPNG()}
	tests := []struct {
		name       string
		files      []formFile
		wantStatus int
		wantCode   uploads.Code
		wantField  string // that the response names; "" if it is not compared
		wantFile   string // that the response names; "" if it is not compared
	}{
		{
			name:       "a web page among pictures",
			files:      []formFile{good, {field: "photo2", name: "me.png", contentType: "image/png", content: htmlPage}},
			wantStatus: http.StatusUnsupportedMediaType,
			wantCode:   uploads.TypeNotAllowed,
			wantField:  "photo2",
			wantFile:   "me.png",
		},
		{
			name:       "a file that is too large",
			files:      []formFile{good, {field: "photo", name: "big.png", contentType: "image/png", content: newPNG() + strings.Repeat("x", 1<<20)}},
			wantStatus: http.StatusRequestEntityTooLarge,
			wantCode:   uploads.TooLarge,
			wantField:  "photo",
			wantFile:   "big.png",
		},
		{
			name:       "more files than are allowed",
			files:      []formFile{good, good, good, good},
			wantStatus: http.StatusRequestEntityTooLarge,
			wantCode:   uploads.TooManyFiles,
			wantField:  "file",
		},
		{
			name:       "more bytes than all files together may have",
			files:      []formFile{good, {field: "text", contentType: "text/plain", content: strings.Repeat("x", 5<<20)}},
			wantStatus: http.StatusRequestEntityTooLarge,
			wantCode:   uploads.TooLarge,
			wantField:  "file",
		},
		{name: "no files", wantStatus: http.StatusBadRequest, wantCode: uploads.NoFile, wantField: "file"},
		{
			name:       "an input that was left empty",
			files:      []formFile{{field: "photo", contentType: "application/octet-stream"}},
			wantStatus: http.StatusBadRequest,
			wantCode:   uploads.NoFile,
			wantField:  "file",
		},
		{
			name:       "a file whose header cannot be read",
			files:      []formFile{good, {field: "photo", name: `a"b.png`, contentType: "image/png", content: newPNG()}},
			wantStatus: http.StatusBadRequest,
			wantCode:   uploads.InvalidRequest,
		},
		{
			name:       "an empty file",
			files:      []formFile{{field: "photo", name: "a.png", contentType: "image/png"}},
			wantStatus: http.StatusUnprocessableEntity,
			wantCode:   uploads.Empty,
			wantField:  "photo",
			wantFile:   "a.png",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t, memstore.New(), uploads.Config{Rules: rules.Rules{MaxSize: 1 << 20}})
			status, problem := s.form("42", tt.files...)
			require.Equal(t, tt.wantStatus, status, problem)
			require.EqualValues(t, tt.wantStatus, problem["status"])
			require.EqualValues(t, tt.wantCode, problem["code"])

			if tt.wantField != "" {
				require.Equal(t, tt.wantField, problem["field"])
			}
			if tt.wantFile != "" {
				require.Equal(t, tt.wantFile, problem["file"])
			}
			require.NotEmpty(t, problem["detail"])
			require.Empty(t, listKeys(t, s.bucket))
		})
	}
}

// The handler reads a refused form to its end, because browsers show the response only then.
func TestFormRefusedIsReadToEnd(t *testing.T) {
	s := newSite(t, memstore.New(), uploads.Config{Rules: rules.Rules{MaxSize: 1 << 20}})
	page := formFile{field: "photo", name: "me.png", contentType: "image/png", content: htmlPage}
	body, contentType := newForm(t, page, bigPhoto(), bigPhoto())
	status, _ := s.ask("42", http.MethodPost, "/", contentType, body)
	require.Equal(t, http.StatusUnsupportedMediaType, status)
	require.Zero(t, body.Len(), "bytes that were not read")
}

// The handler reads at most as many bytes of a form as its files may have together.
func TestFormWithoutEndIsRefused(t *testing.T) {
	s := newSite(t, memstore.New(), uploads.Config{Rules: rules.Rules{MaxSize: 1 << 20}})
	body, contentType := newForm(t, bigPhoto())
	startOfForm := io.LimitReader(body, bigPhotoSize)
	rest := &endless{}
	status, _ := s.ask("42", http.MethodPost, "/", contentType, io.MultiReader(startOfForm, rest))
	require.Equal(t, http.StatusRequestEntityTooLarge, status)
	require.Less(t, rest.read, int64(5<<20))
}

const bigPhotoSize = 900 << 10

// bigPhoto returns a picture of a little more than bigPhotoSize, which is not too large.
func bigPhoto() formFile {
	photo := newPNG() + strings.Repeat("x", bigPhotoSize)
	return formFile{field: "photo", name: "big.png", contentType: "image/png", content: photo}
}

// After a refusal, the handler reads the rest of a form only up to a limit, and then closes the connection.
func TestFormRefusedIsReadUpToLimit(t *testing.T) {
	s := newService(t, memstore.New(), uploads.Config{
		Rules:     rules.Rules{MaxSize: 1 << 30},
		Authorize: func(*http.Request) (uploads.User, error) { return uploads.User{}, nil },
	})

	// The file is refused because of its type. In place of the end of its form, more and more bytes come.
	body, contentType := newForm(t, formFile{field: "photo", name: "me.png", contentType: "image/png", content: htmlPage})
	const endOfForm = 60 // bytes
	body.Truncate(body.Len() - endOfForm)
	rest := &endless{}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", io.MultiReader(body, rest))
	r.Header.Set("Content-Type", contentType)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	require.Equal(t, http.StatusUnsupportedMediaType, w.Code)

	// The handler has read no more than the limit of the rest, and closes the connection.
	const maxRest = 5 << 20 // bytes
	require.LessOrEqual(t, rest.read, int64(maxRest))
	require.Equal(t, "close", w.Header().Get("Connection"))
}

// The handler refuses a form whose part has a header of megabytes, without holding that header in memory.
func TestFormPartHeaderLimit(t *testing.T) {
	const maxAllocation = 2 << 20 // bytes
	long := strings.Repeat("x", 9<<20)
	tests := []struct {
		name   string
		header textproto.MIMEHeader
	}{
		{
			name:   "a long filename",
			header: textproto.MIMEHeader{"Content-Disposition": {`form-data; name="photo"; filename="` + long + `"`}},
		},
		{
			name:   "a long name of a field",
			header: textproto.MIMEHeader{"Content-Disposition": {`form-data; name="` + long + `"`}},
		},
		{
			name: "a long line of another name",
			header: textproto.MIMEHeader{
				"Content-Disposition": {`form-data; name="photo"; filename="a.png"`},
				"X-Long":              {long},
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// Make a form with this header.
			body := &bytes.Buffer{}
			w := multipart.NewWriter(body)
			part, err := w.CreatePart(tt.header)
			require.NoError(t, err)
			_, err = io.WriteString(part, newPNG())
			require.NoError(t, err)
			require.NoError(t, w.Close())

			s := newSite(t, memstore.New(), uploads.Config{})

			// Measure what the refusal of the form allocates.
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			status, problem := s.ask("42", http.MethodPost, "/", w.FormDataContentType(), body)
			runtime.ReadMemStats(&after)

			require.Equal(t, http.StatusBadRequest, status)
			require.EqualValues(t, uploads.InvalidRequest, problem["code"])
			require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(maxAllocation))
			require.Empty(t, listKeys(t, s.bucket))
		})
	}
}

// The limit for headers of parts does not apply to long text fields beside a file.
func TestFormLongFields(t *testing.T) {
	s := newSite(t, memstore.New(), uploads.Config{})
	status, answer := s.form("42",
		formFile{field: "text", contentType: "text/plain", content: strings.Repeat("x", 500<<10)},
		formFile{field: "photo", name: "me.png", contentType: "image/png", content: newPNG()})
	require.Equal(t, http.StatusCreated, status, answer)
}

// DELETE is forbidden over HTTP if Config.Key has no owner, unless Config.DeleteShared is set.
func TestHandlerDeleteNeedsOwnerInKey(t *testing.T) {
	tests := []struct {
		name         string
		deleteShared bool
		wantStatus   int
	}{
		{name: "by default", wantStatus: http.StatusForbidden},
		{name: "with DeleteShared", deleteShared: true, wantStatus: http.StatusNoContent},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bucket := memstore.New()
			s := newService(t, bucket, uploads.Config{
				Authorize:    func(*http.Request) (uploads.User, error) { return uploads.User{}, nil },
				DeleteShared: tt.deleteShared,
			})
			f, err := s.Store(t.Context(), uploads.Upload{Body: strings.NewReader(newPNG())})
			require.NoError(t, err)

			// Ask to remove a file whose key does not say who its owner is.
			req := httptest.NewRequestWithContext(t.Context(), http.MethodDelete, "/"+f.Key, nil)
			w := httptest.NewRecorder()
			s.ServeHTTP(w, req)
			require.Equal(t, tt.wantStatus, w.Code)
			isRemoved := len(listKeys(t, bucket)) == 0
			require.Equal(t, tt.deleteShared, isRemoved)
		})
	}
}

// The handler refuses malformed requests, and stores nothing.
func TestHandlerRefusesMalformedRequests(t *testing.T) {
	body, contentType := newForm(t, formFile{field: "photo", name: "a.png", contentType: "image/png", content: newPNG()})
	cut := body.String()[:body.Len()-60]

	// A form may have at most 100 fields without a file.
	manyFields := &bytes.Buffer{}
	w := multipart.NewWriter(manyFields)
	for range 102 {
		require.NoError(t, w.WriteField("x", "y"))
	}
	require.NoError(t, w.Close())

	tests := []struct {
		name        string
		method      string
		path        string
		contentType string
		body        string
		wantStatus  int
	}{
		{
			name:        "a body that is not a form",
			method:      http.MethodPost,
			path:        "/",
			contentType: "application/json",
			body:        "{}",
			wantStatus:  http.StatusUnsupportedMediaType,
		},
		{
			name:        "a form without a boundary",
			method:      http.MethodPost,
			path:        "/",
			contentType: "multipart/form-data",
			body:        "x",
			wantStatus:  http.StatusUnsupportedMediaType,
		},
		{
			name:        "a form cut short",
			method:      http.MethodPost,
			path:        "/",
			contentType: contentType,
			body:        cut,
			wantStatus:  http.StatusBadRequest,
		},
		{
			name:        "a form with too many fields",
			method:      http.MethodPost,
			path:        "/",
			contentType: w.FormDataContentType(),
			body:        manyFields.String(),
			wantStatus:  http.StatusBadRequest,
		},
		{
			name:        "a request for a ticket that is no JSON",
			method:      http.MethodPost,
			path:        "/tickets",
			contentType: "application/json",
			body:        "name=x",
			wantStatus:  http.StatusBadRequest,
		},
		{
			name:        "a request for a ticket with an unknown field",
			method:      http.MethodPost,
			path:        "/tickets",
			contentType: "application/json",
			body:        `{"key": "mine"}`,
			wantStatus:  http.StatusBadRequest,
		},
		{
			name:        "a request for a ticket without end",
			method:      http.MethodPost,
			path:        "/tickets",
			contentType: "application/json",
			body:        `{"name": "` + strings.Repeat("x", 1<<20),
			wantStatus:  http.StatusBadRequest,
		},
		{
			name:        "an unknown token",
			method:      http.MethodPost,
			path:        "/tickets/finish",
			contentType: "application/json",
			body:        `{"token": "x"}`,
			wantStatus:  http.StatusNotFound,
		},
		{name: "an unknown method", method: http.MethodPut, path: "/", wantStatus: http.StatusMethodNotAllowed},
		{name: "a DELETE without a key", method: http.MethodDelete, path: "/", wantStatus: http.StatusForbidden},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t, memstore.New(), uploads.Config{})
			status, _ := s.ask("42", tt.method, tt.path, tt.contentType, strings.NewReader(tt.body))
			require.Equal(t, tt.wantStatus, status)
			require.Empty(t, listKeys(t, s.bucket))
		})
	}
}

// The error of Authorize decides the status of the response. If Authorize returns a user whose ID no key can have, the
// status is 500.
func TestHandlerAuthorize(t *testing.T) {
	const secret = "10.0.0.7"
	tests := []struct {
		name         string
		user         uploads.User // that Authorize returns
		err          error        // that Authorize returns
		wantStatus   int
		wantCode     string
		wantReported int // number of errors that OnError gets
	}{
		{
			name:       "nobody",
			err:        storage.Unauthenticated,
			wantStatus: http.StatusUnauthorized,
			wantCode:   "unauthenticated",
		},
		{
			name:       "not permitted",
			err:        storage.PermissionDenied,
			wantStatus: http.StatusForbidden,
			wantCode:   "not_allowed",
		},
		{
			name:       "a code of the application",
			err:        &uploads.Error{Code: "quota", Message: "Your room is full."},
			wantStatus: http.StatusForbidden,
			wantCode:   "quota",
		},
		{
			name:         "another error",
			err:          errors.New("the database is at " + secret),
			wantStatus:   http.StatusInternalServerError,
			wantCode:     "internal",
			wantReported: 1,
		},
		{
			name:         "an ID with a slash",
			user:         uploads.User{ID: "a/b"},
			wantStatus:   http.StatusInternalServerError,
			wantCode:     "invalid_value",
			wantReported: 1,
		},
		{
			name:         "an ID with an at sign",
			user:         uploads.User{ID: "eva@example.com"},
			wantStatus:   http.StatusInternalServerError,
			wantCode:     "invalid_value",
			wantReported: 1,
		},
		{
			name:         "an ID of dots",
			user:         uploads.User{ID: ".."},
			wantStatus:   http.StatusInternalServerError,
			wantCode:     "invalid_value",
			wantReported: 1,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bucket := memstore.New()
			var reported []error
			s := newService(t, bucket, uploads.Config{
				Key:       keyOfUser,
				Authorize: func(*http.Request) (uploads.User, error) { return tt.user, tt.err },
				OnError: func(_ *http.Request, err error) {
					reported = append(reported, err)
				},
			})

			w := sendPhoto(t, s)
			require.Equal(t, tt.wantStatus, w.Code)
			require.Contains(t, w.Body.String(), `"code":"`+tt.wantCode+`"`)
			require.NotContains(t, w.Body.String(), secret)
			require.Len(t, reported, tt.wantReported)
			require.Empty(t, listKeys(t, bucket))
		})
	}
}

// A ticket can be signed and finished over HTTP, once its file was sent.
func TestHandlerTickets(t *testing.T) {
	s := newSite(t, openMemory(t), uploads.Config{})
	content := newPNG()
	ticket := s.signTicket(content)

	// The ticket cannot be finished before its file was sent.
	token := map[string]any{"token": ticket.Token}
	status, problem := s.post("42", "/tickets/finish", token)
	require.Equal(t, http.StatusUnprocessableEntity, status)
	require.Equal(t, "not_uploaded", problem["code"])

	// After that, only the user of the ticket can finish it.
	require.Equal(t, http.StatusOK, send(t, ticket, content))
	status, _ = s.post("43", "/tickets/finish", token)
	require.Equal(t, http.StatusNotFound, status)
	status, answer := s.post("42", "/tickets/finish", token)
	require.Equal(t, http.StatusOK, status, answer)
	require.Equal(t, "me.png", answer["name"])
	require.Equal(t, []string{answer["key"].(string)}, listPublished(t, s.bucket))
}

// mustJSON returns v as JSON.
func mustJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	require.NoError(t, err)
	return string(b)
}

// New refuses a negative Config.MaxFiles.
func TestNewRefusesNegativeMaxFiles(t *testing.T) {
	_, err := uploads.New(memstore.New(), uploads.Config{Authorize: byHeader, MaxFiles: -1})
	require.ErrorIs(t, err, storage.InvalidArgument)
}

// Without Config.Authorize, the handler answers each request with 500, and OnError gets the reason.
func TestHandlerNeedsAuthorize(t *testing.T) {
	for _, path := range []string{"/", "/tickets", "/s3/multipart"} {
		var reported error
		s := newService(t, memstore.New(), uploads.Config{OnError: func(_ *http.Request, err error) {
			reported = err
		}})
		w := request(s, http.MethodPost, path, "")
		require.Equal(t, http.StatusInternalServerError, w.Code, path)
		require.ErrorContains(t, reported, "Config.Authorize is nil", path)
	}
}
