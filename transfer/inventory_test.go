package transfer_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/md5"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/wrapped"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/s3"
	"github.com/omnibucket/storage/s3server"
	"github.com/omnibucket/storage/transfer"
)

const manifestKey = "inventory/photos/daily/2026-01-02T00-00Z/manifest.json"

var taken = time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)

// sumOf returns the MD5 checksum of content in hexadecimal form.
func sumOf(content []byte) string {
	sum := md5.Sum(content)
	return hex.EncodeToString(sum[:])
}

// compressed returns content in the gzip format.
func compressed(content []byte) []byte {
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	_, _ = w.Write(content) // never fails
	_ = w.Close()
	return buf.Bytes()
}

// table returns rows as CSV.
func table(rows [][]string) []byte {
	var buf bytes.Buffer
	w := csv.NewWriter(&buf)
	_ = w.WriteAll(rows) // never fails
	return buf.Bytes()
}

// An s3Report is an inventory of S3 that a test can change before it is written.
type s3Report struct {
	schema   string
	rows     [][]string
	files    [][]byte // instead of rows
	manifest map[string]any
	checksum string
}

// write stores the inventory. Its data files are those in r.files. If there are none, it has two
// files with half of the rows each.
func (r *s3Report) write(t *testing.T, dst storage.Uploader) {
	t.Helper()
	if r.files == nil {
		half := len(r.rows) / 2
		r.files = [][]byte{compressed(table(r.rows[:half])), compressed(table(r.rows[half:]))}
	}
	var files []map[string]any
	for i, content := range r.files {
		key := fmt.Sprintf("inventory/photos/daily/data/%d.csv.gz", i)
		put(t, dst, key, string(content))
		files = append(files, map[string]any{"key": key, "size": len(content), "MD5checksum": sumOf(content)})
	}
	manifest := map[string]any{
		"sourceBucket":      "photos",
		"destinationBucket": "arn:aws:s3:::reports",
		"version":           "2016-11-30",
		"creationTimestamp": fmt.Sprint(taken.UnixMilli()),
		"fileFormat":        "CSV",
		"fileSchema":        r.schema,
		"files":             files,
	}
	for name, value := range r.manifest {
		manifest[name] = value
	}
	text, err := json.Marshal(manifest)
	require.NoError(t, err)
	put(t, dst, manifestKey, string(text))
	if r.checksum == "" {
		r.checksum = sumOf(text)
	}
	put(t, dst, strings.TrimSuffix(manifestKey, "json")+"checksum", r.checksum)
}

const schema = "Bucket, Key, Size, LastModifiedDate, ETag, StorageClass"

// newReport returns the inventory of a bucket, in descending order of keys.
func newReport(t *testing.T, bucket storage.Lister) *s3Report {
	t.Helper()
	r := &s3Report{schema: schema}
	for e, err := range bucket.List(t.Context()) {
		require.NoError(t, err)
		r.rows = append(r.rows, []string{
			"photos",
			url.QueryEscape(e.Key),
			fmt.Sprint(e.Size),
			e.Modified.Format(time.RFC3339Nano),
			strings.Trim(e.ETag, `"`),
			"STANDARD",
		})
	}
	slices.Reverse(r.rows)
	return r
}

// newVersionReport returns the inventory of all versions of a bucket, in the reverse order of a
// listing.
func newVersionReport(t *testing.T, bucket storage.Lister) *s3Report {
	t.Helper()
	r := &s3Report{schema: "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag"}
	lastKey := ""
	for v, err := range storage.Versions(t.Context(), bucket) {
		require.NoError(t, err)
		isLatest := v.Key != lastKey
		size := fmt.Sprint(v.Size)
		if v.IsDeleteMarker {
			size = ""
		}
		r.rows = append(r.rows, []string{
			"photos",
			url.QueryEscape(v.Key),
			v.Version,
			fmt.Sprint(isLatest),
			fmt.Sprint(v.IsDeleteMarker),
			size,
			v.Modified.Format(time.RFC3339Nano),
			strings.Trim(v.ETag, `"`),
		})
		lastKey = v.Key
	}
	slices.Reverse(r.rows)
	return r
}

// newInventoriedBucket returns a bucket of S3 with these keys, and the inventory of the bucket. The
// content of each object is its key.
func newInventoriedBucket(t *testing.T, keys ...string) (storage.Bucket, *transfer.Inventory) {
	t.Helper()
	bucket := newServerBucket(t, s3server.Config{}, "aws")
	for _, key := range keys {
		put(t, bucket, key, key)
	}
	reports := memstore.New()
	newReport(t, bucket).write(t, reports)
	return bucket, openInventory(t, bucket, reports)
}

// openInventory opens the inventory of a bucket from the report that describes it.
func openInventory(t *testing.T, bucket storage.Bucket, reports storage.Downloader) *transfer.Inventory {
	t.Helper()
	inventory, err := transfer.OpenInventory(t.Context(), bucket, reports, manifestKey, nil)
	require.NoError(t, err)
	return inventory
}

// collectEntries returns the entries of a listing.
func collectEntries(t *testing.T, list iter.Seq2[storage.ListEntry, error]) []storage.ListEntry {
	t.Helper()
	var all []storage.ListEntry
	for e, err := range list {
		require.NoError(t, err)
		all = append(all, e)
	}
	return all
}

