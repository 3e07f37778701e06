package s3_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/internal/pagetoken"
)

// If a listing starts inside a folder, and many names are beside the folder, MinIO ends the listing
// too early. Listings of this library nevertheless have every key.
func TestListMinIOFolderBesideManyNames(t *testing.T) {
	tests := []struct {
		name string
		opts []storage.OpenOption
	}{
		{name: "tokens of MinIO"},
		{
			name: "tokens of listings that MinIO has forgotten",
			opts: []storage.OpenOption{
				driver.WithLayer(func(next driver.Driver) driver.Driver { return forgotten{next} }),
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := needServer(t, "minio")
			const isVersioned = true
			b := s.open(t, s.bucket(t, isVersioned), append(tt.opts, storage.WithVersioning(true))...)
			defer func() {
				require.NoError(t, storage.Close(b))
			}()

			// before has the names before the folder, inFolder the keys in it, and after the names
			// after it.
			var before, inFolder []string
			for i := range 20 {
				before = append(before, fmt.Sprintf("logs-%02d", i))
				inFolder = append(inFolder, fmt.Sprintf("logs/%02d", i))
			}
			inFolder = append(inFolder, "logs/20-1", "logs/20/1", "logs/20/2")
			after := []string{"logs0", "z"}
			keys := slices.Concat(before, inFolder, after)
			for _, key := range keys {
				_, err := b.Upload(t.Context(), key, strings.NewReader(""))
				require.NoError(t, err)
			}

			// List the bucket with and without a delimiter, and then only the folder.
			requireListing(t, b, keys)
			requireListing(t, b, slices.Concat(before, []string{"logs/"}, after), storage.WithDelimiter("/"))
			requireListing(t, b, inFolder, storage.WithPrefix("logs/"))

			// List from within the folder.
			const keysUpToStart = 6 // "logs/00" to "logs/05"
			rest := inFolder[keysUpToStart:]
			requireListing(t, b, slices.Concat(rest, after), storage.WithStartAfter("logs/05"))
			requireListing(t, b, rest[:2], storage.WithStartAfter("logs/05"), storage.WithLimit(2))
			requireListing(t, b, rest, storage.WithStartAfter("logs/05"), storage.WithPrefix("logs/"))

			// A listing of versions and a listing by single pages are complete, too.
			require.Equal(t, keys, keysOfVersions(t, b))
			require.Equal(t, keys, keysOfPages(t, b))
		})
	}
}

// keysOfVersions returns the keys of a listing of versions in pages of ten entries.
func keysOfVersions(t *testing.T, b storage.Bucket) []string {
	t.Helper()
	var keys []string
	for entry, err := range storage.Versions(t.Context(), b, storage.WithPageSize(10)) {
		require.NoError(t, err)
		keys = append(keys, entry.Key)
	}
	return keys
}

// keysOfPages returns the keys of all pages. Each page must have one to ten entries.
func keysOfPages(t *testing.T, b storage.Bucket) []string {
	t.Helper()
	const pageSize = 10
	var keys []string
	token := ""
	for {
		page, err := storage.ListPage(t.Context(), b, token, storage.WithPageSize(pageSize))
		require.NoError(t, err)
		require.NotEmpty(t, page.Entries)
		require.LessOrEqual(t, len(page.Entries), pageSize)
		for _, entry := range page.Entries {
			keys = append(keys, entry.Key)
		}
		token = page.Token
		if token == "" {
			return keys
		}
	}
}

// requireListing requires that a listing in pages of ten entries has exactly the given keys.
func requireListing(t *testing.T, b storage.Bucket, want []string, opts ...storage.ListOption) {
	t.Helper()
	var got []string
	for entry, err := range b.List(t.Context(), append(opts, storage.WithPageSize(10))...) {
		require.NoError(t, err)
		got = append(got, entry.Key)
	}
	require.Equal(t, want, got)
}

// A forgotten is a driver for MinIO. It changes the token of each page to name a listing that the
// server does not know. After a restart, a server does not know its earlier listings either.
type forgotten struct{ driver.Driver }

// prepared matches the part of a marker that names a listing.
var prepared = regexp.MustCompile(`\[minio_cache:[^]]*]$`)

// forget returns a marker that names an unknown listing.
func forget(marker string) string {
	return prepared.ReplaceAllLiteralString(marker, "[minio_cache:v2,id:forgotten,p:0,s:0]")
}

// List changes the token of the page if the token is in Base64. Such a token is a marker of MinIO.
// A token that this package has made is not in Base64, and stays.
func (d forgotten) List(ctx context.Context, r *driver.ListRequest) (*storage.Page, error) {
	page, err := d.Driver.List(ctx, r)
	if page != nil {
		if marker, err := base64.StdEncoding.DecodeString(page.Token); err == nil {
			page.Token = base64.StdEncoding.EncodeToString([]byte(forget(string(marker))))
		}
	}
	return page, err
}

// ListVersions changes the token of the page. Such a token has the id of a version and a marker.
func (d forgotten) ListVersions(ctx context.Context, r *driver.ListRequest) (*driver.VersionPage, error) {
	page, err := d.Driver.ListVersions(ctx, r)
	if page != nil && page.Token != "" {
		id, key, _ := pagetoken.Parse(page.Token)
		page.Token = pagetoken.Encode(id, forget(key))
	}
	return page, err
}
