package local

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
	"github.com/stretchr/testify/require"
)

// nameTests are keys with and without the names that a disk needs.
var nameTests = []struct {
	name        string
	key         string
	plain       bool // the path is the key
	strictPlain bool // the path is the key with strict names, too
}{
	{name: "plain", key: "images/photo.jpg", plain: true, strictPlain: true},
	{name: "spaces and signs", key: "a b/c+d%25?#=&", plain: true},
	{name: "accents", key: "é/ü", plain: true},
	{name: "emoji", key: "🎉", plain: true},
	{name: "capitals", key: "README.md", plain: true},
	{name: "the reserved name", key: ".omnibucket"},
	{name: "the reserved name with capitals", key: ".OmniBucket"},
	{name: "like an escaped name", key: ".omnibucket%x"},
	{name: "like an alternate name, as a directory", key: "a/.omnibucket=x/b"},
	{name: "like a chunk", key: ".omnibucket+x/y"},
	{name: "like a versions directory", key: ".omnibucket@"},
	{name: "255 bytes", key: strings.Repeat("x", 255), plain: true, strictPlain: true},
	{name: "256 bytes", key: strings.Repeat("x", 256)},
	{name: "1,024 bytes", key: strings.Repeat("x", 1024)},
	{name: "1,024 bytes, not ASCII", key: strings.Repeat("é", 512)},
	{name: "1,024 capitals", key: strings.Repeat("X", 1024)},
	{name: "long directory", key: strings.Repeat("d", 300) + "/k"},
	{name: "many segments", key: strings.Repeat("a/", 253) + "a", plain: true, strictPlain: true},
	{name: "dots", key: strings.Repeat("a.b ", 100) + "x"},
	{name: "a device of Windows", key: "nul.txt", plain: true},
	{name: "another", key: "com1", plain: true},
	{name: "colon and backslash", key: `a:b\c`, plain: true},
	{name: "trailing dot", key: "dir./k", plain: true},
	{name: "control character", key: "a\x01b", plain: true},
}

// Locate returns two paths for each key, a usual and an alternate one. Each of them leads back to the key, and has no
// name that is too long for a disk.
func TestNames(t *testing.T) {
	for _, tt := range nameTests {
		t.Run(tt.name, func(t *testing.T) {
			for _, names := range []bucketdir.Names{{Strict: false}, {Strict: true}} {
				loc, ok := names.Locate(tt.key)
				require.True(t, ok)
				path := osdir.Join(loc.Dir, loc.Base)
				alternatePath := osdir.Join(loc.AltDir, loc.AltBase)

				// A plain path is the key itself.
				wantPlain := tt.plain
				if names.Strict {
					wantPlain = tt.strictPlain
				}
				isPlain := path == tt.key
				require.Equal(t, wantPlain, isPlain, path)

				for _, path := range []string{path, alternatePath} {
					require.Equal(t, tt.key, keyOf(t, names, path))
					for name := range strings.SplitSeq(path, "/") {
						require.LessOrEqual(t, len(name), bucketdir.MaxName)
					}
				}
			}
		})
	}
}

// keyOf returns the key of a path, parsed as a walk does.
func keyOf(t testing.TB, n bucketdir.Names, path string) string {
	t.Helper()
	var segments []string
	chunks := ""
	for name := range strings.SplitSeq(path, "/") {
		f, ok := n.Parse(chunks, name)
		require.True(t, ok, "%q in %q", name, path)
		if f.Mark == bucketdir.MarkChunk {
			chunks = f.Segment
			continue
		}
		chunks = ""
		segments = append(segments, f.Segment)
	}
	return strings.Join(segments, "/")
}

// Locate finds no path for keys that no directory can hold.
func TestNamesRefused(t *testing.T) {
	for _, key := range []string{"", "/", "a/", "/a", "a//b", ".", "..", "a/./b", "../a", "a\x00b"} {
		t.Run(key, func(t *testing.T) {
			_, ok := bucketdir.Names{}.Locate(key)
			require.False(t, ok)
		})
	}
}

// FuzzName requires that each path has one key, that a path stays inside the bucket, and
// that no foreign name is taken for an escaped one.
func FuzzName(f *testing.F) {
	for _, tt := range nameTests {
		f.Add(tt.key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		for _, n := range []bucketdir.Names{{Strict: false}, {Strict: true}} {
			isKey := utf8.ValidString(key) && len(key) <= bucketdir.MaxKey // the engine refuses others
			if l, ok := n.Locate(key); ok && isKey {
				require.Equal(t, key, keyOf(t, n, osdir.Join(l.Dir, l.Base)))
				require.Equal(t, key, keyOf(t, n, osdir.Join(l.AltDir, l.AltBase)))
				for name := range strings.SplitSeq(osdir.Join(l.Dir, l.Base), "/") {
					require.LessOrEqual(t, len(name), bucketdir.MaxName)
					require.NotContains(t, []string{"", ".", "..", bucketdir.Reserved}, name)
				}
			}
			parsed, ok := n.Parse("", key)
			isSegment := ok && !strings.Contains(key, "/")
			if isSegment && parsed.Mark == bucketdir.MarkEscaped {
				l, ok := n.Locate(parsed.Segment)
				require.True(t, ok)
				require.Equal(t, key, osdir.Join(l.Dir, l.Base), "a segment has one name")
			}
		}
	})
}

