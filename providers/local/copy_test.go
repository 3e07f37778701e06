package local

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/crc32c"
	"github.com/stretchr/testify/require"
)

// Copy copies the bytes of an object with the properties of its request, unless the source has changed or the
// condition does not hold.
func TestCopy(t *testing.T) {
	for _, disk := range disks {
		t.Run(disk.name, func(t *testing.T) {
			bucket := newTestBucket(t, disk.tweaks...)
			source := bucket.put("from", "bytes")
			ref := bucket.driver.Locate("from")
			ref.Revision = source.Revision

			attrs, err := bucket.driver.Copy(t.Context(), &driver.CopyRequest{
				Source:     ref,
				Key:        "to/key",
				Properties: storage.Properties{ContentType: "a/b"},
			})
			require.NoError(t, err)

			require.Equal(t, "bytes", bucket.get("to/key"))
			require.Equal(t, attrs, bucket.head("to/key"))
			require.Equal(t, "a/b", attrs.ContentType)
			require.Equal(t, source.CRC32C, attrs.CRC32C)
			require.NotEqual(t, source.Revision, attrs.Revision)

			// A copy onto itself changes the revision, so that the old one is no longer a source.
			_, err = bucket.driver.Copy(t.Context(), &driver.CopyRequest{Source: ref, Key: "from"})
			require.NoError(t, err)
			_, err = bucket.driver.Copy(t.Context(), &driver.CopyRequest{Source: ref, Key: "x"})
			require.ErrorIs(t, err, storage.Changed)

			// The source is missing.
			_, err = bucket.driver.Copy(t.Context(),
				&driver.CopyRequest{Source: bucket.driver.Locate("none"), Key: "x"})
			require.ErrorIs(t, err, storage.ObjectNotFound)

			// The condition does not hold.
			_, err = bucket.driver.Copy(t.Context(), &driver.CopyRequest{
				Source:    bucket.driver.Locate("from"),
				Key:       "from",
				Condition: storage.Condition{Absent: true},
			})
			require.ErrorIs(t, err, storage.PreconditionFailed)
			require.Empty(t, bucket.leftovers())
		})
	}
}

// Copy reads from a bucket in the same parent directory, and from no other one.
func TestCopyBetweenBucketsOfOneParent(t *testing.T) {
	parent := t.TempDir()
	newBucketIn := func(name string) *testBucket {
		root := filepath.Join(parent, name)
		require.NoError(t, os.Mkdir(root, 0o777))
		return reopenTestBucket(t, root)
	}
	src := newBucketIn("src")
	dst := newBucketIn("dst")
	src.put("k", "x")

	require.Equal(t, src.driver.Locate("k").Account, dst.driver.Locate("k").Account)
	_, err := dst.driver.Copy(t.Context(), &driver.CopyRequest{Source: src.driver.Locate("k"), Key: "copy"})
	require.NoError(t, err)
	require.Equal(t, "x", dst.get("copy"))

	// The bucket is in another directory.
	elsewhere := newTestBucket(t)
	elsewhere.put("k", "x")
	_, err = dst.driver.Copy(t.Context(), &driver.CopyRequest{Source: elsewhere.driver.Locate("k"), Key: "copy"})
	require.ErrorIs(t, err, storage.Unsupported)

	// The name leads out of the directory.
	_, err = dst.driver.Copy(t.Context(), &driver.CopyRequest{
		Source: driver.ObjectRef{Account: account{parent}, Bucket: "../src", Key: "k"},
		Key:    "copy",
	})
	require.Error(t, err)
}

// A copy of an old version onto its key makes it the current one.
func TestCopyOfAVersionRestoresIt(t *testing.T) {
	bucket := newTestBucket(t, withVersions)
	old := bucket.put("k", "old")
	bucket.put("k", "new")
	ref := bucket.driver.Locate("k")
	ref.Version = old.Version
	ref.Revision = old.Revision

	_, err := bucket.driver.Copy(t.Context(), &driver.CopyRequest{Source: ref, Key: "k"})
	require.NoError(t, err)
	require.Equal(t, "old", bucket.get("k"))
	require.Len(t, bucket.listVersions(driver.ListRequest{}), 3)
}

// putTyped puts an object as the engine does: with a content type.
func (bucket *testBucket) putTyped(key, body string) *storage.Attrs {
	bucket.t.Helper()
	r := request(key, body)
	r.ContentType = "text/x-test"
	attrs, err := bucket.driver.Put(bucket.t.Context(), r)
	require.NoError(bucket.t, err)
	return attrs
}

