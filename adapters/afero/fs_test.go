package afero

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/iotest"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/adapters/internal/testing/owntests"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
)

// ownTests are the tests of afero that take their file systems from a list, to which our test adds
// this adapter. Afero's other tests make their own file systems. TestWriteAt is left out: it reads
// a file that another handle has written and not closed, and an object store does not show such
// bytes. TestFs has a case of WriteAt with Close.
const ownTests = "^(TestRead0|TestOpenFile|TestCreate|TestRename|TestRemove|TestTruncate|TestSeek|TestReadAt|" +
	"TestReaddirnames|TestReaddirSimple|TestReaddir|TestReaddirRegularFile|TestReaddirAll|TestWalk)$"

// Afero's own tests pass with this adapter on each store. They run in a copy of its module, with a file that adds the
// adapter to the file systems to test.
func TestAferosOwnTests(t *testing.T) {
	const module = "github.com/spf13/afero"
	copied := owntests.Copy(t, module)
	copied.Add(t, "testdata/omnibucket_test.go.txt", "omnibucket_test.go")

	// The pattern has the names of all tests, separated by bars.
	wantPassed := strings.Count(ownTests, "|") + 1
	copied.Run(t, module, "OMNIBUCKET_AFERO", wantPassed, "-test.run", ownTests)
}

// newFiles returns a file system with one file, and its bucket.
func newFiles(t *testing.T, name, text string) (afero.Fs, storage.Bucket) {
	t.Helper()
	b := memstore.New()
	files := New(t.Context(), b)
	require.NoError(t, afero.WriteFile(files, name, []byte(text), 0))
	return files, b
}

// contentOf returns the content of an object.
func contentOf(t *testing.T, b storage.Bucket, key string) string {
	t.Helper()
	text, _, err := storage.ReadAll(t.Context(), b, key)
	require.NoError(t, err)
	return string(text)
}

