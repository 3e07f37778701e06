package gcs_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	sdk "cloud.google.com/go/storage"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/foldermarker"
	"github.com/omnibucket/storage/internal/testing/wiretest"
	"github.com/omnibucket/storage/providers/gcs"
)

const (
	reserved = ".omnibucket./" // the prefix of the driver's own objects
	anyAge   = -time.Hour      // an age for SweepParts that each part exceeds
)

// newCompositeBucket opens a bucket of the rule server with parallel composite uploads.
func newCompositeBucket(t *testing.T, opts ...storage.OpenOption) (*ruleServer, storage.Bucket) {
	t.Helper()
	server := startRuleServer(t)
	bucket, err := gcs.Open(t.Context(), gcs.Config{
		Bucket:            server.bucket(ruleBucket{}),
		Endpoint:          server.URL,
		ParallelComposite: true,
	}, opts...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, storage.Close(bucket)) })
	return server, bucket
}

// CompleteParts joins the parts of an upload by compose requests. A request has at most 32 sources, so more parts are
// first joined to intermediate objects.
func TestCompletePartsComposes32AtATime(t *testing.T) {
	tests := []struct {
		parts        int
		wantComposes int
	}{
		{parts: 2, wantComposes: 1},
		{parts: 32, wantComposes: 1},
		{parts: 33, wantComposes: 2 + 1}, // intermediate objects of 32 and 1 parts, and the result
		{parts: 70, wantComposes: 3 + 1}, // intermediate objects of 32, 32 and 6 parts, and the result
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%d parts", tt.parts), func(t *testing.T) {
			server, bucket := newCompositeBucket(t)
			const partSize = 256 << 10
			want := wiretest.Content(tt.parts*partSize-7, 3) // the last part is shorter

			uploaded, err := bucket.Upload(t.Context(), "a", bytes.NewReader(want),
				storage.WithPartSize(partSize),
				storage.WithMetadata(map[string]string{"k": "v"}),
				storage.WithStorageClass("NEARLINE"),
				storage.IfAbsent())
			require.NoError(t, err)

			got, attrs, err := storage.ReadAll(t.Context(), bucket, "a")
			require.NoError(t, err)
			require.True(t, bytes.Equal(want, got))
			require.Equal(t, uploaded.Revision, attrs.Revision)
			require.Equal(t, map[string]string{"k": "v"}, attrs.Metadata)
			require.Equal(t, "NEARLINE", attrs.StorageClass)
			require.Empty(t, attrs.MD5, "composed objects have none")
			require.Equal(t, uploaded.ETag, attrs.ETag)
			require.Equal(t, []string{"a"}, server.names(bucketOf(server)), "the components are gone")

			composes := 0
			for _, line := range server.requests() {
				if strings.HasSuffix(line, "/compose") {
					composes++
				}
			}
			require.Equal(t, tt.wantComposes, composes)
		})
	}
}

// Compose joins more than 32 sources by intermediate objects, which it removes. Google's limit is
// 32 sources.
func TestComposeOfMoreThan32Sources(t *testing.T) {
	const sources = 40
	server, bucket := newCompositeBucket(t)
	var keys []string
	var want []byte
	for i := range sources {
		key := fmt.Sprintf("source-%02d", i)
		data := wiretest.Content(100+i, byte(i))
		_, err := bucket.Upload(t.Context(), key, bytes.NewReader(data))
		require.NoError(t, err)
		keys = append(keys, key)
		want = append(want, data...)
	}

	_, err := storage.Compose(t.Context(), bucket, "all", keys, storage.WithContentType("text/plain"))
	require.NoError(t, err)

	got, attrs, err := storage.ReadAll(t.Context(), bucket, "all")
	require.NoError(t, err)
	require.True(t, bytes.Equal(want, got))
	require.Equal(t, "text/plain", attrs.ContentType)
	require.Len(t, server.names(bucketOf(server)), sources+1, "the intermediate objects are removed")
}

