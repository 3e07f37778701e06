package s3server_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server"
)

// setVersioning sets whether the bucket keeps versions.
func (s *store) setVersioning(t *testing.T, status types.BucketVersioningStatus) {
	t.Helper()
	_, err := s.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{
		Bucket:                  aws.String(bucket),
		VersioningConfiguration: &types.VersioningConfiguration{Status: status},
	})
	require.NoError(t, err)
}

// putVersion stores an object, and returns the ID of its version.
func (s *store) putVersion(t *testing.T, key, content string) string {
	t.Helper()
	output, err := s.PutObject(t.Context(), putInput(key, content))
	require.NoError(t, err)
	return aws.ToString(output.VersionId)
}

// deleteObject deletes an object, or adds a delete marker if the bucket keeps versions.
func (s *store) deleteObject(t *testing.T, key string) *s3.DeleteObjectOutput {
	t.Helper()
	output, err := s.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String(bucket), Key: &key})
	require.NoError(t, err)
	return output
}

// deleteVersion deletes one version of an object.
func (s *store) deleteVersion(t *testing.T, key, version string) *s3.DeleteObjectOutput {
	t.Helper()
	output, err := s.DeleteObject(t.Context(), &s3.DeleteObjectInput{
		Bucket:    aws.String(bucket),
		Key:       &key,
		VersionId: &version,
	})
	require.NoError(t, err)
	return output
}

// getVersion returns the content of a version.
func (s *store) getVersion(t *testing.T, key, version string) string {
	t.Helper()
	output, err := s.GetObject(t.Context(), &s3.GetObjectInput{
		Bucket:    aws.String(bucket),
		Key:       &key,
		VersionId: &version,
	})
	require.NoError(t, err)
	return readBody(t, output.Body)
}

// markerOf returns the id of a delete marker in the form that versionIDs uses.
func markerOf(id string) string { return "!" + id }

// versionIDs returns the ids of all versions and delete markers in the bucket, listed in pages of pageSize entries.
func (s *store) versionIDs(t *testing.T, pageSize int32) (ids []string) {
	t.Helper()
	pages := s3.NewListObjectVersionsPaginator(s.Client, &s3.ListObjectVersionsInput{
		Bucket:  aws.String(bucket),
		MaxKeys: &pageSize,
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		require.NoError(t, err)
		for _, v := range page.Versions {
			ids = append(ids, *v.VersionId)
		}
		for _, m := range page.DeleteMarkers {
			ids = append(ids, "!"+*m.VersionId)
		}
	}
	return ids
}

// With versioning enabled, writes and removals keep the older versions, which can be read and removed.
func TestVersionsAreKept(t *testing.T) {
	s := startServer(t, s3server.Config{})
	require.Empty(t, s.putVersion(t, "k", "before"))
	s.setVersioning(t, types.BucketVersioningStatusEnabled)

	// Each write makes a new version.
	one := s.putVersion(t, "k", "one")
	two := s.putVersion(t, "k", "two")
	require.NotEqual(t, one, two)
	require.Equal(t, "two", s.get(t, "k"))

	// A removal adds a delete marker.
	deletion := s.deleteObject(t, "k")
	require.True(t, *deletion.DeleteMarker)
	marker := *deletion.VersionId
	require.Empty(t, s.keys(t))
	for _, pageSize := range []int32{1, 1000} {
		require.ElementsMatch(t, []string{markerOf(marker), two, one, "null"}, s.versionIDs(t, pageSize))
	}
	require.Equal(t, []string{markerOf(marker), two, one, "null"}, s.versionIDs(t, 1), "newest first")

	// The older versions can be read. The marker and the key without a version cannot.
	require.Equal(t, "one", s.getVersion(t, "k", one))
	require.Equal(t, "two", s.getVersion(t, "k", two))
	require.Equal(t, "before", s.getVersion(t, "k", "null"))
	_, err := s.GetObject(t.Context(), &s3.GetObjectInput{
		Bucket:    aws.String(bucket),
		Key:       aws.String("k"),
		VersionId: &marker,
	})
	requireFailure(t, err, 405, "MethodNotAllowed")
	_, err = s.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String(bucket), Key: aws.String("k")})
	requireFailure(t, err, 404, "NotFound")
	_, err = s.CopyObject(t.Context(), copyInput("k", "copy"))
	requireFailure(t, err, 404, "NoSuchKey")

	// After the newest version is removed, the version before it is current.
	require.True(t, *s.deleteVersion(t, "k", marker).DeleteMarker)
	require.Equal(t, "two", s.get(t, "k"))
	s.deleteVersion(t, "k", two)
	require.Equal(t, "one", s.get(t, "k"))

	// A removed version can be removed again.
	s.deleteVersion(t, "k", two)
}

