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
	"github.com/omnibucket/storage/internal/testing/wiretest"
	"github.com/omnibucket/storage/providers/gcs"
)

const reserved = ".omnibucket./"

// newCompositeBucket opens a bucket of the rule server with parallel composite
// uploads.
func newCompositeBucket(t *testing.T, opts ...storage.OpenOption) (*ruleServer, storage.Bucket) {
	t.Helper()
	s := startRuleServer(t)
	b, err := gcs.Open(t.Context(), gcs.Config{Bucket: s.bucket(ruleBucket{}), Endpoint: s.URL, ParallelComposite: true}, opts...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, storage.Close(b)) })
	return s, b
}

// Parts are composed 32 at a time.
func TestCompletePartsComposes32AtATime(t *testing.T) {
	for _, row := range []struct {
		parts    int
		composes int
	}{{2, 1}, {32, 1}, {33, 3}, {70, 4}} {
		t.Run(fmt.Sprintf("%d parts", row.parts), func(t *testing.T) {
			s, b := newCompositeBucket(t)
			want := wiretest.Content(row.parts*(256<<10)-7, 3)
			existing, err := b.Upload(t.Context(), "a", bytes.NewReader(want), storage.WithPartSize(256<<10), storage.WithMetadata(map[string]string{"k": "v"}), storage.WithStorageClass("NEARLINE"), storage.IfAbsent())
			require.NoError(t, err)

			got, attrs, err := storage.ReadAll(t.Context(), b, "a")
			require.NoError(t, err)
			require.True(t, bytes.Equal(want, got))
			require.Equal(t, existing.Revision, attrs.Revision)
			require.Equal(t, map[string]string{"k": "v"}, attrs.Metadata)
			require.Equal(t, "NEARLINE", attrs.StorageClass)
			require.Empty(t, attrs.MD5, "composed objects have none")
			require.Equal(t, existing.ETag, attrs.ETag)
			require.Equal(t, []string{"a"}, s.names(bucketOf(s)), "the components are gone")

			composes := 0
			for _, line := range s.requests() {
				if strings.HasSuffix(line, "/compose") {
					composes++
				}
			}
			require.Equal(t, row.composes, composes)
		})
	}
}

func TestComposeOfMoreThan32Sources(t *testing.T) {
	s, b := newCompositeBucket(t)
	var keys []string
	var want []byte
	for i := range 40 {
		key := fmt.Sprintf("source-%02d", i)
		data := wiretest.Content(100+i, byte(i))
		_, err := b.Upload(t.Context(), key, bytes.NewReader(data))
		require.NoError(t, err)
		keys = append(keys, key)
		want = append(want, data...)
	}
	_, err := storage.Compose(t.Context(), b, "all", keys, storage.WithContentType("text/plain"))
	require.NoError(t, err)

	got, attrs, err := storage.ReadAll(t.Context(), b, "all")
	require.NoError(t, err)
	require.True(t, bytes.Equal(want, got))
	require.Equal(t, "text/plain", attrs.ContentType)
	require.Len(t, s.names(bucketOf(s)), 41, "the intermediate objects are removed")
}

