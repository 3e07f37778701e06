package localfile

import (
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// A dir is a directory of a test, with a directory sub in it.
type dir struct {
	t    *testing.T
	root *os.Root
}

// newDir returns a dir whose directory sub is empty.
func newDir(t *testing.T) dir {
	t.Helper()
	root, err := os.OpenRoot(t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, root.Close()) })
	require.NoError(t, root.Mkdir("sub", 0o777))
	return dir{t: t, root: root}
}

// replace writes a new file and renames it into place, as many programs do. All files have the same time.
func (d dir) replace(name, text string) {
	d.t.Helper()
	require.NoError(d.t, d.root.WriteFile("new", []byte(text), 0o666))
	require.NoError(d.t, d.root.Chtimes("new", time.Time{}, time.Unix(1e9, 0)))
	require.NoError(d.t, d.root.Rename("new", name))
}

// files returns the content of each file below sub.
func (d dir) files() map[string]string {
	d.t.Helper()
	files := map[string]string{}
	list, err := fs.ReadDir(d.root.FS(), "sub")
	require.NoError(d.t, err)
	for _, e := range list {
		text, err := d.root.ReadFile(path.Join("sub", e.Name()))
		require.NoError(d.t, err)
		files[e.Name()] = string(text)
	}
	return files
}

// RemoveUnchanged removes a file only if it is still the one that the caller has looked at. Otherwise it
// fails with ErrReplaced, and the other file keeps its name.
func TestRemoveUnchanged(t *testing.T) {
	long := strings.Repeat("n", 255) // the longest name that most file systems permit
	tests := []struct {
		name     string
		fileName string
		// isUnchanged is what the caller says about the file that RemoveUnchanged has found.
		isUnchanged func(d dir, info fs.FileInfo) bool
		wantFiles   map[string]string // name and content of each file that is left
		wantErr     error
	}{
		{
			name:        "the same file",
			fileName:    "k",
			isUnchanged: func(dir, fs.FileInfo) bool { return true },
			wantFiles:   map[string]string{},
		},
		{
			name:        "a long name",
			fileName:    long,
			isUnchanged: func(dir, fs.FileInfo) bool { return true },
			wantFiles:   map[string]string{},
		},
		{
			name:        "the caller sees another file",
			fileName:    "k",
			isUnchanged: func(dir, fs.FileInfo) bool { return false },
			wantFiles:   map[string]string{"k": "one"},
			wantErr:     ErrReplaced,
		},
		{
			name:     "another file after the look",
			fileName: "k",
			isUnchanged: func(d dir, _ fs.FileInfo) bool {
				d.replace("sub/k", "two")
				return true
			},
			wantFiles: map[string]string{"k": "two"},
			wantErr:   ErrReplaced,
		},
		{
			name:     "another file with a long name after the look",
			fileName: long,
			isUnchanged: func(d dir, _ fs.FileInfo) bool {
				d.replace("sub/"+long, "two")
				return true
			},
			wantFiles: map[string]string{long: "two"},
			wantErr:   ErrReplaced,
		},
		{
			name:     "the file was written after the look",
			fileName: "k",
			isUnchanged: func(d dir, _ fs.FileInfo) bool {
				require.NoError(d.t, d.root.WriteFile("sub/k", []byte("two"), 0o666))
				return true
			},
			wantFiles: map[string]string{"k": "two"},
			wantErr:   ErrReplaced,
		},
		{
			name:     "the file was removed after the look",
			fileName: "k",
			isUnchanged: func(d dir, _ fs.FileInfo) bool {
				require.NoError(d.t, d.root.Remove("sub/k"))
				return true
			},
			wantFiles: map[string]string{},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newDir(t)
			d.replace("sub/"+tt.fileName, "one")

			err := RemoveUnchanged(d.root, "sub/"+tt.fileName,
				func(info fs.FileInfo) bool { return tt.isUnchanged(d, info) })
			require.ErrorIs(t, err, tt.wantErr)
			require.Equal(t, tt.wantFiles, d.files())
		})
	}
}

// RemoveUnchanged returns no error for a file that does not exist.
func TestRemoveUnchangedMissingFile(t *testing.T) {
	isUnchanged := func(fs.FileInfo) bool { return true }
	require.NoError(t, RemoveUnchanged(newDir(t).root, "sub/missing", isUnchanged))
}

