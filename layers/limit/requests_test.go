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

// The layer starts no more requests a second than Requests permits.
func TestRequestsKeepToLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const count = 40
		b := memstore.New(driver.WithLayer(newLayer(t, limit.Config{
			Requests: limit.Requests{Reads: 20, Writes: 10, Lists: 5},
		})))
		tests := []struct {
			name string
			want time.Duration
			do   func() error
		}{
			{name: "writes", want: count / 10 * time.Second, do: func() error {
				_, err := b.Upload(t.Context(), "a", strings.NewReader("a"))
				return err
			}},
			{name: "reads", want: count / 20 * time.Second, do: func() error {
				_, err := b.Attrs(t.Context(), "a")
				return err
			}},
			{name: "lists", want: count / 5 * time.Second, do: func() error {
				for _, err := range b.List(t.Context()) {
					return err
				}
				return nil
			}},
			{name: "signatures", want: 0, do: func() error {
				_, err := b.SignedDownloadURL(t.Context(), "a")
				if storage.CodeOf(err) == storage.Unsupported { // memory signs only with a key
					return nil
				}
				return err
			}},
		}
		for _, tt := range tests {
			require.InDelta(t, tt.want.Seconds(), measure(t, func() error {
				for range count {
					if err := tt.do(); err != nil {
						return err
					}
				}
				return nil
			}).Seconds(), 0.5, tt.name)
		}
	})
}

// Each part of an upload counts as a request.
func TestRequestsCountParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := memstore.New(driver.WithLayer(newLayer(t, limit.Config{Requests: limit.Requests{Writes: 1}})))
		const parts = 4
		require.GreaterOrEqual(t, measure(t, func() error {
			_, err := b.Upload(t.Context(), "a", bytes.NewReader(make([]byte, parts*8<<20)),
				storage.WithPartSize(8<<20))
			return err
		}), parts*time.Second)
	})
}

// If ctx is canceled, a request stops waiting for the limit.
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

// New refuses negative and other invalid rates.
func TestNewRefusesRates(t *testing.T) {
	for name, requests := range map[string]limit.Requests{
		"negative":  {Writes: -1},
		"no number": {Reads: math.NaN()},
		"too slow":  {Lists: 1e-4},
	} {
		_, err := limit.New(limit.Config{Requests: requests})
		require.ErrorIs(t, err, storage.InvalidArgument, name)
		require.ErrorContains(t, err, "Config.Requests", name)
	}
}
