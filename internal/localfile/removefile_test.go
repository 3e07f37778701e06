package removefile

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func unchanged(fs.FileInfo) bool { return true }

// A dir is a directory of a test.
type dir struct {
	t    *testing.T
	root *os.Root
}

func newDir(t *testing.T) dir {
	t.Helper()
	root, err := os.OpenRoot(t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, root.Close()) })
	require.NoError(t, root.Mkdir("sub", 0o777))
	return dir{t, root}
}

// replace writes a file as programs do that rename it into place. All files have the same time.
func (d dir) replace(name, text string) {
	d.t.Helper()
	require.NoError(d.t, d.root.WriteFile("new", []byte(text), 0o666))
	require.NoError(d.t, d.root.Chtimes("new", time.Time{}, time.Unix(1e9, 0)))
	require.NoError(d.t, d.root.Rename("new", name))
}

// files returns the content of each file below sub.
func (d dir) files() map[string]string {
	d.t.Helper()
	found := map[string]string{}
	list, err := fs.ReadDir(d.root.FS(), "sub")
	require.NoError(d.t, err)
	for _, e := range list {
		text, err := d.root.ReadFile(path.Join("sub", e.Name()))
		require.NoError(d.t, err)
		found[e.Name()] = string(text)
	}
	return found
}

func TestUnchanged(t *testing.T) {
	long := strings.Repeat("n", 255)
	tests := []struct {
		name, file string
		same       func(d dir, info fs.FileInfo) bool
		want       map[string]string
		err        error
	}{
		{"the same file", "k", func(dir, fs.FileInfo) bool { return true }, map[string]string{}, nil},
		{"a long name", long, func(dir, fs.FileInfo) bool { return true }, map[string]string{}, nil},
		{
			"the caller sees another file", "k",
			func(dir, fs.FileInfo) bool { return false },
			map[string]string{"k": "one"}, ErrChanged,
		},
		{
			"another file after the look", "k",
			func(d dir, _ fs.FileInfo) bool {
				d.replace("sub/k", "two")
				return true
			},
			map[string]string{"k": "two"}, ErrChanged,
		},
		{
			"another file with a long name after the look", long,
			func(d dir, _ fs.FileInfo) bool {
				d.replace("sub/"+long, "two")
				return true
			},
			map[string]string{long: "two"}, ErrChanged,
		},
		{
			"the file was written after the look", "k",
			func(d dir, _ fs.FileInfo) bool {
				require.NoError(d.t, d.root.WriteFile("sub/k", []byte("two"), 0o666))
				return true
			},
			map[string]string{"k": "two"}, ErrChanged,
		},
		{
			"the file was removed after the look", "k",
			func(d dir, _ fs.FileInfo) bool {
				require.NoError(d.t, d.root.Remove("sub/k"))
				return true
			},
			map[string]string{}, nil,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newDir(t)
			d.replace("sub/"+tt.file, "one")
			err := Unchanged(d.root, "sub/"+tt.file, func(info fs.FileInfo) bool { return tt.same(d, info) })
			require.ErrorIs(t, err, tt.err)
			require.Equal(t, tt.want, d.files())
		})
	}
	require.NoError(t, Unchanged(newDir(t).root, "sub/missing", unchanged))
}

// If a killed process left a file under its private name, Recover removes it if it is the file to remove. Any
// other file gets its name back, if that is free.
func TestRecover(t *testing.T) {
	tests := []struct {
		name     string
		prepare  func(d dir, aside string)
		restored bool
		kept     []string
	}{
		{"the file to remove", func(dir, string) {}, false, nil},
		{
			"the file to remove, and another one has the name",
			func(d dir, _ string) { d.replace("sub/k", "two") },
			false, []string{"two"},
		},
		{
			"another file",
			func(d dir, aside string) { d.replace(aside, "other") },
			true, []string{"other"},
		},
		{
			"another file, and a third one has the name",
			func(d dir, aside string) {
				d.replace(aside, "other")
				d.replace("sub/k", "third")
			},
			true, []string{"third", "other"},
		},
		{
			"another file that already has its name again",
			func(d dir, aside string) {
				d.replace(aside, "other")
				require.NoError(d.t, d.root.Link(aside, "sub/k"))
			},
			true, []string{"other"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newDir(t)
			d.replace("sub/k", "one")
			info, err := d.root.Lstat("sub/k")
			require.NoError(t, err)
			aside := path.Join("sub", asideName("k", info))
			require.True(t, IsAside(path.Base(aside)))
			require.NoError(t, d.root.Rename("sub/k", aside))
			tt.prepare(d, aside)

			restored, err := Recover(d.root, aside)
			require.NoError(t, err)
			require.Equal(t, tt.restored, restored)
			var result []string
			for _, text := range d.files() {
				result = append(result, text)
			}
			require.ElementsMatch(t, tt.kept, result)
			if len(tt.kept) > 0 {
				require.Equal(t, tt.kept[0], d.files()["k"])
			}
			restored, err = Recover(d.root, aside)
			require.NoError(t, err)
			require.False(t, restored)
		})
	}
}