// With versioning suspended, each write and each removal replaces the null version and keeps all others.
func TestVersioningSuspended(t *testing.T) {
	const pageSize = 1 // of the listings of versions
	s := startServer(t, s3server.Config{})
	s.setVersioning(t, types.BucketVersioningStatusEnabled)
	oldest := s.putVersion(t, "k", "kept")
	s.setVersioning(t, types.BucketVersioningStatusSuspended)

	// An object replaces an object.
	require.Equal(t, "null", s.putVersion(t, "k", "one"))
	require.Equal(t, "null", s.putVersion(t, "k", "two"))
	require.Equal(t, []string{"null", oldest}, s.versionIDs(t, pageSize))

	// A delete marker replaces an object. A second delete marker replaces the first.
	require.Equal(t, "null", *s.deleteObject(t, "k").VersionId)
	require.Equal(t, []string{markerOf("null"), oldest}, s.versionIDs(t, pageSize))
	require.Empty(t, s.keys(t))
	require.Equal(t, "null", *s.deleteObject(t, "k").VersionId)

	// An object replaces a delete marker.
	require.Equal(t, "null", s.putVersion(t, "k", "three"))
	require.Equal(t, []string{"null", oldest}, s.versionIDs(t, pageSize))

	// The null version may also be older than another version.
	s.setVersioning(t, types.BucketVersioningStatusEnabled)
	newer := s.putVersion(t, "k", "four")
	require.Equal(t, []string{newer, "null", oldest}, s.versionIDs(t, pageSize))
	require.Equal(t, "three", s.getVersion(t, "k", "null"))
	s.setVersioning(t, types.BucketVersioningStatusSuspended)
	require.Equal(t, "null", s.putVersion(t, "k", "five"))
	require.Equal(t, []string{"null", newer, oldest}, s.versionIDs(t, pageSize), "the older null version is gone")

	// After the null version is removed, the version before it is current.
	s.deleteVersion(t, "k", "null")
	require.Equal(t, "four", s.get(t, "k"))
	s.deleteObject(t, "k")
	require.True(t, *s.deleteVersion(t, "k", "null").DeleteMarker)
	require.Equal(t, "four", s.get(t, "k"))
	require.Equal(t, []string{newer, oldest}, s.versionIDs(t, pageSize))
}

// Versioning can be suspended in a bucket where it was never enabled.
func TestVersioningSuspendedAtOnce(t *testing.T) {
	s := startServer(t, s3server.Config{})
	s.put(t, "k", "before")

	s.setVersioning(t, types.BucketVersioningStatusSuspended)
	require.Equal(t, []string{"null"}, s.versionIDs(t, 1000))
	require.Equal(t, "null", s.putVersion(t, "k", "after"))
	require.Equal(t, []string{"null"}, s.versionIDs(t, 1000))

	s.deleteObject(t, "k")
	require.Equal(t, []string{markerOf("null")}, s.versionIDs(t, 1000))
}

