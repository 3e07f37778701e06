package local

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/stretchr/testify/require"
)

// replacements are the ways in which the directory of an open bucket makes place for another.
var replacements = []struct {
	name string
	do   func(t *testing.T, path string)
}{
	{
		name: "removed and made again",
		do: func(t *testing.T, path string) {
			require.NoError(t, os.RemoveAll(path))
			require.NoError(t, os.Mkdir(path, 0o777))
		},
	},
	{
		name: "moved away, and a backup moved here",
		do: func(t *testing.T, path string) {
			restored := path + "-restored"
			require.NoError(t, os.Mkdir(restored, 0o777))
			require.NoError(t, os.Rename(path, path+"-old"))
			require.NoError(t, os.Rename(restored, path))
		},
	},
}

// If the directory of an open bucket is replaced, calls use the directory that is at its path now.
func TestPathOfReplacedBucket(t *testing.T) {
	for _, replacement := range replacements {
		t.Run(replacement.name, func(t *testing.T) {
			windowsCannot(t, "a directory with an open file cannot be moved")
			root := filepath.Join(t.TempDir(), "data")
			require.NoError(t, os.Mkdir(root, 0o777))

			// The old directory has an object, which a reader has opened, and signing keys.
			before := reopenTestBucket(t, root)
			before.put("before", "old")
			_, body, err := before.driver.Get(t.Context(), &driver.GetRequest{Key: "before", Length: -1})
			require.NoError(t, err)
			oldKeys, err := before.driver.live.Settings.SigningKeys(t.Context())
			require.NoError(t, err)

			// The new directory is empty.
			replacement.do(t, root)
			before.requireMissing("before")
			require.Empty(t, before.keys())

			// Drivers that were opened before and after the replacement see each other's objects.
			after := reopenTestBucket(t, root)
			_, err = before.putIf("k", "mine", storage.Condition{Absent: true})
			require.NoError(t, err)
			_, err = after.putIf("k", "theirs", storage.Condition{Absent: true})
			require.ErrorIs(t, err, storage.PreconditionFailed)
			require.Equal(t, "mine", after.get("k"))

			// The new directory has signing keys of its own.
			newKeys, err := before.driver.live.Settings.SigningKeys(t.Context())
			require.NoError(t, err)
			require.NotEqual(t, oldKeys, newKeys)

			// The reader keeps the file that it has opened.
			content, err := io.ReadAll(body)
			require.NoError(t, err)
			require.NoError(t, body.Close())
			require.Equal(t, "old", string(content))
		})
	}
}

// If the path of a bucket is a link, calls use the directory to which it leads now.
func TestPathThroughLink(t *testing.T) {
	windowsCannot(t, noLinks)
	tests := []struct {
		name      string
		oldTarget string // of the link
		newTarget string
		path      string // of the bucket
	}{
		{name: "the bucket is a link", oldTarget: "one/data", newTarget: "two/data", path: "link"},
		{name: "a directory above it is a link", oldTarget: "one", newTarget: "two", path: "link/data"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The link leads to the first one of two directories.
			dir := t.TempDir()
			for _, data := range []string{"one/data", "two/data"} {
				require.NoError(t, os.MkdirAll(filepath.Join(dir, data), 0o777))
			}
			link := filepath.Join(dir, "link")
			require.NoError(t, os.Symlink(filepath.Join(dir, tt.oldTarget), link))

			path := filepath.Join(dir, tt.path)
			before := reopenTestBucket(t, path)
			before.put("before", "old")
			oldLocation := before.driver.Locate("k")

			// The link is changed to the other directory, which has no object.
			require.NoError(t, os.Remove(link))
			require.NoError(t, os.Symlink(filepath.Join(dir, tt.newTarget), link))
			before.requireMissing("before")

			// Drivers that were opened before and after the change see each other's objects.
			after := reopenTestBucket(t, path)
			_, err := before.putIf("k", "mine", storage.Condition{Absent: true})
			require.NoError(t, err)
			_, err = after.putIf("k", "theirs", storage.Condition{Absent: true})
			require.ErrorIs(t, err, storage.PreconditionFailed)
			require.Equal(t, "mine", after.get("k"))

			// Both drivers also agree on the location, by which copies and Overlap know a bucket.
			require.Equal(t, after.driver.Locate("k"), before.driver.Locate("k"))
			require.NotEqual(t, oldLocation, before.driver.Locate("k"))

			_, err = after.driver.Copy(t.Context(),
				&driver.CopyRequest{Source: before.driver.Locate("k"), Key: "copy"})
			require.NoError(t, err)
			require.Equal(t, "mine", before.get("copy"))
		})
	}
}

