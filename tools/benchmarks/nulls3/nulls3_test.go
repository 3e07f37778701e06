package nulls3

import (
	"encoding/xml"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/tools/benchmarks/nullserver"
)

func start(t *testing.T) *nullserver.Server {
	t.Helper()
	s, err := nullserver.Start(Service{}, nullserver.Options{}, nil)
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

// If a request for a whole object asks for its checksum, the response has one. A range has none.
func TestGetObjectChecksum(t *testing.T) {
	s := start(t)
	for _, row := range []struct {
		name, checksum string
		header         []string
	}{
		{"whole", checksum(1024), []string{"X-Amz-Checksum-Mode", "ENABLED"}},
		{"not asked for", "", nil},
		{"a range", "", []string{"X-Amz-Checksum-Mode", "ENABLED", "Range", "bytes=0-9"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			response, _ := get(t, s.URL+"/bucket/1024/name", row.header...)
			require.Equal(t, row.checksum, response.Header.Get("X-Amz-Checksum-Crc32c"))
			require.Equal(t, etag, response.Header.Get("Etag"))
		})
	}

	response, body := get(t, s.URL+"/bucket/1024/name?partNumber=1")
	require.Equal(t, "bytes 0-1023/1024", response.Header.Get("Content-Range"))
	require.Len(t, body, 1024)
}

// The number at the beginning of a listing's prefix sets how many keys the server lists.
func TestListPrefixSetsTheLength(t *testing.T) {
	s := start(t)
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

// The server counts each request under the name of its operation.
func TestCounts(t *testing.T) {
	s := start(t)
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

		counts, err := nullserver.Counts(http.DefaultClient, s.URL)
		require.NoError(t, err)
		require.Equal(t, 1, counts[row.operation], row.operation)
	}
}

// The response to UploadPart has the checksum that the trailer of the request had.
func TestUploadPartTrailerChecksum(t *testing.T) {
	s := start(t)
	body := "5\r\nhello\r\n0\r\nx-amz-checksum-crc32c:mnG7TA==\r\n\r\n"
	for _, src := range []io.Reader{strings.NewReader(body), iotest.OneByteReader(strings.NewReader(body))} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, s.URL+"/bucket/key?partNumber=1&uploadId=upload", src)
		require.NoError(t, err)
		request.Header.Set("X-Amz-Trailer", "x-amz-checksum-crc32c")
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, "mnG7TA==", response.Header.Get("X-Amz-Checksum-Crc32c"))
	}
}
