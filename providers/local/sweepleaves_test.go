package local

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
	"github.com/omnibucket/storage/providers/local/internal/bucketstore"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
	"github.com/stretchr/testify/require"
)

// A sweep keeps an upload, however old, while a part of it is sent and while it is completed.
func TestSweepKeepsUploadInProgress(t *testing.T) {
	clock := atNoon()
	bucket := newTestBucket(t, clock.tweak)
	upload := bucket.begin(&driver.PutRequest{Key: "dir/k"})
	sweepLater := func() {
		clock.pass(8 * day)
		reopenTestBucket(t, bucket.root, clock.tweak)
		require.DirExists(t, bucket.uploadDir(upload))
	}

	// The part takes eight days.
	part, err := bucket.partOf("dir/k", upload, io.MultiReader(strings.NewReader("x"), &atRead{sweepLater}))
	require.NoError(t, err)

	// The completion takes eight days. It opens "dir" after it has joined the parts, and before it places the object.
	hasSwept := false
	bucket.driver.live.Tree.OnOpen = func(path string) {
		if path == "dir" && !hasSwept {
			hasSwept = true
			sweepLater()
		}
	}

	require.NoError(t, bucket.complete("dir/k", upload, part))
	require.True(t, hasSwept)
	require.Equal(t, "x", bucket.get("dir/k"))
	require.Empty(t, bucket.uploads())
}

// A sweep keeps an upload in progress in another process, even if the upload is older than a week.
func TestSweepKeepsUploadOfProcess(t *testing.T) {
	// Another process begins to send a part.
	bucket := newTestBucket(t)
	upload := bucket.begin(&driver.PutRequest{Key: "k"})
	p := start(t, bucket.root, "sender", upload)
	p.requireLine(t, "sending")

	// Eight days later, the bucket is opened, which sweeps it.
	laterClock := &setClock{time.Now().Add(8 * day)}
	reopenTestBucket(t, bucket.root, laterClock.tweak)
	require.Len(t, bucket.uploads(), 1)

	// The process sends the rest of the part and prints its tag. The upload can be completed.
	tag := p.end(t)
	require.NoError(t, bucket.complete("k", upload, driver.Part{Number: 1, Tag: tag}))
	require.Equal(t, "sent", bucket.get("k"))
}

// sendSlowly sends a part whose body ends when the test closes the input.
func sendSlowly(d *objectDriver, upload string) error {
	body := io.MultiReader(&atRead{func() {
		fmt.Println("sending")
		<-stopSignal()
	}}, strings.NewReader("sent"))
	part, err := d.PutPart(context.Background(),
		&driver.PartRequest{Key: "k", Upload: upload, Number: 1, Body: readOnce{body}, Size: -1})
	fmt.Println(part.Tag)
	return err
}

// An atRead is a body that calls f when it is read.
type atRead struct{ f func() }

func (a *atRead) Read([]byte) (int, error) {
	a.f()
	return 0, io.EOF
}

// PutPart fails with ErrUpload if a sweep removes its upload just before PutPart opens it.
func TestPutPartAfterSweep(t *testing.T) {
	clock := atNoon()
	bucket := newTestBucket(t, clock.tweak)
	upload := bucket.begin(&driver.PutRequest{Key: "k"})

	// A sweep removes uploads that are older than a week.
	clock.pass(8 * day)

	// Just before PutPart opens the upload, another driver opens the bucket, and so sweeps it.
	isSwept := false
	bucket.driver.live.Tree.OnOpen = func(path string) {
		if path == uploadPath(upload) && !isSwept {
			isSwept = true
			reopenTestBucket(t, bucket.root, clock.tweak)
		}
	}

	_, err := bucket.partOf("k", upload, strings.NewReader("x"))
	require.Equal(t, error(bucketstore.ErrUpload), err)
	require.Empty(t, bucket.uploads())
}