// If the directory of a service is replaced, the service and its buckets use the one at its path now.
func TestPathOfReplacedService(t *testing.T) {
	windowsCannot(t, noLinks)
	tests := []struct {
		name    string
		replace func(t *testing.T, dir string)
	}{
		{
			name: "a link leads to another directory",
			replace: func(t *testing.T, dir string) {
				require.NoError(t, os.Remove(filepath.Join(dir, "link")))
				require.NoError(t, os.Symlink(filepath.Join(dir, "two"), filepath.Join(dir, "link")))
			},
		},
		{
			name: "the directory was replaced",
			replace: func(t *testing.T, dir string) {
				require.NoError(t, os.Rename(filepath.Join(dir, "one"), filepath.Join(dir, "old")))
				require.NoError(t, os.Rename(filepath.Join(dir, "two"), filepath.Join(dir, "one")))
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The service is at "link", which leads to the directory "one". The other directory is "two".
			dir := t.TempDir()
			for _, path := range []string{"one/before", "one/both", "two/both"} {
				require.NoError(t, os.MkdirAll(filepath.Join(dir, path), 0o777))
			}
			require.NoError(t, os.Symlink(filepath.Join(dir, "one"), filepath.Join(dir, "link")))

			// open returns a service, and its bucket that both directories have.
			open := func() (driver.ServiceDriver, storage.Bucket) {
				service, err := NewServiceDriver(filepath.Join(dir, "link"), Config{})
				require.NoError(t, err)
				d, err := service.Driver("both")
				require.NoError(t, err)
				b := engine.New(d)
				t.Cleanup(func() {
					require.NoError(t, errors.Join(storage.Close(b), service.Close()))
				})
				return service, b
			}
			service, earlier := open()
			_, err := earlier.Upload(t.Context(), "old", strings.NewReader("x"))
			require.NoError(t, err)

			tt.replace(t, dir)
			_, later := open()

			// Buckets that were opened before and after the replacement see each other's objects.
			_, err = earlier.Upload(t.Context(), "k", strings.NewReader("mine"), storage.IfAbsent())
			require.NoError(t, err)
			_, err = later.Upload(t.Context(), "k", strings.NewReader("theirs"), storage.IfAbsent())
			require.ErrorIs(t, err, storage.PreconditionFailed)
			_, err = storage.Copy(t.Context(), later, "copy", earlier, "k")
			require.NoError(t, err)

			// The service creates, lists and deletes buckets in the new directory.
			_, err = service.CreateBucket(t.Context(), &driver.BucketRequest{Name: "after"})
			require.NoError(t, err)
			require.DirExists(t, filepath.Join(dir, "link", "after"))

			page, _, err := service.ListBuckets(t.Context(), "")
			require.NoError(t, err)
			require.Len(t, page, 2)
			require.Equal(t, []string{"after", "both"}, []string{page[0].Name, page[1].Name})

			require.NoError(t, service.DeleteBucket(t.Context(), "after"))
			require.NoDirExists(t, filepath.Join(dir, "link", "after"))
			require.ErrorIs(t, service.DeleteBucket(t.Context(), "before"), storage.BucketNotFound)
		})
	}
}