// Files are written, read, listed, renamed and removed as on a disk.
func TestFs(t *testing.T) {
	t.Run("Close stores all that was written", func(t *testing.T) {
		b := memstore.New()
		f, err := New(t.Context(), b).Create("/a/b.txt")
		require.NoError(t, err)

		_, err = f.WriteString("text")
		require.NoError(t, err)
		require.Empty(t, contentOf(t, b, "a/b.txt"), "before Close")

		require.NoError(t, f.Close())
		require.Equal(t, "text", contentOf(t, b, "a/b.txt"))
		require.ErrorIs(t, f.Close(), fs.ErrClosed)
	})

	t.Run("O_APPEND writes after the content", func(t *testing.T) {
		files, b := newFiles(t, "a/b.txt", "text")

		f, err := files.OpenFile("a/b.txt", os.O_WRONLY|os.O_APPEND, 0)
		require.NoError(t, err)
		_, err = io.Copy(f, strings.NewReader(" and more"))
		require.NoError(t, err)
		require.NoError(t, f.Close())

		require.Equal(t, "text and more", contentOf(t, b, "a/b.txt"))
	})

	t.Run("WriteAt and Truncate change a part", func(t *testing.T) {
		files, b := newFiles(t, "a/b.txt", "text and more")

		f, err := files.OpenFile("a/b.txt", os.O_RDWR, 0)
		require.NoError(t, err)
		_, err = f.WriteAt([]byte("TE"), 0)
		require.NoError(t, err)
		require.NoError(t, f.Truncate(int64(len("TExt and"))))

		require.NoError(t, f.Sync())
		require.Equal(t, "TExt and", contentOf(t, b, "a/b.txt"))
		require.NoError(t, f.Close())
		require.Equal(t, "TExt and", contentOf(t, b, "a/b.txt"))
	})

	t.Run("O_EXCL refuses a file that exists", func(t *testing.T) {
		files, _ := newFiles(t, "a/b.txt", "text")

		_, err := files.OpenFile("a/b.txt", os.O_CREATE|os.O_EXCL|os.O_RDWR, 0)
		require.ErrorIs(t, err, fs.ErrExist)
	})

	t.Run("a copy that fails stores nothing", func(t *testing.T) {
		files, b := newFiles(t, "a/old.txt", "old")

		for _, name := range []string{"a/old.txt", "a/new.txt"} {
			f, err := files.Create(name)
			require.NoError(t, err)
			failing := io.MultiReader(strings.NewReader("half"), iotest.ErrReader(io.ErrUnexpectedEOF))
			_, err = io.Copy(f, failing)
			require.ErrorIs(t, err, io.ErrUnexpectedEOF)
			require.ErrorIs(t, f.Close(), io.ErrUnexpectedEOF)
		}

		require.Equal(t, "old", contentOf(t, b, "a/old.txt"))
		exists, err := b.Exists(t.Context(), "a/new.txt")
		require.NoError(t, err)
		require.False(t, exists)
	})

	t.Run("Rename of a folder moves its files", func(t *testing.T) {
		files, b := newFiles(t, "a/c/d", "d")

		require.NoError(t, files.Rename("a", "z"))
		require.Equal(t, "d", contentOf(t, b, "z/c/d"))
		exists, err := afero.Exists(files, "a")
		require.NoError(t, err)
		require.False(t, exists)

		require.ErrorIs(t, files.Rename("z", "z/c/e"), fs.ErrInvalid, "a folder does not move into itself")
	})

	t.Run("Mkdir and Remove of a directory", func(t *testing.T) {
		files, _ := newFiles(t, "full/file", "text")

		require.NoError(t, files.Mkdir("empty", 0))
		require.ErrorIs(t, files.Mkdir("empty", 0), fs.ErrExist)
		empty, err := afero.IsEmpty(files, "empty")
		require.NoError(t, err)
		require.True(t, empty)

		require.NoError(t, files.Remove("empty"))
		require.ErrorIs(t, files.Remove("empty"), fs.ErrNotExist)
		require.Error(t, files.Remove("full"), "it is not empty")
		require.ErrorIs(t, files.MkdirAll("full/file/c", 0), syscall.ENOTDIR)
	})

	t.Run("errors of unsupported and invalid calls", func(t *testing.T) {
		files, _ := newFiles(t, "b.txt", "text")

		require.ErrorIs(t, files.Chmod("b.txt", 0o600), errors.ErrUnsupported)
		_, err := files.Open("none")
		require.ErrorIs(t, err, fs.ErrNotExist)
		_, err = files.Create("a\x00b")
		require.ErrorIs(t, err, fs.ErrInvalid)

		f, err := files.Open("b.txt")
		require.NoError(t, err)
		_, err = f.WriteString("x")
		require.ErrorIs(t, err, fs.ErrPermission, "the file is open for reading")
		require.NoError(t, f.Close())
	})

	t.Run("RemoveAll of the root", func(t *testing.T) {
		files, _ := newFiles(t, "a/b.txt", "text")

		require.NoError(t, files.RemoveAll("/"))
		entries, err := afero.ReadDir(files, "/")
		require.NoError(t, err)
		require.Empty(t, entries)
	})
}

