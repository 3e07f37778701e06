package local

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/wiretest"
	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
	"github.com/omnibucket/storage/providers/local/internal/bucketstore"
	"github.com/stretchr/testify/require"
)

// listParts returns a page of the parts of an upload of "k", after the part with the number marker.
func (bucket *testBucket) listParts(upload string, marker, limit int) *driver.PartPage {
	bucket.t.Helper()
	page, err := bucket.driver.ListParts(bucket.t.Context(),
		&driver.ListPartsRequest{Key: "k", Upload: upload, After: marker, Limit: limit})
	require.NoError(bucket.t, err)
	return page
}

// partWithSum sends a part of an upload of "k", with a checksum. Parts may be sent in any order.
func (bucket *testBucket) partWithSum(upload string, number int, text string) driver.Part {
	bucket.t.Helper()
	p, err := bucket.driver.PutPart(bucket.t.Context(), &driver.PartRequest{
		Key:      "k",
		Upload:   upload,
		Number:   number,
		Body:     strings.NewReader(text),
		Size:     int64(len(text)),
		CRC32C:   wiretest.CRC32C(text),
		AnyOrder: true,
	})
	require.NoError(bucket.t, err)
	return p
}

// PutPart gives the file in which it stores the checksum of a part the time of the driver's clock.
func TestPutPartChecksumTime(t *testing.T) {
	now := time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)
	bucket := newTestBucket(t, func(d *objectDriver) {
		d.bucket.Clock.Now = func() time.Time { return now }
	})
	upload, err := bucket.driver.BeginParts(t.Context(), request("k", ""))
	require.NoError(t, err)
	_, err = bucket.driver.PutPart(t.Context(), &driver.PartRequest{
		Key:    "k",
		Upload: upload,
		Number: 1,
		Body:   strings.NewReader("x"),
		CRC32C: storage.CRC32C{Sum: 7, Known: true},
	})
	require.NoError(t, err)

	sumFile := filepath.Join(bucket.root, uploadPath(upload), sumName(1))
	info, err := os.Stat(sumFile)
	require.NoError(t, err)
	require.True(t, info.ModTime().Equal(now), info.ModTime())
}

// ListParts returns each part with its checksum, in the order of the numbers, and in pages.
func TestListPartsChecksums(t *testing.T) {
	for _, disk := range disks {
		t.Run(disk.name, func(t *testing.T) {
			bucket := newTestBucket(t, disk.tweaks...)
			// The parts 1, 2, 3, 4, 9 and 10 were sent in another order.
			upload := bucket.begin(&driver.PutRequest{Key: "k", Size: -1, AnyOrder: true})
			want := bucket.sixParts(upload)
			const fromStart, limit = 0, 100
			require.Equal(t, want, bucket.listParts(upload, fromStart, limit).Parts)

			// A page of four parts after part 1 ends before part 10.
			page := bucket.listParts(upload, 1, 4)
			require.True(t, page.More)
			require.Equal(t, want[1:5], page.Parts)

			// The page after part 9 is the last one.
			require.False(t, bucket.listParts(upload, 9, 1).More)
		})
	}
}

// ListParts reads a part whose checksum is not stored, because its file is missing, damaged or that of another part.
func TestListPartsReadsParts(t *testing.T) {
	for _, disk := range disks {
		t.Run(disk.name, func(t *testing.T) {
			bucket := newTestBucket(t, disk.tweaks...)
			// The upload has the parts 1, 2, 3, 4, 9 and 10.
			upload := bucket.begin(&driver.PutRequest{Key: "k", Size: -1, AnyOrder: true})
			want := bucket.sixParts(upload)
			dir := filepath.Join(bucket.root, uploadPath(upload))
			write := func(name, content string) {
				t.Helper()
				require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
			}

			// The checksums of the parts 2, 3 and 4 are in files beside the parts.
			require.NoError(t, os.Remove(filepath.Join(dir, sumName(2))))
			write(sumName(3), "other 00000000\n") // of another part
			write(sumName(4), "\x00")             // damaged
			write("part-007", "no part")          // no name of a part

			// Part 1 is in the file that parts share, if the disk permits that. The file placedName(1) then has its tag
			// and its checksum, and loses the checksum here. There are no parts 5 and 6, although they have such files.
			if _, isShared := bucketstore.SlotOf(want[0]); isShared {
				write(placedName(1), want[0].Tag+" \n")
				write(placedName(5), "\x00")            // damaged
				write(placedName(6), want[0].Tag+" \n") // of part 1
			}

			const fromStart, limit = 0, 100
			require.Equal(t, want, bucket.listParts(upload, fromStart, limit).Parts)
		})
	}
}

