package limit_test

import (
	"bytes"
	"context"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/layers/limit"
	"github.com/omnibucket/storage/memstore"
)

// The layer limit starts no more requests a second than Config.Requests permits.
func TestRequestsKeepToLimit(t *testing.T) {
	const (
		count  = 40 // requests of each kind
		reads  = 20 // a second
		writes = 10 // a second
		lists  = 5  // a second
	)
	synctest.Test(t, func(t *testing.T) {
		layer := newLayer(t, limit.Config{
			Requests: limit.Requests{Reads: reads, Writes: writes, Lists: lists},
		})
		b := memstore.New(driver.WithLayer(layer))
		kinds := []struct {
			name    string
			request func() error
			want    time.Duration
		}{
			{
				name: "writes",
				request: func() error {
					_, err := b.Upload(t.Context(), "a", strings.NewReader("a"))
					return err
				},
				want: count / writes * time.Second,
			},
			{
				name: "reads",
				request: func() error {
					_, err := b.Attrs(t.Context(), "a")
					return err
				},
				want: count / reads * time.Second,
			},
			{
				name: "lists",
				request: func() error {
					for _, err := range b.List(t.Context()) {
						return err
					}
					return nil
				},
				want: count / lists * time.Second,
			},
			{
				name: "signatures",
				request: func() error {
					_, err := b.SignedDownloadURL(t.Context(), "a")
					if storage.CodeOf(err) == storage.Unsupported { // memory signs only with a key
						return nil
					}
					return err
				},
				want: 0,
			},
		}
		for _, kind := range kinds {
			t.Log(kind.name)
			requireTakes(t, kind.want, func() error {
				for range count {
					if err := kind.request(); err != nil {
						return err
					}
				}
				return nil
			})
		}
	})
}

// Each part of an upload counts as a request.
func TestRequestsCountParts(t *testing.T) {
	const parts, partSize = 4, 8 << 20
	synctest.Test(t, func(t *testing.T) {
		layer := newLayer(t, limit.Config{Requests: limit.Requests{Writes: 1}})
		b := memstore.New(driver.WithLayer(layer))

		duration := measure(t, func() error {
			body := bytes.NewReader(make([]byte, parts*partSize))
			_, err := b.Upload(t.Context(), "a", body, storage.WithPartSize(partSize))
			return err
		})
		require.GreaterOrEqual(t, duration, parts*time.Second)
	})
}

// A request stops waiting for the limit if ctx is canceled.
func TestRequestsCanceled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := memstore.New(driver.WithLayer(newLayer(t, limit.Config{Requests: limit.Requests{Reads: 0.001}})))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()

		start := time.Now()
		_, err := b.Exists(ctx, "a")
		require.ErrorIs(t, err, storage.DeadlineExceeded)
		require.InDelta(t, 1, time.Since(start).Seconds(), 0.1)
	})
}

// New refuses rates of requests that are negative, too slow or no number.
func TestNewRefusesRates(t *testing.T) {
	for name, requests := range map[string]limit.Requests{
		"negative":  {Writes: -1},
		"no number": {Reads: math.NaN()},
		"too slow":  {Lists: 1e-4},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := limit.New(limit.Config{Requests: requests})
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.ErrorContains(t, err, "Config.Requests")
		})
	}
}