// An inventory lists the same objects as the bucket.
func TestInventoryListsAsTheBucket(t *testing.T) {
	bucket, inventory := newInventoriedBucket(t, "a b+c/ä%.jpg", "z", "2026/1.jpg", "2026/2.jpg", "2025/1.jpg")
	require.Equal(t, taken, inventory.Taken)
	require.Equal(t, "photos", inventory.Bucket)

	tests := []struct {
		name string
		opts []storage.ListOption
	}{
		{name: "all"},
		{name: "a prefix", opts: []storage.ListOption{storage.WithPrefix("2026/")}},
		{
			name: "two objects after a key",
			opts: []storage.ListOption{storage.WithStartAfter("2026/1.jpg"), storage.WithLimit(2)},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := collectEntries(t, bucket.List(t.Context(), tt.opts...))
			require.Equal(t, want, collectEntries(t, inventory.List(t.Context(), tt.opts...)))
		})
	}
}

// An inventory may be that of one prefix of a bucket. It lists the keys below this prefix.
func TestInventoryOfAPartOfABucket(t *testing.T) {
	bucket := newServerBucket(t, s3server.Config{}, "aws")
	put(t, bucket, "2026/1.jpg", "")
	put(t, bucket, "2025/1.jpg", "")
	reports := memstore.New()
	newReport(t, bucket).write(t, reports)
	part := storage.Prefixed(bucket, "2026/")

	inventory := openInventory(t, part, reports)
	want := collectEntries(t, part.List(t.Context()))
	require.Equal(t, want, collectEntries(t, inventory.List(t.Context())))
}

// A keyRefusingCore refuses to store an object under one key.
type keyRefusingCore struct {
	storage.Core
	key string
}

// Upload refuses the key b.key.
func (b keyRefusingCore) Upload(
	ctx context.Context, key string, r io.Reader, o *storage.UploadOptions,
) (*storage.Attrs, error) {
	if key == b.key {
		return nil, storage.PermissionDenied
	}
	return b.Core.Upload(ctx, key, r, o)
}

// CopyFrom refuses the key b.key.
func (b keyRefusingCore) CopyFrom(
	ctx context.Context, key string, src storage.CopySource, o *storage.CopyOptions,
) (*storage.Attrs, error) {
	if key == b.key {
		return nil, storage.PermissionDenied
	}
	return b.Core.CopyFrom(ctx, key, src, o)
}

// With an inventory, Sync copies the objects that the inventory lists. It counts the objects that
// have changed since.
func TestSyncFromAnInventory(t *testing.T) {
	bucket, inventory := newInventoriedBucket(t, "same", "changed", "gone", "new/1", "new/2")

	// The bucket changes after the inventory was taken.
	put(t, bucket, "changed", "Changed")
	require.NoError(t, bucket.Remove(t.Context(), "gone"))
	put(t, bucket, "later", "later")

	dst := memstore.New()
	put(t, dst, "same", "same")
	opts := []transfer.Option{
		transfer.WithInventory(inventory),
		transfer.WithSizeOnly(),
		transfer.WithConcurrency(1),
		transfer.WithJournal(memstore.New(), "journal"),
	}

	// The first job fails for one object, and the second one continues.
	refusing := wrapped.Bucket(t, dst, func(c storage.Core) storage.Core {
		return keyRefusingCore{c, "new/2"}
	})
	_, err := transfer.Sync(t.Context(), transfer.Bucket(refusing), transfer.Bucket(bucket), opts...)
	require.ErrorIs(t, err, storage.PermissionDenied)
	report, err := transfer.Sync(t.Context(), transfer.Bucket(dst), transfer.Bucket(bucket), opts...)
	require.NoError(t, err)

	// With the journal, the report of the second job counts the objects of both.
	require.EqualValues(t, 2, report.Transferred, "new/1 and new/2")
	require.EqualValues(t, 1, report.Skipped, "same")
	require.EqualValues(t, 2, report.Changed, "changed and gone")
	require.Equal(t, taken, report.Inventory)
	require.Contains(t, report.String(), "2 changed since the inventory")
	require.Contains(t, report.String(), "; the inventory was ")
	require.ElementsMatch(t, []string{"same", "new/1", "new/2"}, keysOf(contents(t, dst)))
}

// With an inventory, Compare reads the inventory instead of listing the first bucket.
func TestCompareWithAnInventory(t *testing.T) {
	bucket, inventory := newInventoriedBucket(t, "a", "b", "c")
	second := memstore.New()
	put(t, second, "a", "a")
	put(t, second, "b", "other")
	put(t, second, "d", "")

	comparison, err := transfer.Compare(t.Context(), transfer.Bucket(bucket), transfer.Bucket(second), nil,
		transfer.WithInventory(inventory), transfer.WithSizeOnly())
	require.NoError(t, err)
	require.EqualValues(t, 1, comparison.Same, "a")
	require.EqualValues(t, 1, comparison.Different, "b")
	require.EqualValues(t, 1, comparison.OnlyFirst, "c")
	require.EqualValues(t, 1, comparison.OnlySecond, "d")
}