// Rename replaces what package os would replace, and refuses the rest.
func TestRenameReplaces(t *testing.T) {
	tests := []struct {
		name, from, to string
		want           error
	}{
		{name: "a file replaces a file", from: "file", to: "other", want: nil},
		{name: "a file does not replace a folder", from: "file", to: "full", want: syscall.EISDIR},
		{name: "a file does not replace an empty folder", from: "file", to: "empty", want: syscall.EISDIR},
		{name: "a folder does not replace a file", from: "full", to: "other", want: syscall.ENOTDIR},
		{name: "a folder takes the place of an empty one", from: "full", to: "empty", want: nil},
		{name: "a folder is not merged into another", from: "full", to: "second", want: syscall.ENOTEMPTY},
		{name: "nothing replaces the root", from: "full", to: "/", want: fs.ErrInvalid},
		{name: "the root stays", from: "/", to: "new", want: fs.ErrInvalid},
		{name: "nothing gets the hidden name", from: "file", to: "full/" + Marker, want: fs.ErrInvalid},
		{name: "a missing file", from: "none", to: "new", want: fs.ErrNotExist},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			files := New(t.Context(), memstore.New())
			for _, name := range []string{"file", "other", "full/a", "second/a"} {
				require.NoError(t, afero.WriteFile(files, name, []byte(name), 0))
			}
			require.NoError(t, files.Mkdir("empty", 0))

			require.ErrorIs(t, files.Rename(tt.from, tt.to), tt.want)

			// No case changes the file second/a.
			text, err := afero.ReadFile(files, "second/a")
			require.NoError(t, err)
			require.Equal(t, "second/a", string(text))

			if tt.want == nil {
				_, err = files.Stat(tt.from)
				require.True(t, os.IsNotExist(err), "%v", err)
			}
		})
	}
}

// If another caller writes a file while Rename moves it, between the copy and the removal, Rename fails and that
// content stays.
func TestRenameKeepsWritesOfOthers(t *testing.T) {
	// This store cannot move objects, so Rename copies and removes them.
	var store *renamedByCopy
	bucket := memstore.New(driver.WithLayer(func(next driver.Driver) driver.Driver {
		store = &renamedByCopy{Driver: next}
		return store
	}))
	files := New(t.Context(), bucket)

	tests := []struct {
		name string
		file string
		from string
		to   string
	}{
		{name: "a file", file: "file", from: "file", to: "moved"},
		{name: "a folder", file: "full/a", from: "full", to: "folder"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.NoError(t, afero.WriteFile(files, tt.file, []byte("old"), 0))
			// Rename calls this function after the copy, in place of another caller.
			store.afterCopy = func() {
				assert.NoError(t, afero.WriteFile(files, tt.file, []byte("newer"), 0))
			}

			require.ErrorIs(t, files.Rename(tt.from, tt.to), storage.Changed)

			text, err := afero.ReadFile(files, tt.file)
			require.NoError(t, err)
			require.Equal(t, "newer", string(text))
		})
	}
}

// renamedByCopy is a store that cannot move objects, so that Rename copies them and removes the originals. It calls
// afterCopy between the two.
type renamedByCopy struct {
	driver.Driver
	afterCopy func()
}

func (d *renamedByCopy) Describe() driver.Description {
	desc := d.Driver.Describe()
	desc.Features &^= storage.ServerMove
	return desc
}

func (d *renamedByCopy) Copy(ctx context.Context, r *driver.CopyRequest) (*storage.Attrs, error) {
	attrs, err := d.Driver.Copy(ctx, r)
	d.afterCopy()
	return attrs, err
}

// If a write fails, nothing is stored.
func TestWriteFailsStoresNothing(t *testing.T) {
	files := New(t.Context(), memstore.New())
	require.NoError(t, afero.WriteFile(files, "a", []byte("old"), 0))
	f, err := files.OpenFile("a", os.O_RDWR, 0)
	require.NoError(t, err)

	// A closed temporary file fails like a full disk.
	require.NoError(t, f.(*writeFile).temp.Close())
	_, err = f.Write([]byte("new"))
	require.Error(t, err)
	require.Error(t, f.Close())

	text, err := afero.ReadFile(files, "a")
	require.NoError(t, err)
	require.Equal(t, "old", string(text))
}

