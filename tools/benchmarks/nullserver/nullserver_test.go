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

// The number at the beginning of a key sets the size of its object. Ranges of the object are served.
func TestObjectSizeByKey(t *testing.T) {
	s := start(t, Options{})
	const size = patternBytes + 100
	response, data := get(t, s.URL+"/1048676/name", "")
	require.Len(t, data, size)
	require.Equal(t, `"one"`, response.Header.Get("Etag"))
	require.Equal(t, crc32.Checksum(data, castagnoli), CRC32C(size))

	for _, row := range []struct {
		name, asked, told string
		from, end         int
	}{
		{name: "a range", asked: "bytes=100-299", told: "bytes 100-299/1048676", from: 100, end: 300},
		{name: "one over the pattern's end", asked: "bytes=1048570-1048599", told: "bytes 1048570-1048599/1048676", from: 1048570, end: 1048600},
		{name: "one to the object's end", asked: "bytes=1048576-", told: "bytes 1048576-1048675/1048676", from: 1048576, end: size},
		{name: "one past it", asked: "bytes=1048576-9999999", told: "bytes 1048576-1048675/1048676", from: 1048576, end: size},
		{name: "the last bytes", asked: "bytes=-10", told: "bytes 1048666-1048675/1048676", from: size - 10, end: size},
	} {
		t.Run(row.name, func(t *testing.T) {
			response, part := get(t, s.URL+"/1048676/name", row.asked)
			require.Equal(t, http.StatusPartialContent, response.StatusCode)
			require.Equal(t, row.told, response.Header.Get("Content-Range"))
			require.Equal(t, data[row.from:row.end], part)
		})
	}

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

func TestPages(t *testing.T) {
	for _, row := range []struct {
		name, token, asked string
		from, end          int64
	}{
		{name: "the first", end: 1000},
		{name: "the last", token: "2000", from: 2000, end: 2500},
		{name: "a small one", token: "1000", asked: "10", from: 1000, end: 1010},
		{name: "one larger than there are", asked: "5000", end: 1000},
	} {
		t.Run(row.name, func(t *testing.T) {
			start, end := Page(2500, row.token, PageSize(row.asked, 1000))
			require.Equal(t, [2]int64{row.from, row.end}, [2]int64{start, end})
		})
	}
}

func TestDistance(t *testing.T) {
	s := start(t, Options{Latency: 20 * time.Millisecond, Bandwidth: 10e6})
	begin := time.Now()
	_, body := get(t, s.URL+"/1000000/name", "")
	took := time.Since(begin)
	require.Len(t, body, 1000000)
	// A busy machine is slower, and never faster.
	require.GreaterOrEqual(t, took, 110*time.Millisecond)
}
