package local

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/endingctx"
	"github.com/stretchr/testify/require"
)

// If ctx ends while List reads a directory, List stops at the next name, even if no name so far belongs to the
// page.
func TestListCanceled(t *testing.T) {
	const names = 1000
	tests := []struct {
		name      string
		path      string // of the i-th file, or directory if it ends in a slash
		delimiter string
	}{
		{name: "a large directory", path: "%04d", delimiter: ""},
		{name: "directories without files", path: "%04d/", delimiter: ""},
		{name: "directories without files, with a delimiter", path: "%04d/", delimiter: "/"},
		{name: "one folder of directories without files", path: "a/%04d/", delimiter: "/"},
		{name: "many files of one common prefix", path: "a-%04d", delimiter: "-"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bucket := newTestBucket(t)
			for i := range names {
				path := filepath.Join(bucket.root, fmt.Sprintf(tt.path, i))
				isDir := strings.HasSuffix(tt.path, "/")
				if isDir {
					require.NoError(t, os.MkdirAll(path, 0o777))
				} else {
					require.NoError(t, os.WriteFile(path, nil, 0o666))
				}
			}

			list := func(ctx context.Context, r *driver.ListRequest) error {
				_, err := bucket.driver.List(ctx, r)
				return err
			}
			listVersions := func(ctx context.Context, r *driver.ListRequest) error {
				_, err := bucket.driver.ListVersions(ctx, r)
				return err
			}
			// ctx ends when it was asked this many times whether it has ended.
			for _, asks := range []int64{0, 1, 10, names / 2} {
				r := driver.ListRequest{Delimiter: tt.delimiter, Limit: names}
				requireStops(t, asks, r, list)
				requireStops(t, asks, r, listVersions)
			}
		})
	}
}

// requireStops calls list with a context that ends after its state was read a number of times. It requires that list
// fails soon after that.
func requireStops(
	t *testing.T, asks int64, r driver.ListRequest, list func(context.Context, *driver.ListRequest) error,
) {
	t.Helper()
	ctx := endingctx.New(t.Context(), asks)
	err := list(ctx, &r)
	require.Equal(t, storage.Canceled, storage.CodeOf(err), "%v", err)
	require.LessOrEqual(t, ctx.Asked(), asks+2, "it ran on")
}