// If an object is replaced or removed while it is open for reading, reads fail with Changed. After Close, all calls
// fail.
func TestOpenForReading(t *testing.T) {
	// The object is larger than what the first read buffers.
	const size = 1 << 20
	b := memstore.New()
	files := New(t.Context(), b)
	require.NoError(t, afero.WriteFile(files, "a", bytes.Repeat([]byte("x"), size), 0))
	f, err := files.Open("a")
	require.NoError(t, err)
	_, err = io.ReadFull(f, make([]byte, 10))
	require.NoError(t, err)

	// The object is replaced.
	require.NoError(t, afero.WriteFile(files, "a", bytes.Repeat([]byte("y"), size), 0))
	_, err = f.ReadAt(make([]byte, 10), size-10)
	require.ErrorIs(t, err, storage.Changed)
	_, err = io.Copy(io.Discard, f)
	require.ErrorIs(t, err, storage.Changed)

	// The object is removed.
	require.NoError(t, b.Remove(t.Context(), "a"))
	_, err = io.Copy(io.Discard, f)
	require.ErrorIs(t, err, storage.Changed)

	// The file is closed.
	require.NoError(t, f.Close())
	_, err = io.Copy(io.Discard, f)
	require.ErrorIs(t, err, fs.ErrClosed)
	_, err = f.Read(make([]byte, 1))
	require.ErrorIs(t, err, fs.ErrClosed)
	_, err = f.ReadAt(make([]byte, 1), 0)
	require.ErrorIs(t, err, fs.ErrClosed)
	require.ErrorIs(t, f.Close(), fs.ErrClosed)
}

// io.Copy from the middle of a file copies the rest of it with one request, and leaves the file at its end.
func TestWriteToCopiesTheRest(t *testing.T) {
	var requests atomic.Int32
	countRequests := func(
		ctx context.Context, _ storage.Operation,
	) (context.Context, func(storage.Outcome), error) {
		requests.Add(1)
		return ctx, nil, nil
	}
	files := New(t.Context(), memstore.New(storage.WithHook(countRequests)))
	require.NoError(t, afero.WriteFile(files, "a", []byte("0123456789"), 0))

	f, err := files.Open("a")
	require.NoError(t, err)
	_, err = f.Seek(4, io.SeekStart)
	require.NoError(t, err)
	requests.Store(0)

	var text strings.Builder
	n, err := io.Copy(&text, f)
	require.NoError(t, err)
	require.Equal(t, int64(len("456789")), n)
	require.Equal(t, "456789", text.String())
	require.Equal(t, int32(1), requests.Load())

	// The file is at its end.
	n, err = io.Copy(&text, f)
	require.NoError(t, err)
	require.Zero(t, n)
	offset, err := f.Seek(-2, io.SeekCurrent)
	require.NoError(t, err)
	require.Equal(t, int64(len("01234567")), offset)
	require.NoError(t, f.Close())
}

// A name is cleaned like a path, and cannot leave the bucket.
func TestHostileNames(t *testing.T) {
	b := memstore.New()
	files := New(t.Context(), b)
	tests := []struct{ name, key string }{
		{name: "../../etc/passwd", key: "etc/passwd"},
		{name: "/a/./b/../c", key: "a/c"},
		{name: "a//b", key: "a/b"},
		{name: "%2e%2e/x", key: "%2e%2e/x"},
		{name: "- $(x)", key: "- $(x)"},
	}
	for _, tt := range tests {
		require.NoError(t, afero.WriteFile(files, tt.name, []byte("text"), 0), tt.name)
		exists, err := b.Exists(t.Context(), tt.key)
		require.NoError(t, err)
		require.True(t, exists, tt.name)
	}
}

// Names that cannot be keys are refused.
func TestInvalidNames(t *testing.T) {
	files := New(t.Context(), memstore.New())
	for _, name := range []string{"a\x00b", "a\nb", "a\xffb", "dir/" + Marker, strings.Repeat("x", 1025), "..."} {
		_, err := files.Create(name)
		require.ErrorIs(t, err, fs.ErrInvalid, "%q", name)
	}
}

// If several callers open a file with O_EXCL at the same time, exactly one creates it.
func TestCreateByOneOfSeveral(t *testing.T) {
	files := New(t.Context(), memstore.New())
	var created atomic.Int32
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			f, err := files.OpenFile("a", os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0)
			if err == nil {
				created.Add(1)
				assert.NoError(t, f.Close())
				return
			}
			assert.ErrorIs(t, err, fs.ErrExist)
		})
	}
	group.Wait()
	require.Equal(t, int32(1), created.Load())
}