// beginUpload stores some parts of an upload whose process then dies.
func beginUpload(t *testing.T, s *ruleServer) (d driver.Driver, upload string) {
	t.Helper()
	d, err := gcs.NewDriver(t.Context(), gcs.Config{Bucket: bucketOf(s), Endpoint: s.URL, ParallelComposite: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	upload, err = d.BeginParts(t.Context(), &driver.PutRequest{Key: "a", Size: -1})
	require.NoError(t, err)
	for number := 1; number <= 3; number++ {
		_, err = d.PutPart(t.Context(), &driver.PartRequest{Key: "a", Upload: upload, Number: number, Body: strings.NewReader("part"), Size: 4})
		require.NoError(t, err)
	}
	return d, upload
}

// Parts of an upload are hidden.
func TestListHidesParts(t *testing.T) {
	s, b := newCompositeBucket(t, storage.WithVersioning(true))
	_, err := b.Upload(t.Context(), "z", strings.NewReader("z"))
	require.NoError(t, err)

	_, _ = beginUpload(t, s)
	require.True(t, slices.ContainsFunc(s.names(bucketOf(s)), func(name string) bool { return strings.HasPrefix(name, reserved) }))
	list := func(opts ...storage.ListOption) (keys []string) {
		for entry, err := range b.List(t.Context(), opts...) {
			require.NoError(t, err)
			keys = append(keys, entry.Key)
		}
		return keys
	}
	for name, opts := range map[string][]storage.ListOption{
		"flat":                            nil,
		"with a delimiter":                {storage.WithDelimiter("/")},
		"in pages of one":                 {storage.WithPageSize(1)},
		"with a delimiter in their names": {storage.WithDelimiter("k")},
		"with their first character":      {storage.WithDelimiter(".")},
	} {
		require.Equal(t, []string{"z"}, list(opts...), name)
	}

	s.requests()
	list(storage.WithDelimiter("/"))
	require.Len(t, s.requests(), 1, "nothing but parts is below .omnibucket./")

	for _, beside := range []string{".omnibucket", ".omnibucket.0"} {
		_, err := b.Upload(t.Context(), beside, strings.NewReader("x"))
		require.NoError(t, err)
		require.Equal(t, []string{".omnibuck", "z"}, list(storage.WithDelimiter("k")), beside)
		require.NoError(t, b.Remove(t.Context(), beside))
	}

	var versions []string
	for entry, err := range storage.Versions(t.Context(), b) {
		require.NoError(t, err)
		versions = append(versions, entry.Key)
	}
	require.Equal(t, []string{"z"}, versions)
}

// An abort removes the parts.
func TestAbortPartsRemovesParts(t *testing.T) {
	s, _ := newCompositeBucket(t)
	d, upload := beginUpload(t, s)
	_, other := beginUpload(t, s)
	require.NoError(t, d.AbortParts(t.Context(), "a", upload))

	leftovers := s.names(bucketOf(s))
	require.Len(t, leftovers, 3)
	for _, name := range leftovers {
		require.Contains(t, name, other, "another upload's stay")
	}
	require.NoError(t, d.AbortParts(t.Context(), "a", upload), "again")
}

// No version of a part is left.
func TestAbortPartsLeavesNoVersion(t *testing.T) {
	s := startRuleServer(t)
	s.bucket(ruleBucket{versioned: true})
	d, upload := beginUpload(t, s)

	_, err := d.PutPart(t.Context(), &driver.PartRequest{Key: "a", Upload: upload, Number: 1, Body: strings.NewReader("part"), Size: 4})
	require.NoError(t, err)
	require.Len(t, s.names(bucketOf(s)), 4, "a part that was sent twice has two versions")

	require.NoError(t, d.AbortParts(t.Context(), "a", upload))
	require.Empty(t, s.names(bucketOf(s)))
}

// An upload name that would lead out of its prefix is refused.
func TestPartsUploadNames(t *testing.T) {
	s, b := newCompositeBucket(t)
	_, err := b.Upload(t.Context(), "z", strings.NewReader("z"))
	require.NoError(t, err)
	d, _ := beginUpload(t, s)
	s.requests()
	for _, upload := range []string{"", "z", "../../z", strings.Repeat("0", 31) + "/", strings.Repeat("0", 32) + "-../"} {
		_, err := d.PutPart(t.Context(), &driver.PartRequest{Key: "a", Upload: upload, Number: 1, Body: strings.NewReader("x"), Size: 1})
		require.ErrorIs(t, err, storage.InvalidArgument)
		_, err = d.CompleteParts(t.Context(), &driver.CompleteRequest{Put: &driver.PutRequest{Key: "a"}, Upload: upload})
		require.ErrorIs(t, err, storage.InvalidArgument)
		require.NoError(t, d.AbortParts(t.Context(), "a", upload))
	}
	require.Empty(t, s.requests())
}

func TestSweepPartsRemovesOrphans(t *testing.T) {
	s, b := newCompositeBucket(t)
	_, err := b.Upload(t.Context(), "z", strings.NewReader("z"))
	require.NoError(t, err)
	_, _ = beginUpload(t, s)
	client, ok := storage.As[*sdk.Client](b)
	require.True(t, ok)

	n, err := gcs.SweepParts(t.Context(), client, bucketOf(s), time.Hour)
	require.NoError(t, err)
	require.Zero(t, n, "an upload may be under way")

	n, err = gcs.SweepParts(t.Context(), client, bucketOf(s), -time.Hour)
	require.NoError(t, err)
	require.Equal(t, 3, n)
	require.Equal(t, []string{"z"}, s.names(bucketOf(s)))
}

// If the parts of an upload were removed, CompleteParts fails with Unavailable and status 409, so that the engine
// restarts the upload.
func TestPartsRemovedRestartUpload(t *testing.T) {
	s, _ := newCompositeBucket(t)
	d, upload := beginUpload(t, s)
	client, ok := d.Native().(*sdk.Client)
	require.True(t, ok)
	_, err := gcs.SweepParts(t.Context(), client, bucketOf(s), -time.Hour)
	require.NoError(t, err)
	_, err = d.CompleteParts(t.Context(), &driver.CompleteRequest{Put: &driver.PutRequest{Key: "a"}, Upload: upload, Parts: []driver.Part{{Number: 1, Tag: "1"}}})

	var e *storage.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, storage.Unavailable, e.Code)
	require.Equal(t, 409, e.Status)
}

// The server compares the composed object with its checksum before the object is
// visible.
func TestCompletePartsVerifiesChecksum(t *testing.T) {
	s, _ := newCompositeBucket(t)
	d, upload := beginUpload(t, s)
	badSum := uint32(7)
	part, err := d.PutPart(t.Context(), &driver.PartRequest{Key: "a", Upload: upload, Number: 1, Body: strings.NewReader("part"), Size: 4})
	require.NoError(t, err)

	_, err = d.CompleteParts(t.Context(), &driver.CompleteRequest{Put: &driver.PutRequest{Key: "a", CRC32C: storage.CRC32C{Sum: badSum, Known: true}}, Upload: upload, Parts: []driver.Part{part}})
	require.ErrorIs(t, err, storage.ChecksumMismatch)
	require.NotContains(t, s.names(bucketOf(s)), "a")
}
