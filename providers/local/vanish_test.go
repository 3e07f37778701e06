package local

import (
	"context"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
	"github.com/omnibucket/storage/providers/local/internal/bucketstore"
	"github.com/stretchr/testify/require"
)

// A cleaner is a body whose last Read removes files, as a program that removes temporary
// files does.
type cleaner struct {
	t      *testing.T
	remove []string // patterns
}

// Read removes the files.
func (c *cleaner) Read([]byte) (int, error) {
	for _, pattern := range c.remove {
		names, err := filepath.Glob(filepath.FromSlash(pattern))
		require.NoError(c.t, err)
		for _, path := range names {
			if info, err := os.Stat(path); err == nil && !info.IsDir() {
				require.NoError(c.t, os.Remove(path))
			}
		}
	}
	return 0, io.EOF
}

// requestWhoseFileVanishes returns a request whose staged file vanishes while its body is read.
func (bucket *testBucket) requestWhoseFileVanishes(t *testing.T, key string) *driver.PutRequest {
	r := request(key, "")
	staged := filepath.Join(bucket.root, bucketdir.TmpPath, "*", "*")
	r.Body = io.MultiReader(strings.NewReader("new"), &cleaner{t, []string{staged}})
	return r
}

// newShortContext returns a context that ends before the test does.
func newShortContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// If the temporary file of Put vanishes while Put reads its body, Put fails with Unavailable and changes nothing.
func TestPutStagedFileVanishes(t *testing.T) {
	for _, disk := range disks {
		t.Run(disk.name, func(t *testing.T) {
			bucket := newTestBucket(t, disk.tweaks...)
			oldAttrs := bucket.put("there", "old")

			tests := []struct {
				name      string
				key       string
				condition storage.Condition
			}{
				{name: "new object", key: "new", condition: storage.Condition{}},
				{name: "in a new directory", key: "a/b/c", condition: storage.Condition{}},
				{name: "below an object", key: "there/below", condition: storage.Condition{}},
				{name: "over an object", key: "there", condition: storage.Condition{}},
				{name: "if absent", key: "new", condition: storage.Condition{Absent: true}},
				{
					name:      "if unchanged",
					key:       "there",
					condition: storage.Condition{Revision: oldAttrs.Revision},
				},
			}
			for _, tt := range tests {
				t.Run(tt.name, func(t *testing.T) {
					r := bucket.requestWhoseFileVanishes(t, tt.key)
					r.Condition = tt.condition
					_, err := bucket.driver.Put(newShortContext(t), r)
					require.Equal(t, storage.Unavailable, storage.CodeOf(err), "%v", err)
					require.ErrorContains(t, err, "temporary file of this write vanished")
				})
			}

			// The bucket has only the old object, without a change.
			require.Equal(t, []string{"there"}, bucket.keys())
			require.Equal(t, "old", bucket.get("there"))
			require.Equal(t, oldAttrs, bucket.head("there"))

			// A later write is not disturbed.
			bucket.put("there/below", "fine")
			require.Equal(t, "fine", bucket.get("there/below"))
		})
	}
}

// If the staged file of a versioned write vanishes, the write fails and the old version stays current.
func TestPutVersionedStagedFileVanishes(t *testing.T) {
	bucket := newTestBucket(t, withVersions, withFrozenClock)
	bucket.put("k", "old")
	// The time of the old version is in the future, so the time of the new one must be set again.
	future := time.Unix(1_900_000_000, 0)
	require.NoError(t, os.Chtimes(filepath.Join(bucket.root, "k"), future, future))

	_, err := bucket.driver.Put(newShortContext(t), bucket.requestWhoseFileVanishes(t, "k"))
	require.Equal(t, storage.Unavailable, storage.CodeOf(err), "%v", err)
	require.ErrorContains(t, err, "temporary file of this write vanished")
	require.Equal(t, "old", bucket.get("k"))
}

// An unseekable is the body of a part that can only be read once.
type unseekable struct{ io.Reader }

func (unseekable) Seek(int64, int) (int64, error) { return 0, errors.ErrUnsupported }