// O_EXCL refuses the name of a folder.
func TestCreateExclusiveRefusesAFolder(t *testing.T) {
	files := New(t.Context(), memstore.New())
	require.NoError(t, files.Mkdir("folder", 0))
	_, err := files.OpenFile("folder", os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0)
	require.ErrorIs(t, err, fs.ErrExist)
}

// If the context is canceled, Close stores nothing.
func TestWriteCanceledStoresNothing(t *testing.T) {
	b := memstore.New()
	ctx, cancel := context.WithCancel(t.Context())
	f, err := New(ctx, b).Create("a")
	require.NoError(t, err)
	_, err = f.WriteString("half")
	require.NoError(t, err)

	cancel()
	require.ErrorIs(t, f.Close(), context.Canceled)
	exists, err := b.Exists(t.Context(), "a")
	require.NoError(t, err)
	require.False(t, exists, "must remove the empty object of O_CREATE")
}

// If io.Copy into a new file fails and the context is canceled, as when a client disconnects, no file is left.
func TestCopyCanceledLeavesNoFile(t *testing.T) {
	b := memstore.New()
	ctx, cancel := context.WithCancel(t.Context())
	f, err := New(ctx, b).Create("a")
	require.NoError(t, err)
	cancel()

	_, err = io.Copy(f, iotest.ErrReader(io.ErrUnexpectedEOF))
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.ErrorIs(t, f.Close(), io.ErrUnexpectedEOF)

	exists, err := b.Exists(t.Context(), "a")
	require.NoError(t, err)
	require.False(t, exists)
}

// If Close fails, the file keeps what Sync stored before.
func TestCloseFailsKeepsSyncedBytes(t *testing.T) {
	b := memstore.New()
	ctx, cancel := context.WithCancel(t.Context())
	f, err := New(ctx, b).Create("a")
	require.NoError(t, err)
	_, err = f.WriteString("text")
	require.NoError(t, err)
	require.NoError(t, f.Sync())
	_, err = f.WriteString(" and more")
	require.NoError(t, err)

	cancel()
	require.ErrorIs(t, f.Close(), context.Canceled)
	text, _, err := storage.ReadAll(t.Context(), b, "a")
	require.NoError(t, err)
	require.Equal(t, "text", string(text))
}

// A folder that another tool has marked by an object whose key ends in a slash is a directory that can be removed.
func TestDirectoriesOfOtherTools(t *testing.T) {
	b := newOtherToolBucket()
	_, err := b.Upload(t.Context(), "folder"+slashInKey, strings.NewReader(""))
	require.NoError(t, err)
	files := New(t.Context(), b)

	info, err := files.Stat("folder")
	require.NoError(t, err)
	require.True(t, info.IsDir())

	require.NoError(t, files.Remove("folder"))
	_, err = files.Stat("folder")
	require.True(t, os.IsNotExist(err), "%v", err)
}

// An open directory is an fs.ReadDirFile like that of package os, which Hugo expects.
func TestReaddirOfAnOpenDirectory(t *testing.T) {
	b := memstore.New()
	for _, key := range []string{"dir/file", "dir/sub/file"} {
		_, err := b.Upload(t.Context(), key, strings.NewReader("x"))
		require.NoError(t, err)
	}

	f, err := New(t.Context(), b).Open("dir")
	require.NoError(t, err)
	require.Implements(t, (*fs.ReadDirFile)(nil), f)
	dir := f.(fs.ReadDirFile)

	entries, err := dir.ReadDir(1)
	require.NoError(t, err)
	require.Equal(t, "file", entries[0].Name())
	require.False(t, entries[0].IsDir())

	entries, err = dir.ReadDir(1)
	require.NoError(t, err)
	require.Equal(t, "sub", entries[0].Name())
	require.True(t, entries[0].IsDir())

	_, err = dir.ReadDir(1)
	require.ErrorIs(t, err, io.EOF)
	require.NoError(t, f.Close())
}