// worstDisk is the only one of the disks on which no file can be moved to another key.
const worstDisk = "everything bad"

// Move renames the file of an object, and the object keeps its revision.
func TestMove(t *testing.T) {
	for _, disk := range disks {
		if disk.name == worstDisk {
			continue // see TestMoveUnsupportedOnWorstDisk
		}
		t.Run(disk.name, func(t *testing.T) {
			bucket := newTestBucket(t, disk.tweaks...)
			source := bucket.putTyped("a/b/from", "bytes")

			// Move the object from key to key.
			for _, key := range []string{"to", "c/d/to", "TO", "c/d", "x/c"} {
				attrs, err := bucket.driver.Move(t.Context(), &driver.MoveRequest{
					From:      source.Key,
					Key:       key,
					Condition: storage.Condition{Absent: true},
				})

				// "c/d" was a directory before. On disks other than the plain one, the file of this key may therefore
				// have another name, and cannot be moved.
				mayRefuse := source.Key == "c/d" && disk.name != "plain"
				if mayRefuse && storage.CodeOf(err) == storage.Unsupported {
					continue
				}
				require.NoError(t, err, key)

				require.Equal(t, "bytes", bucket.get(key))
				require.Equal(t, attrs, bucket.head(key))
				require.Equal(t, source.Revision, attrs.Revision)
				bucket.requireMissing(source.Key)
				source = attrs
			}

			// If the condition fails, nothing is moved.
			bucket.putTyped("existing", "old")
			_, err := bucket.driver.Move(t.Context(), &driver.MoveRequest{
				From:      source.Key,
				Key:       "existing",
				Condition: storage.Condition{Absent: true},
			})
			require.ErrorIs(t, err, storage.PreconditionFailed)
			require.Equal(t, "bytes", bucket.get(source.Key))
			require.Equal(t, "old", bucket.get("existing"))
			require.Empty(t, bucket.leftovers())
		})
	}
}

// Move fails and changes nothing if the condition on the destination does not hold, or if the source is missing.
func TestMoveFails(t *testing.T) {
	for _, disk := range disks {
		if disk.name == worstDisk {
			continue // see TestMoveUnsupportedOnWorstDisk
		}
		t.Run(disk.name, func(t *testing.T) {
			bucket := newTestBucket(t, disk.tweaks...)
			bucket.putTyped("from", "bytes")
			bucket.putTyped("existing", "old")

			_, err := bucket.driver.Move(t.Context(), &driver.MoveRequest{
				From:      "from",
				Key:       "existing",
				Condition: storage.Condition{Absent: true},
			})
			require.ErrorIs(t, err, storage.PreconditionFailed)

			_, err = bucket.driver.Move(t.Context(), &driver.MoveRequest{From: "missing", Key: "new/x"})
			require.ErrorIs(t, err, storage.ObjectNotFound)

			require.Equal(t, "bytes", bucket.get("from"))
			require.Equal(t, "old", bucket.get("existing"))
			require.Empty(t, bucket.leftovers())
		})
	}
}

// Move fails with Unsupported on a disk where renaming a file is not enough, and changes nothing.
func TestMoveUnsupportedOnWorstDisk(t *testing.T) {
	bucket := newTestBucket(t, withoutXattrs, withCoarseTimes, withStrictNames)
	bucket.putTyped("a/b/from", "bytes")

	_, err := bucket.driver.Move(t.Context(), &driver.MoveRequest{
		From:      "a/b/from",
		Key:       "to",
		Condition: storage.Condition{Absent: true},
	})
	require.ErrorIs(t, err, storage.Unsupported)
	require.Equal(t, "bytes", bucket.get("a/b/from"))
}

