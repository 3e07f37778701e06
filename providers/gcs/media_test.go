package gcs

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/driver"
)

// Get reads an object with a metadata key that is not a valid header name. Another tool has stored
// the object. Get cannot parse the response of the XML API, so it requests the attributes and then
// the bytes from the JSON API.
func TestGetInvalidMetadataHeader(t *testing.T) {
	const (
		xmlResponse = "HTTP/1.1 200 OK\r\nContent-Length: 11\r\nx-goog-generation: 42\r\n" +
			"x-goog-meta-v1.namespace/width: 1260\r\n\r\nhello world"
		object = `{"name":"a/b","bucket":"photos","generation":"42","size":"11",` +
			`"metadata":{"v1.namespace/width":"1260"}}`
	)
	var requests []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests = append(requests,
			r.Method+" "+r.URL.EscapedPath()+"?"+r.URL.RawQuery+" "+r.Header.Get("Range"))

		switch {
		case strings.HasPrefix(r.URL.Path, "/photos/"): // the XML API
			// A ResponseWriter refuses to send a header with this name, so write to the connection.
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return
			}
			_, _ = io.WriteString(conn, xmlResponse)
			_ = conn.Close()
		case r.URL.Query().Get("alt") == "media":
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader([]byte("hello world")))
		default:
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, object)
		}
	}))
	t.Cleanup(server.Close)
	d, err := NewDriver(t.Context(), Config{Bucket: "photos", Endpoint: server.URL})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })

	attrs, body, err := d.Get(t.Context(), &driver.GetRequest{Key: "a/b", Offset: 6, Length: -1})
	require.NoError(t, err)
	data, err := io.ReadAll(body)
	require.NoError(t, err)
	require.NoError(t, body.Close())

	require.Equal(t, "world", string(data))
	require.Equal(t, int64(11), attrs.Size)
	require.Equal(t, map[string]string{"v1.namespace/width": "1260"}, attrs.Metadata)
	// The first request goes to the XML API, and the second one asks for the attributes.
	require.Len(t, requests, 3)
	require.Equal(t, "GET /storage/v1/b/photos/o/a%2Fb?alt=media&generation=42 bytes=6-", requests[2])
}