// A call that has opened an upload fails with ErrUpload if a sweep then removes the key file of the upload.
func TestPutPartWaitsForSweep(t *testing.T) {
	wineCannot(t, lockedStays)
	bucket := newTestBucket(t)
	uploadID := bucket.begin(&driver.PutRequest{Key: "k"})
	store, err := bucket.driver.acquire(t.Context())
	require.NoError(t, err)
	defer bucket.driver.release(store)

	// The call has opened the upload.
	upload, err := store.Uploads.Use(t.Context(), "k", uploadID)
	require.NoError(t, err)
	defer upload.Close()
	require.NoError(t, bucketstore.CheckKey(upload.Dir, upload.Key, "k"))

	// A sweep begins: it removes the key file before all other files of the upload.
	require.NoError(t, upload.Dir.Unlink(uploadKeyName))
	require.Equal(t, error(bucketstore.ErrUpload), bucketstore.CheckKey(upload.Dir, upload.Key, "k"))
}

// A sweep keeps uploads that it cannot examine.
func TestSweepKeepsUnreadableUploads(t *testing.T) {
	if runUnprivileged(t) {
		return
	}
	tests := []struct {
		name string

		// spoil makes the upload in the directory dir impossible to examine. restore undoes that.
		spoil func(t *testing.T, dir string) (restore func())
	}{
		{
			name: "a key file that may not be read",
			spoil: func(t *testing.T, dir string) func() {
				return forbidAccess(t, filepath.Join(dir, uploadKeyName), 0)
			},
		},
		{
			name: "a key file that may not be locked",
			spoil: func(t *testing.T, dir string) func() {
				return forbidAccess(t, filepath.Join(dir, uploadKeyName), 0o400)
			},
		},
		{
			name: "a directory that may not be read",
			spoil: func(t *testing.T, dir string) func() {
				return forbidAccess(t, dir, 0)
			},
		},
		{
			name: "a directory that may not be changed",
			spoil: func(t *testing.T, dir string) func() {
				return forbidAccess(t, dir, 0o500)
			},
		},
		{
			name: "a key file that another program has locked",
			spoil: func(t *testing.T, dir string) func() {
				f, err := os.OpenFile(filepath.Join(dir, uploadKeyName), os.O_RDWR, 0)
				require.NoError(t, err)
				require.NoError(t, osdir.TryLock(f))
				return func() {
					require.NoError(t, f.Close())
				}
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			clock := atNoon()
			bucket := newTestBucket(t, clock.tweak)

			// Opening a bucket sweeps it.
			sweep := func() { reopenTestBucket(t, bucket.root, clock.tweak) }

			// After a week, an upload is abandoned. One that cannot be examined remains intact.
			upload := bucket.begin(&driver.PutRequest{Key: "k"})
			part := bucket.part(upload, 1, "x")
			clock.pass(8 * day)
			restore := tt.spoil(t, bucket.uploadDir(upload))
			sweep()
			restore()
			require.NoError(t, bucket.complete("k", upload, part))

			// A later sweep, which can examine the upload again, removes it.
			upload = bucket.begin(&driver.PutRequest{Key: "k"})
			restore = tt.spoil(t, bucket.uploadDir(upload))
			clock.pass(8 * day)
			sweep()
			restore()
			sweep()
			require.Empty(t, bucket.uploads())
		})
	}
}

// forbidAccess gives a path another mode until restore is called.
func forbidAccess(t *testing.T, path string, mode os.FileMode) (restore func()) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("Windows: modes forbid nothing")
	}
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.NoError(t, os.Chmod(path, mode))
	return func() {
		require.NoError(t, os.Chmod(path, info.Mode()))
	}
}

// If the key file of an upload cannot be read, calls fail with PermissionDenied.
func TestUploadKeyFileUnreadable(t *testing.T) {
	if runUnprivileged(t) {
		return
	}
	bucket := newTestBucket(t)
	upload := bucket.begin(&driver.PutRequest{Key: "k"})
	part := bucket.part(upload, 1, "x")

	restoreAccess := forbidAccess(t, filepath.Join(bucket.uploadDir(upload), uploadKeyName), 0)
	require.ErrorIs(t, bucket.complete("k", upload, part), storage.PermissionDenied)
	require.ErrorIs(t, bucket.driver.AbortParts(t.Context(), "k", upload), storage.PermissionDenied)

	restoreAccess()
	require.NoError(t, bucket.complete("k", upload, part))
}

