package local

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
	"github.com/stretchr/testify/require"
)

// part sends a part of an upload of "k".
func (bucket *testBucket) part(upload string, number int, body string) driver.Part {
	bucket.t.Helper()
	p, err := bucket.driver.PutPart(bucket.t.Context(), &driver.PartRequest{
		Key:    "k",
		Upload: upload,
		Number: number,
		Body:   strings.NewReader(body),
		Size:   int64(len(body)),
	})
	require.NoError(bucket.t, err)
	return p
}

// begin begins an upload, and returns its id.
func (bucket *testBucket) begin(r *driver.PutRequest) string {
	bucket.t.Helper()
	upload, err := bucket.driver.BeginParts(bucket.t.Context(), r)
	require.NoError(bucket.t, err)
	return upload
}

// uploads returns the directories of the open uploads.
func (bucket *testBucket) uploads() []string {
	names, err := filepath.Glob(filepath.Join(bucket.root, bucketdir.UploadsPath, "*"))
	require.NoError(bucket.t, err)
	return names
}

// If several calls complete one upload at the same time, exactly one of them makes the object.
func TestCompletePartsOnce(t *testing.T) {
	for _, disk := range disks {
		t.Run(disk.name, func(t *testing.T) {
			bucket := newTestBucket(t, disk.tweaks...)
			r := &driver.PutRequest{Key: "k", Size: -1}

			for range 50 {
				upload := bucket.begin(r)
				parts := []driver.Part{bucket.part(upload, 1, "one"), bucket.part(upload, 2, "two")}

				const calls = 4
				attrs, errs := bucket.completeAtOnce(calls,
					driver.CompleteRequest{Put: r, Upload: upload, Parts: parts})

				// One call has succeeded, and its attributes are those of the object.
				completions := 0
				for i, err := range errs {
					if err == nil {
						completions++
						require.Equal(t, attrs[i], bucket.head("k"))
						continue
					}
					// The Code is Unavailable if the first call removed parts that this one was just joining.
					codes := []storage.Code{storage.InvalidArgument, storage.Unavailable}
					require.Contains(t, codes, storage.CodeOf(err), "%v", err)
				}
				require.Equal(t, 1, completions)
			}
			require.Empty(t, bucket.uploads())
			require.Empty(t, bucket.leftovers())
		})
	}
}

// completeAtOnce completes an upload by several calls at the same time, and returns the result of each.
func (bucket *testBucket) completeAtOnce(calls int, r driver.CompleteRequest) ([]*storage.Attrs, []error) {
	attrs := make([]*storage.Attrs, calls)
	errs := make([]error, calls)
	var group sync.WaitGroup
	for i := range calls {
		request := r // each call gets a request of its own
		group.Go(func() { attrs[i], errs[i] = bucket.driver.CompleteParts(bucket.t.Context(), &request) })
	}
	group.Wait()
	return attrs, errs
}

// CompleteParts makes an object of parts that were sent at the same time, with the properties of the upload.
func TestParts(t *testing.T) {
	for _, disk := range disks {
		t.Run(disk.name, func(t *testing.T) {
			bucket := newTestBucket(t, disk.tweaks...)
			r := &driver.PutRequest{
				Key:        "k",
				Size:       -1,
				Properties: storage.Properties{ContentType: "text/plain"},
			}
			upload := bucket.begin(r)

			// Three parts are sent at once. Part 2 replaces an earlier one.
			bucket.part(upload, 2, "replaced")
			parts := make([]driver.Part, 3)
			var group sync.WaitGroup
			for i, text := range []string{"aaaaa", "bbbbb", "ccccc"} {
				group.Go(func() { parts[i] = bucket.part(upload, i+1, text) })
			}
			group.Wait()
			require.Empty(t, bucket.keys(), "before the upload is complete")

			// The driver stores the checksum of the request, here a wrong one, without a check.
			r.CRC32C = storage.CRC32C{Sum: 42, Known: true}
			attrs, err := bucket.driver.CompleteParts(t.Context(),
				&driver.CompleteRequest{Put: r, Upload: upload, Parts: parts})
			require.NoError(t, err)
			require.Equal(t, "aaaaabbbbbccccc", bucket.get("k"))
			require.Equal(t, attrs, bucket.head("k"))
			require.Equal(t, "text/plain", attrs.ContentType)
			require.Equal(t, uint32(42), attrs.CRC32C.Sum)
			require.Empty(t, bucket.uploads())
			require.Empty(t, bucket.leftovers())
		})
	}
}

