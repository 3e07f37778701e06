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

func (c *counting) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	attrs, body, err := c.Driver.Get(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	c.requests++
	read := readFunc(func(p []byte) (int, error) {
		n, err := body.Read(p)
		c.bytes += int64(n)
		return n, err
	})
	return attrs, struct {
		io.Reader
		io.Closer
	}{read, body}, nil
}

// Many ranges in one header do not make the server read much more than the client receives.
func TestObjectRangesReadLittleMore(t *testing.T) {
	const (
		MiB  = 1 << 20
		size = 64 * MiB
	)
	store := &counting{}
	b := engine.New(memstore.NewDriver(memstore.Config{}), driver.WithLayer(func(d driver.Driver) driver.Driver {
		store.Driver = d
		return store
	}))
	put(t, b, "key", strings.Repeat("x", size))
	// later is like aRow, from start on.
	later := func(start, n, length, step int) string {
		var all []string
		for i := range n {
			all = append(all, fmt.Sprintf("%d-%d", start+i*step, start+i*step+length-1))
		}
		return strings.Join(all, ",")
	}
	for _, c := range []struct {
		name, span string
		status     int
		requests   int
		asked      int64 // bytes; besides them, 1 MiB may be read, or as much again
	}{
		{"two beside each other", "bytes=0-9,10-19", 206, 1, 20},
		{"ten, 100 kB apart", aRow(10, 10_000, 110_000), 206, 1, 100_000},
		{"ten, 200 kB apart", aRow(10, 10_000, 210_000), 206, 5, 100_000},
		{"ten of 1 MiB, 1 MiB apart", aRow(10, MiB, 2*MiB), 206, 1, 10 * MiB},
		{"ten small ones after a large one", "bytes=0-20971519," + later(21*MiB, 10, 1, MiB), 206, 1, 20*MiB + 10},
		{"a byte of each MiB", aRow(size/MiB, 1, MiB), 200, 2, size},
		{"a byte of every other kilobyte", aRow(32_000, 1, 2000), 200, 2, size},
		{"a byte of each MiB, and a suffix", aRow(size/MiB, 1, MiB) + ",-1", 200, 2, size},
	} {
		t.Run(c.name, func(t *testing.T) {
			store.requests = 0
			store.bytes = 0
			got := recorded(http.MethodGet, map[string]string{"Range": c.span}, func(w http.ResponseWriter, r *http.Request) { serve.Object(w, r, b, "key") })
			require.Equal(t, c.status, got.StatusCode)
			require.GreaterOrEqual(t, got.ContentLength, c.asked)
			require.LessOrEqual(t, store.bytes, c.asked+max(MiB, c.asked))
			require.Equal(t, c.requests, store.requests)
		})
	}
}