// If an object has changed since its inventory was made, Remove by that inventory keeps it.
func TestRemoveByInventoryKeepsChanges(t *testing.T) {
	tests := []struct {
		name    string
		profile string // of the server; "ceph" has no conditional removal, so the job reads attributes before
		job     func(ctx context.Context, bucket storage.Bucket, opts ...transfer.Option) (*transfer.Report, error)
	}{
		{
			name:    "remove",
			profile: "aws",
			job: func(ctx context.Context, bucket storage.Bucket, opts ...transfer.Option) (*transfer.Report, error) {
				return transfer.Remove(ctx, bucket, append(opts, transfer.WithPrefix("old/"))...)
			},
		},
		{
			name:    "remove without conditions",
			profile: "ceph",
			job: func(ctx context.Context, bucket storage.Bucket, opts ...transfer.Option) (*transfer.Report, error) {
				return transfer.Remove(ctx, bucket, append(opts, transfer.WithPrefix("old/"))...)
			},
		},
		{
			name:    "expire",
			profile: "aws",
			job: func(ctx context.Context, bucket storage.Bucket, opts ...transfer.Option) (*transfer.Report, error) {
				opt := transfer.WithNow(func() time.Time { return time.Now().Add(2 * day) })
				return transfer.Expire(ctx, bucket, []transfer.ExpireRule{{Prefix: "old/", Age: day}},
					append(opts, opt)...)
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var clockOffset atomic.Int64 // of the server, in nanoseconds
			bucket := newServerBucket(t, s3server.Config{Now: func() time.Time {
				return time.Now().Add(time.Duration(clockOffset.Load()))
			}}, tt.profile)
			for _, key := range []string{"old/1", "old/2", "old/again", "old/changed", "old/gone", "new"} {
				put(t, bucket, key, key)
			}
			reports := memstore.New()
			newReport(t, bucket).write(t, reports)
			inventory := openInventory(t, bucket, reports)

			// A minute after the inventory was taken, two objects are written again. One of them
			// keeps its bytes and its revision. Another object is removed, and a new one appears.
			clockOffset.Store(int64(time.Minute))
			put(t, bucket, "old/changed", "old/Changed")
			put(t, bucket, "old/again", "old/again")
			require.NoError(t, bucket.Remove(t.Context(), "old/gone"))
			put(t, bucket, "old/later", "")

			// A dry run counts the five objects below old/ that the inventory lists.
			report, err := tt.job(t.Context(), bucket, transfer.WithInventory(inventory), transfer.WithDryRun())
			require.NoError(t, err)
			require.EqualValues(t, 5, report.Deleted)

			// The job keeps the two objects that were written again.
			report, err = tt.job(t.Context(), bucket, transfer.WithInventory(inventory))
			require.NoError(t, err)
			require.EqualValues(t, 3, report.Deleted, "old/1, old/2, and old/gone, which counts as removed")
			require.EqualValues(t, 2, report.Changed)
			require.ElementsMatch(t, []string{"old/again", "old/changed", "old/later", "new"},
				keysOf(contents(t, bucket)))
		})
	}
}

// Remove without an inventory lists the bucket, and removes the selected objects.
func TestRemoveWithoutInventory(t *testing.T) {
	b := newFilledBucket(t, []string{"a.tmp", "b", "c/d.tmp"})

	report, err := transfer.Remove(t.Context(), b, transfer.WithInclude("*.tmp"))
	require.NoError(t, err)
	require.EqualValues(t, 2, report.Deleted)
	require.Zero(t, report.Inventory)
	require.ElementsMatch(t, []string{"b"}, keysOf(contents(t, b)))
}

// newUnversionedBucket returns a bucket of S3 that keeps no versions yet, and its account.
func newUnversionedBucket(t *testing.T, config s3server.Config) (storage.Service, storage.Bucket) {
	t.Helper()
	server, err := s3server.Start(config)
	require.NoError(t, err)
	t.Cleanup(server.Close)
	p, _ := s3.NamedProfile("aws")
	c := s3.Config{
		Endpoint:    server.URL,
		Profile:     &p,
		PathStyle:   new(true),
		Region:      s3server.DefaultRegion,
		AccessKeyID: s3server.DefaultAccessKeyID,
		SecretKey:   s3server.DefaultSecretKey,
	}
	account, err := s3.NewService(t.Context(), c)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, account.Close()) })
	_, err = account.CreateBucket(t.Context(), "photos")
	require.NoError(t, err)
	c.Bucket = "photos"
	bucket, err := s3.Open(t.Context(), c, storage.WithVersioning(true))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, storage.Close(bucket)) })
	return account, bucket
}

// newVersionedInventory returns a bucket with three versions each of "a" and "b". The object "b" is
// removed after that. It also returns the inventory of all versions.
func newVersionedInventory(t *testing.T) (storage.Bucket, *transfer.Inventory) {
	t.Helper()
	account, bucket := newUnversionedBucket(t, s3server.Config{})
	_, err := account.UpdateBucket(t.Context(), "photos", storage.WithVersioning(true))
	require.NoError(t, err)
	for _, content := range []string{"1", "2", "3"} {
		put(t, bucket, "a", content)
		put(t, bucket, "b", content)
	}
	require.NoError(t, bucket.Remove(t.Context(), "b"))

	reports := memstore.New()
	newVersionReport(t, bucket).write(t, reports)
	return bucket, openInventory(t, bucket, reports)
}

// Expire removes the old versions that an inventory lists. It keeps those that have become current
// since.
func TestExpireByInventory(t *testing.T) {
	bucket, inventory := newVersionedInventory(t)
	require.Equal(t, collectEntries(t, bucket.List(t.Context())), collectEntries(t, inventory.List(t.Context())))

	// The object "b" is brought back: its newest version is current again.
	_, err := transfer.Undelete(t.Context(), bucket)
	require.NoError(t, err)

	inTwoDays := transfer.WithNow(func() time.Time { return time.Now().Add(2 * day) })
	report, err := transfer.Expire(t.Context(), bucket, []transfer.ExpireRule{{OldVersionsAge: day}},
		inTwoDays, transfer.WithInventory(inventory))
	require.NoError(t, err)
	require.EqualValues(t, 4, report.Deleted, "the two older versions of each key")
	require.EqualValues(t, 1, report.Changed, "the newest version of b")
	require.Equal(t, map[string]string{"a": "3", "b": "3"}, contents(t, bucket))
}

