package gcs_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/gcs"
)

// Versions returns the newest version of each key first, although the server lists the oldest first and may end a page
// anywhere.
func TestListVersionsNewestFirst(t *testing.T) {
	server := startRuleServer(t)
	bucket, err := gcs.Open(t.Context(), gcs.Config{
		Bucket:   server.bucket(ruleBucket{versioned: true}),
		Endpoint: server.URL,
	}, storage.WithVersioning(true))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, storage.Close(bucket)) })

	// Store some keys several times.
	want := map[string][]string{} // versions by key, newest first
	uploads := []string{"a", "b", "b", "b", "b", "b", "c", "c", "d"}
	for _, key := range uploads {
		attrs, err := bucket.Upload(t.Context(), key, strings.NewReader(key))
		require.NoError(t, err)
		require.NotEmpty(t, attrs.Version)
		want[key] = append([]string{attrs.Version}, want[key]...)
	}

	// The removed object has no current version.
	require.NoError(t, bucket.Remove(t.Context(), "c"))
	wantCurrent := []string{want["a"][0], want["b"][0], want["d"][0]}

	// The order is the same, whatever the page size.
	for _, size := range []int{1, 2, 3, 100} {
		t.Run(fmt.Sprintf("pages of %d", size), func(t *testing.T) {
			got := map[string][]string{}       // versions by key, as want
			var keys, currentVersions []string // in the order of the listing
			for entry, err := range storage.Versions(t.Context(), bucket, storage.WithPageSize(size)) {
				require.NoError(t, err)
				require.False(t, entry.IsDeleteMarker, "Google has no markers")
				if len(got[entry.Key]) == 0 {
					keys = append(keys, entry.Key)
				}
				got[entry.Key] = append(got[entry.Key], entry.Version)
				if entry.Current {
					currentVersions = append(currentVersions, entry.Version)
				}
			}
			require.Equal(t, want, got)
			require.Equal(t, []string{"a", "b", "c", "d"}, keys)
			require.Equal(t, wantCurrent, currentVersions)
		})
	}

	// Noncurrent versions can be read.
	oldestOfB := want["b"][4]
	removedC := want["c"][0]
	for key, version := range map[string]string{"b": oldestOfB, "c": removedC} {
		t.Run("read a version of "+key, func(t *testing.T) {
			data, attrs, err := storage.ReadAll(t.Context(), bucket, key, storage.WithVersion(version))
			require.NoError(t, err)
			require.Equal(t, key, string(data))
			require.Equal(t, version, attrs.Version)
		})
	}
}
