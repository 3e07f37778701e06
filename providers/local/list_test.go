package local

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
	"github.com/omnibucket/storage/providers/local/internal/bucketstore"
	"github.com/stretchr/testify/require"
)

// List returns keys in the order of their bytes.
func TestListByteOrder(t *testing.T) {
	keys := []string{"a", "a-b", "a/b", "a/b/c", "a0", "a b", "A", "é", "z/a", "z-a", "z"}
	for _, disk := range disks {
		t.Run(disk.name, func(t *testing.T) {
			bucket := newTestBucket(t, disk.tweaks...)
			for _, key := range keys {
				bucket.put(key, key)
			}
			want := slices.Clone(keys)
			sort.Strings(want)

			for _, limit := range []int{1, 2, 3, 1000} {
				require.Equal(t, want, bucket.list(driver.ListRequest{Limit: limit}))
			}
		})
	}
}

// wantListing returns the entries that the contract requires.
func wantListing(keys []string, r driver.ListRequest) []string {
	var result []string
	for _, key := range keys {
		rest, hasPrefix := strings.CutPrefix(key, r.Prefix)
		if !hasPrefix {
			continue
		}
		entry := key
		if r.Delimiter != "" {
			if segment, _, ok := strings.Cut(rest, r.Delimiter); ok {
				entry = r.Prefix + segment + r.Delimiter
			}
		}
		isRepeated := len(result) > 0 && result[len(result)-1] == entry
		if entry > r.StartAfter && !isRepeated {
			result = append(result, entry)
		}
	}
	return result
}

// listRequests returns a request for each combination of a prefix, a delimiter, a start and a page size.
func listRequests(prefixes, starts []string) []driver.ListRequest {
	var requests []driver.ListRequest
	for _, prefix := range prefixes {
		for _, delimiter := range []string{"", "/", "-", "y-", "/y"} {
			for _, start := range starts {
				for _, limit := range []int{1, 3, 1000} {
					if limit == 1 && start > "a" && start < "z" {
						continue // this would take too long
					}
					requests = append(requests, driver.ListRequest{
						Prefix:     prefix,
						Delimiter:  delimiter,
						StartAfter: start,
						Limit:      limit,
					})
				}
			}
		}
	}
	return requests
}

// A listing has the same entries in pages of each size, with each combination of a prefix, a delimiter and a start.
func TestListPages(t *testing.T) {
	// Each directory has six objects. Some directories have the name of an object, or one that sorts beside it.
	var keys []string
	for _, dir := range []string{
		"",
		"a/",
		"a/b/",
		"b-1/",
		"b-2/",
		"b/",
		"c/d/e/",
		strings.Repeat("l", 300) + "/",
	} {
		for _, name := range []string{"x", "y-1", "y-2", "b", "a", "é"} {
			keys = append(keys, dir+name)
		}
	}
	sort.Strings(keys)
	keys = slices.Compact(keys)

	prefixes := []string{
		"",
		"a",
		"a/",
		"a/b",
		"a/b/",
		"b",
		"b-",
		"b/",
		"c/",
		"c/d/e/y",
		"nothing",
		"a/x/",
		"a//",
		"/",
		"l",
		strings.Repeat("l", 299),
	}
	starts := append([]string{"", "a", "a/", "a/b", "a/b/", "a/zz", "b", "b-", "b-1/x", "zz", "0"}, keys...)

	// A short run, such as under Wine, on which opening a directory is slow, tries only each eighth start.
	isShort := testserver.Sample(true, testing.Short())
	if isShort {
		var eachEighth []string
		for i := range len(starts) / 8 {
			eachEighth = append(eachEighth, starts[8*i])
		}
		starts = eachEighth
	}

	for _, disk := range disks {
		if disk.name != "plain" && disk.name != "strict names" {
			continue // the others have the same listings
		}
		t.Run(disk.name, func(t *testing.T) {
			bucket := newTestBucket(t, disk.tweaks...)
			for _, key := range keys {
				bucket.put(key, key)
			}

			for _, r := range listRequests(prefixes, starts) {
				// require.Equal is slow for so many requests, so it is called only for its message.
				if want, got := wantListing(keys, r), bucket.listKeys(r); !slices.Equal(want, got) {
					require.Equal(t, want, got, "%+v", r)
				}
			}
		})
	}
}