// If a long name is taken, putBack gives the file a shorter name, cut between characters.
func TestPutBackLongName(t *testing.T) {
	tests := []struct{ name, long string }{
		{"letters", strings.Repeat("n", longestName)},
		{"characters of two bytes", strings.Repeat("é", longestName/2)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newDir(t)
			d.replace("sub/"+tt.long, "one")
			d.replace("sub/aside", "two")
			require.NoError(t, putBack(d.root, "sub/aside", "sub/"+tt.long))
			files := d.files()
			require.Len(t, files, 2)
			require.Equal(t, "one", files[tt.long])
			for name := range files {
				require.True(t, utf8.ValidString(name), name)
			}
		})
	}
}

// asideName cuts a long name between characters, because some file systems permit only valid UTF-8.
func TestAsideNameHasWholeCharacters(t *testing.T) {
	for n := range 4 {
		name := asideName(strings.Repeat("n", n)+strings.Repeat("語", 80), fileInfo{})
		require.True(t, utf8.ValidString(name), name)
		require.LessOrEqual(t, len(name), longestName)
	}
}

// If another job recovers the file before Unchanged compares it, the file is removed. A file that replaced it gets
// its name back, and Unchanged fails with ErrChanged.
func TestUnchangedAfterRecover(t *testing.T) {
	tests := []struct {
		name     string
		replaced bool // another program replaced the file just before it got its private name
		err      error
		want     map[string]string
	}{
		{name: "the file to remove", want: map[string]string{}},
		{name: "another file", replaced: true, err: ErrChanged, want: map[string]string{"k": "two"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newDir(t)
			d.replace("sub/k", "one")
			info, closeFile, err := look(d.root, "sub/k")
			require.NoError(t, err)
			defer closeFile()
			if tt.replaced {
				d.replace("sub/k", "two")
			}
			aside := path.Join("sub", asideName("k", info))
			require.NoError(t, d.root.Rename("sub/k", aside))
			restored, err := Recover(d.root, aside)
			require.NoError(t, err)
			require.Equal(t, tt.replaced, restored)

			require.ErrorIs(t, removeAside(d.root, "sub/k", aside, info), tt.err)
			require.Equal(t, tt.want, d.files())
		})
	}
}

// If another call already removes the file and the name has a new file, Unchanged fails with ErrChanged and keeps
// both files.
func TestUnchangedTwice(t *testing.T) {
	d := newDir(t)
	d.replace("sub/k", "one")
	first := ""
	err := Unchanged(d.root, "sub/k", func(info fs.FileInfo) bool {
		first = path.Join("sub", asideName("k", info))
		require.NoError(t, d.root.Rename("sub/k", first))
		d.replace("sub/k", "two")
		return true
	})
	require.ErrorIs(t, err, ErrChanged)
	require.Equal(t, map[string]string{path.Base(first): "one", "k": "two"}, d.files())
}

func TestIsAside(t *testing.T) {
	tests := []struct {
		name string
		want bool
	}{
		{asidePrefix + "0123456789abcdef-k", true}, // of an older version
		{asidePrefix + "0123456789abcdef01234567-k", true},
		{asidePrefix + "0123456789abcdef01234567-k-k", true},
		{asidePrefix + "0123456789abcdef0123-k", false},
		{asidePrefix + "0123456789abcdef01234567", false},
		{asidePrefix + "0123456789abcdef-", false},
		{asidePrefix + "0123456789abcdef-.", false},
		{asidePrefix + "0123456789abcdef-..", false}, // Recover would move it to the directory above
		{asidePrefix + "0123456789abcdef-...", true},
		{asidePrefix + "0123456789abcdeg-k", false},
		{asidePrefix + "k", false},
		{"k", false},
	}
	for _, tt := range tests {
		require.Equal(t, tt.want, IsAside(tt.name), filepath.Base(tt.name))
	}
}

// parseAside understands private names that an earlier version has left, as docs/maintainers/stored-forms.md
// requires.
func TestAsideNamesAreAStoredForm(t *testing.T) {
	require.Regexp(t, `^\.omnibucket-removed-e42eb7ab163b42a8[0-9a-f]{8}-k$`, asideName("k", fileInfo{}))
	for _, name := range []string{
		".omnibucket-removed-e42eb7ab163b42a8-k-k",
		".omnibucket-removed-e42eb7ab163b42a801234567-k-k",
	} {
		id, original, ok := parseAside(name)
		require.True(t, ok)
		require.Equal(t, identity(fileInfo{}), id)
		require.Equal(t, "k-k", original)
	}
}

// A fileInfo is a file whose number is not known.
type fileInfo struct{ fs.FileInfo }

func (fileInfo) Sys() any           { return nil }
func (fileInfo) Size() int64        { return 7 }
func (fileInfo) ModTime() time.Time { return time.Unix(1e9, 5) }
