package s3server

import (
	"context"
	"crypto/md5"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/s3server/internal/request"
	"github.com/omnibucket/storage/s3server/internal/state"
)

// A stuckReader is a client that sends a request and reads nothing of the response until release is closed.
type stuckReader struct {
	*httptest.ResponseRecorder
	onFirstWrite func(size int)
	release      chan struct{}
}

// Write reports the first write of the server to onFirstWrite, and blocks there until release is closed.
func (r *stuckReader) Write(p []byte) (int, error) {
	if r.onFirstWrite != nil {
		r.onFirstWrite(len(p))
		r.onFirstWrite = nil
		<-r.release
	}
	return r.ResponseRecorder.Write(p)
}

// signedRequest returns a request that the first credential of the server signs.
func signedRequest(t *testing.T, h *Handler, method, target, body string) *http.Request {
	r := httptest.NewRequest(method, "http://localhost"+target, strings.NewReader(body))
	sum := md5.Sum([]byte(body))
	r.Header.Set("Content-Md5", base64.StdEncoding.EncodeToString(sum[:]))
	r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
	key := aws.Credentials{
		AccessKeyID:     h.Credentials().AccessKeyID,
		SecretAccessKey: h.Credentials().SecretKey,
	}
	require.NoError(t,
		v4.NewSigner().SignHTTP(t.Context(), key, r, "UNSIGNED-PAYLOAD", "s3", DefaultRegion, time.Now()))
	return r
}

// Clients that do not read their responses hold little memory of the server, even if there are many. The server refuses
// clients when the responses in memory reach its limit.
func TestResponsesToStalledClientsHoldLittleMemory(t *testing.T) {
	const (
		keys    = 100
		clients = 2 * request.Listers // more than may make a listing at the same time
	)
	h := New(Config{Buckets: []string{"photos"}})
	h.server.Documents.Limit = 4 << 20
	b := h.Bucket("photos")
	defer func() {
		require.NoError(t, storage.Close(b))
	}()

	// Each key is long, and longer in XML. Each key has an object and an upload. The document of a
	// request to remove objects names the same number of other keys.
	var document strings.Builder
	document.WriteString("<Delete>")
	for i := range keys {
		key := fmt.Sprintf("%03d", i) + strings.Repeat("&", 1000)
		_, err := b.Upload(t.Context(), key, strings.NewReader(""))
		require.NoError(t, err)
		require.NoError(t, h.server.Store.BeginUpload(context.Background(), &state.Upload{
			Bucket: "photos",
			Key:    key,
		}))
		fmt.Fprintf(&document, "<Object><Key>x%s</Key></Object>", strings.Repeat("&amp;", 1000))
	}
	document.WriteString("</Delete>")

	tests := []struct {
		name                string
		method, query, body string
	}{
		{name: "objects", method: "GET", query: "?list-type=2"},
		{name: "objects, version 1", method: "GET"},
		{name: "versions", method: "GET", query: "?versions="},
		{name: "uploads", method: "GET", query: "?uploads="},
		{name: "deleted objects", method: "POST", query: "?delete=", body: document.String()},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var mu sync.Mutex
			served := 0            // clients that the server sends a response with status 200
			refused := 0           // other clients
			var refusals []int     // statuses of the responses to them
			servedSize := int64(0) // bytes of the first writes to the clients that are served
			var decisions, handlers sync.WaitGroup
			release := make(chan struct{})

			// The clients read nothing of their responses until they are released.
			for range clients {
				decisions.Add(1)
				recorder := httptest.NewRecorder()
				w := &stuckReader{ResponseRecorder: recorder, release: release}
				w.onFirstWrite = func(size int) {
					mu.Lock()
					defer mu.Unlock()
					if recorder.Code == http.StatusOK {
						served++
						servedSize += int64(size)
					} else {
						refused++
						refusals = append(refusals, recorder.Code)
					}
					decisions.Done()
				}
				r := signedRequest(t, h, tt.method, "/photos"+tt.query, tt.body)
				handlers.Go(func() {
					h.ServeHTTP(w, r)
				})
			}

			// The server serves some clients, within its limit, and refuses the others.
			decisions.Wait()
			for _, status := range refusals {
				require.Equal(t, http.StatusServiceUnavailable, status)
			}
			require.Equal(t, clients, served+refused)
			require.Positive(t, served)
			require.Positive(t, refused)
			require.LessOrEqual(t, servedSize, h.server.Documents.Limit)

			// A client with a small response is served meanwhile.
			small := httptest.NewRecorder()
			h.ServeHTTP(small, signedRequest(t, h, "GET", "/photos?list-type=2&max-keys=1", ""))
			require.Equal(t, http.StatusOK, small.Code, "nothing that others need is held")

			// Afterwards, nothing is held.
			close(release)
			handlers.Wait()
			require.Zero(t, h.server.Documents.Reserved.Load())
			require.Empty(t, h.server.Documents.Listings)
			require.Empty(t, h.server.Documents.Received)
		})
	}
}
