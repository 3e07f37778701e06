package local

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/crc32c"
	_ "github.com/omnibucket/storage/internal/testing/memoryfiles"
	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
	"github.com/omnibucket/storage/providers/local/internal/bucketstore"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// TestMain runs the tests, or plays a role if a test has started this process with one.
func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" {
		os.Exit(play(role))
	}
	goleak.VerifyTestMain(m)
}

// A testBucket is a driver of a directory. Its methods call the driver as the engine does, and fail the test if the
// call fails.
type testBucket struct {
	driver *objectDriver
	t      testing.TB
	root   string
}

// A tweak changes a driver before its first call.
type tweak func(*objectDriver)

func withoutXattrs(d *objectDriver) { d.bucket.NoXattr = true }

func withCoarseTimes(d *objectDriver) { d.bucket.CoarseTimes = true }

func withStrictNames(d *objectDriver) { d.bucket.StrictNames = true }

func withVersions(d *objectDriver) { d.Describe().EnableVersions() }

func withFrozenClock(d *objectDriver) {
	d.bucket.Clock.Now = func() time.Time { return time.Unix(1_700_000_000, 5) }
}

func withFlush(d *objectDriver) { d.bucket.Sync = true }

// newTestBucket opens and sweeps a new directory.
func newTestBucket(t testing.TB, tweaks ...tweak) *testBucket {
	t.Helper()
	return reopenTestBucket(t, t.TempDir(), tweaks...)
}

// reopenTestBucket opens and sweeps a directory that is there. The test closes its driver at the end.
func reopenTestBucket(t testing.TB, root string, tweaks ...tweak) *testBucket {
	t.Helper()
	d, err := newDriver(root, Config{NoSync: true})
	require.NoError(t, err)
	for _, change := range tweaks {
		change(d)
	}

	// If a tweak has opened the store, open it again with all tweaks.
	if d.live != nil {
		d.live.Close()
		d.live = nil
	}
	store, err := d.acquire(context.Background())
	require.NoError(t, err)
	require.NoError(t, store.Sweep(context.Background()))
	d.release(store)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return &testBucket{d, t, root}
}

// A summedBody is a body as the engine passes it: the checksum is set with the last byte.
type summedBody struct {
	r   io.Reader
	sum uint32
	at  *storage.CRC32C
}

// Read reads the body, and sets the checksum at its end.
func (b *summedBody) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	b.sum = crc32c.Update(b.sum, p[:n])
	if err == io.EOF {
		*b.at = storage.CRC32C{Sum: b.sum, Known: true}
	}
	return n, err
}

// request returns a request that stores body under key.
func request(key, body string) *driver.PutRequest {
	r := &driver.PutRequest{Key: key, Size: -1}
	r.Body = &summedBody{r: strings.NewReader(body), at: &r.CRC32C}
	return r
}

// put stores body under key, and returns the attributes of the object.
func (bucket *testBucket) put(key, body string) *storage.Attrs {
	bucket.t.Helper()
	attrs, err := bucket.driver.Put(context.Background(), request(key, body))
	require.NoError(bucket.t, err)
	return attrs
}

// putIf stores body under key if the object there meets a condition.
func (bucket *testBucket) putIf(key, body string, c storage.Condition) (*storage.Attrs, error) {
	r := request(key, body)
	r.Condition = c
	return bucket.driver.Put(context.Background(), r)
}

// get returns the content of an object.
func (bucket *testBucket) get(key string) string {
	bucket.t.Helper()
	body, _, err := bucket.getErr(key)
	require.NoError(bucket.t, err, key)
	return body
}

// getErr returns the content and the attributes of an object, or the error of Get.
func (bucket *testBucket) getErr(key string) (string, *storage.Attrs, error) {
	return bucket.getVersion(key, "")
}

// getVersion does what getErr does, for one version of an object, or for the current one if version is "".
func (bucket *testBucket) getVersion(key, version string) (string, *storage.Attrs, error) {
	attrs, body, err := bucket.driver.Get(context.Background(),
		&driver.GetRequest{Key: key, Version: version, Length: -1})
	if err != nil {
		return "", nil, err
	}
	defer body.Close()
	content, err := io.ReadAll(body)
	return string(content), attrs, err
}