// beginUpload begins an upload, and stores some of its parts. The upload then goes no further, as
// if its process had died.
func beginUpload(t *testing.T, s *ruleServer) (d driver.Driver, upload string) {
	t.Helper()
	d, err := gcs.NewDriver(t.Context(), gcs.Config{
		Bucket:            bucketOf(s),
		Endpoint:          s.URL,
		ParallelComposite: true,
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	upload, err = d.BeginParts(t.Context(), &driver.PutRequest{Key: "a", Size: -1})
	require.NoError(t, err)
	for number := 1; number <= 3; number++ {
		_, err = d.PutPart(t.Context(), &driver.PartRequest{
			Key:    "a",
			Upload: upload,
			Number: number,
			Body:   strings.NewReader("part"),
			Size:   4,
		})
		require.NoError(t, err)
	}
	return d, upload
}

// List hides the parts of an upload, whatever the options of List are. The parts are objects with
// reserved keys.
func TestListHidesParts(t *testing.T) {
	server, bucket := newCompositeBucket(t, storage.WithVersioning(true))
	_, err := bucket.Upload(t.Context(), "z", strings.NewReader("z"))
	require.NoError(t, err)

	// An upload has stored parts, and has not ended.
	_, _ = beginUpload(t, server)
	require.True(t, slices.ContainsFunc(server.names(bucketOf(server)), func(name string) bool {
		return strings.HasPrefix(name, reserved)
	}))

	tests := []struct {
		name string
		opts []storage.ListOption
	}{
		{name: "flat", opts: nil},
		{name: "with a delimiter", opts: []storage.ListOption{storage.WithDelimiter("/")}},
		{name: "in pages of one", opts: []storage.ListOption{storage.WithPageSize(1)}},
		{name: "with a delimiter in their names", opts: []storage.ListOption{storage.WithDelimiter("k")}},
		{name: "with their first character", opts: []storage.ListOption{storage.WithDelimiter(".")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, []string{"z"}, foldermarker.Keys(t, bucket, tt.opts...))
		})
	}
}

// Parts of an upload are hidden from listings of versions.
func TestListVersionsHidesParts(t *testing.T) {
	server, bucket := newCompositeBucket(t, storage.WithVersioning(true))
	_, err := bucket.Upload(t.Context(), "z", strings.NewReader("z"))
	require.NoError(t, err)
	_, _ = beginUpload(t, server)

	var versions []string
	for entry, err := range storage.Versions(t.Context(), bucket) {
		require.NoError(t, err)
		versions = append(versions, entry.Key)
	}
	require.Equal(t, []string{"z"}, versions)
}

// Hidden parts cost a listing no further request, because nothing else is below .omnibucket./.
func TestListHidesPartsInOneRequest(t *testing.T) {
	server, bucket := newCompositeBucket(t)
	_, err := bucket.Upload(t.Context(), "z", strings.NewReader("z"))
	require.NoError(t, err)
	_, _ = beginUpload(t, server)
	server.requests() // forgets those

	require.Equal(t, []string{"z"}, foldermarker.Keys(t, bucket, storage.WithDelimiter("/")))
	require.Len(t, server.requests(), 1)
}

// List returns a common prefix of hidden parts if an object of the caller has that prefix, too. The driver stores the
// parts of an unfinished upload below ".omnibucket./". With the delimiter "k", their common prefix is ".omnibuck".
func TestListObjectsBesideParts(t *testing.T) {
	const commonPrefix = ".omnibuck"
	server, bucket := newCompositeBucket(t)
	_, err := bucket.Upload(t.Context(), "z", strings.NewReader("z"))
	require.NoError(t, err)
	_, _ = beginUpload(t, server) // stores parts

	// The first key comes before the parts in a listing, and the second one after them.
	for _, key := range []string{".omnibucket", ".omnibucket.0"} {
		t.Run(key, func(t *testing.T) {
			_, err := bucket.Upload(t.Context(), key, strings.NewReader("x"))
			require.NoError(t, err)
			require.Equal(t, []string{commonPrefix, "z"}, foldermarker.Keys(t, bucket, storage.WithDelimiter("k")))
			require.NoError(t, bucket.Remove(t.Context(), key))
		})
	}
}

// AbortParts removes the parts of its upload, and not those of another.
func TestAbortPartsRemovesParts(t *testing.T) {
	server, _ := newCompositeBucket(t)
	d, upload := beginUpload(t, server)
	_, other := beginUpload(t, server)

	require.NoError(t, d.AbortParts(t.Context(), "a", upload))

	leftovers := server.names(bucketOf(server))
	require.Len(t, leftovers, 3)
	for _, name := range leftovers {
		require.Contains(t, name, other, "another upload's stay")
	}
}

// AbortParts of an upload that was aborted succeeds.
func TestAbortPartsTwice(t *testing.T) {
	server, _ := newCompositeBucket(t)
	d, upload := beginUpload(t, server)
	require.NoError(t, d.AbortParts(t.Context(), "a", upload))

	require.NoError(t, d.AbortParts(t.Context(), "a", upload))
}

// In a bucket that keeps versions, AbortParts removes all versions of the parts.
func TestAbortPartsLeavesNoVersion(t *testing.T) {
	server := startRuleServer(t)
	server.bucket(ruleBucket{versioned: true})
	d, upload := beginUpload(t, server) // with the parts 1 to 3

	// Part 1 is sent again.
	_, err := d.PutPart(t.Context(), &driver.PartRequest{
		Key:    "a",
		Upload: upload,
		Number: 1,
		Body:   strings.NewReader("part"),
		Size:   4,
	})
	require.NoError(t, err)
	require.Len(t, server.names(bucketOf(server)), 4, "a part that was sent twice has two versions")

	require.NoError(t, d.AbortParts(t.Context(), "a", upload))
	require.Empty(t, server.names(bucketOf(server)))
}

// PutPart and CompleteParts refuse an upload name that leads out of the prefix of uploads.
// AbortParts ignores such a name. None of them sends a request.
func TestPartsUploadNames(t *testing.T) {
	server, bucket := newCompositeBucket(t)
	_, err := bucket.Upload(t.Context(), "z", strings.NewReader("z"))
	require.NoError(t, err)
	d, _ := beginUpload(t, server)
	server.requests() // forgets those

	names := []string{"", "z", "../../z", strings.Repeat("0", 31) + "/", strings.Repeat("0", 32) + "-../"}
	for _, upload := range names {
		_, err := d.PutPart(t.Context(), &driver.PartRequest{
			Key:    "a",
			Upload: upload,
			Number: 1,
			Body:   strings.NewReader("x"),
			Size:   1,
		})
		require.ErrorIs(t, err, storage.InvalidArgument)
		_, err = d.CompleteParts(t.Context(), &driver.CompleteRequest{
			Put:    &driver.PutRequest{Key: "a"},
			Upload: upload,
		})
		require.ErrorIs(t, err, storage.InvalidArgument)

		// No upload has this name, so there is nothing to abort.
		require.NoError(t, d.AbortParts(t.Context(), "a", upload))
	}
	require.Empty(t, server.requests(), "none is sent for such a name")
}

// SweepParts removes parts that are older than the given age, and nothing else.
func TestSweepPartsRemovesOrphans(t *testing.T) {
	server, bucket := newCompositeBucket(t)
	_, err := bucket.Upload(t.Context(), "z", strings.NewReader("z"))
	require.NoError(t, err)
	_, _ = beginUpload(t, server)
	client, ok := storage.As[*sdk.Client](bucket)
	require.True(t, ok)

	removed, err := gcs.SweepParts(t.Context(), client, bucketOf(server), time.Hour)
	require.NoError(t, err)
	require.Zero(t, removed, "an upload may be under way")

	removed, err = gcs.SweepParts(t.Context(), client, bucketOf(server), anyAge)
	require.NoError(t, err)
	require.Equal(t, 3, removed, "the parts that beginUpload has stored")
	require.Equal(t, []string{"z"}, server.names(bucketOf(server)))
}

// If the parts of an upload were removed, CompleteParts fails with Unavailable and status 409. The
// engine then restarts the upload.
func TestPartsRemovedRestartUpload(t *testing.T) {
	server, _ := newCompositeBucket(t)
	d, upload := beginUpload(t, server)

	// SweepParts removes the parts of all uploads, as if they were abandoned.
	client, ok := d.Native().(*sdk.Client)
	require.True(t, ok)
	_, err := gcs.SweepParts(t.Context(), client, bucketOf(server), anyAge)
	require.NoError(t, err)

	_, err = d.CompleteParts(t.Context(), &driver.CompleteRequest{
		Put:    &driver.PutRequest{Key: "a"},
		Upload: upload,
		Parts:  []driver.Part{{Number: 1, Tag: "1"}},
	})
	var storageErr *storage.Error
	require.ErrorAs(t, err, &storageErr)
	require.Equal(t, storage.Unavailable, storageErr.Code)
	require.Equal(t, 409, storageErr.Status)
}

// The server compares the composed object with its checksum before the object is visible.
func TestCompletePartsVerifiesChecksum(t *testing.T) {
	server, _ := newCompositeBucket(t)
	d, upload := beginUpload(t, server)
	part, err := d.PutPart(t.Context(), &driver.PartRequest{
		Key:    "a",
		Upload: upload,
		Number: 1,
		Body:   strings.NewReader("part"),
		Size:   4,
	})
	require.NoError(t, err)

	wrongSum := storage.CRC32C{Sum: 7, Known: true}
	_, err = d.CompleteParts(t.Context(), &driver.CompleteRequest{
		Put:    &driver.PutRequest{Key: "a", CRC32C: wrongSum},
		Upload: upload,
		Parts:  []driver.Part{part},
	})
	require.ErrorIs(t, err, storage.ChecksumMismatch)
	require.NotContains(t, server.names(bucketOf(server)), "a")
}
