package nullserver

import (
	"hash/crc32"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// echo is a service with objects only.
type echo struct{}

func (echo) Operation(r *http.Request) string { return r.Method }

func (echo) Respond(w http.ResponseWriter, r *http.Request, _ string) {
	ServeObject(w, r, r.Header.Get("Range"), Size(strings.TrimPrefix(r.URL.Path, "/")), map[string]string{"Etag": `"one"`})
}

func start(t *testing.T, o Options) *Server {
	t.Helper()
	s, err := Start(echo{}, o, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func get(t *testing.T, url, byteRange string) (*http.Response, []byte) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	if byteRange != "" {
		request.Header.Set("Range", byteRange)
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return response, body
}

// The number at the beginning of a key sets the size of its object. The content repeats a pattern, and ranges of it are
// served.
func TestObjectSizeByKey(t *testing.T) {
	s := start(t, Options{})
	const (
		address = "/1048676/name"
		size    = patternBytes + 100 // 1,048,676
	)
	response, data := get(t, s.URL+address, "")
	require.Len(t, data, size)
	require.Equal(t, `"one"`, response.Header.Get("Etag"))
	require.Equal(t, crc32.Checksum(data, castagnoli), CRC32C(size))

	tests := []struct {
		name               string
		byteRange          string // of the request
		wantContentRange   string
		wantStart, wantEnd int // of the bytes in the response
	}{
		{
			name:             "in the first pattern",
			byteRange:        "bytes=100-299",
			wantContentRange: "bytes 100-299/1048676",
			wantStart:        100,
			wantEnd:          300,
		},
		{
			name:             "across the end of the pattern",
			byteRange:        "bytes=1048570-1048599",
			wantContentRange: "bytes 1048570-1048599/1048676",
			wantStart:        1048570,
			wantEnd:          1048600,
		},
		{
			name:             "to the end of the object",
			byteRange:        "bytes=1048576-",
			wantContentRange: "bytes 1048576-1048675/1048676",
			wantStart:        1048576,
			wantEnd:          size,
		},
		{
			name:             "beyond the end of the object",
			byteRange:        "bytes=1048576-9999999",
			wantContentRange: "bytes 1048576-1048675/1048676",
			wantStart:        1048576,
			wantEnd:          size,
		},
		{
			name:             "last ten bytes",
			byteRange:        "bytes=-10",
			wantContentRange: "bytes 1048666-1048675/1048676",
			wantStart:        size - 10,
			wantEnd:          size,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			response, part := get(t, s.URL+address, tt.byteRange)
			require.Equal(t, http.StatusPartialContent, response.StatusCode)
			require.Equal(t, tt.wantContentRange, response.Header.Get("Content-Range"))
			require.Equal(t, data[tt.wantStart:tt.wantEnd], part)
		})
	}

	// A range must begin inside the object, and a key must begin with a number.
	response, _ = get(t, s.URL+"/1024/name", "bytes=1024-")
	require.Equal(t, http.StatusRequestedRangeNotSatisfiable, response.StatusCode)
	response, _ = get(t, s.URL+"/name", "")
	require.Equal(t, http.StatusNotFound, response.StatusCode)
}

// Counts returns the number of requests that the server has received.
func TestCounts(t *testing.T) {
	s := start(t, Options{})
	for range 3 {
		get(t, s.URL+"/10/name", "")
	}
	counts, err := Counts(http.DefaultClient, s.URL)
	require.NoError(t, err)
	require.Equal(t, map[string]int{"GET": 3}, counts)
}

// A page has the objects from its token on, at most as many as the client asks for or the server permits.
func TestPages(t *testing.T) {
	const objects = 2500
	const maxPage = 1000
	tests := []struct {
		name      string
		token     string
		pageSize  string // which the client asks for
		wantStart int64
		wantEnd   int64
	}{
		{name: "first page", wantStart: 0, wantEnd: maxPage},
		{name: "last page", token: "2000", wantStart: 2000, wantEnd: objects},
		{name: "small page", token: "1000", pageSize: "10", wantStart: 1000, wantEnd: 1010},
		{name: "page size above the maximum", pageSize: "5000", wantStart: 0, wantEnd: maxPage},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			start, end := Page(objects, tt.token, PageSize(tt.pageSize, maxPage))
			require.Equal(t, tt.wantStart, start)
			require.Equal(t, tt.wantEnd, end)
		})
	}
}

// A response takes the latency and the time that the bandwidth needs for its body.
func TestDistance(t *testing.T) {
	const (
		latency   = 20 * time.Millisecond
		bandwidth = 10e6 // bytes in a second
		size      = 1_000_000
		tolerance = 10 * time.Millisecond
	)
	s := start(t, Options{Latency: latency, Bandwidth: bandwidth})
	startTime := time.Now()
	_, body := get(t, s.URL+"/1000000/name", "")
	duration := time.Since(startTime)
	require.Len(t, body, size)

	// A busy machine is slower, and never faster.
	const bodyTime = time.Duration(size / bandwidth * float64(time.Second))
	require.GreaterOrEqual(t, duration, latency+bodyTime-tolerance)
}
