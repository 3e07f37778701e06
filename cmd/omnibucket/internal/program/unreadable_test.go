package program

import (
	"context"
	"iter"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
)

// A partlyClosed bucket lists as a directory does whose folders closed/ may not be read: by pages of two entries.
type partlyClosed struct{ storage.Bucket }

func (b partlyClosed) List(ctx context.Context, opts ...storage.ListOption) iter.Seq2[storage.ListEntry, error] {
	return func(yield func(storage.ListEntry, error) bool) {
		var page []storage.ListEntry
		for entry, err := range b.Bucket.List(ctx, opts...) {
			var given storage.ListOptions
			if err == nil {
				err = given.Apply(opts...)
			}
			if err == nil && strings.Contains(entry.Key, "closed/") && (!entry.IsPrefix || strings.HasSuffix(given.Prefix, "closed/")) {
				err = &storage.Error{Code: storage.PermissionDenied, Provider: "local", Key: given.Prefix}
			}
			if err != nil {
				yield(storage.ListEntry{}, err)
				return
			}
			page = append(page, entry)
			if len(page) < 2 {
				continue
			}
			for _, entry := range page {
				if !yield(entry, nil) {
					return
				}
			}
			page = nil
		}
		for _, entry := range page {
			if !yield(entry, nil) {
				return
			}
		}
	}
}

// If some folders cannot be read, a listing continues with the others.
func TestListingWithUnreadableFolders(t *testing.T) {
	b := memstore.New()
	for _, key := range []string{"a/1", "a/2", "a/3", "b/closed/x", "b-c", "b/y", "b/z/1", "closed/x", "d", "e/f/g"} {
		_, err := b.Upload(t.Context(), key, strings.NewReader("x"))
		require.NoError(t, err)
	}
	tests := map[string]struct{ listed, closed []string }{
		"":   {[]string{"a/1", "a/2", "a/3", "b-c", "b/y", "b/z/1", "d", "e/f/g"}, []string{"b/closed/", "closed/"}},
		"b/": {[]string{"b/y", "b/z/1"}, []string{"b/closed/"}},
		"e/": {[]string{"e/f/g"}, nil},
	}
	for folder, tt := range tests {
		t.Run(folder, func(t *testing.T) {
			var listed []string
			var last error
			for entry, err := range ListBelow(t.Context(), partlyClosed{b}, folder) {
				require.NoError(t, last, "the error is last")
				last = err
				if err == nil {
					listed = append(listed, entry.Key)
				}
			}

			require.Equal(t, tt.listed, listed)
			if len(tt.closed) == 0 {
				require.NoError(t, last)
			} else {
				require.IsType(t, Unreadable{}, last)
			}
			for _, folder := range tt.closed {
				require.ErrorContains(t, last, folder)
			}

			for entry, err := range ListBelow(t.Context(), partlyClosed{b}, folder) {
				require.NoError(t, err)
				require.Equal(t, tt.listed[0], entry.Key)
				break // leaves nothing behind
			}
		})
	}
}
