package gcs

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	gcs "cloud.google.com/go/storage"
	"github.com/stretchr/testify/require"
	"google.golang.org/api/option"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/wiretest"
)

// given opens the bucket "photos" at the server with a client of the SDK.
func (w *standIn) given(t *testing.T) *objectDriver {
	t.Helper()
	client, err := gcs.NewClient(context.Background(), option.WithoutAuthentication(), option.WithEndpoint(w.server.URL+"/storage/v1/"),
		option.WithHTTPClient(&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}))
	require.NoError(t, err)
	d, err := NewDriver(t.Context(), Config{Bucket: "photos", Client: client})
	require.NoError(t, err)
	require.Same(t, client, d.Native())
	return d.(*objectDriver)
}

func TestSDKClientChunksFitTheBody(t *testing.T) {
	for size, want := range map[int64]int{0: unit, 1 << 10: unit, unit - 1: unit, unit: 2 * unit, 1 << 30: maxChunk, -1: maxChunk} {
		require.Equal(t, want, chunkSize(size), "%d bytes", size)
	}
}

func TestSDKClientSendsTheChecksumFirst(t *testing.T) {
	server := newStandIn(t, stored)
	d := server.given(t)
	require.True(t, d.Describe().Features&driver.StreamingPut != 0)
	require.Zero(t, d.Describe().Features&storage.MultipartUploads)
	r := wiretest.Put("a", "hello world")
	r.Condition.Absent = true
	attrs, err := d.Put(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, "1700000000000001", attrs.Revision)
	require.Equal(t, []string{"POST /upload/storage/v1/b/photos/o"}, server.server.Calls())
	asked := server.server.Last(t)
	require.Equal(t, "0", asked.Query().Get("ifGenerationMatch"))
	object, _, data := related(t, asked)
	require.Equal(t, "yZRlqg==", object["crc32c"])
	require.Equal(t, "hello world", data)
}

func TestSDKClientReadsOneGeneration(t *testing.T) {
	server := newStandIn(t, stored, media(nil))
	_, body, err := server.given(t).Get(t.Context(), &driver.GetRequest{Key: "a", Length: -1})
	require.NoError(t, err)
	require.NoError(t, body.Close())
	require.Equal(t, []string{"GET /storage/v1/b/photos/o/a", "GET /photos/a"}, server.server.Calls())
	require.Equal(t, "1700000000000001", server.server.Last(t).Query().Get("generation"))
	require.Equal(t, "gzip", server.server.Last(t).Header.Get("Accept-Encoding"))
}

func TestNoErrorOfTheSDKClientContainsTheSession(t *testing.T) {
	for name, answer := range map[string]reply{"refused": failing(403, "forbidden", "Access denied."), "cut": {Cut: true}} {
		t.Run(name, func(t *testing.T) {
			if answer.Header != nil {
				answer.Header[requestIDHeader] = "S3CR3T"
			}
			server := newStandIn(t)
			server.server.Respond(reply{Header: map[string]string{"Location": server.server.URL + sessionName}}, answer)
			_, err := server.given(t).Put(t.Context(), wiretest.Put("a", strings.Repeat("x", 5<<20)))
			require.Error(t, err)
			var address *url.Error
			require.False(t, errors.As(err, &address))
			for ; err != nil; err = errors.Unwrap(err) {
				require.NotContains(t, err.Error(), "S3CR3T")
				if a := responseOf(err); a != nil {
					require.Empty(t, a.Header.Get(requestIDHeader))
				}
			}
		})
	}
}

func TestSDKClientMakesOneAttempt(t *testing.T) {
	server := newStandIn(t, failing(503, "backendError", "Backend Error"))
	d := server.given(t)
	require.ErrorIs(t, head(t, d), storage.Unavailable)
	require.Len(t, server.server.Calls(), 1, "retrying is the core's")
	_, err := d.Put(t.Context(), wiretest.Put("a", "x"))
	require.ErrorIs(t, err, storage.OutcomeUnknown)
	require.Len(t, server.server.Calls(), 2)
}
