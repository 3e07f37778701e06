package afero

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/owntests"
	"github.com/omnibucket/storage/memstore"
)

// ownTests are the tests of afero that take their file systems from a list. The others build theirs
// themselves, and would not test ours. TestWriteAt is left out: it reads a file that another
// handle has written and not closed, which an object store does not show. TestFiles has WriteAt
// with Close.
const ownTests = "^(TestRead0|TestOpenFile|TestCreate|TestRename|TestRemove|TestTruncate|TestSeek|TestReadAt|" +
	"TestReaddirnames|TestReaddirSimple|TestReaddir|TestReaddirRegularFile|TestReaddirAll|TestWalk)$"

// Afero's own tests judge the adapter on each store: a copy of afero gets a file that puts it into
// their list of file systems.
func TestAferosOwnTests(t *testing.T) {
	judge := owntests.Copy(t, "github.com/spf13/afero")
	judge.Add(t, "testdata/omnibucket_test.go.txt", "omnibucket_test.go")
	judge.Run(t, "github.com/spf13/afero", "OMNIBUCKET_AFERO", strings.Count(ownTests, "|")+1, "-test.run", ownTests)
}

func TestFiles(t *testing.T) {
	b := memstore.New()
	files := New(t.Context(), b)
	content := func(key string) string {
		text, _, err := storage.ReadAll(t.Context(), b, key)
		require.NoError(t, err)
		return string(text)
	}
	for _, row := range []struct {
		name string
		run  func(t *testing.T)
	}{
		{"a write appears at Close, whole", func(t *testing.T) {
			f, err := files.Create("/a/b.txt")
			require.NoError(t, err)
			_, err = f.WriteString("text")
			require.NoError(t, err)
			require.Empty(t, content("a/b.txt"))
			require.NoError(t, f.Close())
			require.Equal(t, "text", content("a/b.txt"))
			require.ErrorIs(t, f.Close(), fs.ErrClosed)
		}},
		{"an append keeps what was there", func(t *testing.T) {
			f, err := files.OpenFile("a/b.txt", os.O_WRONLY|os.O_APPEND, 0)
			require.NoError(t, err)
			_, err = io.Copy(f, strings.NewReader(" and more"))
			require.NoError(t, err)
			require.NoError(t, f.Close())
			require.Equal(t, "text and more", content("a/b.txt"))
		}},
		{"WriteAt and Truncate change a part", func(t *testing.T) {
			f, err := files.OpenFile("a/b.txt", os.O_RDWR, 0)
			require.NoError(t, err)
			_, err = f.WriteAt([]byte("TE"), 0)
			require.NoError(t, err)
			require.NoError(t, f.Truncate(8))
			require.NoError(t, f.Sync())
			require.Equal(t, "TExt and", content("a/b.txt"))
			require.NoError(t, f.Close())
			require.Equal(t, "TExt and", content("a/b.txt"))
		}},
		{"O_EXCL refuses a file that is there", func(t *testing.T) {
			_, err := files.OpenFile("a/b.txt", os.O_CREATE|os.O_EXCL|os.O_RDWR, 0)
			require.ErrorIs(t, err, fs.ErrExist)
		}},
		{"a copy that fails stores nothing", func(t *testing.T) {
			for _, name := range []string{"a/b.txt", "a/new.txt"} {
				f, err := files.Create(name)
				require.NoError(t, err)
				_, err = io.Copy(f, io.MultiReader(strings.NewReader("half"), iotest.ErrReader(io.ErrUnexpectedEOF)))
				require.ErrorIs(t, err, io.ErrUnexpectedEOF)
				require.ErrorIs(t, f.Close(), io.ErrUnexpectedEOF)
			}
			require.Equal(t, "TExt and", content("a/b.txt"))
			there, err := b.Exists(t.Context(), "a/new.txt")
			require.NoError(t, err)
			require.False(t, there)
		}},
		{"a folder is renamed with all that is in it", func(t *testing.T) {
			require.NoError(t, afero.WriteFile(files, "a/c/d", []byte("d"), 0))
			require.NoError(t, files.Rename("a", "z"))
			require.Equal(t, "d", content("z/c/d"))
			exists, err := afero.Exists(files, "a")
			require.NoError(t, err)
			require.False(t, exists)
			require.ErrorIs(t, files.Rename("z", "z/c/e"), fs.ErrInvalid)
		}},
		{"a directory is empty, then not, then gone", func(t *testing.T) {
			require.NoError(t, files.Mkdir("empty", 0))
			require.ErrorIs(t, files.Mkdir("empty", 0), fs.ErrExist)
			empty, err := afero.IsEmpty(files, "empty")
			require.NoError(t, err)
			require.True(t, empty)
			require.NoError(t, files.Remove("empty"))
			require.ErrorIs(t, files.Remove("empty"), fs.ErrNotExist)
			require.Error(t, files.Remove("z"), "it is not empty")
			require.ErrorIs(t, files.MkdirAll("z/b.txt/c", 0), syscall.ENOTDIR)
		}},
		{"what a store cannot do is told", func(t *testing.T) {
			require.ErrorIs(t, files.Chmod("z/b.txt", 0o600), errors.ErrUnsupported)
			_, err := files.Open("none")
			require.ErrorIs(t, err, fs.ErrNotExist)
			_, err = files.Create("a\x00b")
			require.ErrorIs(t, err, fs.ErrInvalid)
			f, err := files.Open("z/b.txt")
			require.NoError(t, err)
			_, err = f.WriteString("x")
			require.ErrorIs(t, err, fs.ErrPermission)
			require.NoError(t, f.Close())
		}},
		{"everything is removed", func(t *testing.T) {
			require.NoError(t, files.RemoveAll("/"))
			entries, err := afero.ReadDir(files, "/")
			require.NoError(t, err)
			require.Empty(t, entries)
		}},
	} {
		t.Run(row.name, row.run)
	}
}
