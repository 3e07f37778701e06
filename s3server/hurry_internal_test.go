package s3server

import (
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server/internal/request"
)

// A timedReader is a client for which the server sets deadlines.
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

// The server limits the time for a document or a form, because clients that send a byte a minute could otherwise hold
// all connections.
func TestHostileSlowDocument(t *testing.T) {
	const (
		policy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*",` +
			`"Action":"s3:PutObject","Resource":"arn:aws:s3:::photos/*"}]}`
		idleTimeout = time.Hour
	)
	synctest.Test(t, func(t *testing.T) {
		h := New(Config{Limits: Limits{IdleTimeout: idleTimeout}})
		require.NoError(t, h.SetUpBucket(t.Context(), BucketSetup{Name: "photos", Policy: []byte(policy)}))
		start := time.Now()

		// Before the file of the form, the server waits as long as for a document. Then it waits as long as for any
		// idle client.
		const field = "--b\r\nContent-Disposition: form-data; name="
		form := field + "\"key\"\r\n\r\nk\r\n" +
			field + "\"file\"; filename=\"f\"\r\n\r\n" + strings.Repeat("x", 100<<10) + "\r\n--b--\r\n"
		r := httptest.NewRequest("POST", "http://localhost/photos", strings.NewReader(form))
		r.Header.Set("Content-Type", "multipart/form-data; boundary=b")
		w := &timedReader{ResponseRecorder: httptest.NewRecorder()}
		h.ServeHTTP(w, r)
		require.Equal(t, 204, w.Code, w.Body)
		require.Equal(t, start.Add(request.DocumentTimeout), w.deadlines[0])
		require.Equal(t, start.Add(idleTimeout), w.deadlines[len(w.deadlines)-1])

		// While too many anonymous clients send documents, another one waits only for DocumentTimeout.
		for range request.AnonymousDocuments {
			h.server.Documents.Anonymous <- struct{}{}
		}
		document := "<Delete>" + strings.Repeat(" ", request.SmallDocument)
		r = httptest.NewRequest("POST", "http://localhost/photos?delete", strings.NewReader(document))
		r.Header.Set("Content-Md5", "1B2M2Y8AsgTpgAmY7PhCfg==")
		w = &timedReader{ResponseRecorder: httptest.NewRecorder()}
		h.ServeHTTP(w, r)
		require.Equal(t, 503, w.Code, w.Body)
		require.Equal(t, request.DocumentTimeout, time.Since(start))
	})
}
