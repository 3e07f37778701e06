package nulls3

import (
	"encoding/xml"
	"hash/crc32"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func start(t *testing.T, o Options) *Server {
	t.Helper()
	s, err := Start(o, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func get(t *testing.T, url string, header ...string) (*http.Response, []byte) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return response, body
}

func TestObjectsAreAsLargeAsTheirKeysSay(t *testing.T) {
	s := start(t, Options{})
	const size = patternBytes + 100
	response, whole := get(t, s.URL+"/bucket/1048676/name", "X-Amz-Checksum-Mode", "ENABLED")
	require.Len(t, whole, size)
	require.Equal(t, checksum(size), response.Header.Get("X-Amz-Checksum-Crc32c"))
	require.Equal(t, checksumOf(whole), checksum(size))

	for _, row := range []struct {
		name, asked, told string
		from, end         int
	}{
		{"a range", "bytes=100-299", "bytes 100-299/1048676", 100, 300},
		{"one over the pattern's end", "bytes=1048570-1048599", "bytes 1048570-1048599/1048676", 1048570, 1048600},
		{"one to the object's end", "bytes=1048576-", "bytes 1048576-1048675/1048676", 1048576, size},
		{"one past it", "bytes=1048576-9999999", "bytes 1048576-1048675/1048676", 1048576, size},
		{"the last bytes", "bytes=-10", "bytes 1048666-1048675/1048676", size - 10, size},
	} {
		t.Run(row.name, func(t *testing.T) {
			response, part := get(t, s.URL+"/bucket/1048676/name", "Range", row.asked)
			require.Equal(t, http.StatusPartialContent, response.StatusCode)
			require.Equal(t, row.told, response.Header.Get("Content-Range"))
			require.Equal(t, whole[row.from:row.end], part)
		})
	}
	response, _ = get(t, s.URL+"/bucket/1024/name", "Range", "bytes=1024-")
	require.Equal(t, http.StatusRequestedRangeNotSatisfiable, response.StatusCode)
}

func checksumOf(data []byte) string {
	sum := crc32.Checksum(data, castagnoli)
	return encoded([]byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)})
}

func TestAListingIsAsLongAsThePrefixSays(t *testing.T) {
	s := start(t, Options{})
	var page struct {
		IsTruncated           bool
		NextContinuationToken string
		Contents              []struct{ Key string }
	}
	var keys []string
	for token := ""; ; token = page.NextContinuationToken {
		_, body := get(t, s.URL+"/bucket?list-type=2&prefix=2500/&continuation-token="+token)
		page.Contents = nil
		require.NoError(t, xml.Unmarshal(body, &page))
		for _, c := range page.Contents {
			keys = append(keys, c.Key)
		}
		if !page.IsTruncated {
			break
		}
	}
	require.Len(t, keys, 2500)
	require.IsIncreasing(t, keys)
	require.Equal(t, "2500/folder-002/002499.txt", keys[2499])
}

func TestRequestsAreCounted(t *testing.T) {
	s := start(t, Options{})
	for _, row := range []struct{ method, path, operation string }{
		{"PUT", "/bucket/key", "PutObject"},
		{"PUT", "/bucket/key?partNumber=1&uploadId=upload", "UploadPart"},
		{"POST", "/bucket/key?uploads", "CreateMultipartUpload"},
		{"POST", "/bucket/key?uploadId=upload", "CompleteMultipartUpload"},
		{"DELETE", "/bucket/key?uploadId=upload", "AbortMultipartUpload"},
		{"DELETE", "/bucket/key", "DeleteObject"},
		{"HEAD", "/bucket/10/key", "HeadObject"},
		{"GET", "/bucket/10/key", "GetObject"},
		{"GET", "/bucket/?list-type=2", "ListObjectsV2"},
	} {
		request, err := http.NewRequestWithContext(t.Context(), row.method, s.URL+row.path, strings.NewReader("body"))
		require.NoError(t, err)
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		seen, err := Counts(http.DefaultClient, s.URL)
		require.NoError(t, err)
		require.Equal(t, 1, seen[row.operation], row.operation)
	}
}

func TestDistance(t *testing.T) {
	s := start(t, Options{Latency: 20 * time.Millisecond, Bandwidth: 10e6})
	began := time.Now()
	_, body := get(t, s.URL+"/bucket/1000000/name")
	took := time.Since(began)
	require.Len(t, body, 1000000)
	// A machine under load is slower, and none is faster.
	require.GreaterOrEqual(t, took, 110*time.Millisecond)
}
