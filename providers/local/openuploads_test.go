package local

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
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

// The time that is stored with a part's checksum comes from the driver's clock.
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

	info, err := os.Stat(filepath.Join(bucket.root, uploadPath(upload), sumName(1)))
	require.NoError(t, err)
	require.True(t, info.ModTime().Equal(now), info.ModTime())
}

// ListParts returns each part with its checksum. If the checksum of a part is not stored, ListParts reads the part.
func TestListPartsChecksums(t *testing.T) {
	for _, disk := range disks {
		t.Run(disk.name, func(t *testing.T) {
			bucket := newTestBucket(t, disk.tweaks...)
			upload := bucket.begin(&driver.PutRequest{Key: "k", Size: -1, AnyOrder: true})
			dir := filepath.Join(bucket.root, uploadPath(upload))
			var want []driver.Part
			send := func(number int, text string) {
				want = append(want, bucket.partWithSum(upload, number, text))
			}
			send(9, "nine")
			send(1, "one")
			send(10, "ten")

			// Parts that replace others have files of their own.
			for _, number := range []int{2, 3, 4} {
				bucket.partWithSum(upload, number, "replaced")
			}
			send(2, "two")
			send(3, "three")
			send(4, "four")

			slices.SortFunc(want, func(a, b driver.Part) int { return cmp.Compare(a.Number, b.Number) })
			require.Equal(t, want, bucket.listParts(upload, 0, 100).Parts)

			page := bucket.listParts(upload, 1, 4)
			require.True(t, page.More)
			require.Equal(t, want[1:5], page.Parts)
			require.False(t, bucket.listParts(upload, 9, 1).More)

			// A part is read if the file with its checksum is missing, damaged or that of another part.
			write := func(name, content string) {
				t.Helper()
				require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
			}
			require.NoError(t, os.Remove(filepath.Join(dir, sumName(2))))
			write(sumName(3), "other 00000000\n")
			write(sumName(4), "\x00")
			write("part-007", "no part")
			if _, isShared := bucketstore.SlotOf(want[0]); isShared {
				write(placedName(1), want[0].Tag+" \n")
				write(placedName(5), "\x00")
				write(placedName(6), want[0].Tag+" \n")
			}
			require.Equal(t, want, bucket.listParts(upload, 0, 100).Parts)
		})
	}
}

// RemoveUpload removes the key file, which ends the upload, before the parts, and removes nothing if that fails.
func TestAbortPartsEndsUploadFirst(t *testing.T) {
	bucket := newTestBucket(t)
	upload := bucket.begin(&driver.PutRequest{Key: "k", Size: -1, AnyOrder: true})
	bucket.partWithSum(upload, 1, "one")

	// In place of the key file, there is a directory that cannot be removed.
	keyPath := filepath.Join(bucket.uploadDir(upload), uploadKeyName)
	require.NoError(t, os.Remove(keyPath))
	require.NoError(t, os.MkdirAll(filepath.Join(keyPath, "full"), 0o700))
	entriesBefore, err := os.ReadDir(bucket.uploadDir(upload))
	require.NoError(t, err)

	store, err := bucket.driver.acquire(t.Context())
	require.NoError(t, err)
	defer bucket.driver.release(store)
	require.Error(t, store.Uploads.RemoveUpload(t.Context(), upload))
	entriesAfter, err := os.ReadDir(bucket.uploadDir(upload))
	require.NoError(t, err)
	require.Len(t, entriesAfter, len(entriesBefore))
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
