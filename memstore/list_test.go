package memstore_test

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// A listing has the keys and prefixes that its request asks for, in byte order, in pages of each size.
func TestList(t *testing.T) {
	all := []string{"a", "a-b", "a/", "a/b", "a/c/d", "a0", "ab", "b//c", "bxxbxxb", "é", "\U0001F600"}
	tests := []struct {
		name    string
		request driver.ListRequest
		want    []string
	}{
		{name: "everything, by bytes", want: all},
		{
			name:    "a prefix anywhere in a segment",
			request: driver.ListRequest{Prefix: "a"},
			want:    []string{"a", "a-b", "a/", "a/b", "a/c/d", "a0", "ab"},
		},
		{name: "a prefix without keys", request: driver.ListRequest{Prefix: "c"}, want: nil},
		{
			name:    "a delimiter, with prefixes among the keys",
			request: driver.ListRequest{Delimiter: "/"},
			want:    []string{"a", "a-b", "a/", "a0", "ab", "b/", "bxxbxxb", "é", "\U0001F600"},
		},
		{
			name:    "a folder, with its marker",
			request: driver.ListRequest{Prefix: "a/", Delimiter: "/"},
			want:    []string{"a/", "a/b", "a/c/"},
		},
		{
			name:    "a folder with an empty segment",
			request: driver.ListRequest{Prefix: "b/", Delimiter: "/"},
			want:    []string{"b//"},
		},
		{
			name:    "a delimiter of two bytes",
			request: driver.ListRequest{Prefix: "b", Delimiter: "xx"},
			want:    []string{"b//c", "bxx"},
		},
		{
			name:    "a delimiter later in the key",
			request: driver.ListRequest{Prefix: "bxx", Delimiter: "xx"},
			want:    []string{"bxxbxx"},
		},
		{
			name:    "a delimiter that is part of a character",
			request: driver.ListRequest{Delimiter: "\xa9"},
			want: []string{
				"a", "a-b", "a/", "a/b", "a/c/d", "a0", "ab", "b//c", "bxxbxxb", "\xc3\xa9", "\U0001F600",
			},
		},
		{
			name:    "after a key",
			request: driver.ListRequest{StartAfter: "a0"},
			want:    []string{"ab", "b//c", "bxxbxxb", "é", "\U0001F600"},
		},
		{
			name:    "after a missing key",
			request: driver.ListRequest{StartAfter: "a1"},
			want:    []string{"ab", "b//c", "bxxbxxb", "é", "\U0001F600"},
		},
		{
			name:    "after a common prefix",
			request: driver.ListRequest{Delimiter: "/", StartAfter: "a/"},
			want:    []string{"a0", "ab", "b/", "bxxbxxb", "é", "\U0001F600"},
		},
		{
			name:    "after a key below a common prefix",
			request: driver.ListRequest{Delimiter: "/", StartAfter: "a/b"},
			want:    []string{"a0", "ab", "b/", "bxxbxxb", "é", "\U0001F600"},
		},
		{
			name:    "after a key before the prefix",
			request: driver.ListRequest{Prefix: "b", StartAfter: "a"},
			want:    []string{"b//c", "bxxbxxb"},
		},
		{
			name:    "after a key after the prefix",
			request: driver.ListRequest{Prefix: "a", StartAfter: "c"},
			want:    nil,
		},
		{name: "after everything", request: driver.ListRequest{StartAfter: "\xff"}, want: nil},
		{
			name:    "a prefix that nothing comes after",
			request: driver.ListRequest{Prefix: "\xff"},
			want:    nil,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newDriver()
			for _, key := range all {
				put(t, d, key, key)
			}
			for limit := 1; limit <= len(all)+1; limit++ {
				require.Equal(t, tt.want, listPages(t, d, tt.request, limit), "in pages of %d", limit)
			}
		})
	}
}

// listPages returns all keys, page by page, and checks each page.
func listPages(t *testing.T, d driver.Driver, r driver.ListRequest, limit int) []string {
	t.Helper()
	var names []string
	r.Limit = limit
	for {
		page, err := d.List(t.Context(), &r)
		require.NoError(t, err)
		require.LessOrEqual(t, len(page.Entries), limit)

		names = append(names, entryKeys(page.Entries)...)
		if page.Token == "" {
			return names
		}
		require.Len(t, page.Entries, limit, "only the last page is shorter")

		r.Token = page.Token
		r.StartAfter = ""
	}
}