// A sweep removes an upload without a key file, which a killed sweep or BeginParts has left, after an hour.
func TestSweepUploadWithoutKeyFile(t *testing.T) {
	bucket := newTestBucket(t)
	makeUpload := func(upload string, age time.Duration) {
		t.Helper()
		bucket.write(uploadPath(upload)+"/"+partName(1), "x")
		modified := time.Now().Add(-age)
		require.NoError(t, os.Chtimes(bucket.uploadDir(upload), modified, modified))
	}
	abandoned := strings.Repeat("a", 24)
	recent := strings.Repeat("b", 24)
	makeUpload(abandoned, bucketdir.AbandonedAge+time.Minute)
	makeUpload(recent, 0)

	reopenTestBucket(t, bucket.root)
	require.Equal(t, []string{bucket.uploadDir(recent)}, bucket.uploads())
}

// A plantedBucket is a bucket in which a test makes files and links that resemble abandoned uploads.
type plantedBucket struct {
	*testBucket
	uploads string // the directory of the uploads, which is empty at first
	upload  string // the path of an upload in it, which does not exist at first
	outside string // an empty directory outside of the bucket
}

// newPlantedBucket returns a bucket with one object.
func newPlantedBucket(t *testing.T) plantedBucket {
	t.Helper()
	bucket := newTestBucket(t)
	bucket.put("k", "x")
	uploads := filepath.Join(bucket.root, bucketdir.UploadsPath)
	require.NoError(t, os.Mkdir(uploads, 0o777))
	return plantedBucket{
		testBucket: bucket,
		uploads:    uploads,
		upload:     filepath.Join(uploads, uploadName),
		outside:    t.TempDir(),
	}
}

// uploadName is a name that an upload may have.
var uploadName = strings.Repeat("a", 24)

// makeUpload makes a directory with the files of an upload, and returns the paths of its key file and its part.
func makeUpload(t *testing.T, dir string) (keyFile, partFile string) {
	t.Helper()
	keyFile = filepath.Join(dir, uploadKeyName)
	partFile = filepath.Join(dir, partName(1))
	require.NoError(t, os.MkdirAll(dir, 0o777))
	require.NoError(t, os.WriteFile(keyFile, []byte("k"), 0o666))
	require.NoError(t, os.WriteFile(partFile, []byte("k"), 0o666))
	return keyFile, partFile
}

// makeLink makes a link at a path.
func makeLink(t *testing.T, path, target string) {
	t.Helper()
	wineCannot(t, noLinks)
	require.NoError(t, os.Symlink(target, path))
}

// sweepAll opens the bucket at a time when all uploads are abandoned. Opening the bucket sweeps it.
func (p plantedBucket) sweepAll(t *testing.T) {
	t.Helper()
	laterClock := &setClock{time.Now().Add(30 * day)}
	reopenTestBucket(t, p.root, laterClock.tweak)
}

// requireSweepKeeps sweeps the bucket, and requires that each path is still there.
func (p plantedBucket) requireSweepKeeps(t *testing.T, paths ...string) {
	t.Helper()
	p.sweepAll(t)
	for _, path := range paths {
		_, err := os.Lstat(path)
		require.NoError(t, err)
	}
}