// head returns the attributes of an object.
func (bucket *testBucket) head(key string) *storage.Attrs {
	bucket.t.Helper()
	attrs, err := bucket.driver.Head(context.Background(), &driver.GetRequest{Key: key, Length: -1})
	require.NoError(bucket.t, err, key)
	return attrs
}

// requireMissing requires that there is no object with a key.
func (bucket *testBucket) requireMissing(key string) {
	bucket.t.Helper()
	_, _, err := bucket.getErr(key)
	require.ErrorIs(bucket.t, err, storage.ObjectNotFound, key)
}

// remove removes an object, if it is there.
func (bucket *testBucket) remove(key string) {
	bucket.t.Helper()
	require.NoError(bucket.t, bucket.driver.Delete(context.Background(), &driver.DeleteRequest{Key: key}))
}

// list returns the keys of all pages of a listing, and checks each entry with Head.
func (bucket *testBucket) list(r driver.ListRequest) []string {
	bucket.t.Helper()
	if r.Limit == 0 {
		r.Limit = bucketstore.MaxPage
	}
	var keys []string
	for {
		page, err := bucket.driver.List(context.Background(), &r)
		require.NoError(bucket.t, err)

		for _, e := range page.Entries {
			keys = append(keys, e.Key)
			if !e.IsPrefix {
				attrs := bucket.head(e.Key)
				require.Equal(bucket.t, attrs.Revision, e.Revision, e.Key)
				require.Equal(bucket.t, attrs.ETag, e.ETag, e.Key)
				require.Equal(bucket.t, attrs.Size, e.Size, e.Key)
				require.Equal(bucket.t, attrs.Modified, e.Modified, e.Key)
			}
		}

		if page.Token == "" {
			return keys
		}
		require.Len(bucket.t, page.Entries, r.Limit)
		r.Token = page.Token
	}
}

// keys returns the keys of all objects.
func (bucket *testBucket) keys() []string { return bucket.list(driver.ListRequest{}) }

// files returns the paths of all files and directories of the bucket except the reserved ones. Those of directories
// end with a slash.
func (bucket *testBucket) files() []string {
	bucket.t.Helper()
	files := []string{}
	err := filepath.WalkDir(bucket.root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == bucket.root {
			return err
		}
		name, _ := filepath.Rel(bucket.root, path)
		if name == bucketdir.Reserved {
			return filepath.SkipDir
		}
		if e.IsDir() {
			name += "/"
		}
		files = append(files, filepath.ToSlash(name))
		return nil
	})
	require.NoError(bucket.t, err)
	return files
}

// write writes a file as another program does.
func (bucket *testBucket) write(path, content string) {
	bucket.t.Helper()
	path = filepath.Join(bucket.root, filepath.FromSlash(path))
	require.NoError(bucket.t, os.MkdirAll(filepath.Dir(path), 0o777))
	require.NoError(bucket.t, os.WriteFile(path, []byte(content), 0o666))
}

// sidecars reports whether attributes are stored in sidecars.
func (bucket *testBucket) sidecars() bool { return bucket.driver.live.Reader.Sidecars.Load() }

// leftovers returns the staged files.
func (bucket *testBucket) leftovers() []string {
	bucket.t.Helper()
	files, err := filepath.Glob(filepath.Join(bucket.root, bucketdir.TmpPath, "*", "*"))
	require.NoError(bucket.t, err)
	return files
}