// Jobs refuse an inventory that does not fit their bucket or their options.
func TestInventoryDoesNotFit(t *testing.T) {
	bucket, inventory := newInventoriedBucket(t, "a")
	otherBucket := memstore.New()
	tests := []struct {
		name string
		run  func() error
	}{
		{
			name: "another source",
			run: func() error {
				_, err := transfer.Sync(t.Context(), transfer.Bucket(memstore.New()), transfer.Bucket(otherBucket),
					transfer.WithInventory(inventory))
				return err
			},
		},
		{
			name: "a directory",
			run: func() error {
				_, err := transfer.Sync(t.Context(), transfer.Bucket(otherBucket), transfer.Dir(t.TempDir()),
					transfer.WithInventory(inventory))
				return err
			},
		},
		{
			name: "a part of its bucket",
			run: func() error {
				_, err := transfer.Remove(t.Context(), storage.Prefixed(bucket, "a/"), transfer.WithInventory(inventory))
				return err
			},
		},
		{
			name: "WithDelete",
			run: func() error {
				_, err := transfer.Sync(t.Context(), transfer.Bucket(otherBucket), transfer.Bucket(bucket),
					transfer.WithInventory(inventory), transfer.WithDelete())
				return err
			},
		},
		{
			name: "no inventory",
			run: func() error {
				_, err := transfer.Remove(t.Context(), bucket, transfer.WithInventory(nil))
				return err
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.ErrorIs(t, tt.run(), storage.InvalidArgument)
			require.Equal(t, map[string]string{"a": "a"}, contents(t, bucket))
		})
	}
}

// openReport returns the error of OpenInventory for a report. It requires that no temporary file is left.
func openReport(t *testing.T, bucket storage.Bucket, report *s3Report) error {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	reports := memstore.New()
	report.write(t, reports)

	_, err := transfer.OpenInventory(t.Context(), bucket, reports, manifestKey, nil)
	requireEmptyDir(t, dir)
	return err
}

// syncFromReport opens the inventory of a report, and requires that this succeeds. It returns the
// error of a job that reads the inventory, and requires that no temporary file is left.
func syncFromReport(t *testing.T, bucket storage.Bucket, report *s3Report) error {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	reports := memstore.New()
	report.write(t, reports)

	inventory := openInventory(t, bucket, reports)
	_, err := transfer.Sync(t.Context(), transfer.Bucket(memstore.New()), transfer.Bucket(bucket),
		transfer.WithInventory(inventory))
	requireEmptyDir(t, dir)
	return err
}

func requireEmptyDir(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)
}

