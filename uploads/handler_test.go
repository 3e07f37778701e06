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

type formFile struct{ field, name, contentType, content string }

// formOf returns a body of multipart/form-data, and its type.
func formOf(t *testing.T, files ...formFile) (body *bytes.Buffer, contentType string) {
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

// byHeader authorizes by a header.
func byHeader(r *http.Request) (uploads.User, error) {
	switch user := r.Header.Get("User"); user {
	case "":
		return uploads.User{}, storage.Unauthenticated
	case "banned":
		return uploads.User{}, storage.PermissionDenied
	case "broken":
		return uploads.User{}, errors.New("the database is at 10.0.0.7")
	case "blocked":
		return uploads.User{}, &uploads.Error{Code: "quota", Message: "Your room is full."}
	default:
		return uploads.User{ID: user}, nil
	}
}

type site struct {
	t       *testing.T
	bucket  storage.Bucket
	handler http.Handler
	logged  []error
}

func newSite(t *testing.T, b storage.Bucket, c uploads.Config) *site {
	s := &site{t: t, bucket: b}
	c.Key = ofMe
	c.Authorize = byHeader
	c.MaxFiles = 3
	c.OnError = func(_ *http.Request, err error) {
		s.logged = append(s.logged, err)
	}
	s.handler = http.StripPrefix("/uploads", newService(t, b, c))
	return s
}

// ask returns the status and the response's JSON.
func (s *site) ask(user, method, path, contentType string, body io.Reader) (int, map[string]any) {
	s.t.Helper()
	r := httptest.NewRequestWithContext(s.t.Context(), method, "/uploads"+path, body)
	r.Header.Set("Content-Type", contentType)
	if user != "" {
		r.Header.Set("User", user)
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	answer := map[string]any{}
	if w.Body.Len() > 0 && strings.Contains(w.Header().Get("Content-Type"), "json") {
		require.NoError(s.t, json.Unmarshal(w.Body.Bytes(), &answer), w.Body.String())
		require.Equal(s.t, "no-store", w.Header().Get("Cache-Control"))
		require.Equal(s.t, w.Code >= 400, w.Header().Get("Content-Type") == "application/problem+json")
	}
	return w.Code, answer
}

func (s *site) form(user string, files ...formFile) (int, map[string]any) {
	s.t.Helper()
	body, contentType := formOf(s.t, files...)
	return s.ask(user, http.MethodPost, "/", contentType, body)
}

// Files can be stored by a form over HTTP, and deleted.
func TestFormFilesAreStoredAndDeleted(t *testing.T) {
	onBuckets(t, func(t *testing.T, b storage.Bucket) {
		s := newSite(t, b, uploads.Config{Link: uploads.SignedLink})
		status, answer := s.form("42",
			formFile{"photo", `C:\fakepath\me.png`, "text/html", aPNG()},
			formFile{"photo", "two.gif", "image/png", aGIF(3, 2)})
		require.Equal(t, http.StatusCreated, status, answer)
		files := answer["files"].([]any)
		require.Len(t, files, 2)
		values := keys(t, b)
		for i, want := range []string{"image/png", "image/gif"} {
			file := files[i].(map[string]any)
			require.Equal(t, want, file["type"])
			require.Contains(t, values, file["key"])
			require.Contains(t, file["location"], "http")
			require.Equal(t, []string{"me.png", "two.gif"}[i], file["name"])
		}
		for _, key := range values {
			status, _ = s.ask("43", http.MethodDelete, "/"+key, "", nil)
			require.Equal(t, http.StatusForbidden, status)
			status, _ = s.ask("42", http.MethodDelete, "/"+key, "", nil)
			require.Equal(t, http.StatusNoContent, status)
		}
		require.Empty(t, keys(t, b))
	})
}

// A form stores all of its files or none.
func TestFormIsStoredWholeOrNotAtAll(t *testing.T) {
	good := formFile{"photo", "good.png", "image/png", aPNG()}
	for _, row := range []struct {
		name        string
		files       []formFile
		status      int
		code        uploads.Code
		field, file string
	}{
		{"a page among pictures", []formFile{good, {"photo2", "me.png", "image/png", aPage}}, 415, uploads.TypeNotAllowed, "photo2", "me.png"},
		{"one that is too large", []formFile{good, {"photo", "big.png", "image/png", aPNG() + strings.Repeat("x", 1<<20)}}, 413, uploads.TooLarge, "photo", "big.png"},
		{"one more than is allowed", []formFile{good, good, good, good}, 413, uploads.TooManyFiles, "file", ""},
		{"more bytes than all files may have", []formFile{good, {"text", "", "text/plain", strings.Repeat("x", 5<<20)}}, 413, uploads.TooLarge, "file", ""},
		{"none", nil, 400, uploads.NoFile, "file", ""},
		{"an input that was left empty", []formFile{{"photo", "", "application/octet-stream", ""}}, 400, uploads.NoFile, "file", ""},
		{"a file whose header cannot be read", []formFile{good, {"photo", `a"b.png`, "image/png", aPNG()}}, 400, uploads.InvalidRequest, "", ""},
		{"an empty file", []formFile{{"photo", "a.png", "image/png", ""}}, 422, uploads.Empty, "photo", "a.png"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newSite(t, memstore.New(), uploads.Config{Rules: rules.Rules{MaxSize: 1 << 20}})
			status, problem := s.form("42", row.files...)
			require.Equal(t, row.status, status, problem)
			require.EqualValues(t, row.status, problem["status"])
			require.EqualValues(t, row.code, problem["code"])
			if row.field != "" {
				require.Equal(t, row.field, problem["field"])
			}
			if row.file != "" {
				require.Equal(t, row.file, problem["file"])
			}
			require.NotEmpty(t, problem["detail"])
			require.Empty(t, keys(t, s.bucket))
		})
	}
}

// If a file of a form is refused, the handler still reads the form to its end. Otherwise a browser would show no
// response.
func TestFormRefusedIsReadToEnd(t *testing.T) {
	s := newSite(t, memstore.New(), uploads.Config{Rules: rules.Rules{MaxSize: 1 << 20}})
	big := formFile{"photo", "big.png", "image/png", aPNG() + strings.Repeat("x", 900<<10)}
	body, contentType := formOf(t, formFile{"photo", "me.png", "image/png", aPage}, big, big)
	status, _ := s.ask("42", http.MethodPost, "/", contentType, body)
	require.Equal(t, http.StatusUnsupportedMediaType, status)
	require.Zero(t, body.Len())

	endless := &endless{}
	body, contentType = formOf(t, big)
	status, _ = s.ask("42", http.MethodPost, "/", contentType, io.MultiReader(io.LimitReader(body, 900<<10), endless))
	require.Equal(t, http.StatusRequestEntityTooLarge, status)
	require.Less(t, endless.read, int64(5<<20), "but no further than all files may be long")
}

// After a refusal, the handler reads the rest of a form only up to a limit.
func TestFormRefusedIsReadUpToLimit(t *testing.T) {
	h := newService(t, memstore.New(), uploads.Config{
		Rules:     rules.Rules{MaxSize: 1 << 30},
		Authorize: func(*http.Request) (uploads.User, error) { return uploads.User{}, nil },
	})
	body, contentType := formOf(t, formFile{"photo", "me.png", "image/png", aPage})
	rest := &endless{}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", io.MultiReader(bytes.NewReader(body.Bytes()[:body.Len()-60]), rest))
	r.Header.Set("Content-Type", contentType)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	require.Equal(t, http.StatusUnsupportedMediaType, w.Code)
	require.LessOrEqual(t, rest.read, int64(5<<20))
	require.Equal(t, "close", w.Header().Get("Connection"))
}

// The handler refuses a form whose part has a header of megabytes, without holding it in memory as mime/multipart
// would.
func TestFormPartHeaderLimit(t *testing.T) {
	long := strings.Repeat("x", 9<<20)
	for _, row := range []struct {
		name   string
		header textproto.MIMEHeader
	}{
		{"a name", textproto.MIMEHeader{"Content-Disposition": {`form-data; name="photo"; filename="` + long + `"`}}},
		{"a field's name", textproto.MIMEHeader{"Content-Disposition": {`form-data; name="` + long + `"`}}},
		{"another line", textproto.MIMEHeader{"Content-Disposition": {`form-data; name="photo"; filename="a.png"`}, "X-Long": {long}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			body := &bytes.Buffer{}
			w := multipart.NewWriter(body)
			part, err := w.CreatePart(row.header)
			require.NoError(t, err)
			_, err = io.WriteString(part, aPNG())
			require.NoError(t, err)
			require.NoError(t, w.Close())
			s := newSite(t, memstore.New(), uploads.Config{})
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			status, problem := s.ask("42", http.MethodPost, "/", w.FormDataContentType(), body)
			runtime.ReadMemStats(&after)
			require.Equal(t, http.StatusBadRequest, status)
			require.EqualValues(t, uploads.InvalidRequest, problem["code"])
			require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(2<<20))
			require.Empty(t, keys(t, s.bucket))
		})
	}
}

