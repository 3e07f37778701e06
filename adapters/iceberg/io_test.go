package iceberg

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	iceio "github.com/apache/iceberg-go/io"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
)

// TestMain fails if goroutines leak. It ignores idle HTTP connections, because the account with
// which the tests make their bucket on MinIO leaves some.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"),
		goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"))
}

// All optional interfaces of iceberg-go's package io.
var _ interface {
	iceio.BulkRemovableIO
	iceio.ListableIO
	iceio.MkdirAllIO
	iceio.ReadFileIO
	iceio.RemoveAllIO
	iceio.RenameIO
	iceio.RenameNoReplaceIO
	iceio.StatIO
	iceio.WriteFileIO
} = (*IO)(nil)

// readFile returns the content of a file.
func readFile(t *testing.T, o *IO, location string) string {
	t.Helper()
	text, err := o.ReadFile(location)
	require.NoError(t, err)
	return string(text)
}

// Files are written, read, moved and removed by their locations.
func TestIO(t *testing.T) {
	runOnEachStore(t, func(t *testing.T, b storage.Bucket) {
		o := New(t.Context(), b, "s3://lake/")

		t.Run("a file appears at Close, whole", func(t *testing.T) {
			const location = "s3://lake/a/b c%20d#?.txt"
			const key = "a/b c%20d#?.txt"
			w, err := o.Create(location)
			require.NoError(t, err)
			_, err = w.Write([]byte("some "))
			require.NoError(t, err)
			_, err = w.ReadFrom(strings.NewReader("text"))
			require.NoError(t, err)

			_, err = o.ReadFile(location)
			require.ErrorIs(t, err, fs.ErrNotExist, "before Close")

			require.NoError(t, w.Close())
			require.NoError(t, w.Close(), "a second Close does nothing")
			require.Equal(t, "some text", readFile(t, o, key), "a key is a location, too")
			_, err = b.Attrs(t.Context(), key)
			require.NoError(t, err)
		})

		t.Run("a writer whose reader failed stores nothing", func(t *testing.T) {
			w, err := o.Create("s3://lake/half")
			require.NoError(t, err)
			broken := errors.New("broken")

			_, err = w.ReadFrom(io.MultiReader(strings.NewReader("half"), iotest.ErrReader(broken)))
			require.ErrorIs(t, err, broken)
			require.ErrorIs(t, w.Close(), storage.BodyFailed)

			_, err = o.Stat("s3://lake/half")
			require.ErrorIs(t, err, fs.ErrNotExist)
		})

		t.Run("an open file reads, seeks and tells its size", func(t *testing.T) {
			require.NoError(t, o.WriteFile("s3://lake/digits", []byte("0123456789")))
			f, err := o.Open("s3://lake/digits")
			require.NoError(t, err)

			info, err := f.Stat()
			require.NoError(t, err)
			require.Equal(t, int64(10), info.Size())
			require.Equal(t, "digits", info.Name())

			middle := make([]byte, 4)
			_, err = f.ReadAt(middle, 3)
			require.NoError(t, err)
			require.Equal(t, "3456", string(middle))

			_, err = f.Seek(-2, io.SeekEnd)
			require.NoError(t, err)
			rest, err := io.ReadAll(f)
			require.NoError(t, err)
			require.Equal(t, "89", string(rest))
			require.NoError(t, f.Close())
		})

		t.Run("a file that is replaced while it is open is an error", func(t *testing.T) {
			require.NoError(t, o.WriteFile("s3://lake/replaced", []byte("0123456789")))
			f, err := o.Open("s3://lake/replaced")
			require.NoError(t, err)
			require.NoError(t, o.WriteFile("s3://lake/replaced", []byte("abcdefghij")))

			_, err = f.ReadAt(make([]byte, 4), 3)
			require.ErrorIs(t, err, storage.Changed)
			require.NoError(t, f.Close())
		})

		t.Run("a missing file", func(t *testing.T) {
			_, err := o.Open("s3://lake/none")
			require.ErrorIs(t, err, fs.ErrNotExist)
			var pathErr *fs.PathError
			require.ErrorAs(t, err, &pathErr)
			require.Equal(t, "s3://lake/none", pathErr.Path)
		})

		for _, location := range []string{"s3://other/n", "s3://lakes/n", "gs://lake/n"} {
			t.Run("the location of another bucket, "+location, func(t *testing.T) {
				_, err := o.Open(location)
				require.ErrorIs(t, err, fs.ErrInvalid)
				require.ErrorIs(t, o.WriteFile(location, nil), storage.InvalidArgument)
			})
		}

		t.Run("an invalid key", func(t *testing.T) {
			w, err := o.Create("s3://lake/a\x00b")
			require.NoError(t, err)
			require.ErrorIs(t, w.Close(), fs.ErrInvalid)
		})

		t.Run("Rename replaces a file", func(t *testing.T) {
			require.NoError(t, o.WriteFile("s3://lake/from", []byte("new")))
			require.NoError(t, o.WriteFile("s3://lake/to", []byte("old")))

			require.NoError(t, o.Rename("s3://lake/from", "s3://lake/to"))
			require.Equal(t, "new", readFile(t, o, "s3://lake/to"))
			require.ErrorIs(t, o.Rename("s3://lake/from", "s3://lake/to"), fs.ErrNotExist, "the file has moved")
			require.NoError(t, o.Rename("s3://lake/to", "s3://lake/to"))
			require.Equal(t, "new", readFile(t, o, "s3://lake/to"), "a move of a file to itself keeps it")
		})

		t.Run("RenameNoReplace replaces no file", func(t *testing.T) {
			require.NoError(t, o.WriteFile("s3://lake/moved", []byte("new")))
			require.NoError(t, o.WriteFile("s3://lake/present", []byte("old")))

			require.ErrorIs(t, o.RenameNoReplace("s3://lake/moved", "s3://lake/present"), fs.ErrExist)
			require.NoError(t, o.RenameNoReplace("s3://lake/moved", "s3://lake/absent"))
			require.Equal(t, "new", readFile(t, o, "s3://lake/absent"))
			require.ErrorIs(t, o.Remove("s3://lake/moved"), fs.ErrNotExist)
		})

		t.Run("of several moves to one name one wins", func(t *testing.T) {
			var moves sync.WaitGroup
			var successes atomic.Int32
			for _, name := range []string{"1", "2", "3", "4"} {
				require.NoError(t, o.WriteFile("s3://lake/claim/"+name, []byte(name)))
				moves.Go(func() {
					err := o.RenameNoReplace("s3://lake/claim/"+name, "s3://lake/claimed")
					if err == nil {
						successes.Add(1)
					} else if !errors.Is(err, fs.ErrExist) {
						t.Errorf("%s: %v", name, err)
					}
				})
			}
			moves.Wait()
			require.Equal(t, int32(1), successes.Load())
		})

		t.Run("a directory is made and walked", func(t *testing.T) {
			require.NoError(t, o.WriteFile("s3://lake/file", nil))

			require.NoError(t, o.MkdirAll("s3://lake/made/e"))
			require.NoError(t, o.MkdirAll("s3://lake/made/e/"), "the directory exists")
			require.ErrorIs(t, o.MkdirAll("s3://lake/file"), syscall.ENOTDIR)

			require.NoError(t, o.WriteFile("s3://lake/made/f", nil))
			info, err := o.Stat("s3://lake/made/e")
			require.NoError(t, err)
			require.True(t, info.IsDir())
			want := []string{"s3://lake/made", "s3://lake/made/e", "s3://lake/made/f"}
			require.Equal(t, want, walk(t, o, "s3://lake/made"))
			require.Equal(t, []string{"made", "made/e", "made/f"}, walk(t, o, "made"))

			// The first location is the root itself, as the caller has written it.
			require.Equal(t, walk(t, o, "s3://lake/")[1:], walk(t, o, "s3://lake")[1:])
		})

		t.Run("a directory is removed", func(t *testing.T) {
			require.NoError(t, o.MkdirAll("s3://lake/d/e"))
			require.NoError(t, o.WriteFile("s3://lake/d/f", nil))
			require.ErrorIs(t, o.Remove("s3://lake/d"), syscall.ENOTEMPTY)

			require.NoError(t, o.Remove("s3://lake/d/e"))
			require.ErrorIs(t, o.Remove("s3://lake/d/e"), fs.ErrNotExist)

			require.NoError(t, o.RemoveAll("s3://lake/d"))
			require.NoError(t, o.RemoveAll("s3://lake/d"), "the directory is gone already")
			require.ErrorIs(t, o.RemoveAll("s3://lake/"), fs.ErrInvalid, "the root stays")
		})

		t.Run("files are deleted together", func(t *testing.T) {
			require.NoError(t, o.WriteFile("s3://lake/x", nil))

			locations := []string{"s3://lake/x", "s3://lake/none", "s3://other/y"}
			deleted, err := o.DeleteFiles(t.Context(), locations)
			require.Equal(t, []string{"s3://lake/x", "s3://lake/none"}, deleted)
			require.ErrorIs(t, err, fs.ErrInvalid, "one location is in another bucket")

			deleted, err = o.DeleteFiles(t.Context(), nil)
			require.Empty(t, deleted)
			require.NoError(t, err)
		})
	})
}