// If the staged file of a part vanishes, PutPart fails, and a second attempt succeeds.
func TestPutPartStagedFileVanishes(t *testing.T) {
	bucket := newTestBucket(t)
	upload, err := bucket.driver.BeginParts(t.Context(), request("k", ""))
	require.NoError(t, err)

	// The body of this request removes the staged file while PutPart reads it.
	r := &driver.PartRequest{Key: "k", Upload: upload, Number: 1}
	r.Body = unseekable{bucket.requestWhoseFileVanishes(t, "k").Body}
	_, err = bucket.driver.PutPart(newShortContext(t), r)
	require.Equal(t, storage.Unavailable, storage.CodeOf(err), "%v", err)
	require.ErrorContains(t, err, "temporary file of this write vanished")

	// The second attempt has a plain body.
	r.Body = strings.NewReader("part")
	_, err = bucket.driver.PutPart(newShortContext(t), r)
	require.NoError(t, err)
}

// Reading an abortingBody aborts the upload that the part belongs to.
type abortingBody struct {
	bucket *testBucket
	upload string
}

// Read aborts the upload of the key "k".
func (b *abortingBody) Read([]byte) (int, error) {
	if err := b.bucket.driver.AbortParts(context.Background(), "k", b.upload); err != nil {
		return 0, err
	}
	return 0, io.EOF
}

// If the upload is aborted while a part is sent, PutPart fails.
func TestPutPartAbortedMeanwhile(t *testing.T) {
	wineCannot(t, lockedStays)
	bucket := newTestBucket(t)
	upload, err := bucket.driver.BeginParts(t.Context(), request("k", ""))
	require.NoError(t, err)

	_, err = bucket.driver.PutPart(newShortContext(t), &driver.PartRequest{
		Key:    "k",
		Upload: upload,
		Number: 1,
		Body:   unseekable{&abortingBody{bucket: bucket, upload: upload}},
	})
	require.ErrorIs(t, err, bucketstore.ErrUpload)
}

// If another process undoes a step of a call each time, the call tries again for some rounds, and then ends with an
// error. Just before the driver opens the directory openedPath, undo does what the other process would do.
func TestRoundsAreLimited(t *testing.T) {
	t.Run("a directory is removed each time that it was made", func(t *testing.T) {
		bucket := newTestBucket(t)
		bucket.put("k", "old")
		bucket.requireRoundsLimited(t, interference{
			openedPath: "a",
			undo:       func() { _ = os.Remove(filepath.Join(bucket.root, "a")) },
			call: func(ctx context.Context) error {
				return errorOf(bucket.driver.Put(ctx, request("a/b", "x")))
			},
		})
	})

	t.Run("the directory of versions is removed each time that it was made", func(t *testing.T) {
		bucket := newTestBucket(t, withVersions)
		bucket.put("k", "old")
		versionsPath := bucket.driver.live.Noncurrent.Dirs.Path("k")
		bucket.requireRoundsLimited(t, interference{
			openedPath: versionsPath,
			undo:       func() { _ = os.Remove(filepath.Join(bucket.root, versionsPath)) },
			call: func(ctx context.Context) error {
				return errorOf(bucket.driver.Put(ctx, request("k", "x")))
			},
		})
	})

	t.Run("a foreign object is replaced each time that it is opened", func(t *testing.T) {
		bucket := newTestBucket(t)
		bucket.put("k", "old")
		replaceForeign := func() {
			wineCannot(t, openStays)
			bucket.write("foreign.new", time.Now().String())
			_ = os.Rename(filepath.Join(bucket.root, "foreign.new"), filepath.Join(bucket.root, "foreign"))
		}
		bucket.requireRoundsLimited(t, interference{
			openedPath: "", // the directory of the bucket
			undo:       replaceForeign,
			call: func(ctx context.Context) error {
				return errorOf(bucket.driver.Head(ctx, &driver.GetRequest{Key: "foreign", Length: -1}))
			},
		})
	})
}

// An interference is what another process does each time that a call opens a directory.
type interference struct {
	openedPath string // of the directory
	undo       func() // runs just before the directory is opened
	call       func(ctx context.Context) error
}

// requireRoundsLimited requires that the call fails after more than ten rounds, and succeeds without the other process.
func (bucket *testBucket) requireRoundsLimited(t *testing.T, other interference) {
	t.Helper()
	rounds := 0
	bucket.driver.live.Tree.OnOpen = func(path string) {
		if path == other.openedPath {
			rounds++
			other.undo()
		}
	}

	// The call tries again for some rounds, and then fails.
	err := other.call(newShortContext(t))
	require.Equal(t, storage.Unavailable, storage.CodeOf(err), "%v", err)
	require.Greater(t, rounds, 10)

	// Without the other process, it succeeds.
	bucket.driver.live.Tree.OnOpen = nil
	require.NoError(t, other.call(newShortContext(t)))
}