// The parts of an upload outlive their process, so that another one can complete the upload.
func TestPartsSurviveProcess(t *testing.T) {
	bucket := newTestBucket(t)
	r := &driver.PutRequest{Key: "k"}
	upload := bucket.begin(r)
	part := bucket.part(upload, 1, "x")

	reopened := reopenTestBucket(t, bucket.root)
	_, err := reopened.driver.CompleteParts(t.Context(),
		&driver.CompleteRequest{Put: r, Upload: upload, Parts: []driver.Part{part}})
	require.NoError(t, err)
	require.Equal(t, "x", bucket.get("k"))
}

// CompleteParts checks the condition of the upload, which BeginParts does not.
func TestCompletePartsCondition(t *testing.T) {
	bucket := newTestBucket(t)
	bucket.put("k", "old")
	r := &driver.PutRequest{Key: "k", Condition: storage.Condition{Absent: true}}
	upload := bucket.begin(r)
	parts := []driver.Part{bucket.part(upload, 1, "new")}

	_, err := bucket.driver.CompleteParts(t.Context(),
		&driver.CompleteRequest{Put: r, Upload: upload, Parts: parts})
	require.ErrorIs(t, err, storage.PreconditionFailed)
	require.Equal(t, "old", bucket.get("k"))

	// AbortParts also succeeds if the upload has ended already.
	for range 2 {
		require.NoError(t, bucket.driver.AbortParts(t.Context(), "k", upload))
	}
	require.Empty(t, bucket.uploads())
}

// CompleteParts fails with InvalidArgument for an unknown upload or part, PutPart fails for an unknown upload, and
// AbortParts ignores an upload of another key.
func TestPartsUnknown(t *testing.T) {
	bucket := newTestBucket(t)
	r := &driver.PutRequest{Key: "k"}
	upload := bucket.begin(r)
	part := bucket.part(upload, 1, "x")

	tests := []struct {
		name   string
		key    string
		upload string
		part   driver.Part
	}{
		{name: "unknown", key: "k", upload: strings.Repeat("0", 24), part: part},
		{name: "malformed", key: "k", upload: "../../k", part: part},
		{name: "another key's", key: "other", upload: upload, part: part},
		{name: "a missing part", key: "k", upload: upload, part: driver.Part{Number: 2, Tag: part.Tag}},
		{name: "a replaced part", key: "k", upload: upload, part: driver.Part{Number: 1, Tag: "1-1-1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := bucket.driver.CompleteParts(t.Context(), &driver.CompleteRequest{
				Put:    &driver.PutRequest{Key: tt.key},
				Upload: tt.upload,
				Parts:  []driver.Part{tt.part},
			})
			require.ErrorIs(t, err, storage.InvalidArgument)
		})
	}

	_, err := bucket.driver.PutPart(t.Context(),
		&driver.PartRequest{Key: "k", Upload: "none", Number: 1, Body: strings.NewReader("")})
	require.ErrorIs(t, err, storage.InvalidArgument)

	// The upload belongs to another key, so AbortParts leaves it.
	require.NoError(t, bucket.driver.AbortParts(t.Context(), "other", upload))
	require.Len(t, bucket.uploads(), 1)
}

// When a bucket is opened, a sweep removes the temporary files of writers that have ended, and keeps uploads and the
// files of writers that are still at work.
func TestSweepKeepsLiveWriters(t *testing.T) {
	// An upload is open, and a writer has one temporary file.
	bucket := newTestBucket(t)
	bucket.begin(&driver.PutRequest{Key: "k"})
	store, err := bucket.driver.acquire(t.Context())
	require.NoError(t, err)
	defer bucket.driver.release(store)
	staged, err := store.Staging.Stage(t.Context())
	require.NoError(t, err)

	// Another writer has ended: the marker beside its directory of temporary files is not locked.
	endedWriter := filepath.Join(bucket.root, bucketdir.TmpPath, "dead")
	endedMarker := endedWriter + bucketdir.MarkerSuffix
	require.NoError(t, os.Mkdir(endedWriter, 0o777))
	require.NoError(t, os.WriteFile(endedMarker, nil, 0o666))
	for _, name := range []string{"1", "2"} {
		require.NoError(t, os.WriteFile(filepath.Join(endedWriter, name), nil, 0o666))
	}

	reopenTestBucket(t, bucket.root)
	require.NoDirExists(t, endedWriter)
	require.NoFileExists(t, endedMarker)
	require.Len(t, bucket.leftovers(), 1)
	require.Len(t, bucket.uploads(), 1)

	store.Staging.Discard(staged)
	require.Empty(t, bucket.leftovers())
}