// sixParts sends six parts of an upload of "k", not in their order, and returns them in their order. The parts 2, 3
// and 4 have files of their own, because they replace others.
func (bucket *testBucket) sixParts(upload string) []driver.Part {
	bucket.t.Helper()
	nine := bucket.partWithSum(upload, 9, "nine")
	one := bucket.partWithSum(upload, 1, "one")
	ten := bucket.partWithSum(upload, 10, "ten")
	for _, number := range []int{2, 3, 4} {
		bucket.partWithSum(upload, number, "replaced")
	}
	two := bucket.partWithSum(upload, 2, "two")
	three := bucket.partWithSum(upload, 3, "three")
	four := bucket.partWithSum(upload, 4, "four")
	return []driver.Part{one, two, three, four, nine, ten}
}

// RemoveUpload removes the key file, which ends the upload, before the parts, and removes nothing if that fails.
func TestRemoveUploadEndsUploadFirst(t *testing.T) {
	bucket := newTestBucket(t)
	upload := bucket.begin(&driver.PutRequest{Key: "k", Size: -1, AnyOrder: true})
	bucket.partWithSum(upload, 1, "one")

	// In place of the key file, there is a directory that cannot be removed.
	keyPath := filepath.Join(bucket.uploadDir(upload), uploadKeyName)
	require.NoError(t, os.Remove(keyPath))
	require.NoError(t, os.MkdirAll(filepath.Join(keyPath, "full"), 0o700))
	entriesBefore, err := os.ReadDir(bucket.uploadDir(upload))
	require.NoError(t, err)

	// The driver opens its store for each call.
	store, err := bucket.driver.acquire(t.Context())
	require.NoError(t, err)
	defer bucket.driver.release(store)
	require.Error(t, store.Uploads.RemoveUpload(t.Context(), upload))

	entriesAfter, err := os.ReadDir(bucket.uploadDir(upload))
	require.NoError(t, err)
	require.Len(t, entriesAfter, len(entriesBefore), "the parts must stay")
}

// ListUploads of a bucket without uploads, which has no directory of them, returns an empty page.
func TestListUploadsNone(t *testing.T) {
	bucket := newTestBucket(t)
	page, err := bucket.driver.ListUploads(t.Context(), &driver.ListUploadsRequest{Limit: 10})
	require.NoError(t, err)
	require.Empty(t, page.Uploads)
}

// ListUploads lists the uploads with the prefix, whichever process has begun them. It leaves out those that have ended
// in part.
func TestListUploads(t *testing.T) {
	bucket := newTestBucket(t)
	first := bucket.begin(&driver.PutRequest{Key: "a/1"})
	second := bucket.begin(&driver.PutRequest{Key: "a/2"})
	bucket.begin(&driver.PutRequest{Key: "b"})

	// An upload whose directory has no key file has ended in part.
	withoutKeyFile := uploadPath(bucketdir.RandomName())
	require.NoError(t, os.MkdirAll(filepath.Join(bucket.root, withoutKeyFile), 0o700))

	// Another driver lists the uploads, one on each page.
	other, err := newDriver(bucket.root, Config{NoSync: true})
	require.NoError(t, err)
	t.Cleanup(func() { _ = other.Close() })
	var uploads []string
	r := &driver.ListUploadsRequest{Prefix: "a/", Limit: 1}
	for {
		page, err := other.ListUploads(t.Context(), r)
		require.NoError(t, err)
		for _, entry := range page.Uploads {
			require.False(t, entry.Begun.IsZero())
			uploads = append(uploads, entry.Upload)
		}
		r.Token = page.Token
		if r.Token == "" {
			break
		}
	}
	require.ElementsMatch(t, []string{first, second}, uploads)
}