// A visible sidecar is a file with an object's attributes beside the object. If another program removes its directory
// during Put, Put creates the directory again, and stores the object only once.
func TestVisibleSidecarDirectoryRemoved(t *testing.T) {
	tests := []struct {
		name        string
		maxRemovals int
		want        storage.Code
	}{
		{name: "removed once", maxRemovals: 1, want: ""},
		{name: "removed each time that it is opened", maxRemovals: math.MaxInt, want: storage.Unavailable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bucket := newTestBucket(t, withSidecars)
			// The sidecar of such a long key is in another directory than the object.
			key := strings.Repeat("n", 250)
			location, ok := bucket.driver.live.Tree.Names().Locate(key)
			require.True(t, ok)
			sidecarDir := location.AltDir
			require.NotEqual(t, location.Dir, sidecarDir)

			// Another program removes the directory when Put is about to open it.
			removals := 0
			bucket.driver.live.Tree.OnOpen = func(path string) {
				if path != sidecarDir || removals == tt.maxRemovals {
					return
				}
				if os.Remove(filepath.Join(bucket.root, path)) == nil {
					removals++
				}
			}

			r := request(key, "x")
			r.Condition = storage.Condition{Absent: true}
			_, err := bucket.driver.Put(newShortContext(t), r)
			require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)
			require.Positive(t, removals, "the directory must have been removed")

			// The object is stored even if its sidecar is not. Then the error says that Put may have taken effect.
			var storageErr *storage.Error
			if errors.As(err, &storageErr) {
				require.True(t, storageErr.Unknown)
			}

			bucket.driver.live.Tree.OnOpen = nil
			require.Equal(t, "x", bucket.get(key))
		})
	}
}

// Put creates the directory for temporary files if it is missing. Tools that copy only files, or that remove empty
// directories, lose this directory.
func TestPutMakesStagingDirectory(t *testing.T) {
	t.Run("removed while the bucket is open", func(t *testing.T) {
		windowsCannot(t, openDirStays)
		bucket := newTestBucket(t)
		bucket.put("k", "old")
		require.NoError(t, os.RemoveAll(filepath.Join(bucket.root, bucketdir.TmpPath)))

		bucket.put("k", "new")
		require.Equal(t, "new", bucket.get("k"))
	})
	t.Run("removed before the bucket is opened", func(t *testing.T) {
		closed := newTestBucket(t)
		closed.put("k", "old")
		require.NoError(t, closed.driver.Close())
		require.NoError(t, os.RemoveAll(filepath.Join(closed.root, bucketdir.TmpPath)))

		bucket := reopenTestBucket(t, closed.root)
		bucket.put("k", "new")
		require.Equal(t, "new", bucket.get("k"))
	})
}

// A power failure may leave the format file empty or full of zeros, and the next write then writes it again.
func TestFormatWrittenAgain(t *testing.T) {
	tests := []struct {
		name string
		left string // content of the file after the power failure
	}{
		{name: "empty", left: ""},
		{name: "zeros", left: "\x00\x00\x00"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bucket := newTestBucket(t)
			bucket.put("k", "old")
			path := filepath.Join(bucket.root, formatPath)
			want, err := os.ReadFile(path)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(path, []byte(tt.left), 0o666))

			bucket = reopenTestBucket(t, bucket.root)
			require.Equal(t, "old", bucket.get("k"))
			bucket.put("k", "new")

			got, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, string(want), string(got))
		})
	}
}

// If one of two hard links to a file is removed or overwritten, the object of the other link keeps its attributes.
func TestSidecarOfTwoNames(t *testing.T) {
	windowsCannot(t, "the number of names of a file is unknown")
	tests := []struct {
		name   string
		change func(bucket *testBucket)
	}{
		{name: "removed", change: func(bucket *testBucket) { bucket.remove("first") }},
		{name: "overwritten", change: func(bucket *testBucket) { bucket.put("first", "new") }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bucket := newTestBucket(t, withoutXattrs)
			r := described("first", "content")
			_, err := bucket.driver.Put(t.Context(), r)
			require.NoError(t, err)
			require.NoError(t, os.Link(filepath.Join(bucket.root, "first"), filepath.Join(bucket.root, "second")))

			tt.change(bucket)
			require.Equal(t, r.Properties, bucket.head("second").Properties)
		})
	}
}