// An inventory is refused if it is damaged, or is not that of the bucket. No temporary file is
// left.
func TestInventoryHostile(t *testing.T) {
	bucket := newServerBucket(t, s3server.Config{}, "aws")
	put(t, bucket, "a", "a")
	put(t, bucket, "b", "b")

	// OpenInventory refuses a manifest in which one field has a wrong value.
	fileWithoutChecksum := []map[string]any{{"key": "x", "size": 5}}
	manifests := []struct {
		name     string
		field    string
		value    any
		wantCode storage.Code
		wantText string // in the error
	}{
		{name: "ORC", field: "fileFormat", value: "ORC", wantCode: storage.Unsupported, wantText: "ORC"},
		{
			name:     "Parquet without its module",
			field:    "fileFormat",
			value:    "Parquet",
			wantCode: storage.Unsupported,
			wantText: "TableReader",
		},
		{
			name:     "another format",
			field:    "fileFormat",
			value:    "XML",
			wantCode: storage.InvalidArgument,
			wantText: `"XML"`,
		},
		{
			name:     "another bucket",
			field:    "sourceBucket",
			value:    "videos",
			wantCode: storage.InvalidArgument,
			wantText: `that of bucket "photos", and is that of "videos"`,
		},
		{
			name:     "no provider's manifest",
			field:    "sourceBucket",
			value:    "",
			wantCode: storage.InvalidArgument,
			wantText: "manifest must be that of S3 Inventory",
		},
		{
			name:     "manifest of another type",
			field:    "files",
			value:    5,
			wantCode: storage.InvalidArgument,
			wantText: "manifest must be JSON",
		},
		{
			name:     "no time",
			field:    "creationTimestamp",
			value:    "",
			wantCode: storage.InvalidArgument,
			wantText: "creationTimestamp",
		},
		{
			name:     "a file without a checksum",
			field:    "files",
			value:    fileWithoutChecksum,
			wantCode: storage.InvalidArgument,
			wantText: "MD5checksum of each file",
		},
	}
	for _, tt := range manifests {
		t.Run(tt.name, func(t *testing.T) {
			report := newReport(t, bucket)
			report.manifest = map[string]any{tt.field: tt.value}

			err := openReport(t, bucket, report)
			require.ErrorIs(t, err, tt.wantCode)
			require.ErrorContains(t, err, tt.wantText)
		})
	}

	t.Run("a changed manifest", func(t *testing.T) {
		report := newReport(t, bucket)
		report.checksum = sumOf(nil) // of other content

		err := openReport(t, bucket, report)
		require.ErrorIs(t, err, storage.ChecksumMismatch)
		require.ErrorContains(t, err, "the manifest does not have its checksum")
	})

	t.Run("no column of sizes", func(t *testing.T) {
		report := newReport(t, bucket)
		report.schema = "Bucket, Key, LastModifiedDate"

		err := openReport(t, bucket, report)
		require.ErrorIs(t, err, storage.InvalidArgument)
		require.ErrorContains(t, err, "column Size")
	})

	// A job refuses data files that do not fit their entries in the manifest.
	const firstFile = "inventory/photos/daily/data/0.csv.gz"

	t.Run("a missing file", func(t *testing.T) {
		report := newReport(t, bucket)
		entry := map[string]any{"key": "x", "size": 5, "MD5checksum": "x"}
		report.manifest = map[string]any{"files": []map[string]any{entry}}

		err := syncFromReport(t, bucket, report)
		require.ErrorIs(t, err, storage.ObjectNotFound)
		require.ErrorContains(t, err, `"x"`)
	})

	t.Run("a truncated file", func(t *testing.T) {
		report := newReport(t, bucket)
		entry := map[string]any{"key": firstFile, "size": 5_000, "MD5checksum": "x"}
		report.manifest = map[string]any{"files": []map[string]any{entry}}

		err := syncFromReport(t, bucket, report)
		require.ErrorIs(t, err, storage.ChecksumMismatch)
		require.ErrorContains(t, err, "and 5000 by the manifest")
	})

	t.Run("a damaged file", func(t *testing.T) {
		report := newReport(t, bucket)
		content := compressed(table(report.rows))
		report.files = [][]byte{content}
		otherChecksum := sumOf(nil)
		entry := map[string]any{"key": firstFile, "size": len(content), "MD5checksum": otherChecksum}
		report.manifest = map[string]any{"files": []map[string]any{entry}}

		err := syncFromReport(t, bucket, report)
		require.ErrorIs(t, err, storage.ChecksumMismatch)
		require.ErrorContains(t, err, "checksum of the manifest")
	})

	// A job refuses data files that are not a complete table, although their checksums are right.
	const fieldBytes = 64 << 20
	contents := []struct {
		name     string
		content  []byte
		wantText string // in the error
	}{
		{
			name:     "gzip that ends early",
			content:  compressed(table(newReport(t, bucket).rows))[:60],
			wantText: "complete table",
		},
		{
			name:     "a row of 64 MiB, which gzip makes small",
			content:  compressed(append([]byte(`"`), bytes.Repeat([]byte("x"), fieldBytes)...)),
			wantText: "a row has more than 256 KiB",
		},
		{
			name:     "a quotation mark that is not closed",
			content:  compressed([]byte(`"photos,a`)),
			wantText: "complete table",
		},
	}
	for _, tt := range contents {
		t.Run(tt.name, func(t *testing.T) {
			report := newReport(t, bucket)
			report.files = [][]byte{tt.content}

			err := syncFromReport(t, bucket, report)
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.ErrorContains(t, err, tt.wantText)
		})
	}

	// A job refuses a row in which one column has an invalid value.
	const bucketColumn, keyColumn, sizeColumn, timeColumn = 0, 1, 2, 3
	rows := []struct {
		name     string
		column   int
		value    string
		wantText string // in the error
	}{
		{
			name:     "a row of another bucket",
			column:   bucketColumn,
			value:    "videos",
			wantText: `must be of bucket "photos", and is of "videos"`,
		},
		{name: "a negative size", column: sizeColumn, value: "-1", wantText: "must have a size"},
		{name: "a word in place of a time", column: timeColumn, value: "yesterday", wantText: "must have a time"},
		{name: "a key that is not encoded", column: keyColumn, value: "%zz", wantText: "URL-encoded key"},
		{name: "no key", column: keyColumn, value: "", wantText: "must have a key"},
	}
	for _, tt := range rows {
		t.Run(tt.name, func(t *testing.T) {
			report := newReport(t, bucket)
			report.rows[1][tt.column] = tt.value

			err := syncFromReport(t, bucket, report)
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.ErrorContains(t, err, tt.wantText)
		})
	}

	t.Run("a row with too few columns", func(t *testing.T) {
		report := newReport(t, bucket)
		report.rows[1] = report.rows[1][:3]

		err := syncFromReport(t, bucket, report)
		require.ErrorIs(t, err, storage.InvalidArgument)
		require.ErrorContains(t, err, "wrong number of fields")
	})
}

// A metered driver counts the bytes that were read.
type meteredDriver struct {
	driver.Driver
	read int
}

func (m *meteredDriver) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	attrs, body, err := m.Driver.Get(ctx, r)
	return attrs, meteredBody{body, m}, err
}

type meteredBody struct {
	io.ReadCloser
	dst *meteredDriver
}

func (b meteredBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.dst.read += n
	return n, err
}

// A busyStore returns the manifest of an inventory. When the data files are read, it fails with a
// temporary error.
type busyStore struct{ driver.Driver }

// Get reads an object. If the object is a data file of the inventory, its body fails with a
// temporary error.
func (d busyStore) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	attrs, body, err := d.Driver.Get(ctx, r)
	if err != nil || !strings.HasSuffix(r.Key, ".gz") {
		return attrs, body, err
	}
	busy := &storage.Error{
		Code:      storage.Unavailable,
		Retryable: true,
		Status:    503,
		Hint:      "wait",
	}
	return attrs, io.NopCloser(iotest.ErrReader(busy)), nil
}

// A job returns the error of the inventory's store if it cannot read the inventory.
func TestInventoryReadFails(t *testing.T) {
	// When the job reads a data file of the inventory, the store of the inventory is busy. The
	// error has the hint "wait".
	bucket := newServerBucket(t, s3server.Config{}, "aws")
	busy := busyStore{memstore.NewDriver(memstore.Config{})}
	reports := engine.New(busy, storage.WithRetry(storage.RetryPolicy{Attempts: 1}))
	report := &s3Report{schema: schema, files: [][]byte{[]byte("photos,a")}}
	report.write(t, reports)
	inventory := openInventory(t, bucket, reports)

	_, err := transfer.Remove(t.Context(), bucket, transfer.WithInventory(inventory))
	require.ErrorIs(t, err, storage.Unavailable)
	require.True(t, storage.IsTemporary(err))
	storageErr, ok := errors.AsType[*storage.Error](err)
	require.True(t, ok)
	require.Equal(t, "OpenInventory", storageErr.Op)
	require.Equal(t, "wait", storageErr.Hint)
}