// A killed process may have left a file under a private name. RecoverRenamed removes the file if it is the one that was
// to be removed. It gives any other file its old name back, if that name is free.
func TestRecoverRenamed(t *testing.T) {
	tests := []struct {
		name string
		// prepare changes the directory before the recovery. The file sub/k with the text "one" is already at aside.
		prepare      func(d dir, aside string)
		wantRestored bool
		wantText     string   // of the file sub/k
		wantOthers   []string // the texts of all other files
	}{
		{name: "the file to remove", prepare: func(dir, string) {}},
		{
			name: "the file to remove, and another one has the name",
			prepare: func(d dir, _ string) {
				d.replace("sub/k", "two")
			},
			wantText: "two",
		},
		{
			name: "another file",
			prepare: func(d dir, aside string) {
				d.replace(aside, "other")
			},
			wantRestored: true,
			wantText:     "other",
		},
		{
			name: "another file, and a third one has the name",
			prepare: func(d dir, aside string) {
				d.replace(aside, "other")
				d.replace("sub/k", "third")
			},
			wantRestored: true,
			wantText:     "third",
			wantOthers:   []string{"other"},
		},
		{
			name: "another file that already has its name again",
			prepare: func(d dir, aside string) {
				d.replace(aside, "other")
				require.NoError(d.t, d.root.Link(aside, "sub/k"))
			},
			wantRestored: true,
			wantText:     "other",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The killed process has given the file sub/k its private name.
			d := newDir(t)
			d.replace("sub/k", "one")
			info, err := d.root.Lstat("sub/k")
			require.NoError(t, err)
			aside := path.Join("sub", privateName("k", info))
			require.True(t, IsPrivateName(path.Base(aside)))
			require.NoError(t, d.root.Rename("sub/k", aside))
			tt.prepare(d, aside)

			restored, err := RecoverRenamed(d.root, aside)
			require.NoError(t, err)
			require.Equal(t, tt.wantRestored, restored)

			files := d.files()
			text, exists := files["k"]
			require.Equal(t, tt.wantText != "", exists)
			require.Equal(t, tt.wantText, text)
			delete(files, "k")
			require.ElementsMatch(t, tt.wantOthers, slices.Collect(maps.Values(files)))

			// A second call changes nothing.
			restored, err = RecoverRenamed(d.root, aside)
			require.NoError(t, err)
			require.False(t, restored)
		})
	}
}

// putBack gives a file its name back. If the name is taken and long, the file gets a shorter one, which is cut between
// characters.
func TestPutBackLongName(t *testing.T) {
	tests := []struct{ name, fileName string }{
		{name: "letters", fileName: strings.Repeat("n", longestName)},
		{name: "characters of two bytes", fileName: strings.Repeat("é", longestName/2)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newDir(t)
			d.replace("sub/"+tt.fileName, "one")
			d.replace("sub/aside", "two")

			require.NoError(t, putBack(d.root, "sub/aside", "sub/"+tt.fileName))

			// The file that had the name keeps it, and the other one has a valid name.
			files := d.files()
			require.Len(t, files, 2)
			require.Equal(t, "one", files[tt.fileName])
			for name := range files {
				require.True(t, utf8.ValidString(name), name)
			}
		})
	}
}

// privateName cuts a long name only between characters, because some file systems permit only valid
// UTF-8.
func TestPrivateNameHasWholeCharacters(t *testing.T) {
	for n := range 4 {
		name := privateName(strings.Repeat("n", n)+strings.Repeat("語", 80), fileInfo{})
		require.True(t, utf8.ValidString(name), name)
		require.LessOrEqual(t, len(name), longestName)
	}
}