// A sweep removes uploads, but nothing else that is among them or that a link among them leads to.
func TestSweepOnlyTouchesUploads(t *testing.T) {
	t.Run("a file with the name of an upload", func(t *testing.T) {
		bucket := newPlantedBucket(t)
		require.NoError(t, os.WriteFile(bucket.upload, nil, 0o666))
		bucket.requireSweepKeeps(t, bucket.upload)
	})

	t.Run("a directory with another name", func(t *testing.T) {
		bucket := newPlantedBucket(t)
		_, partOfMine := makeUpload(t, filepath.Join(bucket.uploads, "mine"))
		_, partOfCapitals := makeUpload(t, filepath.Join(bucket.uploads, strings.ToUpper(uploadName)))
		bucket.requireSweepKeeps(t, partOfMine, partOfCapitals)
	})

	t.Run("a link to an upload outside", func(t *testing.T) {
		bucket := newPlantedBucket(t)
		keyFile, partFile := makeUpload(t, bucket.outside)
		makeLink(t, bucket.upload, bucket.outside)
		bucket.requireSweepKeeps(t, keyFile, partFile)
	})

	t.Run("a link to objects", func(t *testing.T) {
		bucket := newPlantedBucket(t)
		keyFile, partFile := makeUpload(t, filepath.Join(bucket.root, "dir"))
		makeLink(t, bucket.upload, filepath.Join("..", "..", "dir"))
		bucket.requireSweepKeeps(t, keyFile, partFile)
	})

	t.Run("a key that is a link to an object", func(t *testing.T) {
		bucket := newPlantedBucket(t)
		bucket.write("object", "k")
		keyFile, partFile := makeUpload(t, bucket.upload)
		require.NoError(t, os.Remove(keyFile))
		makeLink(t, keyFile, filepath.Join("..", "..", "..", "object"))
		bucket.requireSweepKeeps(t, keyFile, partFile, filepath.Join(bucket.root, "object"))
	})

	t.Run("a key that is a link to the outside", func(t *testing.T) {
		bucket := newPlantedBucket(t)
		outsideKeyFile, _ := makeUpload(t, bucket.outside)
		keyFile, partFile := makeUpload(t, bucket.upload)
		require.NoError(t, os.Remove(keyFile))
		makeLink(t, keyFile, outsideKeyFile)
		bucket.requireSweepKeeps(t, keyFile, partFile, outsideKeyFile)
	})

	t.Run("a key that is a directory", func(t *testing.T) {
		bucket := newPlantedBucket(t)
		path := filepath.Join(bucket.upload, uploadKeyName, "x")
		require.NoError(t, os.MkdirAll(path, 0o777))
		bucket.requireSweepKeeps(t, path)
	})

	t.Run("links and directories in an upload", func(t *testing.T) {
		bucket := newPlantedBucket(t)
		outsideKeyFile, outsidePart := makeUpload(t, bucket.outside)
		require.NoError(t, os.MkdirAll(filepath.Join(bucket.upload, "deep", "er"), 0o777))
		makeUpload(t, bucket.upload)
		makeLink(t, filepath.Join(bucket.upload, "deep", "link"), bucket.outside)

		bucket.sweepAll(t)
		require.NoDirExists(t, bucket.upload, "it is removed, with its links")
		bucket.requireSweepKeeps(t, outsideKeyFile, outsidePart)
	})

	t.Run("a link in place of the uploads", func(t *testing.T) {
		bucket := newPlantedBucket(t)
		keyFile, partFile := makeUpload(t, filepath.Join(bucket.root, "objects", uploadName))
		require.NoError(t, os.Remove(bucket.uploads))
		makeLink(t, bucket.uploads, filepath.Join("..", "objects"))
		bucket.requireSweepKeeps(t, keyFile, partFile)
	})

	t.Run("a file in place of the uploads", func(t *testing.T) {
		bucket := newPlantedBucket(t)
		require.NoError(t, os.Remove(bucket.uploads))
		require.NoError(t, os.WriteFile(bucket.uploads, nil, 0o666))
		bucket.requireSweepKeeps(t, bucket.uploads)
	})
}

// Probe finds out what the disk can do with a temporary file, and succeeds even if sweeps remove that file.
func TestProbeOfDiskDuringSweep(t *testing.T) {
	store := acquireStore(t, newTestBucket(t).driver)
	require.NoError(t, store.Tree.Mkdirs(bucketdir.TmpPath))

	// Sweep without a pause until the probes are done.
	done := make(chan struct{})
	var sweeper sync.WaitGroup
	sweeper.Go(func() {
		for !stopped(done) {
			_ = store.Staging.SweepStaging()
		}
	})

	for range 500 {
		if _, err := store.Tree.Probe(); err != nil {
			t.Error(err)
			break
		}
	}
	close(done)
	sweeper.Wait()
}