// Rename works for folders that other tools have marked by an empty object whose key ends in a slash.
func TestRenameFoldersOfOtherTools(t *testing.T) {
	// The library refuses to write a key that ends in a slash. This bucket stores slashInKey as a slash.
	b := newOtherToolBucket()
	for _, key := range []string{"folder" + slashInKey, "folder/a", "folder/sub" + slashInKey} {
		_, err := b.Upload(t.Context(), key, strings.NewReader(key))
		require.NoError(t, err)
	}
	files := New(t.Context(), b)

	require.NoError(t, files.Rename("folder", "new"))

	_, err := files.Stat("folder")
	require.True(t, os.IsNotExist(err), "%v", err)
	info, err := files.Stat("new/sub")
	require.NoError(t, err)
	require.True(t, info.IsDir())

	// The new folder has the entries a and sub. The marker is not an entry.
	infos, err := afero.ReadDir(files, "new")
	require.NoError(t, err)
	require.Len(t, infos, 2)
}

// A write to an existing object keeps its properties, such as the content type, and its metadata.
func TestAppendKeepsPropertiesAndMetadata(t *testing.T) {
	tests := []struct {
		name string
		flag int
	}{
		{name: "append", flag: os.O_APPEND | os.O_WRONLY},
		{name: "overwrite", flag: os.O_RDWR},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := memstore.New()
			_, err := b.Upload(t.Context(), "a", strings.NewReader("text"),
				storage.WithContentType("image/png"),
				storage.WithContentLanguage("de"),
				storage.WithContentDisposition("inline"),
				storage.WithContentEncoding("x-none"),
				storage.WithCacheControl("no-store"),
				storage.WithMetadata(map[string]string{"k": "v"}))
			require.NoError(t, err)
			before, err := b.Attrs(t.Context(), "a")
			require.NoError(t, err)

			f, err := New(t.Context(), b).OpenFile("a", tt.flag, 0)
			require.NoError(t, err)
			_, err = f.WriteString("more")
			require.NoError(t, err)
			require.NoError(t, f.Close())

			after, err := b.Attrs(t.Context(), "a")
			require.NoError(t, err)
			require.NotEqual(t, before.Revision, after.Revision)
			require.Equal(t, before.Properties, after.Properties)
		})
	}
}

