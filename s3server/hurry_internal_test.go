package s3server

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/wiretest"
	"github.com/omnibucket/storage/s3server/internal/request"
)

// A timedReader is a response writer that keeps the deadlines that the server sets for reading.
type timedReader struct {
	*httptest.ResponseRecorder
	deadlines []time.Time
}

// SetReadDeadline records the deadline that the server sets. The zero time, which removes a deadline, does not count.
func (r *timedReader) SetReadDeadline(t time.Time) error {
	if !t.IsZero() {
		r.deadlines = append(r.deadlines, t)
	}
	return nil
}

// newWithPublicWrites returns a server with the bucket photos, to which everybody may write.
func newWithPublicWrites(t *testing.T, limits Limits) *Handler {
	t.Helper()
	const policy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*",` +
		`"Action":"s3:PutObject","Resource":"arn:aws:s3:::photos/*"}]}`
	h := New(Config{Limits: limits})
	require.NoError(t, h.SetUpBucket(t.Context(), BucketSetup{Name: "photos", Policy: []byte(policy)}))
	return h
}

// The server waits for a client that sends slowly, also if the whole request takes longer than the idle timeout.
func TestHostileClientSendsSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newWithPublicWrites(t, Limits{IdleTimeout: time.Minute})
		client := wiretest.OnPipes(t, &http.Server{Handler: h})

		body, clientEnd := io.Pipe()
		go func() {
			for _, b := range []byte("01234") {
				time.Sleep(50 * time.Second) // less than the idle timeout
				_, _ = clientEnd.Write([]byte{b})
			}
			_ = clientEnd.Close()
		}()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://localhost/photos/k", body)
		require.NoError(t, err)
		req.ContentLength = 5

		start := time.Now()
		resp, err := client.Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusOK, resp.StatusCode)
		require.Equal(t, 250*time.Second, time.Since(start))

		content, _, err := storage.ReadAll(t.Context(), h.Bucket("photos"), "k")
		require.NoError(t, err)
		require.Equal(t, "01234", string(content))
	})
}

// The server limits the time for reading a form. Otherwise, clients that send a byte a minute could
// hold all connections. The fields have as much time as a document, and the file as much as any
// idle client.
func TestHostileSlowForm(t *testing.T) {
	const idleTimeout = time.Hour
	synctest.Test(t, func(t *testing.T) {
		h := newWithPublicWrites(t, Limits{IdleTimeout: idleTimeout})
		start := time.Now()

		// The form has a field with the key of the object, and then the file.
		const fieldHeader = "--b\r\nContent-Disposition: form-data; name="
		file := strings.Repeat("x", 100<<10)
		form := fieldHeader + "\"key\"\r\n\r\nk\r\n" +
			fieldHeader + "\"file\"; filename=\"f\"\r\n\r\n" + file + "\r\n--b--\r\n"
		r := httptest.NewRequest("POST", "http://localhost/photos", strings.NewReader(form))
		r.Header.Set("Content-Type", "multipart/form-data; boundary=b")

		// The response writer records the deadlines that the server sets for reading.
		w := &timedReader{ResponseRecorder: httptest.NewRecorder()}
		h.ServeHTTP(w, r)

		// The first deadline is for the fields, and the last one for the file.
		require.Equal(t, 204, w.Code, w.Body)
		firstDeadline, lastDeadline := w.deadlines[0], w.deadlines[len(w.deadlines)-1]
		require.Equal(t, start.Add(request.DocumentTimeout), firstDeadline)
		require.Equal(t, start.Add(idleTimeout), lastDeadline)
	})
}

// While as many anonymous clients as permitted send large documents, another anonymous client fails
// with 503 after DocumentTimeout.
func TestHostileSlowDocument(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newWithPublicWrites(t, Limits{IdleTimeout: time.Hour})
		start := time.Now()

		// Take the places of all anonymous clients with large documents.
		for range request.AnonymousDocuments {
			h.server.Documents.Anonymous <- struct{}{}
		}

		// Another anonymous client sends a document that is longer than a small one.
		document := "<Delete>" + strings.Repeat(" ", request.SmallDocument)
		r := httptest.NewRequest("POST", "http://localhost/photos?delete", strings.NewReader(document))
		r.Header.Set("Content-Md5", "1B2M2Y8AsgTpgAmY7PhCfg==")

		w := &timedReader{ResponseRecorder: httptest.NewRecorder()}
		h.ServeHTTP(w, r)

		// The request has waited for a place, and got none.
		require.Equal(t, 503, w.Code, w.Body)
		require.Equal(t, request.DocumentTimeout, time.Since(start))
	})
}