// The limit for headers of parts does not apply to long text fields beside a file.
func TestFormLongFields(t *testing.T) {
	s := newSite(t, memstore.New(), uploads.Config{})
	status, answer := s.form("42", formFile{"text", "", "text/plain", strings.Repeat("x", 500<<10)}, formFile{"photo", "me.png", "image/png", aPNG()})
	require.Equal(t, http.StatusCreated, status, answer)
}

// DELETE over HTTP is forbidden if Config.Key has no owner, unless Config.DeleteShared is set.
func TestHandlerDeleteNeedsOwnerInKey(t *testing.T) {
	for _, row := range []struct {
		name   string
		shared bool
		status int
	}{{"by default", false, http.StatusForbidden}, {"where that is asked for", true, http.StatusNoContent}} {
		t.Run(row.name, func(t *testing.T) {
			b := memstore.New()
			s := newService(t, b, uploads.Config{
				Authorize:    func(*http.Request) (uploads.User, error) { return uploads.User{}, nil },
				DeleteShared: row.shared,
			})
			r, err := s.Store(t.Context(), uploads.Upload{Body: strings.NewReader(aPNG())})
			require.NoError(t, err)
			w := httptest.NewRecorder()
			s.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodDelete, "/"+r.Key, nil))
			require.Equal(t, row.status, w.Code)
			require.Equal(t, row.shared, len(keys(t, b)) == 0)
		})
	}
}