// An append succeeds even if the object has a content type that this library refuses to store.
func TestAppendToAnObjectOfAnotherTool(t *testing.T) {
	// The metadata oddContentType makes the bucket store a content type without a slash.
	b := newOtherToolBucket()
	_, err := b.Upload(t.Context(), "a", strings.NewReader("text"),
		storage.WithMetadata(map[string]string{oddContentType: "true"}))
	require.NoError(t, err)
	attrs, err := b.Attrs(t.Context(), "a")
	require.NoError(t, err)
	require.Equal(t, "binary", attrs.ContentType)

	f, err := New(t.Context(), b).OpenFile("a", os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteString(" and more")
	require.NoError(t, err)
	require.NoError(t, f.Close())

	text, _, err := storage.ReadAll(t.Context(), b, "a")
	require.NoError(t, err)
	require.Equal(t, "text and more", string(text))
}

// otherTool is a driver that stores what this library refuses to store, as other tools may. Its
// keys have slashes in place of slashInKey, also at their end. An object with the metadata oddContentType gets the
// content type "binary", which has no slash.
type otherTool struct{ driver.Driver }

const (
	slashInKey     = "!"
	oddContentType = "odd"
)

// newOtherToolBucket returns a bucket in which Upload stores objects as another tool would, as documented at otherTool.
func newOtherToolBucket() storage.Bucket {
	return memstore.New(driver.WithLayer(func(next driver.Driver) driver.Driver {
		return otherTool{next}
	}))
}

func (d otherTool) Put(ctx context.Context, r *driver.PutRequest) (*storage.Attrs, error) {
	changed := *r
	changed.Key = strings.ReplaceAll(r.Key, slashInKey, "/")
	if r.Metadata[oddContentType] != "" {
		changed.ContentType = "binary"
	}
	return d.Driver.Put(ctx, &changed)
}

// If WriteAt or Truncate refuses its arguments, the file stays as it is and later writes work.
func TestWriteRefusedKeepsTheFile(t *testing.T) {
	tests := []struct {
		name string
		flag int
		call func(afero.File) error
	}{
		{
			name: "WriteAt before the beginning",
			flag: os.O_RDWR,
			call: func(f afero.File) error { return onlyError(f.WriteAt([]byte("x"), -1)) },
		},
		{
			name: "WriteAt of O_APPEND",
			flag: os.O_RDWR | os.O_APPEND,
			call: func(f afero.File) error { return onlyError(f.WriteAt([]byte("x"), 0)) },
		},
		{
			name: "Truncate to a negative size",
			flag: os.O_RDWR,
			call: func(f afero.File) error { return f.Truncate(-1) },
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fsys := New(t.Context(), memstore.New())
			require.NoError(t, afero.WriteFile(fsys, "a", []byte("text"), 0o644))
			f, err := fsys.OpenFile("a", tt.flag, 0o644)
			require.NoError(t, err)

			require.ErrorIs(t, tt.call(f), fs.ErrInvalid)

			_, err = f.Seek(0, io.SeekEnd)
			require.NoError(t, err)
			_, err = f.WriteString(" and more")
			require.NoError(t, err)
			require.NoError(t, f.Close())
			text, err := afero.ReadFile(fsys, "a")
			require.NoError(t, err)
			require.Equal(t, "text and more", string(text))
		})
	}
}

// An error names the file that was opened, and not the temporary file in which its content is written.
func TestErrorsNameTheFileAndNotItsTemporaryFile(t *testing.T) {
	const name = "folder/a"
	fsys := New(t.Context(), memstore.New())
	openFile, err := fsys.Create(name)
	require.NoError(t, err)
	closedFile, err := fsys.Create(name)
	require.NoError(t, err)
	require.NoError(t, closedFile.Close())

	tests := []struct {
		name string
		call func() error
	}{
		{name: "Seek", call: func() error { return onlyError(openFile.Seek(-1, io.SeekStart)) }},
		{name: "ReadAt", call: func() error { return onlyError(openFile.ReadAt(make([]byte, 1), -1)) }},
		{name: "Write after Close", call: func() error { return onlyError(closedFile.Write([]byte("x"))) }},
		{name: "Read after Close", call: func() error { return onlyError(closedFile.Read(make([]byte, 1))) }},
		{name: "Stat after Close", call: func() error { return onlyError(closedFile.Stat()) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.call()
			pathErr, ok := errors.AsType[*fs.PathError](err)
			require.True(t, ok, "%v", err)
			require.Equal(t, name, pathErr.Path)
		})
	}
	require.NoError(t, openFile.Close())
}

// onlyError returns the error of a call that also has a value.
func onlyError[T any](_ T, err error) error { return err }