// listKeys does what list does, without checking each entry.
func (bucket *testBucket) listKeys(r driver.ListRequest) []string {
	bucket.t.Helper()
	var keys []string
	for {
		page, err := bucket.driver.List(context.Background(), &r)
		require.NoError(bucket.t, err)
		for _, e := range page.Entries {
			keys = append(keys, e.Key)
		}
		r.Token = page.Token
		if r.Token == "" {
			return keys
		}
	}
}

// List opens only the directories and files that its page needs.
func TestListOpensOnlyNeeded(t *testing.T) {
	bucket := newTestBucket(t)
	for _, dir := range []string{"a", "a/deep", "b", "b/deep", "c", "c/deep"} {
		for _, name := range []string{"1", "2"} {
			bucket.put(dir+"/"+name, "x")
		}
	}

	var mu sync.Mutex
	var names []string
	bucket.driver.live.Tree.OnOpen = func(path string) {
		mu.Lock()
		defer mu.Unlock()
		names = append(names, path)
	}

	tests := []struct {
		name string
		r    driver.ListRequest
		want []string
	}{
		{
			name: "everything: each directory once",
			r:    driver.ListRequest{Limit: 100},
			want: []string{"", "a", "a/deep", "b", "b/deep", "c", "c/deep"},
		},
		{
			name: "a prefix: only directories under it",
			r:    driver.ListRequest{Prefix: "b/", Limit: 100},
			want: []string{"b", "b/deep"},
		},
		{
			name: "a prefix within a name",
			r:    driver.ListRequest{Prefix: "b/d", Limit: 100},
			want: []string{"b", "b/deep"},
		},
		{
			name: "a prefix without keys",
			r:    driver.ListRequest{Prefix: "b/x", Limit: 100},
			want: []string{"b"},
		},
		{
			name: "a start: only directories after it",
			r:    driver.ListRequest{StartAfter: "b/deep/1", Limit: 100},
			want: []string{"", "b", "b/deep", "c", "c/deep"},
		},
		{
			name: "a start after a directory",
			r:    driver.ListRequest{StartAfter: "b0", Limit: 100},
			want: []string{"", "c", "c/deep"},
		},
		{
			name: "a token: only its path",
			r:    driver.ListRequest{Token: bucketstore.Position{Key: "c/deep/1"}.Token(), Limit: 100},
			want: []string{"", "c", "c/deep"},
		},
		{
			name: "a page: only directories that fill it",
			r:    driver.ListRequest{Limit: 1},
			want: []string{"", "a"},
		},
		{
			name: "a delimiter: each directory once",
			r:    driver.ListRequest{Delimiter: "/", Limit: 100},
			want: []string{"", "a", "b", "c"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			names = nil
			_, err := bucket.driver.List(t.Context(), &tt.r)
			require.NoError(t, err)
			require.Equal(t, tt.want, names)
		})
	}
}

// List returns no token with the last page, even if the page is full.
func TestListLastPage(t *testing.T) {
	bucket := newTestBucket(t)
	bucket.put("a", "")
	bucket.put("b", "")

	page, err := bucket.driver.List(t.Context(), &driver.ListRequest{Limit: 2})
	require.NoError(t, err)
	require.Len(t, page.Entries, 2)
	require.Empty(t, page.Token)
}

