package uploads_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/testing/wiretest"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
)

// A client of an S3 route that is refused, and sends slowly, is cut off.
func TestS3EndsSlowRefusedClient(t *testing.T) {
	handler, err := uploads.New(memstore.New(), withTestDefaults(uploads.Config{}))
	require.NoError(t, err)
	wiretest.RefusesSlowBody(t, handler, "/s3/multipart")
}

// A client that sends some bytes to a missing upload, and then stalls, gets the refusal without delay.
func TestTusRefusedClientThatStalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSynctestSite(t, memstore.New(), uploads.Config{})
		stuck := newStuckBody(content(100))
		defer stuck.end()

		start := time.Now()
		a := <-s.patchAndStall("/tus/AAAAAAAAAAAAAAAAAAAAAAAAAA", stuck)
		require.Equal(t, "404 not_found uploadId", a.refusal(t))
		require.Less(t, time.Since(start), maxDelay)
	})
}

// http.MaxBytesHandler may write a header during a Read. The handler does not write one at the same time, or the race
// detector would report it.
func TestTusRefusedClientReachesLimitOfApplication(t *testing.T) {
	s := newSessionSite(t, openMemory(t), uploads.Config{})
	const maxBytes = 20
	limited := httptest.NewServer(http.StripPrefix("/uploads", http.MaxBytesHandler(s.handler, maxBytes)))
	defer limited.Close()

	// Many attempts make a data race likely.
	const attempts = 20
	for range attempts {
		address := s.create("Upload-Length", "10")
		chunked := io.MultiReader(bytes.NewReader(content(2 * maxBytes)))
		path := address[strings.Index(address, "/uploads/"):]
		resp := s.do(alice, "PATCH", limited.URL+path, chunked, headers{
			"Tus-Resumable": "1.0.0",
			"Upload-Offset": "0",
			"Content-Type":  "application/offset+octet-stream",
		})
		require.Equal(t, "413 too_large body", resp.refusal(t))
	}
}
