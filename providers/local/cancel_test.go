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
		path      string // of a file or, if it ends in a slash, of a directory; %04d is its number
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

			// A listing asks its ctx at each name whether it has ended. The ctx ends after so many questions, and the
			// listing must ask at most twice more.
			for _, questions := range []int64{0, 1, 10, names / 2} {
				r := driver.ListRequest{Delimiter: tt.delimiter, Limit: names}
				requireStops(t, questions, r, list)
				requireStops(t, questions, r, listVersions)
			}
		})
	}
}

// requireStops calls list with a context that ends after it was asked questions times whether it has ended. It requires
// that list fails soon after that.
func requireStops(
	t *testing.T, questions int64, r driver.ListRequest, list func(context.Context, *driver.ListRequest) error,
) {
	t.Helper()
	ctx := endingctx.New(t.Context(), questions)
	err := list(ctx, &r)
	require.Equal(t, storage.Canceled, storage.CodeOf(err), "%v", err)
	require.LessOrEqual(t, ctx.Asked(), questions+2, "it ran on")
}