// In a bucket with versioning, the removal of a missing key adds a delete marker. The marker can be removed like a
// version.
func TestVersionsMarkerOfMissingKey(t *testing.T) {
	s := startServer(t, s3server.Config{})
	s.setVersioning(t, types.BucketVersioningStatusEnabled)

	const pageSize = 1 // of the listings of versions

	// The removal adds a marker, which the listing shows.
	marker := *s.deleteObject(t, "missing").VersionId
	require.NotEmpty(t, marker)
	require.Equal(t, []string{markerOf(marker)}, s.versionIDs(t, pageSize))

	// The marker cannot be read.
	_, err := s.HeadObject(t.Context(), &s3.HeadObjectInput{
		Bucket:    aws.String(bucket),
		Key:       aws.String("missing"),
		VersionId: &marker,
	})
	require.ErrorContains(t, err, "405")

	// The marker can be removed.
	require.True(t, *s.deleteVersion(t, "missing", marker).DeleteMarker)
	require.Empty(t, s.versionIDs(t, pageSize))
}

// ListObjectVersions lists the delete markers of an object, even after its only version is gone.
func TestVersionsHaveDeleteMarkers(t *testing.T) {
	const pageSize = 1 // of the listings of versions
	s := startServer(t, s3server.Config{})
	s.setVersioning(t, types.BucketVersioningStatusEnabled)

	// Two removals add two markers.
	object := s.putVersion(t, "k", "one")
	older := *s.deleteObject(t, "k").VersionId
	newer := *s.deleteObject(t, "k").VersionId
	require.ElementsMatch(t, []string{markerOf(newer), markerOf(older), object}, s.versionIDs(t, pageSize))

	// The markers stay when the only version is removed.
	s.deleteVersion(t, "k", object)
	require.ElementsMatch(t, []string{markerOf(newer), markerOf(older)}, s.versionIDs(t, pageSize))

	// A marker can be removed, too.
	s.deleteVersion(t, "k", newer)
	require.Equal(t, []string{markerOf(older)}, s.versionIDs(t, pageSize))
}

// PutObject with If-None-Match succeeds if the newest version is a delete marker.
func TestPutObjectIfNoneMatchOverMarker(t *testing.T) {
	s := startServer(t, s3server.Config{})
	s.setVersioning(t, types.BucketVersioningStatusEnabled)
	s.putVersion(t, "k", "one")
	s.deleteObject(t, "k")

	input := putInput("k", "two")
	input.IfNoneMatch = aws.String("*")
	_, err := s.PutObject(t.Context(), input)
	require.NoError(t, err)
	require.Equal(t, "two", s.get(t, "k"))
}

// A listing of versions continues after the last listed version, even if that version was removed.
func TestListVersionsAfterMissingVersion(t *testing.T) {
	s := startServer(t, s3server.Config{})
	s.setVersioning(t, types.BucketVersioningStatusEnabled)
	one := s.putVersion(t, "k", "1")
	two := s.putVersion(t, "k", "2")
	three := s.putVersion(t, "k", "3")

	// The first page has the two newest versions.
	page, err := s.ListObjectVersions(t.Context(), &s3.ListObjectVersionsInput{
		Bucket:  aws.String(bucket),
		MaxKeys: aws.Int32(2),
	})
	require.NoError(t, err)
	require.Equal(t, two, *page.NextVersionIdMarker)

	// Remove the versions of the first page, and read the next page.
	s.deleteVersion(t, "k", three)
	s.deleteVersion(t, "k", two)
	page, err = s.ListObjectVersions(t.Context(), &s3.ListObjectVersionsInput{
		Bucket:          aws.String(bucket),
		KeyMarker:       page.NextKeyMarker,
		VersionIdMarker: page.NextVersionIdMarker,
	})
	require.NoError(t, err)
	require.Equal(t, one, *page.Versions[0].VersionId)
}

