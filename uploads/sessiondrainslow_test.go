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

// A refused client of an S3 route that sends slowly is cut off.
func TestS3EndsSlowRefusedClient(t *testing.T) {
	handler, err := uploads.New(memstore.New(), configured(uploads.Config{}))
	require.NoError(t, err)
	wiretest.RefusesSlowBody(t, handler, "/s3/multipart")
}

// A client that sends some bytes to an upload that is not there, and then nothing, is not kept waiting.
func TestTusRefusedClientThatStalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSiteOnPipes(t, memstore.New(), uploads.Config{})
		stuck := newStuckBody(content(100))
		start := time.Now()
		defer stuck.end()
		a := <-s.patchAndStall("/tus/AAAAAAAAAAAAAAAAAAAAAAAAAA", stuck)
		require.Equal(t, "404 not_found uploadId", a.refusal(t))
		require.Less(t, time.Since(start), 4*time.Second)
	})
}

// A limit of the application, in front of the handler, changes the header of the response when a
// Read reaches it. That is not at the same time as the response. The race detector sees it.
func TestTusRefusedClientReachesLimitOfApplication(t *testing.T) {
	s := newSessionSite(t, inMemory(t), uploads.Config{})
	limited := httptest.NewServer(http.StripPrefix("/uploads", http.MaxBytesHandler(s.handler, 20)))
	defer limited.Close()
	for range 20 {
		address := s.create("Upload-Length", "10")
		chunked := io.MultiReader(bytes.NewReader(content(40)))
		a := s.do(alice, "PATCH", limited.URL+address[strings.Index(address, "/uploads/"):], chunked, headers{
			"Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream",
		})
		require.Equal(t, "413 too_large body", a.refusal(t))
	}
}