// Malformed requests are refused.
func TestHandlerRefusesMalformedRequests(t *testing.T) {
	body, contentType := formOf(t, formFile{"photo", "a.png", "image/png", aPNG()})
	cut := body.String()[:body.Len()-60]
	manyFields := &bytes.Buffer{}
	w := multipart.NewWriter(manyFields)
	for range 102 {
		require.NoError(t, w.WriteField("x", "y"))
	}
	require.NoError(t, w.Close())
	for _, row := range []struct {
		name, method, path, contentType, body string
		status                                int
	}{
		{"no form", http.MethodPost, "/", "application/json", "{}", 415},
		{"a form without a boundary", http.MethodPost, "/", "multipart/form-data", "x", 415},
		{"a form cut short", http.MethodPost, "/", contentType, cut, 400},
		{"a form of fields", http.MethodPost, "/", w.FormDataContentType(), manyFields.String(), 400},
		{"a ticket's request that is no JSON", http.MethodPost, "/tickets", "application/json", "name=x", 400},
		{"an unknown field", http.MethodPost, "/tickets", "application/json", `{"key": "mine"}`, 400},
		{"a document without end", http.MethodPost, "/tickets", "application/json", `{"name": "` + strings.Repeat("x", 1<<20), 400},
		{"a token that is none", http.MethodPost, "/tickets/finish", "application/json", `{"token": "x"}`, 404},
		{"a method that is not there", http.MethodPut, "/", "", "", 405},
		{"a key that is not there", http.MethodDelete, "/", "", "", 403},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newSite(t, memstore.New(), uploads.Config{})
			status, _ := s.ask("42", row.method, row.path, row.contentType, strings.NewReader(row.body))
			require.Equal(t, row.status, status)
			require.Empty(t, keys(t, s.bucket))
		})
	}
}