// Get and Head return the bytes and the properties with which an object was stored.
func TestPutAndGet(t *testing.T) {
	for _, disk := range disks {
		t.Run(disk.name, func(t *testing.T) {
			bucket := newTestBucket(t, disk.tweaks...)
			r := request("images/photo.jpg", "bytes")
			r.Properties = storage.Properties{
				ContentType:        "image/jpeg",
				ContentEncoding:    "x",
				ContentDisposition: "inline",
				ContentLanguage:    "de",
				CacheControl:       "no-store",
				StorageClass:       "COLD",
				Metadata:           map[string]string{"a": "1", "b-c": "ä"},
			}
			putAttrs, err := bucket.driver.Put(context.Background(), r)
			require.NoError(t, err)

			body, attrs, err := bucket.getErr("images/photo.jpg")
			require.NoError(t, err)
			require.Equal(t, "bytes", body)
			require.Equal(t, r.Properties, attrs.Properties)

			require.Equal(t, int64(len(body)), attrs.Size)
			require.Equal(t, crc32c.Sum([]byte(body)), attrs.CRC32C.Sum)
			require.WithinDuration(t, time.Now(), attrs.Modified, time.Minute)
			require.Equal(t, time.UTC, attrs.Modified.Location())
			require.Equal(t, attrs.Revision, "local:"+strings.Trim(attrs.ETag, `"`))
			require.Empty(t, attrs.Version)

			require.Equal(t, attrs, putAttrs)
			require.Equal(t, attrs, bucket.head("images/photo.jpg"))
			require.Empty(t, bucket.leftovers())
		})
	}
}

// disks are the kinds of file systems that the driver must support.
var disks = []struct {
	name   string
	tweaks []tweak
}{
	{name: "plain", tweaks: nil},
	{name: "flushed", tweaks: []tweak{withFlush}},
	{name: "without extended attributes", tweaks: []tweak{withoutXattrs}},
	{name: "coarse times", tweaks: []tweak{withCoarseTimes}},
	{name: "strict names", tweaks: []tweak{withStrictNames}},
	{name: "everything bad", tweaks: []tweak{withoutXattrs, withCoarseTimes, withStrictNames}},
}

// Put stores an object as a file whose path is its key.
func TestPutFileAtPathOfKey(t *testing.T) {
	bucket := newTestBucket(t)
	bucket.put("images/2026/photo.jpg", "bytes")

	content, err := os.ReadFile(filepath.Join(bucket.root, "images", "2026", "photo.jpg"))
	require.NoError(t, err)
	require.Equal(t, "bytes", string(content))
}

// A file of another program is an object, which can be read and removed without a change to the rest of the disk.
func TestGetForeignFile(t *testing.T) {
	bucket := newTestBucket(t)
	bucket.write("by/hand.txt", "hello")

	body, attrs, err := bucket.getErr("by/hand.txt")
	require.NoError(t, err)
	require.Equal(t, "hello", body)
	require.Empty(t, attrs.ContentType, "the engine derives it from the key")
	require.False(t, attrs.CRC32C.Known)
	require.NotEmpty(t, attrs.Revision)
	require.Equal(t, []string{"by/hand.txt"}, bucket.keys())

	// Reading writes nothing.
	require.NoDirExists(t, filepath.Join(bucket.root, bucketdir.Reserved))

	bucket.remove("by/hand.txt")
	require.Empty(t, bucket.keys())
	require.Empty(t, bucket.files())
}

// If a user edits the file of an object, the object loses its checksum and gets another revision. It keeps its
// content type, unless that is in a sidecar.
func TestGetEditedFile(t *testing.T) {
	for _, disk := range disks {
		t.Run(disk.name, func(t *testing.T) {
			bucket := newTestBucket(t, disk.tweaks...)
			r := request("page.html", "old")
			r.ContentType = "text/html"
			oldAttrs, err := bucket.driver.Put(context.Background(), r)
			require.NoError(t, err)

			// A user edits the file with another program.
			const edited = "newer"
			require.NoError(t, os.WriteFile(filepath.Join(bucket.root, "page.html"), []byte(edited), 0o666))

			newAttrs := bucket.head("page.html")
			require.False(t, newAttrs.CRC32C.Known)
			require.NotEqual(t, oldAttrs.Revision, newAttrs.Revision)
			require.Equal(t, int64(len(edited)), newAttrs.Size)
			if !bucket.sidecars() {
				require.Equal(t, "text/html", newAttrs.ContentType)
			}
		})
	}
}