// walk returns the locations that WalkDir visits.
func walk(t *testing.T, o *IO, location string) (all []string) {
	t.Helper()
	require.NoError(t, o.WalkDir(location, func(path string, _ fs.DirEntry, err error) error {
		all = append(all, path)
		return err
	}))
	return all
}

// DeleteFiles returns only the files that it has deleted.
func TestDeleteFilesFailure(t *testing.T) {
	failRemoval := faults.New(faults.Fail(faults.Delete).ForKey("b").WithError(storage.PermissionDenied))
	// Without batches, each file is removed by a call of Delete.
	noBatches := faults.WithLimits(faults.Limits{MaxBatch: -1})
	b := memstore.New(driver.WithLayer(failRemoval.Layer()), driver.WithLayer(noBatches))
	o := New(t.Context(), b, "s3://lake")

	deleted, err := o.DeleteFiles(t.Context(), []string{"s3://lake/a", "s3://lake/b", "s3://lake/c"})
	require.Equal(t, []string{"s3://lake/a", "s3://lake/c"}, deleted)
	require.ErrorIs(t, err, fs.ErrPermission)
}

// If its context is canceled, DeleteFiles returns no files.
func TestDeleteFilesCanceled(t *testing.T) {
	o := New(t.Context(), memstore.New(), "s3://lake")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	deleted, err := o.DeleteFiles(ctx, []string{"s3://lake/a"})
	require.Empty(t, deleted)
	require.ErrorIs(t, err, context.Canceled)
}

