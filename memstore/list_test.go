package memstore_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

func TestList(t *testing.T) {
	all := []string{"a", "a-b", "a/", "a/b", "a/c/d", "a0", "ab", "b//c", "bxxbxxb", "é", "\U0001F600"}
	tests := map[string]struct {
		request driver.ListRequest
		want    []string
	}{
		"everything, by bytes":                     {driver.ListRequest{}, all},
		"a prefix anywhere in a segment":           {driver.ListRequest{Prefix: "a"}, all[:7]},
		"a prefix without keys":                    {driver.ListRequest{Prefix: "c"}, nil},
		"prefixes merged into the order":           {driver.ListRequest{Delimiter: "/"}, []string{"a", "a-b", "a/", "a0", "ab", "b/", "bxxbxxb", "é", "\U0001F600"}},
		"under a folder, its marker too":           {driver.ListRequest{Prefix: "a/", Delimiter: "/"}, []string{"a/", "a/b", "a/c/"}},
		"an empty segment is a prefix":             {driver.ListRequest{Prefix: "b/", Delimiter: "/"}, []string{"b//"}},
		"a delimiter of two bytes":                 {driver.ListRequest{Prefix: "b", Delimiter: "xx"}, []string{"b//c", "bxx"}},
		"a delimiter later in the key":             {driver.ListRequest{Prefix: "bxx", Delimiter: "xx"}, []string{"bxxbxx"}},
		"a delimiter that is part of a character":  {driver.ListRequest{Delimiter: "\xa9"}, []string{"a", "a-b", "a/", "a/b", "a/c/d", "a0", "ab", "b//c", "bxxbxxb", "\xc3\xa9", "\U0001F600"}},
		"after a key":                              {driver.ListRequest{StartAfter: "a0"}, all[6:]},
		"after a missing key":                      {driver.ListRequest{StartAfter: "a1"}, all[6:]},
		"after a prefix":                           {driver.ListRequest{Delimiter: "/", StartAfter: "a/"}, []string{"a0", "ab", "b/", "bxxbxxb", "é", "\U0001F600"}},
		"after a key under a prefix":               {driver.ListRequest{Delimiter: "/", StartAfter: "a/b"}, []string{"a0", "ab", "b/", "bxxbxxb", "é", "\U0001F600"}},
		"after a key before the prefix":            {driver.ListRequest{Prefix: "b", StartAfter: "a"}, []string{"b//c", "bxxbxxb"}},
		"after a key after the prefix":             {driver.ListRequest{Prefix: "a", StartAfter: "c"}, nil},
		"after everything":                         {driver.ListRequest{StartAfter: "\xff"}, nil},
		"a prefix that is the end of all prefixes": {driver.ListRequest{Prefix: "\xff"}, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := fresh()
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

// The entries of a listing describe their objects.
func TestListDescribesObjects(t *testing.T) {
	d := fresh()
	a := put(t, d, "a", "content")
	put(t, d, "b/c", "")
	page, err := d.List(t.Context(), &driver.ListRequest{Delimiter: "/", Limit: 2})
	require.NoError(t, err)
	require.Equal(t, []storage.ListEntry{
		{Key: "a", Size: 7, ETag: a.ETag, Revision: a.Revision, Modified: a.Modified},
		{Key: "b/", IsPrefix: true},
	}, page.Entries)
	require.Empty(t, page.Token, "a last page has no token, even if it is full")
}

// If the objects of a page are removed, the listing continues with the next page.
func TestListContinuesAfterRemoval(t *testing.T) {
	d := fresh()
	for _, key := range []string{"a/1", "b", "c"} {
		put(t, d, key, "")
	}
	for _, last := range []string{"a/1", "b"} {
		page, err := d.List(t.Context(), &driver.ListRequest{Delimiter: "/", Limit: 1})
		require.NoError(t, err)
		remove(t, d, last, "")
		nextPage, err := d.List(t.Context(), &driver.ListRequest{Delimiter: "/", Limit: 9, Token: page.Token})
		require.NoError(t, err)
		require.Equal(t, listKeys(t, d), entryKeys(nextPage.Entries))
	}
}

// Malformed tokens of a listing are refused.
func TestListRefusesMalformedTokens(t *testing.T) {
	d := fresh()
	put(t, d, "a/1", "")
	put(t, d, "a/2", "")
	page, err := d.List(t.Context(), &driver.ListRequest{Prefix: "a/", Limit: 1})
	require.NoError(t, err)

	for name, r := range map[string]driver.ListRequest{
		"a key":                   {Token: "a/1"},
		"not base64":              {Token: "!"},
		"base64 of nothing":       {Token: "garbage"},
		"cut":                     {Token: page.Token[:len(page.Token)-1]},
		"of another prefix":       {Token: page.Token, Prefix: "b/"},
		"without a key":           {Token: "MC8"},      // 0/
		"with a malformed number": {Token: "MDEvYS8x"}, // 01/a/1
	} {
		t.Run(name, func(t *testing.T) {
			r.Limit = 1
			_, err := d.List(t.Context(), &r)
			require.ErrorIs(t, err, storage.InvalidArgument)
			_, err = d.ListVersions(t.Context(), &r)
			require.ErrorIs(t, err, storage.InvalidArgument)
		})
	}
}

func TestListAgreesWithItsDefinition(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	word := func(limit int) string {
		b := make([]byte, random.IntN(limit+1))
		for i := range b {
			b[i] = "ab/-\xff"[random.IntN(5)]
		}
		return string(b)
	}
	for range 300 {
		d := fresh()
		all := map[string]bool{}
		for range random.IntN(40) {
			key := "a" + word(6)
			put(t, d, key, "")
			all[key] = true
		}
		r := driver.ListRequest{Prefix: word(2), StartAfter: word(4), Delimiter: word(2)}
		require.Equal(t, defined(all, r), listPages(t, d, r, 1+random.IntN(5)), "%q %v", r, all)
	}
}

// defined returns a listing by its definition: all keys, rolled up, sorted, without
// duplicates.
func defined(all map[string]bool, r driver.ListRequest) []string {
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

func TestListNeverShowsUploads(t *testing.T) {
	d := fresh()
	for i := range 3 {
		_, err := d.BeginParts(t.Context(), putRequest(fmt.Sprint("k", i), ""))
		require.NoError(t, err)
	}
	require.Empty(t, listKeys(t, d))
}