// Another job recovers the file before RemoveUnchanged compares it. The file is removed. But if another program has
// replaced the file, the new file gets its name back, and RemoveUnchanged fails with ErrReplaced.
func TestRemoveUnchangedAfterRecover(t *testing.T) {
	tests := []struct {
		name       string
		isReplaced bool // whether another program replaces the file just before it gets its private name
		wantErr    error
		wantFiles  map[string]string // name and content of each file that is left
	}{
		{name: "the file to remove", wantFiles: map[string]string{}},
		{
			name:       "another file",
			isReplaced: true,
			wantErr:    ErrReplaced,
			wantFiles:  map[string]string{"k": "two"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newDir(t)
			d.replace("sub/k", "one")

			// RemoveUnchanged does these steps first: it looks at the file, and gives it a private name.
			info, closeFile, err := statOpen(d.root, "sub/k")
			require.NoError(t, err)
			defer closeFile()
			if tt.isReplaced {
				d.replace("sub/k", "two")
			}
			aside := path.Join("sub", privateName("k", info))
			require.NoError(t, d.root.Rename("sub/k", aside))

			// Another job recovers the file: it removes it, or gives it its name back if it is another file.
			restored, err := RecoverRenamed(d.root, aside)
			require.NoError(t, err)
			require.Equal(t, tt.isReplaced, restored)

			// These are the last steps of RemoveUnchanged.
			require.ErrorIs(t, removeRenamed(d.root, "sub/k", aside, info), tt.wantErr)
			require.Equal(t, tt.wantFiles, d.files())
		})
	}
}

// If another call is already removing the file and the name has a new file, RemoveUnchanged fails
// with ErrReplaced and keeps both files.
func TestRemoveUnchangedTwice(t *testing.T) {
	d := newDir(t)
	d.replace("sub/k", "one")
	aside := "" // name that the other call gives the file
	err := RemoveUnchanged(d.root, "sub/k", func(info fs.FileInfo) bool {
		aside = path.Join("sub", privateName("k", info))
		require.NoError(t, d.root.Rename("sub/k", aside))
		d.replace("sub/k", "two")
		return true
	})
	require.ErrorIs(t, err, ErrReplaced)
	require.Equal(t, map[string]string{path.Base(aside): "one", "k": "two"}, d.files())
}

// IsPrivateName recognizes the private names of files that are to be removed, which have a prefix, a
// number of 16 or 24 hexadecimal digits, and the file's own name.
func TestIsPrivateName(t *testing.T) {
	tests := []struct {
		name     string
		fileName string
		want     bool
	}{
		{name: "of an earlier version", fileName: privatePrefix + "0123456789abcdef-k", want: true},
		{name: "of this version", fileName: privatePrefix + "0123456789abcdef01234567-k", want: true},
		{name: "a hyphen in its own name", fileName: privatePrefix + "0123456789abcdef01234567-k-k", want: true},
		{name: "three dots", fileName: privatePrefix + "0123456789abcdef-...", want: true},
		{name: "20 digits", fileName: privatePrefix + "0123456789abcdef0123-k", want: false},
		{name: "no hyphen", fileName: privatePrefix + "0123456789abcdef01234567", want: false},
		{name: "no name of its own", fileName: privatePrefix + "0123456789abcdef-", want: false},
		{name: "the directory itself", fileName: privatePrefix + "0123456789abcdef-.", want: false},
		{
			name:     "the directory above",
			fileName: privatePrefix + "0123456789abcdef-..",
			want:     false,
		},
		{name: "no hexadecimal digit", fileName: privatePrefix + "0123456789abcdeg-k", want: false},
		{name: "no number", fileName: privatePrefix + "k", want: false},
		{name: "no prefix", fileName: "k", want: false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.want, IsPrivateName(tt.fileName))
		})
	}
}

// The name of a file that is set aside for removal contains a number computed from the file. The
// shorter number of an earlier version is still read, as docs/maintainers/stored-forms.md requires.
func TestPrivateNamesAreAStoredForm(t *testing.T) {
	require.Regexp(t, `^\.omnibucket-removed-e42eb7ab163b42a8[0-9a-f]{8}-k$`, privateName("k", fileInfo{}))

	for _, name := range []string{
		".omnibucket-removed-e42eb7ab163b42a8-k-k",
		".omnibucket-removed-e42eb7ab163b42a801234567-k-k",
	} {
		t.Run(name, func(t *testing.T) {
			id, original, ok := parsePrivateName(name)
			require.True(t, ok)
			require.Equal(t, identity(fileInfo{}), id)
			require.Equal(t, "k-k", original)
		})
	}
}

// A fileInfo is a file without an inode number.
type fileInfo struct{ fs.FileInfo }

func (fileInfo) Sys() any           { return nil }
func (fileInfo) Size() int64        { return 7 }
func (fileInfo) ModTime() time.Time { return time.Unix(1e9, 5) }
