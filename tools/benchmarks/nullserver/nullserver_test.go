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

func get(t *testing.T, url, asked string) (*http.Response, []byte) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	if asked != "" {
		request.Header.Set("Range", asked)
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
		{"a range", "bytes=100-299", "bytes 100-299/1048676", 100, 300},
		{"one over the pattern's end", "bytes=1048570-1048599", "bytes 1048570-1048599/1048676", 1048570, 1048600},
		{"one to the object's end", "bytes=1048576-", "bytes 1048576-1048675/1048676", 1048576, size},
		{"one past it", "bytes=1048576-9999999", "bytes 1048576-1048675/1048676", 1048576, size},
		{"the last bytes", "bytes=-10", "bytes 1048666-1048675/1048676", size - 10, size},
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
	seen, err := Counts(http.DefaultClient, s.URL)
	require.NoError(t, err)
	require.Equal(t, map[string]int{"GET": 3}, seen)
}

func TestPages(t *testing.T) {
	for _, row := range []struct {
		name, token, asked string
		from, end          int64
	}{
		{"the first", "", "", 0, 1000},
		{"the last", "2000", "", 2000, 2500},
		{"a small one", "1000", "10", 1000, 1010},
		{"one larger than there are", "", "5000", 0, 1000},
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