// The manifest of an inventory lists its files and their sizes. If a file is larger than that, a
// job stops reading it. Otherwise, the file could fill the disk.
func TestInventoryFileTooLarge(t *testing.T) {
	const (
		fileBytes = 8 << 20
		maxRead   = 2 << 20
	)
	bucket := newServerBucket(t, s3server.Config{}, "aws")
	disk := &meteredDriver{Driver: memstore.NewDriver(memstore.Config{})}
	reports := engine.New(disk)

	// The manifest says that the file has 5 bytes.
	manifestFile := map[string]any{
		"key":         "inventory/photos/daily/data/0.csv.gz",
		"size":        5,
		"MD5checksum": "x",
	}
	r := &s3Report{
		schema:   schema,
		files:    [][]byte{make([]byte, fileBytes)},
		manifest: map[string]any{"files": []map[string]any{manifestFile}},
	}
	r.write(t, reports)
	inventory := openInventory(t, bucket, reports)

	_, err := transfer.Remove(t.Context(), bucket, transfer.WithInventory(inventory))
	require.ErrorIs(t, err, storage.ChecksumMismatch)
	require.Less(t, disk.read, maxRead)
}

// OpenInventory refuses an inventory that belongs to another bucket. It also refuses a bucket if it
// cannot find out whether the inventory belongs to that bucket.
func TestInventoryOfAnotherProvider(t *testing.T) {
	reports := memstore.New()
	(&s3Report{schema: schema}).write(t, reports)

	t.Run("a bucket of another provider", func(t *testing.T) {
		b := newBucketOfProvider("gcs")
		_, err := transfer.OpenInventory(t.Context(), b, reports, manifestKey, nil)
		require.ErrorContains(t, err, "must be that of a bucket of gcs, and is that of one of s3")
	})

	t.Run("a type from outside this library", func(t *testing.T) {
		b := struct{ storage.Bucket }{newBucketOfProvider("s3")}
		_, err := transfer.OpenInventory(t.Context(), b, reports, manifestKey, nil)
		require.ErrorIs(t, err, storage.Unsupported)
	})

	t.Run("a bucket of unknown place", func(t *testing.T) {
		b := wrapped.Unknown(t, newBucketOfProvider("s3"))
		_, err := transfer.OpenInventory(t.Context(), b, reports, manifestKey, nil)
		require.ErrorIs(t, err, storage.InvalidArgument)
	})
}

// An inventory without a manifest or without a checksum is incomplete. OpenInventory fails with
// ObjectNotFound for it.
func TestInventoryWithoutChecksum(t *testing.T) {
	bucket := newServerBucket(t, s3server.Config{}, "aws")

	t.Run("no checksum", func(t *testing.T) {
		reports := memstore.New()
		newReport(t, bucket).write(t, reports)
		checksumKey := strings.TrimSuffix(manifestKey, "json") + "checksum"
		require.NoError(t, reports.Remove(t.Context(), checksumKey))

		_, err := transfer.OpenInventory(t.Context(), bucket, reports, manifestKey, nil)
		require.ErrorIs(t, err, storage.ObjectNotFound)
	})

	t.Run("no manifest", func(t *testing.T) {
		_, err := transfer.OpenInventory(t.Context(), bucket, memstore.New(), manifestKey, nil)
		require.ErrorIs(t, err, storage.ObjectNotFound)
	})
}

// A renamedDriver is a driver in memory that claims to be that of another provider.
type renamedDriver struct {
	driver.Driver
	provider string
}

// Describe returns the description of the provider's bucket "photos". For Azure, this bucket is in
// the account "acme".
func (c renamedDriver) Describe() driver.Description {
	d := c.Driver.Describe()
	d.Provider = c.provider
	d.Bucket = "photos"
	d.TaggedRevisions = false
	d.Location = "https://acme.blob.core.windows.net"
	return d
}

// newBucketOfProvider returns a bucket in memory that claims to be the bucket "photos" of a provider.
func newBucketOfProvider(provider string) storage.Bucket {
	return memstore.New(driver.WithLayer(func(d driver.Driver) driver.Driver { return renamedDriver{d, provider} }))
}

const googleManifestKey = "projects/reports/4bd1_2026-01-02T00:00_manifest.json"

// A googleReport is an inventory of Google with one data file.
type googleReport struct {
	csvOptions string // JSON
	records    int    // the number of rows, without the header, that the manifest states
	rows       [][]string
}

// newBucket returns a bucket with the data file and the manifest of the report.
func (r googleReport) newBucket(t *testing.T) storage.Bucket {
	t.Helper()
	reports := memstore.New()
	put(t, reports, "projects/reports/4bd1_2026-01-02T00:00_0.csv", string(table(r.rows)))
	put(t, reports, googleManifestKey, fmt.Sprintf(`{
		"report_config": {
			"csv_options": %s,
			"object_metadata_report_options": {
				"metadata_fields": ["bucket","name","size","timeCreated","generation","timeDeleted"],
				"storage_filters": {"bucket": "photos"}
			}
		},
		"records_processed": %d,
		"snapshot_time": "2026-01-02T00:00:00Z",
		"shard_count": 1,
		"report_shards_file_names": ["4bd1_2026-01-02T00:00_0.csv"]
	}`, r.csvOptions, r.records))
	return reports
}

// googleRows returns the rows of the report of a bucket, with a header. The last row is for a
// removed object.
func googleRows(t *testing.T, bucket storage.Bucket) [][]string {
	t.Helper()
	rows := [][]string{{"bucket", "name", "size", "timeCreated", "generation", "timeDeleted"}}
	for _, e := range collectEntries(t, bucket.List(t.Context())) {
		_, generation, _ := strings.Cut(e.Revision, ":")
		rows = append(rows, []string{
			"photos",
			e.Key,
			fmt.Sprint(e.Size),
			e.Modified.UTC().Format(time.RFC3339Nano),
			generation,
			"",
		})
	}
	return append(rows, []string{"photos", "old", "1", "2026-01-01T00:00:00Z", "1", "2026-01-02T00:00:00Z"})
}

