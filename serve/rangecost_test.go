package serve_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/serve"
)

// counting is a store that counts requests, and the bytes that are read.
type counting struct {
	driver.Driver
	requests int
	bytes    int64
}

// Get counts the request, and the bytes that are read from its body.
func (c *counting) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	attrs, body, err := c.Driver.Get(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	c.requests++
	countingBody := struct {
		io.Reader
		io.Closer
	}{
		Reader: readFunc(func(p []byte) (int, error) {
			n, err := body.Read(p)
			c.bytes += int64(n)
			return n, err
		}),
		Closer: body,
	}
	return attrs, countingBody, nil
}

// Many ranges in one header do not make the server read much more than the client receives.
func TestObjectRangesReadLittleMore(t *testing.T) {
	const (
		MiB  = 1 << 20
		size = 64 * MiB
	)

	// The store counts its requests and the bytes that are read.
	store := &counting{}
	b := engine.New(memstore.NewDriver(memstore.Config{}), driver.WithLayer(func(
		d driver.Driver,
	) driver.Driver {
		store.Driver = d
		return store
	}))
	put(t, b, "key", strings.Repeat("x", size))

	// rangeList returns n ranges of the same length, each step bytes after the one before it.
	// spacedRanges returns a header with such a list, and its first range begins at 0.
	rangeList := func(start, n, length, step int) string {
		var all []string
		for i := range n {
			all = append(all, fmt.Sprintf("%d-%d", start+i*step, start+i*step+length-1))
		}
		return strings.Join(all, ",")
	}

	tests := []struct {
		name         string
		span         string // the header Range
		wantStatus   int
		wantRequests int   // to the store
		rangeBytes   int64 // bytes of all ranges, or of the object if the response has no ranges
	}{
		{name: "two beside each other", span: "bytes=0-9,10-19", wantStatus: 206, wantRequests: 1, rangeBytes: 20},
		{
			name:         "ten, 100 kB apart",
			span:         spacedRanges(10, 10_000, 110_000),
			wantStatus:   206,
			wantRequests: 1,
			rangeBytes:   100_000,
		},
		{
			name:         "ten, 200 kB apart",
			span:         spacedRanges(10, 10_000, 210_000),
			wantStatus:   206,
			wantRequests: 5,
			rangeBytes:   100_000,
		},
		{
			name:         "ten of 1 MiB, 1 MiB apart",
			span:         spacedRanges(10, MiB, 2*MiB),
			wantStatus:   206,
			wantRequests: 1,
			rangeBytes:   10 * MiB,
		},
		{
			name:         "ten small ones after a large one",
			span:         "bytes=0-20971519," + rangeList(21*MiB, 10, 1, MiB),
			wantStatus:   206,
			wantRequests: 1,
			rangeBytes:   20*MiB + 10,
		},
		{
			name:         "a byte of each MiB",
			span:         spacedRanges(size/MiB, 1, MiB),
			wantStatus:   200,
			wantRequests: 2,
			rangeBytes:   size,
		},
		{
			name:         "a byte of every other kilobyte",
			span:         spacedRanges(32_000, 1, 2000),
			wantStatus:   200,
			wantRequests: 2,
			rangeBytes:   size,
		},
		{
			name:         "a byte of each MiB, and a suffix",
			span:         spacedRanges(size/MiB, 1, MiB) + ",-1",
			wantStatus:   200,
			wantRequests: 2,
			rangeBytes:   size,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			store.requests = 0
			store.bytes = 0
			got := responseTo(http.MethodGet, map[string]string{"Range": tt.span},
				func(w http.ResponseWriter, r *http.Request) {
					serve.Object(w, r, b, "key")
				})
			require.Equal(t, tt.wantStatus, got.StatusCode)
			require.GreaterOrEqual(t, got.ContentLength, tt.rangeBytes)
			require.Equal(t, tt.wantRequests, store.requests)

			// The server may also read bytes between the ranges. This may be 1 MiB, or as many
			// bytes as it sends.
			maxExtra := max(MiB, tt.rangeBytes)
			require.LessOrEqual(t, store.bytes, tt.rangeBytes+maxExtra)
		})
	}
}
