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

// A dry run counts the requests and bytes that the real job would need.
func TestForecastOfADryRun(t *testing.T) {
	// Each file has 5 bytes. The bucket "full" has four files, and the directory "half" has a copy
	// of one of them.
	full := memstore.New()
	dir := t.TempDir()
	for _, key := range []string{"a", "b", "folder/c", "same"} {
		put(t, full, key, "12345")
	}
	_, err := transfer.Download(t.Context(), storage.Prefixed(full, "folder/"), filepath.Join(dir, "half"))
	require.NoError(t, err)

	// Another bucket already has one of these files, and a file that "full" lacks.
	other := memstore.New()
	put(t, other, "same", "12345")
	put(t, other, "extra", "12345")

	tests := []struct {
		name     string
		dst, src transfer.End
		opts     []transfer.Option
		want     transfer.Forecast
	}{
		{
			name: "an upload",
			dst:  transfer.Bucket(memstore.New()),
			src:  transfer.Dir(filepath.Join(dir, "half")),
			want: transfer.Forecast{Writes: 1, Sent: 5},
		},
		{
			name: "an upload that moves",
			dst:  transfer.Bucket(memstore.New()),
			src:  transfer.Dir(filepath.Join(dir, "half")),
			opts: []transfer.Option{transfer.WithMove()},
			want: transfer.Forecast{Writes: 1, Sent: 5},
		},
		{
			name: "a download to a new directory",
			dst:  transfer.Dir(filepath.Join(dir, "none", "deep")),
			src:  transfer.Bucket(full),
			want: transfer.Forecast{Reads: 4, Received: 20, Needed: 20},
		},
		{
			name: "a copy to another store",
			dst:  transfer.Bucket(other),
			src:  transfer.Bucket(full),
			opts: []transfer.Option{transfer.WithDelete()},
			want: transfer.Forecast{Reads: 3, Writes: 3, Removals: 1, Sent: 15, Received: 15},
		},
		{
			name: "a copy inside a store",
			dst:  transfer.Bucket(storage.Prefixed(full, "to/")),
			src:  transfer.Bucket(storage.Prefixed(full, "folder/")),
			want: transfer.Forecast{Reads: 1, Writes: 1},
		},
		{
			name: "a move inside a store",
			dst:  transfer.Bucket(storage.Prefixed(full, "to/")),
			src:  transfer.Bucket(storage.Prefixed(full, "folder/")),
			opts: []transfer.Option{transfer.WithMove()},
			want: transfer.Forecast{Writes: 1},
		},
		{
			name: "a move to another store",
			dst:  transfer.Bucket(other),
			src:  transfer.Bucket(full),
			opts: []transfer.Option{transfer.WithMove()},
			want: transfer.Forecast{Reads: 4, Writes: 4, Removals: 4, Sent: 20, Received: 20},
		},
		{
			name: "a copy of a directory",
			dst:  transfer.Dir(filepath.Join(dir, "other")),
			src:  transfer.Dir(filepath.Join(dir, "half")),
			want: transfer.Forecast{Needed: 5},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			report, err := transfer.Sync(t.Context(), tt.dst, tt.src,
				append(tt.opts, transfer.WithDryRun())...)
			require.NoError(t, err)
			got := *report.Forecast
			require.Contains(t, report.String(), got.String())

			// The free space of the disk differs from one machine to another. It is -1 if the job
			// needs no space on a disk.
			if tt.want.Needed == 0 {
				require.EqualValues(t, -1, got.Free)
			}
			got.Free = 0
			require.Equal(t, tt.want, got)
		})
	}
}

// The text of a Forecast mentions the disk if it has less free space than the job needs.
func TestForecastDiskTooSmall(t *testing.T) {
	forecast := transfer.Forecast{Reads: 1, Received: 3 << 30, Needed: 3 << 30, Free: 2 << 30}
	const noBreakSpace = "\u00a0"
	text := strings.ReplaceAll(forecast.String(), noBreakSpace, " ")
	require.Equal(t, "at least 1 reads, 3.0 GiB received; the disk has 2.0 GiB free of 3.0 GiB", text)

	forecast.Free = math.MaxInt64
	require.NotContains(t, forecast.String(), "disk")
}

// Only the report of a dry run has a forecast.
func TestForecastOnlyInADryRun(t *testing.T) {
	b := memstore.New()
	put(t, b, "a", "text")

	report, err := transfer.Download(t.Context(), b, t.TempDir())
	require.NoError(t, err)
	require.Nil(t, report.Forecast)
}