// OpenInventory reads the reports of Google. The revisions are the generations in these reports.
func TestInventoryOfGoogle(t *testing.T) {
	keys := []string{"a,\"b\"", "c", "d+e"}
	bucket := newBucketOfProvider("gcs")
	for _, key := range keys {
		put(t, bucket, key, key)
	}
	rows := googleRows(t, bucket)
	records := len(keys) + 1 // with the removed object

	formats := []struct {
		name   string
		report googleReport
	}{
		{
			name: "with a header",
			report: googleReport{
				csvOptions: `{"delimiter": ",", "header_required": true}`,
				records:    records,
				rows:       rows,
			},
		},
		{
			name: "without a header",
			report: googleReport{
				csvOptions: `{"delimiter": ",", "header_required": false}`,
				records:    records,
				rows:       rows[1:],
			},
		},
	}
	for _, tt := range formats {
		t.Run(tt.name, func(t *testing.T) {
			inventory, err := transfer.OpenInventory(t.Context(), bucket, tt.report.newBucket(t), googleManifestKey, nil)
			require.NoError(t, err)
			require.Equal(t, taken, inventory.Taken)

			var gotKeys, gotRevisions []string
			for _, e := range collectEntries(t, inventory.List(t.Context())) {
				gotKeys = append(gotKeys, e.Key)
				gotRevisions = append(gotRevisions, e.Revision)
			}
			require.Equal(t, keys, gotKeys)
			for i, e := range collectEntries(t, bucket.List(t.Context())) {
				require.Equal(t, e.Revision, gotRevisions[i])
			}
		})
	}

	t.Run("rows are missing", func(t *testing.T) {
		reports := googleReport{csvOptions: `{}`, records: records + 1, rows: rows}.newBucket(t)
		inventory, err := transfer.OpenInventory(t.Context(), bucket, reports, googleManifestKey, nil)
		require.NoError(t, err)

		_, err = transfer.Sync(t.Context(), transfer.Bucket(memstore.New()), transfer.Bucket(bucket),
			transfer.WithInventory(inventory))
		require.ErrorIs(t, err, storage.ChecksumMismatch)
	})

	t.Run("jobs use the generation", func(t *testing.T) {
		reports := googleReport{csvOptions: `{}`, records: records, rows: rows}.newBucket(t)
		inventory, err := transfer.OpenInventory(t.Context(), bucket, reports, googleManifestKey, nil)
		require.NoError(t, err)
		put(t, bucket, "c", "C")

		report, err := transfer.Remove(t.Context(), bucket, transfer.WithInventory(inventory))
		require.NoError(t, err)
		require.EqualValues(t, 2, report.Deleted)
		require.EqualValues(t, 1, report.Changed, "c was written after the inventory")
		require.Equal(t, map[string]string{"c": "C"}, contents(t, bucket))
	})
}

const azureManifestKey = "2026/01/02/00-00-00/rule/rule-manifest.json"

// An azureReport is an inventory of Azure with one data file.
type azureReport struct {
	status     string
	objectType string
	endpoint   string
	content    []byte // of the data file
}

// newBucket returns a bucket with the data file, the manifest and the checksum of the report.
func (r azureReport) newBucket(t *testing.T) storage.Bucket {
	t.Helper()
	const dataKey = "2026/01/02/00-00-00/rule/rule_0.csv"
	manifest := fmt.Appendf(nil, `{
		"destinationContainer": "reports",
		"endpoint": %q,
		"files": [{"blob": %q, "size": %d}],
		"inventoryCompletionTime": "2026-01-02T00:10:00Z",
		"inventoryStartTime": "2026-01-02T00:00:00Z",
		"ruleDefinition": {"format": "csv", "objectType": %q, "schemaFields": ["Name"]},
		"ruleName": "rule",
		"status": %q,
		"version": "1.0"
	}`, r.endpoint, dataKey, len(r.content), r.objectType, r.status)

	reports := memstore.New()
	put(t, reports, dataKey, string(r.content))
	put(t, reports, azureManifestKey, string(manifest))
	put(t, reports, strings.TrimSuffix(azureManifestKey, "json")+"checksum", sumOf(manifest))
	return reports
}