// If a rename would change more than the two keys, for example a link or a file with two names, Move refuses it.
// The engine then copies and removes.
func TestMoveRefused(t *testing.T) {
	tests := []struct {
		name    string
		prepare func(t *testing.T, bucket *testBucket) // makes "from"
	}{
		{
			name: "a destination with an object",
			prepare: func(_ *testing.T, bucket *testBucket) {
				bucket.putTyped("from", "x")
				bucket.put("to", "old")
			},
		},
		{
			name: "a file of another program",
			prepare: func(_ *testing.T, bucket *testBucket) {
				bucket.put("to/x", "x")
				bucket.write("from", "x")
			},
		},
		{
			name: "a link",
			prepare: func(t *testing.T, bucket *testBucket) {
				bucket.putTyped("file", "x")
				require.NoError(t, os.Symlink("file", filepath.Join(bucket.root, "from")))
			},
		},
		{
			name: "a file with two names",
			prepare: func(t *testing.T, bucket *testBucket) {
				bucket.putTyped("from", "x")
				require.NoError(t,
					os.Link(filepath.Join(bucket.root, "from"), filepath.Join(bucket.root, "second")))
			},
		},
		{
			name: "a public object",
			prepare: func(t *testing.T, bucket *testBucket) {
				_, err := bucket.driver.Put(t.Context(), &driver.PutRequest{
					Key:        "from",
					Body:       strings.NewReader("x"),
					Size:       1,
					Properties: storage.Properties{ContentType: "a/b"},
					Controls:   storage.Controls{PublicRead: true},
				})
				require.NoError(t, err)
			},
		},
		{
			name: "an object whose file has the place of the new directory",
			prepare: func(_ *testing.T, bucket *testBucket) {
				bucket.putTyped("from", "x")
				bucket.put("from/x", "x")
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bucket := newTestBucket(t)
			tt.prepare(t, bucket)
			_, err := bucket.driver.Move(t.Context(), &driver.MoveRequest{From: "from", Key: "to"})
			require.Equal(t, storage.Unsupported, storage.CodeOf(err), "%v", err)
			require.Equal(t, "x", bucket.get("from"))
		})
	}
}

// A bucket that keeps versions refuses Move.
func TestMoveRefusedWithVersions(t *testing.T) {
	bucket := newTestBucket(t, withVersions)
	bucket.putTyped("from", "x")

	_, err := bucket.driver.Move(t.Context(), &driver.MoveRequest{From: "from", Key: "to"})
	require.Equal(t, storage.Unsupported, storage.CodeOf(err), "%v", err)
}

// Concurrent moves of the same keys, each of which takes the locks of two keys, do not wait for each other forever, and
// lose no object.
func TestMoveConcurrently(t *testing.T) {
	bucket := newTestBucket(t)
	other := reopenTestBucket(t, bucket.root)
	bucket.putTyped("a", "x")

	// Two buckets of one directory move the object in opposite directions.
	movers := []struct {
		bucket *testBucket
		from   string
		to     string
	}{
		{bucket: bucket, from: "a", to: "b"},
		{bucket: other, from: "b", to: "a"},
		{bucket: bucket, from: "a", to: "c"},
		{bucket: other, from: "c", to: "b"},
		{bucket: bucket, from: "b", to: "c"},
		{bucket: other, from: "c", to: "a"},
	}
	// A move may find that the object is at another key, or that it has just come to the destination.
	permitted := []storage.Code{"", storage.ObjectNotFound, storage.Unsupported}
	var group sync.WaitGroup
	for _, mover := range movers {
		group.Go(func() {
			for range 50 {
				_, err := mover.bucket.driver.Move(t.Context(), &driver.MoveRequest{From: mover.from, Key: mover.to})
				if !slices.Contains(permitted, storage.CodeOf(err)) {
					t.Errorf("the move of %s to %s failed: %v", mover.from, mover.to, err)
					return
				}
			}
		})
	}
	group.Wait()

	// The object has one of the keys.
	page, err := bucket.driver.List(t.Context(), &driver.ListRequest{Limit: 10})
	require.NoError(t, err)
	require.Len(t, page.Entries, 1)
	require.Empty(t, bucket.leftovers())
}

// Compose joins its sources in their order, and may replace one of them.
func TestCompose(t *testing.T) {
	bucket := newTestBucket(t)
	bucket.put("a", "one ")
	bucket.put("b", "two")

	attrs, err := bucket.driver.Compose(t.Context(), &driver.ComposeRequest{
		Key: "a",
		Sources: []driver.ObjectRef{
			bucket.driver.Locate("a"),
			bucket.driver.Locate("b"),
			bucket.driver.Locate("a"),
		},
	})
	require.NoError(t, err)
	require.Equal(t, "one twoone ", bucket.get("a"))
	require.Equal(t, crc32c.Sum([]byte("one twoone ")), attrs.CRC32C.Sum)
}

// Compose fails with ObjectNotFound if a source is missing, and creates no object.
func TestComposeMissingSource(t *testing.T) {
	bucket := newTestBucket(t)
	_, err := bucket.driver.Compose(t.Context(), &driver.ComposeRequest{
		Key:     "a",
		Sources: []driver.ObjectRef{bucket.driver.Locate("none")},
	})
	require.ErrorIs(t, err, storage.ObjectNotFound)
	bucket.requireMissing("a")
}
