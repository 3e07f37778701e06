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

// GetObject returns the checksum of an object if the request asks for it and for the whole object. A response with a
// range has no checksum. With a part number, the response says which bytes the part has.
func TestGetObjectChecksum(t *testing.T) {
	s := start(t)
	address := s.URL + "/bucket/1024/name" // an object of 1024 bytes
	tests := []struct {
		name         string
		header       []string // names and values
		wantChecksum string
	}{
		{name: "whole object", header: []string{"X-Amz-Checksum-Mode", "ENABLED"}, wantChecksum: checksum(1024)},
		{name: "not asked for", header: nil, wantChecksum: ""},
		{
			name:         "range",
			header:       []string{"X-Amz-Checksum-Mode", "ENABLED", "Range", "bytes=0-9"},
			wantChecksum: "",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			response, _ := get(t, address, tt.header...)
			require.Equal(t, tt.wantChecksum, response.Header.Get("X-Amz-Checksum-Crc32c"))
			require.Equal(t, etag, response.Header.Get("Etag"))
		})
	}

	t.Run("part", func(t *testing.T) {
		response, body := get(t, address+"?partNumber=1")
		require.Equal(t, "bytes 0-1023/1024", response.Header.Get("Content-Range"))
		require.Len(t, body, 1024)
	})
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
	tests := []struct{ method, path, want string }{
		{method: "PUT", path: "/bucket/key", want: "PutObject"},
		{method: "PUT", path: "/bucket/key?partNumber=1&uploadId=upload", want: "UploadPart"},
		{method: "POST", path: "/bucket/key?uploads", want: "CreateMultipartUpload"},
		{method: "POST", path: "/bucket/key?uploadId=upload", want: "CompleteMultipartUpload"},
		{method: "DELETE", path: "/bucket/key?uploadId=upload", want: "AbortMultipartUpload"},
		{method: "DELETE", path: "/bucket/key", want: "DeleteObject"},
		{method: "HEAD", path: "/bucket/10/key", want: "HeadObject"},
		{method: "GET", path: "/bucket/10/key", want: "GetObject"},
		{method: "GET", path: "/bucket/?list-type=2", want: "ListObjectsV2"},
	}
	for _, tt := range tests {
		request, err := http.NewRequestWithContext(t.Context(), tt.method, s.URL+tt.path, strings.NewReader("body"))
		require.NoError(t, err)
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())

		counts, err := nullserver.Counts(http.DefaultClient, s.URL)
		require.NoError(t, err)
		require.Equal(t, 1, counts[tt.want], tt.want)
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