// OpenInventory reads the reports of Azure, and leaves out folders, snapshots, removed blobs and other containers.
func TestInventoryOfAzure(t *testing.T) {
	bucket := newBucketOfProvider("azure")
	content := table([][]string{
		{"Name", "Creation-Time", "Content-Length", "Last-Modified", "Etag", "Snapshot", "Deleted", "hdi_isfolder"},
		{"photos/b", "", "2", "2026-01-01T00:00:00.0000000Z", "0x8D1", "", "false", ""},
		{"photos/a/c", "", "1", "2026-01-01T00:00:00Z", `"0x8D2"`, "", "", "false"},
		{"photos/a/c", "", "1", "2026-01-01T00:00:00Z", `"0x8D2"`, "", "", "false"},
		{"photos/a\r\nb\rc\nd", "", "4", "2026-01-01T00:00:00Z", "0x8D7", "", "", ""},
		{"photos/a", "", "0", "2026-01-01T00:00:00Z", "0x8D3", "", "", "true"},
		{"photos/s", "", "1", "2026-01-01T00:00:00Z", "0x8D4", "2026-01-01T00:00:00Z", "", ""},
		{"photos/d", "", "1", "2026-01-01T00:00:00Z", "0x8D5", "", "true", ""},
		{"videos/x", "", "1", "2026-01-01T00:00:00Z", "0x8D6", "", "", ""},
	})
	// A line may end with a carriage return, too.
	content = append(content, "\"photos/z\",,3,2026-01-01T00:00:00Z,0x8D8,,,\r\n"...)
	complete := azureReport{
		status:     "Succeeded",
		objectType: "blob",
		endpoint:   "https://acme.blob.core.windows.net/",
		content:    content,
	}

	t.Run("lists the blobs of the container", func(t *testing.T) {
		inventory, err := transfer.OpenInventory(t.Context(), bucket, complete.newBucket(t), azureManifestKey, nil)
		require.NoError(t, err)
		require.Equal(t, taken, inventory.Taken)

		modified := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		require.Equal(t, []storage.ListEntry{
			{Key: "a\r\nb\rc\nd", Size: 4, ETag: `"0x8D7"`, Revision: `azure:"0x8D7"`, Modified: modified},
			{Key: "a/c", Size: 1, ETag: `"0x8D2"`, Revision: `azure:"0x8D2"`, Modified: modified},
			{Key: "b", Size: 2, ETag: `"0x8D1"`, Revision: `azure:"0x8D1"`, Modified: modified},
			{Key: "z", Size: 3, ETag: `"0x8D8"`, Revision: `azure:"0x8D8"`, Modified: modified},
		}, collectEntries(t, inventory.List(t.Context())))
	})

	t.Run("refuses a report that is not complete", func(t *testing.T) {
		report := complete
		report.status = "Pending"
		_, err := transfer.OpenInventory(t.Context(), bucket, report.newBucket(t), azureManifestKey, nil)
		require.ErrorContains(t, err, `"Pending"`)
	})

	t.Run("refuses a report of containers", func(t *testing.T) {
		report := complete
		report.objectType = "container"
		_, err := transfer.OpenInventory(t.Context(), bucket, report.newBucket(t), azureManifestKey, nil)
		require.ErrorContains(t, err, "must be that of blobs")
	})

	// The report may name another endpoint of the same account, or a domain that the user has
	// chosen for it.
	for _, endpoint := range []string{
		"https://acme-secondary.blob.core.windows.net",
		"https://acme.z13.blob.storage.azure.net",
		"https://blobs.example.com",
	} {
		t.Run("takes the endpoint "+endpoint, func(t *testing.T) {
			report := complete
			report.endpoint = endpoint
			_, err := transfer.OpenInventory(t.Context(), bucket, report.newBucket(t), azureManifestKey, nil)
			require.NoError(t, err)
		})
	}

	t.Run("refuses the endpoint of another account", func(t *testing.T) {
		report := complete
		report.endpoint = "https://other.blob.core.windows.net"
		_, err := transfer.OpenInventory(t.Context(), bucket, report.newBucket(t), azureManifestKey, nil)
		require.ErrorIs(t, err, storage.InvalidArgument)
		require.ErrorContains(t, err, `must be that of account "acme", and is that of "other"`)
	})
}

// writeParquetReport writes an inventory of the bucket into the bucket reports. The inventory has
// one Parquet file with the content "columns".
func writeParquetReport(t *testing.T, bucket storage.Lister, reports storage.Bucket) {
	t.Helper()
	report := newReport(t, bucket)
	report.files = [][]byte{[]byte("columns")}
	report.manifest = map[string]any{"fileFormat": "Parquet", "fileSchema": "message s3.inventory {}"}
	report.write(t, reports)
}

// If the files of an inventory are not CSV, a table reader reads them. This is a function that the
// caller supplies.
func TestTableReaderReadsOtherFormats(t *testing.T) {
	bucket := newServerBucket(t, s3server.Config{}, "aws")
	put(t, bucket, "a+b", "a")
	reports := memstore.New()
	writeParquetReport(t, bucket, reports)

	// The file of this inventory is no real table: its content is the word "columns". The reader returns one row.
	reader := func(_ context.Context, file io.ReaderAt, size int64, columns []string) iter.Seq2[[]string, error] {
		content, err := io.ReadAll(io.NewSectionReader(file, 0, size))
		require.NoError(t, err)
		require.Equal(t, "columns", string(content))
		require.Equal(t, []string{"Bucket", "Key", "Size", "LastModifiedDate", "ETag"}, columns[:5])
		return func(yield func([]string, error) bool) {
			row := make([]string, len(columns))
			copy(row, []string{"photos", "a+b", "1", "2026-01-01T00:00:00Z", "x"})
			yield(row, nil)
		}
	}

	inventory, err := transfer.OpenInventory(t.Context(), bucket, reports, manifestKey, reader)
	require.NoError(t, err)
	entries := collectEntries(t, inventory.List(t.Context()))
	require.Equal(t, "a+b", entries[0].Key, "only CSV has encoded keys")
}

// A job fails if a table reader yields too few values.
func TestTableReaderYieldsTooFewValues(t *testing.T) {
	bucket := newServerBucket(t, s3server.Config{}, "aws")
	put(t, bucket, "a+b", "a")
	reports := memstore.New()
	writeParquetReport(t, bucket, reports)

	// A row of the inventory has more columns than the two that the reader yields.
	reader := func(context.Context, io.ReaderAt, int64, []string) iter.Seq2[[]string, error] {
		return func(yield func([]string, error) bool) {
			yield([]string{"photos", "a+b"}, nil)
		}
	}
	inventory, err := transfer.OpenInventory(t.Context(), bucket, reports, manifestKey, reader)
	require.NoError(t, err)

	_, err = transfer.Remove(t.Context(), bucket, transfer.WithInventory(inventory))
	require.ErrorIs(t, err, storage.InvalidArgument)
	require.ErrorContains(t, err, "TableReader must yield a value for each column")
}