// If the body fails, Put returns its error and changes nothing.
func TestPutBodyFails(t *testing.T) {
	bucket := newTestBucket(t)
	oldAttrs := bucket.put("k", "old")
	bodyErr := errors.New("broken")
	r := request("k", "")
	r.Body = io.MultiReader(strings.NewReader("half"), &failing{bodyErr})

	_, err := bucket.driver.Put(context.Background(), r)
	require.ErrorIs(t, err, bodyErr)
	require.Equal(t, oldAttrs, bucket.head("k"))
	require.Equal(t, "old", bucket.get("k"))
	require.Empty(t, bucket.leftovers())
}

// A failing body fails with err when it is read.
type failing struct{ err error }

func (f *failing) Read([]byte) (int, error) { return 0, f.err }

// If its ctx is canceled, Put fails with Canceled and changes nothing.
func TestPutCanceled(t *testing.T) {
	bucket := newTestBucket(t)
	bucket.put("k", "old")

	// The ctx is canceled when Put reads the body.
	ctx, cancel := context.WithCancel(context.Background())
	r := request("k", "")
	r.Body = &canceling{cancel}
	_, err := bucket.driver.Put(ctx, r)
	require.ErrorIs(t, err, storage.Canceled)
	require.Equal(t, "old", bucket.get("k"))
	require.Empty(t, bucket.leftovers(), "no temporary file may be left")

	// Other calls with the canceled ctx fail, too.
	_, err = bucket.driver.Head(ctx, &driver.GetRequest{Key: "k", Length: -1})
	require.ErrorIs(t, err, storage.Canceled)
}

// A canceling body cancels the context of the call with its last byte.
type canceling struct{ cancel func() }

func (c *canceling) Read(p []byte) (int, error) {
	c.cancel()
	return 1, io.EOF
}

// Each write has its own revision, even if the clock stands still.
func TestRevisionsWithoutClock(t *testing.T) {
	for _, disk := range disks {
		t.Run(disk.name, func(t *testing.T) {
			bucket := newTestBucket(t, append(disk.tweaks, withFrozenClock)...)

			// The file system may give the inode of a replaced file to a later one, so inodes do not tell writes apart.
			revisions := map[string]bool{}
			for range 300 {
				attrs := bucket.put("k", "same")
				require.False(t, revisions[attrs.Revision], attrs.Revision)
				revisions[attrs.Revision] = true
				require.Equal(t, attrs.Revision, bucket.head("k").Revision)
			}
		})
	}
}

// Delete removes the directories that it leaves empty, and a later write creates them again.
func TestDeleteRemovesEmptyDirectories(t *testing.T) {
	bucket := newTestBucket(t)
	bucket.put("a/b/c/k", "x")
	bucket.put("a/k", "x")

	bucket.remove("a/b/c/k")
	require.Equal(t, []string{"a/", "a/k"}, bucket.files())

	bucket.remove("a/k")
	require.Empty(t, bucket.files())

	bucket.put("a/b/c/k", "x")
	require.Equal(t, "x", bucket.get("a/b/c/k"))
}

// If Close is called during Put, Put still succeeds, and later calls fail with ErrClosed.
func TestCloseWaitsForCallsInProgress(t *testing.T) {
	bucket := newTestBucket(t)

	// When Put begins to read its body, the body closes the driver.
	r := request("k", "")
	r.Body = io.MultiReader(&closingReader{bucket.driver}, strings.NewReader("body"))
	_, err := bucket.driver.Put(context.Background(), r)
	require.NoError(t, err)

	// The driver is closed, but the object is stored.
	_, _, err = bucket.getErr("k")
	require.ErrorIs(t, err, os.ErrClosed)
	reopened := reopenTestBucket(t, bucket.root)
	require.Equal(t, "body", reopened.get("k"))
}

// A closingReader closes the driver when it is read, and has no bytes.
type closingReader struct{ d *objectDriver }

func (c *closingReader) Read([]byte) (int, error) {
	_ = c.d.Close()
	return 0, io.EOF
}