// RenameNoReplace fails if the store cannot do it atomically.
func TestRenameRefusedUnlessAtomic(t *testing.T) {
	b := memstore.New(driver.WithLayer(faults.WithLimits(faults.Limits{Disable: storage.ConditionalCreate})))
	o := New(t.Context(), b, "s3://lake")
	require.NoError(t, o.WriteFile("s3://lake/a", nil))
	require.ErrorIs(t, o.RenameNoReplace("s3://lake/a", "s3://lake/b"), errors.ErrUnsupported)
}

// RenameNoReplace fails unless the old location names a file of the bucket, so that a catalog does not take its commit
// for done.
func TestRenameRefusesLocationsWithoutFile(t *testing.T) {
	o := New(t.Context(), memstore.New(), "s3://lake")
	for _, location := range []string{"s3://other/a", "s3://lake", "s3://lake/"} {
		require.ErrorIs(t, o.RenameNoReplace(location, "s3://lake/b"), fs.ErrInvalid, location)
	}
}

// If RenameNoReplace has made the new file but cannot remove the old one, it succeeds, so that a catalog does not
// repeat the commit.
func TestRenameLeavesTheOldFile(t *testing.T) {
	// The store cannot move an object, so a rename copies it and removes the old one. The removal fails.
	failRemoval := faults.New(faults.Fail(faults.Delete).ForKey("a").WithError(storage.PermissionDenied))
	noMove := faults.WithLimits(faults.Limits{Disable: storage.ServerMove})
	b := memstore.New(driver.WithLayer(noMove), driver.WithLayer(failRemoval.Layer()))
	o := New(t.Context(), b, "s3://lake")
	require.NoError(t, o.WriteFile("s3://lake/a", []byte("text")))

	require.NoError(t, o.RenameNoReplace("s3://lake/a", "s3://lake/b"))
	text, err := o.ReadFile("s3://lake/b")
	require.NoError(t, err)
	require.Equal(t, "text", string(text))

	// The old file is still there. A repeated commit fails, because the new file exists.
	require.ErrorIs(t, o.RenameNoReplace("s3://lake/a", "s3://lake/b"), fs.ErrExist)

	// Rename commits nothing, so it reports that it cannot remove the old file.
	require.ErrorIs(t, o.Rename("s3://lake/a", "s3://lake/c"), fs.ErrPermission, "Rename must fail")
}

