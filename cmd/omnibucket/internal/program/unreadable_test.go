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

// A partlyClosed bucket lists like a directory in which the user has no permission to read some
// folders. The names of these folders end in "closed/". A page has two entries.
type partlyClosed struct{ storage.Bucket }

// List yields entries in pages of two. If an entry of a page is in a closed folder, the listing
// fails before it yields that page.
func (b partlyClosed) List(ctx context.Context, opts ...storage.ListOption) iter.Seq2[storage.ListEntry, error] {
	const pageSize = 2
	return func(yield func(storage.ListEntry, error) bool) {
		var applied storage.ListOptions
		if err := applied.Apply(opts...); err != nil {
			yield(storage.ListEntry{}, err)
			return
		}

		var page []storage.ListEntry
		for entry, err := range b.Bucket.List(ctx, opts...) {
			if err == nil && needsClosedFolder(entry, applied.Prefix) {
				err = &storage.Error{Code: storage.PermissionDenied, Provider: "local", Key: applied.Prefix}
			}
			if err != nil {
				yield(storage.ListEntry{}, err)
				return
			}
			page = append(page, entry)
			if len(page) == pageSize {
				if !yieldAll(page, yield) {
					return
				}
				page = nil
			}
		}
		yieldAll(page, yield)
	}
}

// needsClosedFolder reports whether a listing with a prefix must read a closed folder to find an
// entry. The entry of the folder itself is in its parent.
func needsClosedFolder(entry storage.ListEntry, prefix string) bool {
	if !strings.Contains(entry.Key, "closed/") {
		return false
	}
	return !entry.IsPrefix || strings.HasSuffix(prefix, "closed/")
}

// yieldAll yields entries until yield returns false. It reports whether yield has accepted all
// entries.
func yieldAll(entries []storage.ListEntry, yield func(storage.ListEntry, error) bool) bool {
	for _, entry := range entries {
		if !yield(entry, nil) {
			return false
		}
	}
	return true
}

// If some folders cannot be read, a listing continues with the others. Its last value is an error
// that names the unreadable ones.
func TestListingWithUnreadableFolders(t *testing.T) {
	b := memstore.New()
	for _, key := range []string{"a/1", "a/2", "a/3", "b/closed/x", "b-c", "b/y", "b/z/1", "closed/x", "d", "e/f/g"} {
		_, err := b.Upload(t.Context(), key, strings.NewReader("x"))
		require.NoError(t, err)
	}
	tests := []struct {
		name           string
		folder         string
		want           []string
		wantUnreadable []string // folders that the error names
	}{
		{
			name:           "the bucket",
			folder:         "",
			want:           []string{"a/1", "a/2", "a/3", "b-c", "b/y", "b/z/1", "d", "e/f/g"},
			wantUnreadable: []string{"b/closed/", "closed/"},
		},
		{
			name:           "a folder",
			folder:         "b/",
			want:           []string{"b/y", "b/z/1"},
			wantUnreadable: []string{"b/closed/"},
		},
		{
			name:   "a readable folder",
			folder: "e/",
			want:   []string{"e/f/g"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The bucket partlyClosed cannot read folders with the name "closed".
			var got []string
			var lastErr error
			for entry, err := range ListBelow(t.Context(), partlyClosed{b}, tt.folder) {
				require.NoError(t, lastErr, "the error is last")
				lastErr = err
				if err == nil {
					got = append(got, entry.Key)
				}
			}
			require.Equal(t, tt.want, got)

			if len(tt.wantUnreadable) == 0 {
				require.NoError(t, lastErr)
			} else {
				require.IsType(t, Unreadable{}, lastErr)
			}
			for _, folder := range tt.wantUnreadable {
				require.ErrorContains(t, lastErr, folder)
			}

			// A caller may stop early.
			for entry, err := range ListBelow(t.Context(), partlyClosed{b}, tt.folder) {
				require.NoError(t, err)
				require.Equal(t, tt.want[0], entry.Key)
				break
			}
		})
	}
}
