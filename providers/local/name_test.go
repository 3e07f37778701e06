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

var nameRows = []struct {
	name, key          string
	plain, strictPlain bool // the key keeps its plain name
}{
	{"plain", "images/photo.jpg", true, true},
	{"spaces and signs", "a b/c+d%25?#=&", true, false},
	{"accents", "é/ü", true, false},
	{"emoji", "🎉", true, false},
	{"capitals", "README.md", true, false},
	{"the reserved name", ".omnibucket", false, false},
	{"the reserved name with capitals", ".OmniBucket", false, false},
	{"like an escaped name", ".omnibucket%x", false, false},
	{"like an alternate name, as a directory", "a/.omnibucket=x/b", false, false},
	{"like a chunk", ".omnibucket+x/y", false, false},
	{"like a versions directory", ".omnibucket@", false, false},
	{"255 bytes", strings.Repeat("x", 255), true, true},
	{"256 bytes", strings.Repeat("x", 256), false, false},
	{"1,024 bytes", strings.Repeat("x", 1024), false, false},
	{"1,024 bytes, not ASCII", strings.Repeat("é", 512), false, false},
	{"1,024 capitals", strings.Repeat("X", 1024), false, false},
	{"long directory", strings.Repeat("d", 300) + "/k", false, false},
	{"many segments", strings.Repeat("a/", 253) + "a", true, true},
	{"dots", strings.Repeat("a.b ", 100) + "x", false, false},
	{"a device of Windows", "nul.txt", true, false},
	{"another", "com1", true, false},
	{"colon and backslash", `a:b\c`, true, false},
	{"trailing dot", "dir./k", true, false},
	{"control character", "a\x01b", true, false},
}