// List accepts a token that fits the prefix and the delimiter of the request, even one of a missing key, and refuses
// others with InvalidArgument.
func TestListTokens(t *testing.T) {
	bucket := newTestBucket(t)
	bucket.put("a/b", "")

	// A token has the position at which the next page begins, which is after a key or after a common prefix.
	keyToken := func(key string) string { return bucketstore.Position{Key: key}.Token() }
	prefixToken := func(prefix string) string { return bucketstore.Position{Key: prefix, IsPrefix: true}.Token() }

	tests := []struct {
		name    string
		request driver.ListRequest
		want    storage.Code // "" if the token is accepted
	}{
		{name: "after a key", request: driver.ListRequest{Token: keyToken("a/b")}},
		{name: "after a common prefix", request: driver.ListRequest{Token: prefixToken("a/"), Delimiter: "/"}},
		{name: "after a missing key", request: driver.ListRequest{Token: keyToken("zzz")}},
		{name: "not base64", request: driver.ListRequest{Token: "???"}, want: storage.InvalidArgument},
		{name: "without a key", request: driver.ListRequest{Token: "aw"}, want: storage.InvalidArgument},
		{
			name:    "key outside of the prefix",
			request: driver.ListRequest{Token: keyToken("a/b"), Prefix: "b"},
			want:    storage.InvalidArgument,
		},
		{
			name:    "key within a common prefix",
			request: driver.ListRequest{Token: keyToken("a/b"), Delimiter: "/"},
			want:    storage.InvalidArgument,
		},
		{
			name:    "common prefix without a delimiter",
			request: driver.ListRequest{Token: prefixToken("a/")},
			want:    storage.InvalidArgument,
		},
		{
			name:    "malformed version",
			request: driver.ListRequest{Token: bucketstore.Position{Key: "a", Version: "x"}.Token()},
			want:    storage.InvalidArgument,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.request.Limit = 10
			_, err := bucket.driver.List(t.Context(), &tt.request)
			if tt.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, tt.want)
		})
	}
}

// List leaves out files of other programs whose names stand for no valid key.
func TestListForeignNames(t *testing.T) {
	bucket := newTestBucket(t)

	// A key must be valid UTF-8. Names on Windows are always valid UTF-16.
	if runtime.GOOS != "windows" {
		bucket.write("\xff", "x")
	}

	// Names that begin with .omnibucket, in lower or upper case, are reserved. The driver gives such a name to a file if
	// its key cannot be a name. These are not the names that it would give.
	for _, name := range []string{
		".omnibucket%",
		".omnibucket%a",
		".omnibucket=%41",
		".omnibucket+short/.omnibucket%x",
		".omnibucketx",
		".OMNIBUCKET%x",
	} {
		bucket.write(name, "x")
	}

	// A key has at most 1024 bytes.
	keyOver1024Bytes := strings.Repeat(strings.Repeat("d", 250)+"/", 4) + strings.Repeat("e", 200)
	bucket.write(keyOver1024Bytes, "x")

	require.Empty(t, bucket.keys())
	require.Empty(t, bucket.list(driver.ListRequest{Delimiter: "="}))
}

// List returns the keys of a large directory in pages, from the disk and from the cache, and sees each change at once.
func TestListLargeDirectory(t *testing.T) {
	if testing.Short() {
		t.Skip("it makes many files")
	}
	bucket := newTestBucket(t)
	const (
		files = 3000
		step  = 7919 // has no common factor with files, so that each file is made once, in a mixed order
	)
	var want []string
	for i := range files {
		key := fmt.Sprintf("d/%05d", i*step%files)
		bucket.write(key, "")
		want = append(want, key)
	}
	sort.Strings(want)

	// The first listing reads the disk and fills the cache, which keeps only directories that have not just changed.
	settle(t, filepath.Join(bucket.root, "d"))
	require.Equal(t, want, bucket.listKeys(driver.ListRequest{Limit: 100}))

	// The next listings read the cache.
	require.Equal(t, want, bucket.listKeys(driver.ListRequest{Limit: 100}))
	const middle = 2 * files / 3
	require.Equal(t, want[middle:], bucket.listKeys(driver.ListRequest{Limit: 100, StartAfter: want[middle-1]}))

	// A change is visible immediately.
	bucket.put("d/00000x", "")
	require.Contains(t, bucket.listKeys(driver.ListRequest{Limit: 100}), "d/00000x")
	bucket.remove("d/00000x")
	require.Equal(t, want, bucket.listKeys(driver.ListRequest{Limit: 1000}))
}

// settle makes the time of a directory old enough for the cache.
func settle(t testing.TB, path string) {
	old := time.Now().Add(-time.Hour)
	require.NoError(t, os.Chtimes(path, old, old))
}