// The flags of OpenFile mean the same as in package os.
func TestOpenFileFlags(t *testing.T) {
	tests := []struct {
		name         string
		path         string
		flag         int
		wantText     string // that Read returns
		wantWriteErr error  // nil if the write appends
	}{
		{
			name:     "O_APPEND reads from the beginning",
			path:     "a",
			flag:     os.O_RDWR | os.O_APPEND,
			wantText: "text",
		},
		{
			name:         "O_CREATE alone does not write",
			path:         "new",
			flag:         os.O_CREATE,
			wantWriteErr: fs.ErrPermission,
		},
		{
			name:         "O_CREATE alone does not write what exists",
			path:         "a",
			flag:         os.O_CREATE,
			wantText:     "text",
			wantWriteErr: fs.ErrPermission,
		},
		{
			name:         "O_APPEND alone does not write",
			path:         "a",
			flag:         os.O_APPEND,
			wantText:     "text",
			wantWriteErr: fs.ErrPermission,
		},
		{
			name:         "O_APPEND alone opens a directory",
			path:         "folder",
			flag:         os.O_APPEND,
			wantWriteErr: syscall.EISDIR,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fsys := New(t.Context(), memstore.New())
			require.NoError(t, afero.WriteFile(fsys, "a", []byte("text"), 0o644))
			require.NoError(t, fsys.Mkdir("folder", 0o755))
			f, err := fsys.OpenFile(tt.path, tt.flag, 0o644)
			require.NoError(t, err)

			buf := make([]byte, 10)
			n, _ := f.Read(buf)
			require.Equal(t, tt.wantText, string(buf[:n]))
			_, err = f.WriteString(" and more")
			require.ErrorIs(t, err, tt.wantWriteErr)
			require.NoError(t, f.Close())

			if tt.wantWriteErr == nil {
				text, err := afero.ReadFile(fsys, tt.path)
				require.NoError(t, err)
				require.Equal(t, "text and more", string(text))
			}
		})
	}
}

// Sync of a closed file fails with fs.ErrClosed.
func TestSyncAfterCloseFails(t *testing.T) {
	fsys := New(t.Context(), memstore.New())
	for _, open := range []func(string) (afero.File, error){fsys.Create, fsys.Open} {
		f, err := open("a")
		require.NoError(t, err)
		require.NoError(t, f.Close())
		require.ErrorIs(t, f.Sync(), fs.ErrClosed)
	}
}

// Several goroutines may write to one File, as package github.com/pkg/sftp does.
func TestFileInGoroutines(t *testing.T) {
	fsys := New(t.Context(), memstore.New())
	f, err := fsys.Create("a")
	require.NoError(t, err)

	callInParallel(t, func(offset int64) error { return onlyError(f.WriteAt([]byte("x"), offset)) })
	callInParallel(t, func(int64) error { return f.Sync() })
	require.NoError(t, f.Close())

	text, err := afero.ReadFile(fsys, "a")
	require.NoError(t, err)
	require.Equal(t, strings.Repeat("x", parallelCalls), string(text))
}

// parallelCalls is the number of calls that callInParallel makes.
const parallelCalls = 64

// callInParallel calls call in several goroutines, with each offset below parallelCalls once.
func callInParallel(t *testing.T, call func(offset int64) error) {
	t.Helper()
	const goroutines = 8
	const callsEach = parallelCalls / goroutines
	var group sync.WaitGroup
	for i := range goroutines {
		group.Go(func() {
			for j := range callsEach {
				assert.NoError(t, call(int64(i*callsEach+j)))
			}
		})
	}
	group.Wait()
}

// Several goroutines may read one File, and Close may run during a read.
func TestFileReadInGoroutines(t *testing.T) {
	fsys := New(t.Context(), memstore.New())
	require.NoError(t, afero.WriteFile(fsys, "a", bytes.Repeat([]byte("x"), parallelCalls), 0))
	f, err := fsys.Open("a")
	require.NoError(t, err)

	callInParallel(t, func(offset int64) error { return onlyError(f.ReadAt(make([]byte, 1), offset)) })

	// Close runs during a read, which may succeed or fail.
	var group sync.WaitGroup
	group.Go(func() {
		_, _ = f.ReadAt(make([]byte, 1), 0)
	})
	assert.NoError(t, f.Close())
	group.Wait()
}

// If Close runs while goroutines write, Close succeeds, and later writes fail.
func TestCloseDuringWrites(t *testing.T) {
	fsys := New(t.Context(), memstore.New())
	f, err := fsys.Create("a")
	require.NoError(t, err)

	// Each goroutine writes until a write fails. Without a failure, the test would not end.
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			var err error
			for err == nil {
				_, err = f.WriteAt([]byte("x"), 0)
			}
		})
	}

	assert.NoError(t, f.Close())
	group.Wait()
}