// The code of Authorize's error decides the status of the response. If Authorize returns an ID that no key can
// have, the status is 500.
func TestHandlerAuthorize(t *testing.T) {
	for _, row := range []struct {
		user   string
		status int
		code   string
		logged int
	}{
		{"", 401, "unauthenticated", 0},
		{"banned", 403, "not_allowed", 0},
		{"blocked", 403, "quota", 0},
		{"broken", 500, "internal", 1},
		{"a/b", 500, "invalid_value", 1},
		{"eva@example.com", 500, "invalid_value", 1},
		{"..", 500, "invalid_value", 1},
	} {
		t.Run("user "+row.user, func(t *testing.T) {
			s := newSite(t, memstore.New(), uploads.Config{})
			status, problem := s.form(row.user, formFile{"photo", "a.png", "image/png", aPNG()})
			require.Equal(t, row.status, status)
			require.Equal(t, row.code, problem["code"])
			require.NotContains(t, problem["detail"], "10.0.0.7")
			require.Len(t, s.logged, row.logged)
			require.Empty(t, keys(t, s.bucket))
		})
	}
}

// A ticket can be signed and finished over HTTP.
func TestHandlerTickets(t *testing.T) {
	s := newSite(t, inMemory(t), uploads.Config{})
	content := aPNG()
	status, answer := s.ask("42", http.MethodPost, "/tickets", "application/json",
		strings.NewReader(`{"name": "me.png", "type": "image/png", "size": `+jsonOf(t, len(content))+`}`))
	require.Equal(t, http.StatusCreated, status, answer)
	var ticket uploads.Ticket
	require.NoError(t, json.Unmarshal([]byte(jsonOf(t, answer)), &ticket))
	finish := func(user string) (int, map[string]any) {
		return s.ask(user, http.MethodPost, "/tickets/finish", "application/json", strings.NewReader(`{"token": `+jsonOf(t, ticket.Token)+`}`))
	}
	status, problem := finish("42")
	require.Equal(t, http.StatusUnprocessableEntity, status)
	require.Equal(t, "not_uploaded", problem["code"])
	require.Equal(t, http.StatusOK, send(t, &ticket, content))
	status, _ = finish("43")
	require.Equal(t, http.StatusNotFound, status)
	status, answer = finish("42")
	require.Equal(t, http.StatusOK, status, answer)
	require.Equal(t, "me.png", answer["name"])
	require.Equal(t, []string{answer["key"].(string)}, published(t, s.bucket))
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	require.NoError(t, err)
	return string(b)
}

func TestHandlerNeedsAuthorize(t *testing.T) {
	_, err := uploads.New(memstore.New(), uploads.Config{Authorize: byHeader, MaxFiles: -1})
	require.ErrorIs(t, err, storage.InvalidArgument)
	var told []error
	s := newService(t, memstore.New(), uploads.Config{OnError: func(_ *http.Request, err error) {
		told = append(told, err)
	}})
	for _, path := range []string{"/", "/tickets", "/s3/multipart"} {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, nil))
		require.Equal(t, http.StatusInternalServerError, w.Code)
		require.ErrorContains(t, told[len(told)-1], "Config.Authorize is nil")
	}
}