// If the bucket's directory is replaced while Put reads its body, Put fails with Unavailable and stores no object,
// neither in the old directory nor in the new one.
func TestPutDirectoryReplaced(t *testing.T) {
	for _, replacement := range replacements {
		t.Run(replacement.name, func(t *testing.T) {
			windowsCannot(t, "a directory with an open file cannot be moved")
			root := filepath.Join(t.TempDir(), "data")
			require.NoError(t, os.Mkdir(root, 0o777))
			bucket := reopenTestBucket(t, root)
			bucket.put("before", "x")

			// The body is one byte. When Put has read it, the body replaces the directory.
			r := request("k", "")
			replacer := &calling{func() { replacement.do(t, root) }}
			r.Body = io.MultiReader(strings.NewReader("a"), replacer)
			r.Condition = storage.Condition{Absent: true}
			_, err := bucket.driver.Put(t.Context(), r)
			require.ErrorIs(t, err, storage.Unavailable)

			bucket.requireMissing("k")
			require.NoFileExists(t, filepath.Join(root+"-old", "k"))
		})
	}
}

type calling struct{ f func() }

func (c *calling) Read([]byte) (int, error) {
	c.f()
	return 0, io.EOF
}

// If the directory is moved away while Put waits for a lock, Put fails.
func TestPutDirectoryMovedWhileLocked(t *testing.T) {
	windowsCannot(t, "a directory with an open file cannot be moved")
	root := filepath.Join(t.TempDir(), "data")
	require.NoError(t, os.Mkdir(root, 0o777))
	writer := reopenTestBucket(t, root)
	locker := reopenTestBucket(t, root)
	locker.put("before", "x")

	// Put waits for the lock of its key.
	store, err := locker.driver.acquire(t.Context())
	require.NoError(t, err)
	defer locker.driver.release(store)
	unlock, err := store.Locks.Lock(t.Context(), "k")
	require.NoError(t, err)
	putErr := make(chan error)
	go func() {
		_, err := writer.putIf("k", "x", storage.Condition{Absent: true})
		putErr <- err
	}()

	// The writer gets the lock only after the directory was moved away.
	require.NoError(t, os.Rename(root, root+"-old"))
	unlock()
	require.ErrorIs(t, <-putErr, storage.BucketNotFound)
	require.NoFileExists(t, filepath.Join(root+"-old", "k"))

	// The directory was there once, so the hint does not tell to create it.
	_, err = writer.driver.List(t.Context(), &driver.ListRequest{Limit: 1})
	var storageErr *storage.Error
	require.ErrorAs(t, err, &storageErr)
	require.Equal(t, storage.BucketNotFound, storageErr.Code)
	require.NotContains(t, storageErr.Hint, "Config.Create")

	// When the directory is moved back, its objects are found again.
	require.NoError(t, os.Rename(root+"-old", root))
	require.Equal(t, "x", writer.get("before"))
}

// The driver closes its handles of a directory that was replaced, even if calls use the directory meanwhile. Otherwise
// the process would have more and more open files.
func TestPathReplacedIsClosed(t *testing.T) {
	windowsCannot(t, "a directory with an open file cannot be moved")
	root := filepath.Join(t.TempDir(), "data")
	require.NoError(t, os.Mkdir(root, 0o777))
	descriptorsBefore := countDescriptors(t)
	d, err := newDriver(root, Config{NoSync: true})
	require.NoError(t, err)
	b := &testBucket{d, t, root}

	// Four users write and read, while the directory is replaced 20 times. Their calls may fail.
	var users sync.WaitGroup
	for range 4 {
		users.Go(func() {
			for range 50 {
				_, _ = b.driver.Put(context.Background(), request("k", "x"))
				_, _, _ = b.getErr("k")
			}
		})
	}

	next := root + "-next"
	old := root + "-old"
	for range 20 {
		require.NoError(t, os.Mkdir(next, 0o777))
		require.NoError(t, os.Rename(root, old))
		require.NoError(t, os.Rename(next, root))
		for os.RemoveAll(old) != nil { // a writer may still put a file there
			runtime.Gosched()
		}
	}
	users.Wait()

	// The bucket works in the last directory.
	b.put("k", "last")
	require.Equal(t, "last", b.get("k"))

	require.NoError(t, d.Close())
	require.Equal(t, descriptorsBefore, countDescriptors(t))
}