// Put, Get, List and Delete accept keys with every kind of name on every kind of disk.
func TestNamesRoundTrip(t *testing.T) {
	// In a short run, only the worst disk, which is the last one, is tested. Under Wine, a disk takes some five minutes.
	testedDisks := disks
	pageSize := 1
	isShort := testserver.Sample(true, testing.Short())
	if isShort {
		testedDisks = disks[len(disks)-1:]
		pageSize = 25
	}
	for _, disk := range testedDisks {
		t.Run(disk.name, func(t *testing.T) {
			bucket := newTestBucket(t, disk.tweaks...)
			var keys []string
			for _, tt := range nameTests {
				isForPlainDisk := tt.key == ".OmniBucket" // is not tested on the other disks
				if isForPlainDisk && disk.name != "plain" {
					continue
				}
				bucket.put(tt.key, "content of "+tt.key)
				keys = append(keys, tt.key)
			}

			// Each object can be read, and the listing has each key once.
			for _, key := range keys {
				require.Equal(t, "content of "+key, bucket.get(key))
			}
			require.ElementsMatch(t, keys, bucket.keys())
			require.IsIncreasing(t, bucket.keys())
			require.Equal(t, bucket.keys(), bucket.list(driver.ListRequest{Limit: pageSize}))

			// Each object can be removed, and leaves no file.
			for _, key := range keys {
				bucket.remove(key)
			}
			require.Empty(t, bucket.keys())
			require.Empty(t, bucket.files())
		})
	}
}

// An object such as "a" can be written, read and removed beside objects such as "a/b", for which "a" is a directory.
func TestNamesOfObjectAndDirectory(t *testing.T) {
	long := strings.Repeat("x", 250)
	tests := []struct {
		name string
		keys []string
	}{
		{name: "object first", keys: []string{"a", "a/b"}},
		{name: "directory first", keys: []string{"a/b", "a"}},
		{name: "three levels", keys: []string{"a", "a/b", "a/b/c"}},
		{name: "three levels, in reverse", keys: []string{"a/b/c", "a/b", "a"}},
		{name: "a long name", keys: []string{long, long + "/x"}},
		{name: "a long name, in reverse", keys: []string{long + "/x", long}},
		{name: "an escaped name", keys: []string{".omnibucket", ".omnibucket/x"}},
		{name: "an escaped name, in reverse", keys: []string{".omnibucket/x", ".omnibucket"}},
		{name: "a chunked name", keys: []string{long + long, long + long + "/x"}},
		{name: "a chunked name, in reverse", keys: []string{long + long + "/x", long + long}},
	}
	for _, tt := range tests {
		for _, disk := range disks {
			t.Run(tt.name+", "+disk.name, func(t *testing.T) {
				bucket := newTestBucket(t, disk.tweaks...)
				for _, key := range tt.keys {
					attrs := bucket.put(key, key)
					require.Equal(t, attrs, bucket.head(key))
				}

				// Conditional writes find the object, whether it has its usual or its alternate path.
				for _, key := range tt.keys {
					require.Equal(t, key, bucket.get(key))
					oldAttrs := bucket.head(key)
					_, err := bucket.putIf(key, "x", storage.Condition{Absent: true})
					require.ErrorIs(t, err, storage.PreconditionFailed)
					_, err = bucket.putIf(key, "new"+key, storage.Condition{Revision: oldAttrs.Revision})
					require.NoError(t, err)
					require.Equal(t, "new"+key, bucket.get(key))
				}
				require.ElementsMatch(t, tt.keys, bucket.keys())

				// Removing one object leaves the others.
				for i, key := range tt.keys {
					bucket.remove(key)
					bucket.requireMissing(key)
					require.ElementsMatch(t, tt.keys[i+1:], bucket.keys())
				}
				require.Empty(t, bucket.files())
			})
		}
	}
}

// errorOf returns the error of a call whose result the test does not need.
func errorOf[T any](_ T, err error) error { return err }

// An object keeps its attributes when its file moves to the alternate name, because a directory needs the plain one.
func TestAlternateNameKeepsRevision(t *testing.T) {
	bucket := newTestBucket(t)
	oldAttrs := bucket.put("a", "x")

	bucket.put("a/b", "y")
	require.Equal(t, oldAttrs, bucket.head("a"))
	require.Equal(t, []string{".omnibucket=a", "a/", "a/b"}, bucket.files())
}

// A directory keeps an object from its plain name, so the object has an alternate name. When the directory is gone and
// the object is overwritten, it gets its plain name.
func TestAlternateNameAfterOverwrite(t *testing.T) {
	bucket := newTestBucket(t)
	bucket.put("a/b", "y")
	bucket.put("a", "x")
	bucket.remove("a/b")

	bucket.put("a", "z")
	require.Equal(t, "z", bucket.get("a"))
	require.Equal(t, []string{"a"}, bucket.files())
}

// If a crash left a file under both names of an object, the one with the plain name counts.
func TestAlternateNameAfterCrash(t *testing.T) {
	bucket := newTestBucket(t)
	bucket.write("a", "new")
	bucket.write(".omnibucket=a", "old")

	require.Equal(t, "new", bucket.get("a"))
	require.Equal(t, []string{"a"}, bucket.keys())

	bucket.remove("a")
	bucket.requireMissing("a")
	require.Empty(t, bucket.files())
}

// Put replaces an empty directory that has the name of the object.
func TestPutOverEmptyDirectory(t *testing.T) {
	bucket := newTestBucket(t)
	require.NoError(t, os.Mkdir(filepath.Join(bucket.root, "a"), 0o777))
	require.Empty(t, bucket.keys())
	require.Empty(t, bucket.list(driver.ListRequest{Delimiter: "/"}))

	bucket.put("a", "object")
	require.Equal(t, []string{"a"}, bucket.files())
}