// If the old file is replaced during Rename, Rename fails with Changed and the new content stays.
func TestRenameKeepsAConcurrentWrite(t *testing.T) {
	// If the store cannot move an object, Rename copies and removes it.
	noMove := faults.WithLimits(faults.Limits{Disable: storage.ServerMove})
	beforeRemoval := faults.New(faults.Delay(faults.Delete, 1))
	b := memstore.New(driver.WithLayer(noMove), driver.WithLayer(beforeRemoval.Layer()))
	o := New(t.Context(), b, "s3://lake")
	// The removal is delayed by this function, which writes as another caller would.
	beforeRemoval.SetSleep(func(context.Context, time.Duration) error {
		return o.WriteFile("s3://lake/a", []byte("new"))
	})
	require.NoError(t, o.WriteFile("s3://lake/a", []byte("old")))

	require.ErrorIs(t, o.Rename("s3://lake/a", "s3://lake/b"), storage.Changed)

	text, err := o.ReadFile("s3://lake/a")
	require.NoError(t, err)
	require.Equal(t, "new", string(text))
	text, err = o.ReadFile("s3://lake/b")
	require.NoError(t, err)
	require.Equal(t, "old", string(text))
}

// Each call makes few requests to the store.
func TestIORequests(t *testing.T) {
	var requests atomic.Int64
	hook := storage.WithHook(func(
		ctx context.Context, _ storage.Operation,
	) (context.Context, func(storage.Outcome), error) {
		return ctx, func(outcome storage.Outcome) {
			requests.Add(int64(outcome.Requests))
		}, nil
	})
	runOnEachStore(t, func(t *testing.T, b storage.Bucket) {
		const manifest = "m/a.avro"
		const dataFile = "m/a.parquet"
		o := New(t.Context(), b, "s3://lake")
		content := strings.Repeat("manifest", 10_000)
		require.NoError(t, o.WriteFile(manifest, []byte(content)))
		require.NoError(t, o.WriteFile(dataFile, []byte(content)))

		t.Run("reading a manifest", func(t *testing.T) {
			requests.Store(0)
			requireReads(t, o, manifest, content)
			require.Equal(t, int64(1), requests.Load())
		})

		t.Run("reading a data file from start to end", func(t *testing.T) {
			requests.Store(0)
			requireReads(t, o, dataFile, content)
			require.Equal(t, int64(2), requests.Load())
		})

		t.Run("opening a manifest", func(t *testing.T) {
			requests.Store(0)
			f, err := o.Open(manifest)
			require.NoError(t, err)
			require.NoError(t, f.Close())
			require.Equal(t, int64(1), requests.Load())
		})

		t.Run("describing a file", func(t *testing.T) {
			requests.Store(0)
			info, err := o.Stat(dataFile)
			require.NoError(t, err)
			require.Equal(t, "a.parquet", info.Name())
			require.Equal(t, int64(len(content)), info.Size())
			require.Equal(t, int64(1), requests.Load())
		})

		t.Run("walking a directory", func(t *testing.T) {
			requests.Store(0)
			require.Len(t, walk(t, o, "m"), 3, "the directory and two files")
			require.Equal(t, int64(2), requests.Load())
		})

		t.Run("removing a file", func(t *testing.T) {
			requests.Store(0)
			require.NoError(t, o.Remove(dataFile))
			require.Equal(t, int64(2), requests.Load())
		})
	}, hook)
}