// The entries of a listing have the attributes of their objects, and a full last page has no token.
func TestListDescribesObjects(t *testing.T) {
	d := newDriver()
	attrs := put(t, d, "a", "content")
	put(t, d, "b/c", "")

	page, err := d.List(t.Context(), &driver.ListRequest{Delimiter: "/", Limit: 2})
	require.NoError(t, err)
	want := []storage.ListEntry{
		{Key: "a", Size: attrs.Size, ETag: attrs.ETag, Revision: attrs.Revision, Modified: attrs.Modified},
		{Key: "b/", IsPrefix: true},
	}
	require.Equal(t, want, page.Entries)
	require.Empty(t, page.Token)
}

// If the last object of a page is removed, the token of that page still leads to the rest.
func TestListContinuesAfterRemoval(t *testing.T) {
	d := newDriver()
	for _, key := range []string{"a/1", "b", "c"} {
		put(t, d, key, "")
	}

	// The first entry is the common prefix "a/", and in the second round the object "b".
	const maxEntries = 9 // more than the bucket has
	for _, keyOfEntry := range []string{"a/1", "b"} {
		page, err := d.List(t.Context(), &driver.ListRequest{Delimiter: "/", Limit: 1})
		require.NoError(t, err)
		remove(t, d, keyOfEntry, "")

		// The token leads to all keys that are left.
		nextPage, err := d.List(t.Context(), &driver.ListRequest{Delimiter: "/", Limit: maxEntries, Token: page.Token})
		require.NoError(t, err)
		require.Equal(t, listKeys(t, d), entryKeys(nextPage.Entries))
	}
}

// List and ListVersions refuse a token that is malformed or from another listing.
func TestListRefusesMalformedTokens(t *testing.T) {
	d := newDriver()
	put(t, d, "a/1", "")
	put(t, d, "a/2", "")

	// The token of this page is only valid for the prefix a/.
	page, err := d.List(t.Context(), &driver.ListRequest{Prefix: "a/", Limit: 1})
	require.NoError(t, err)

	encode := base64.RawURLEncoding.EncodeToString
	tests := []struct {
		name   string
		token  string
		prefix string
	}{
		{name: "a key", token: "a/1"},
		{name: "not base64", token: "!"},
		{name: "base64 without a meaning", token: "garbage"},
		{name: "a shortened token", token: page.Token[:len(page.Token)-1]},
		{name: "a token of another prefix", token: page.Token, prefix: "b/"},
		{name: "a token without a key", token: encode([]byte("0/"))},
		{name: "a token with a leading zero", token: encode([]byte("01/a/1"))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			req := driver.ListRequest{Token: tt.token, Prefix: tt.prefix, Limit: 1}
			_, err := d.List(t.Context(), &req)
			require.ErrorIs(t, err, storage.InvalidArgument)
			_, err = d.ListVersions(t.Context(), &req)
			require.ErrorIs(t, err, storage.InvalidArgument)
		})
	}
}

// For random keys and requests, a listing in pages has the same entries as listByDefinition computes.
func TestListAgreesWithItsDefinition(t *testing.T) {
	const rounds = 300
	const alphabet = "ab/-\xff"
	random := rand.New(rand.NewPCG(1, 2))
	randomText := func(maxLength int) string {
		text := make([]byte, random.IntN(maxLength+1))
		for i := range text {
			text[i] = alphabet[random.IntN(len(alphabet))]
		}
		return string(text)
	}

	for range rounds {
		// Store random keys, of which many are equal in their beginnings.
		d := newDriver()
		keys := map[string]bool{}
		for range random.IntN(40) {
			key := "a" + randomText(6)
			put(t, d, key, "")
			keys[key] = true
		}

		// Compare the pages of a random request.
		req := driver.ListRequest{
			Prefix:     randomText(2),
			StartAfter: randomText(4),
			Delimiter:  randomText(2),
		}
		pageSize := 1 + random.IntN(5)
		require.Equal(t, listByDefinition(keys, req), listPages(t, d, req, pageSize), "%q %v", req, keys)
	}
}

// listByDefinition returns a listing by its definition: all keys, rolled up, sorted, without
// duplicates.
func listByDefinition(all map[string]bool, r driver.ListRequest) []string {
	var names []string
	for key := range all {
		rest, ok := strings.CutPrefix(key, r.Prefix)
		if !ok {
			continue
		}
		if first, _, rolled := strings.Cut(rest, r.Delimiter); rolled && r.Delimiter != "" {
			key = r.Prefix + first + r.Delimiter
		}
		if key > r.StartAfter {
			names = append(names, key)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// A listing does not show uploads in progress.
func TestListNeverShowsUploads(t *testing.T) {
	d := newDriver()
	for i := range 3 {
		_, err := d.BeginParts(t.Context(), putRequest(fmt.Sprint("k", i), ""))
		require.NoError(t, err)
	}
	require.Empty(t, listKeys(t, d))
}
