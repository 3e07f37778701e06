package transfer_test

import (
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/transfer"
)

// A dry run counts the requests and bytes of the job that it stands for.
func TestForecastOfADryRun(t *testing.T) {
	full := memstore.New()
	dir := t.TempDir()
	for _, key := range []string{"a", "b", "folder/c"} {
		put(t, full, key, "12345")
	}
	put(t, full, "same", "12345")
	_, err := transfer.Download(t.Context(), storage.Prefixed(full, "folder/"), filepath.Join(dir, "half"))
	require.NoError(t, err)
	other := memstore.New()
	put(t, other, "same", "12345")
	put(t, other, "extra", "12345")
	for _, row := range []struct {
		name     string
		dst, src transfer.End
		opts     []transfer.Option
		want     transfer.Forecast
	}{
		{"an upload", transfer.Bucket(memstore.New()), transfer.Dir(filepath.Join(dir, "half")), nil,
			transfer.Forecast{Writes: 1, Sent: 5}},
		{"an upload that moves", transfer.Bucket(memstore.New()), transfer.Dir(filepath.Join(dir, "half")), []transfer.Option{transfer.WithMove()},
			transfer.Forecast{Writes: 1, Sent: 5}},
		{"a download to a new directory", transfer.Dir(filepath.Join(dir, "none", "deep")), transfer.Bucket(full), nil,
			transfer.Forecast{Reads: 4, Received: 20, Needed: 20}},
		{"a copy to another store", transfer.Bucket(other), transfer.Bucket(full), []transfer.Option{transfer.WithDelete()},
			transfer.Forecast{Reads: 3, Writes: 3, Removals: 1, Sent: 15, Received: 15}},
		{"a copy inside a store", transfer.Bucket(storage.Prefixed(full, "to/")), transfer.Bucket(storage.Prefixed(full, "folder/")), nil,
			transfer.Forecast{Reads: 1, Writes: 1}},
		{"a move inside a store", transfer.Bucket(storage.Prefixed(full, "to/")), transfer.Bucket(storage.Prefixed(full, "folder/")), []transfer.Option{transfer.WithMove()},
			transfer.Forecast{Writes: 1}},
		{"a move to another store", transfer.Bucket(other), transfer.Bucket(full), []transfer.Option{transfer.WithMove()},
			transfer.Forecast{Reads: 4, Writes: 4, Removals: 4, Sent: 20, Received: 20}},
		{"a copy of a directory", transfer.Dir(filepath.Join(dir, "other")), transfer.Dir(filepath.Join(dir, "half")), nil,
			transfer.Forecast{Needed: 5}},
	} {
		t.Run(row.name, func(t *testing.T) {
			report, err := transfer.Sync(t.Context(), row.dst, row.src, append(row.opts, transfer.WithDryRun())...)
			require.NoError(t, err)
			got := *report.Forecast
			require.Contains(t, report.String(), got.String())
			if row.want.Needed == 0 {
				require.EqualValues(t, -1, got.Free)
			}
			got.Free = 0
			require.Equal(t, row.want, got)
		})
	}
}

// If the disk has less free space than a Forecast needs, the text of the Forecast says so.
func TestForecastDiskTooSmall(t *testing.T) {
	forecast := transfer.Forecast{Reads: 1, Received: 3 << 30, Needed: 3 << 30, Free: 2 << 30}
	require.Equal(t, "at least 1 reads, 3.0 GiB received; the disk has 2.0 GiB free of 3.0 GiB", strings.ReplaceAll(forecast.String(), "\u00a0", " "))
	forecast.Free = math.MaxInt64
	require.NotContains(t, forecast.String(), "disk")
}

// A job that runs has no forecast.
func TestForecastOnlyInADryRun(t *testing.T) {
	b := memstore.New()
	put(t, b, "a", "text")
	report, err := transfer.Download(t.Context(), b, t.TempDir())
	require.NoError(t, err)
	require.Nil(t, report.Forecast)
}