// With a delimiter, ListObjectVersions rolls up versions into common prefixes.
func TestListVersionsCommonPrefixes(t *testing.T) {
	s := startServer(t, s3server.Config{})
	s.setVersioning(t, types.BucketVersioningStatusEnabled)
	for _, key := range []string{"a/1", "a/1", "a/2", "b", "b"} {
		s.putVersion(t, key, "")
	}

	var prefixes, versions int
	pages := s3.NewListObjectVersionsPaginator(s.Client, &s3.ListObjectVersionsInput{
		Bucket:    aws.String(bucket),
		MaxKeys:   aws.Int32(1),
		Delimiter: aws.String("/"),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		require.NoError(t, err)
		prefixes += len(page.CommonPrefixes)
		versions += len(page.Versions)
	}
	require.Equal(t, 1, prefixes)
	require.Equal(t, 2, versions)
}

// After the newest version is removed, the delete marker before it is current.
func TestDeleteVersionMakesMarkerCurrent(t *testing.T) {
	s := startServer(t, s3server.Config{})
	s.setVersioning(t, types.BucketVersioningStatusEnabled)
	one := s.putVersion(t, "k", "one")
	marker := *s.deleteObject(t, "k").VersionId
	two := s.putVersion(t, "k", "two")

	s.deleteVersion(t, "k", two)
	require.Equal(t, []string{markerOf(marker), one}, s.versionIDs(t, 1))
	require.Empty(t, s.keys(t))
}

// writeAndRemove stores and removes the object k many times in several goroutines. It returns the version ID in the
// response to each removal, or the text of an error in place of an ID.
func writeAndRemove(t *testing.T, s *store) (ids []string) {
	t.Helper()
	const (
		writers        = 4
		timesPerWriter = 20
	)
	results := make(chan string, writers*timesPerWriter)
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for range timesPerWriter {
				_, putErr := s.PutObject(t.Context(), putInput("k", "x"))
				deleted, err := s.DeleteObject(t.Context(), &s3.DeleteObjectInput{
					Bucket: aws.String(bucket),
					Key:    aws.String("k"),
				})
				if putErr != nil || err != nil {
					results <- fmt.Sprint(putErr, err)
					continue
				}
				results <- aws.ToString(deleted.VersionId)
			}
		})
	}
	wg.Wait()
	close(results)

	for id := range results {
		ids = append(ids, id)
	}
	require.Len(t, ids, writers*timesPerWriter)
	return ids
}

// Each of several concurrent removals returns the ID of its own delete marker.
func TestDeleteObjectBesideWrites(t *testing.T) {
	s := startServer(t, s3server.Config{})
	s.setVersioning(t, types.BucketVersioningStatusEnabled)

	// writeAndRemove returns the IDs that the concurrent removals have returned.
	for _, id := range writeAndRemove(t, s) {
		// The response to the removal of a version says whether this version was a delete marker.
		deleted, err := s.DeleteObject(t.Context(), &s3.DeleteObjectInput{
			Bucket:    aws.String(bucket),
			Key:       aws.String("k"),
			VersionId: &id,
		})
		require.NoError(t, err, id)
		require.True(t, aws.ToBool(deleted.DeleteMarker), id)
	}
}

// If versioning is suspended, each of several concurrent removals returns the ID of the null version.
func TestDeleteObjectBesideWritesIfSuspended(t *testing.T) {
	s := startServer(t, s3server.Config{})
	s.setVersioning(t, types.BucketVersioningStatusEnabled)
	s.setVersioning(t, types.BucketVersioningStatusSuspended)

	for _, id := range writeAndRemove(t, s) {
		require.Equal(t, "null", id)
	}
}

// A listing of versions always contains the null version, even while the object is overwritten.
func TestListVersionsBesideOverwrites(t *testing.T) {
	s := startServer(t, s3server.Config{})
	s.setVersioning(t, types.BucketVersioningStatusEnabled)
	s.setVersioning(t, types.BucketVersioningStatusSuspended)

	// With versioning suspended, a write replaces the null version, the only one of this object.
	s.put(t, "k", "x")

	// Overwrite the object many times.
	overwritten := make(chan error, 1)
	go func() {
		var errs []error
		for range 100 {
			_, err := s.PutObject(t.Context(), putInput("k", "y"))
			errs = append(errs, err)
		}
		overwritten <- errors.Join(errs...)
	}()

	// Meanwhile, each listing must have exactly one version.
	for {
		require.Len(t, s.versionIDs(t, 10), 1)
		select {
		case err := <-overwritten:
			require.NoError(t, err)
			return
		default:
		}
	}
}