// Reads follow only symbolic links that stay inside the bucket, listings follow no link to a directory, which may form
// a cycle, and writes replace links.
func TestListSymbolicLinks(t *testing.T) {
	wineCannot(t, noLinks)
	bucket := newTestBucket(t)
	outside := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(outside, []byte("secret"), 0o666))
	bucket.put("dir/target", "inside")
	links := []struct {
		name   string
		target string
	}{
		{name: "in", target: "dir/target"},
		{name: "out", target: outside},
		{name: "up", target: "../../../../../../../../etc/hostname"},
		{name: "broken", target: "nowhere"},
		{name: "loop", target: "loop"},
		{name: "outdir", target: filepath.Dir(outside)},
		{name: "indir", target: "dir"},
	}
	for _, link := range links {
		require.NoError(t, os.Symlink(link.target, filepath.Join(bucket.root, link.name)))
	}

	// Links to a file and to a directory inside can be read.
	require.Equal(t, "inside", bucket.get("in"))
	require.Equal(t, "inside", bucket.get("indir/target"))

	// The listing has the link to a file, but follows no link to a directory, such as "indir".
	require.Equal(t, []string{"dir/target", "in"}, bucket.keys())

	// All other links are missing objects.
	for _, key := range []string{"out", "up", "broken", "loop", "outdir/secret"} {
		bucket.requireMissing(key)
		bucket.remove(key) // succeeds, and leaves the link
	}

	// A write fails if a directory of its path is a link out of the bucket.
	_, err := bucket.driver.Put(t.Context(), request("outdir/new", "x"))
	require.ErrorIs(t, err, storage.PermissionDenied)
	require.NoFileExists(t, filepath.Join(filepath.Dir(outside), "new"))

	// A write to a link leaves the file to which the link leads.
	bucket.put("out", "replaces the link")
	require.Equal(t, "replaces the link", bucket.get("out"))
	_, err = bucket.putIf("up", "replaces the link", storage.Condition{Absent: true})
	require.NoError(t, err)
	content, err := os.ReadFile(outside)
	require.NoError(t, err)
	require.Equal(t, "secret", string(content))
}

// List returns keys with hostile names in the order of their bytes, whatever the prefix and the page size are.
func TestListHostileKeys(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))

	// Usually, only the worst disk is tested, which is the last one.
	for _, disk := range testserver.Sample(disks[len(disks)-1:], disks) {
		t.Run(disk.name, func(t *testing.T) {
			bucket := newTestBucket(t, disk.tweaks...)
			keys := []string{
				"newli\ne.txt",
				"file.txt",
				"newli.txt",
				strings.Repeat("l", 300) + "\n",
				strings.Repeat("l", 300),
			}

			// Add random keys that are hard to sort or to store, if they can be paths.
			for range 60 {
				key := newHostileKey(random)
				if _, ok := bucket.driver.live.Tree.Names().Locate(key); ok {
					keys = append(keys, key)
				}
			}
			slices.Sort(keys)
			keys = slices.Compact(keys)
			for _, key := range keys {
				bucket.put(key, "x")
			}

			// Each page has one key.
			require.Equal(t, keys, bucket.list(driver.ListRequest{Limit: 1}))
			for i, key := range keys {
				// After the last key, the list is nil.
				keysAfter := append([]string(nil), keys[i+1:]...)
				require.Equal(t, keysAfter, bucket.list(driver.ListRequest{StartAfter: key, Limit: 7}), "%q", key)

				// The prefix is a random part of the key: a folder, or the beginning of a name.
				prefix := key[:random.IntN(len(key)+1)]
				r := driver.ListRequest{Prefix: prefix, Delimiter: "/", Limit: 1}
				require.Equal(t, wantListing(keys, r), bucket.list(r), "%q", prefix)
			}
		})
	}
}

// newHostileKey returns "k" with one to five random pieces, which are hard to sort or to store.
func newHostileKey(random *rand.Rand) string {
	pieces := []string{
		"a", "A", "b", "0", "-", " ", "!", "%", "/a", "/b", "/a/", ".", "\n", "\x01", "\x7f", "\\",
		"~", "^", "=", "+",
		"é", "\uffff", bucketdir.Reserved, bucketdir.Reserved + "%", "%0a", "^a",
	}
	key := "k"
	for range 1 + random.IntN(5) {
		key += pieces[random.IntN(len(pieces))]
	}
	return key
}