func TestNames(t *testing.T) {
	for _, row := range nameRows {
		t.Run(row.name, func(t *testing.T) {
			for _, n := range []bucketdir.Names{{Strict: false}, {Strict: true}} {
				l, ok := n.Locate(row.key)
				require.True(t, ok)
				path := osdir.Join(l.Dir, l.Base)
				if n.Strict {
					require.Equal(t, row.strictPlain, path == row.key, path)
				} else {
					require.Equal(t, row.plain, path == row.key, path)
				}
				for _, path := range []string{path, osdir.Join(l.AltDir, l.AltBase)} {
					require.Equal(t, row.key, keyOf(t, n, path))
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
		_, ok := bucketdir.Names{}.Locate(key)
		require.False(t, ok, "%q", key)
	}
}

// FuzzName requires that each path has one key, that a path stays inside the bucket, and
// that no foreign name is taken for an escaped one.
func FuzzName(f *testing.F) {
	for _, row := range nameRows {
		f.Add(row.key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		for _, n := range []bucketdir.Names{{Strict: false}, {Strict: true}} {
			// The engine refuses keys that are longer, or not UTF-8.
			if l, ok := n.Locate(key); ok && utf8.ValidString(key) && len(key) <= bucketdir.MaxKey {
				require.Equal(t, key, keyOf(t, n, osdir.Join(l.Dir, l.Base)))
				require.Equal(t, key, keyOf(t, n, osdir.Join(l.AltDir, l.AltBase)))
				for name := range strings.SplitSeq(osdir.Join(l.Dir, l.Base), "/") {
					require.LessOrEqual(t, len(name), bucketdir.MaxName)
					require.NotContains(t, []string{"", ".", "..", bucketdir.Reserved}, name)
				}
			}
			if found, ok := n.Parse("", key); ok && !strings.Contains(key, "/") && found.Mark == bucketdir.MarkEscaped {
				l, ok := n.Locate(found.Segment)
				require.True(t, ok)
				require.Equal(t, key, osdir.Join(l.Dir, l.Base), "a segment has one name")
			}
		}
	})
}

// Every name round-trips through the disk.
func TestNamesRoundTrip(t *testing.T) {
	page, kinds := 1, disks
	if testserver.Sample(true, testing.Short()) { // as under Wine, where a disk takes some five minutes
		page = 25
		kinds = disks[len(disks)-1:]
	}
	for _, disk := range kinds {
		t.Run(disk.name, func(t *testing.T) {
			s := open(t, disk.tweaks...)
			var keys []string
			for _, row := range nameRows {
				if row.key == ".OmniBucket" && disk.name != "plain" {
					continue
				}
				s.put(row.key, row.name)
				keys = append(keys, row.key)
			}
			for _, row := range nameRows {
				if row.key != ".OmniBucket" || disk.name == "plain" {
					require.Equal(t, row.name, s.get(row.key))
				}
			}
			require.ElementsMatch(t, keys, s.all())
			require.IsIncreasing(t, s.all())
			require.Equal(t, s.all(), s.list(driver.ListRequest{Limit: page}))
			for _, key := range keys {
				s.remove(key)
			}
			require.Empty(t, s.all())
			require.Empty(t, s.files())
		})
	}
}

// An object and a directory may have the same name.
func TestNamesOfObjectAndDirectory(t *testing.T) {
	long := strings.Repeat("x", 250)
	for _, row := range []struct {
		name string
		keys []string
	}{
		{"object first", []string{"a", "a/b"}},
		{"directory first", []string{"a/b", "a"}},
		{"three levels", []string{"a", "a/b", "a/b/c"}},
		{"three levels, in reverse", []string{"a/b/c", "a/b", "a"}},
		{"a long name", []string{long, long + "/x"}},
		{"a long name, in reverse", []string{long + "/x", long}},
		{"an escaped name", []string{".omnibucket", ".omnibucket/x"}},
		{"an escaped name, in reverse", []string{".omnibucket/x", ".omnibucket"}},
		{"a chunked name", []string{long + long, long + long + "/x"}},
		{"a chunked name, in reverse", []string{long + long + "/x", long + long}},
	} {
		for _, disk := range disks {
			t.Run(row.name+", "+disk.name, func(t *testing.T) {
				s := open(t, disk.tweaks...)
				for _, key := range row.keys {
					a := s.put(key, key)
					require.Equal(t, a, s.head(key))
				}
				for _, key := range row.keys {
					require.Equal(t, key, s.get(key))
					before := s.head(key)
					require.ErrorIs(t, second(s.putIf(key, "x", storage.Condition{Absent: true})), storage.PreconditionFailed)
					_, err := s.putIf(key, "new"+key, storage.Condition{Revision: before.Revision})
					require.NoError(t, err)
					require.Equal(t, "new"+key, s.get(key))
				}
				require.ElementsMatch(t, row.keys, s.all())
				for i, key := range row.keys {
					s.remove(key)
					s.missing(key)
					require.ElementsMatch(t, row.keys[i+1:], s.all())
				}
				require.Empty(t, s.files())
			})
		}
	}
}

func second(_ *storage.Attrs, err error) error { return err }

// If an object moves to its alternate name, it keeps its revision.
func TestAlternateNameKeepsRevision(t *testing.T) {
	s := open(t)
	before := s.put("a", "x")
	s.put("a/b", "y")
	require.Equal(t, before, s.head("a"))
	require.Equal(t, []string{".omnibucket=a", "a/", "a/b"}, s.files())
}

// If an object with an alternate name is overwritten, it gets its plain name again.
func TestAlternateNameAfterOverwrite(t *testing.T) {
	s := open(t)
	s.put("a/b", "y")
	s.put("a", "x")
	s.remove("a/b")
	s.put("a", "z")
	require.Equal(t, "z", s.get("a"))
	require.Equal(t, []string{"a"}, s.files())
}

// If a crash left a file under both names of an object, the one with the plain name counts.
func TestAlternateNameAfterCrash(t *testing.T) {
	s := open(t)
	s.write("a", "new")
	s.write(".omnibucket=a", "old")
	require.Equal(t, "new", s.get("a"))
	require.Equal(t, []string{"a"}, s.all())
	s.remove("a")
	s.missing("a")
	require.Empty(t, s.files())
}

// Put replaces an empty directory that has the name of the object.
func TestPutOverEmptyDirectory(t *testing.T) {
	s := open(t)
	s.write("a/x", "")
	require.NoError(t, os.Remove(filepath.Join(s.root, "a", "x")))
	require.Empty(t, s.all())
	require.Empty(t, s.list(driver.ListRequest{Delimiter: "/"}))
	s.put("a", "object")
	require.Equal(t, []string{"a"}, s.files())
}