// requireReads opens a file, reads it from start to end, and requires this content.
func requireReads(t *testing.T, o *IO, location, want string) {
	t.Helper()
	f, err := o.Open(location)
	require.NoError(t, err)
	text, err := io.ReadAll(f)
	require.NoError(t, err)
	require.Equal(t, want, string(text))
	require.NoError(t, f.Close())
}

// A manifest, which Open requests as a whole, supports ReadAt and Seek, and reads fail if it is replaced.
func TestOpenManifestAtOffsets(t *testing.T) {
	runOnEachStore(t, func(t *testing.T, b storage.Bucket) {
		o := New(t.Context(), b, "s3://lake")
		require.NoError(t, o.WriteFile("a.avro", []byte("0123456789")))
		f, err := o.Open("a.avro")
		require.NoError(t, err)
		read := func(length int) string {
			buf := make([]byte, length)
			_, err := io.ReadFull(f, buf)
			require.NoError(t, err)
			return string(buf)
		}

		// ReadAt does not change the position of Read.
		require.Equal(t, "012", read(3))
		buf := make([]byte, 4)
		_, err = f.ReadAt(buf, 5)
		require.NoError(t, err)
		require.Equal(t, "5678", string(buf))
		require.Equal(t, "34", read(2))

		// Reads after a Seek make requests of their own.
		_, err = f.Seek(1, io.SeekStart)
		require.NoError(t, err)
		require.Equal(t, "123", read(3))
		_, err = f.Seek(0, io.SeekStart)
		require.NoError(t, err)
		require.Equal(t, "0123456789", read(10))

		// The file is replaced.
		require.NoError(t, o.WriteFile("a.avro", []byte("abcdefghij")))
		_, err = f.Seek(0, io.SeekStart)
		require.NoError(t, err)
		_, err = f.Read(buf)
		require.ErrorIs(t, err, storage.Changed)
		require.NoError(t, f.Close())
	})
}

// Open of a missing manifest fails with fs.ErrNotExist.
func TestOpenMissingManifest(t *testing.T) {
	runOnEachStore(t, func(t *testing.T, b storage.Bucket) {
		_, err := New(t.Context(), b, "s3://lake").Open("none.avro")
		require.ErrorIs(t, err, fs.ErrNotExist)
	})
}

// If a file and a directory have the same name, Stat and Remove find the file first.
func TestOpenBesideADirectory(t *testing.T) {
	o := New(t.Context(), memstore.New(), "s3://lake")
	require.NoError(t, o.WriteFile("s3://lake/a", []byte("text")))
	require.NoError(t, o.WriteFile("s3://lake/a/b", nil))

	info, err := o.Stat("s3://lake/a")
	require.NoError(t, err)
	require.False(t, info.IsDir())

	require.NoError(t, o.Remove("s3://lake/a"))
	info, err = o.Stat("s3://lake/a")
	require.NoError(t, err)
	require.True(t, info.IsDir())
}
