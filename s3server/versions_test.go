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

// keepVersions sets whether the bucket keeps versions.
func (s *store) keepVersions(t *testing.T, status types.BucketVersioningStatus) {
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

// remove removes an object, or one of its versions.
func (s *store) remove(t *testing.T, key, version string) *s3.DeleteObjectOutput {
	t.Helper()
	input := &s3.DeleteObjectInput{Bucket: aws.String(bucket), Key: &key}
	if version != "" {
		input.VersionId = &version
	}
	output, err := s.DeleteObject(t.Context(), input)
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

// versions returns the ids of all versions in the bucket, listed in pages of pageSize entries. An id of a delete marker
// has a "!" before it.
func (s *store) versions(t *testing.T, pageSize int32) (ids []string) {
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

// With versioning enabled, the server keeps old versions.
func TestVersionsAreKept(t *testing.T) {
	s := start(t, s3server.Config{})
	require.Empty(t, s.putVersion(t, "k", "before"))
	s.keepVersions(t, types.BucketVersioningStatusEnabled)
	one := s.putVersion(t, "k", "one")
	two := s.putVersion(t, "k", "two")
	require.NotEqual(t, one, two)
	require.Equal(t, "two", s.get(t, "k"))

	// A removal adds a delete marker.
	deletion := s.remove(t, "k", "")
	require.True(t, *deletion.DeleteMarker)
	marker := *deletion.VersionId
	require.Empty(t, s.keys(t))
	for _, pageSize := range []int32{1, 1000} {
		require.ElementsMatch(t, []string{"!" + marker, two, one, "null"}, s.versions(t, pageSize))
	}
	require.Equal(t, []string{"!" + marker, two, one, "null"}, s.versions(t, 1), "newest first")

	// The older versions can be read, but the marker and the key cannot.
	get := func(version string) (*s3.GetObjectOutput, error) {
		return s.GetObject(t.Context(), &s3.GetObjectInput{
			Bucket:    aws.String(bucket),
			Key:       aws.String("k"),
			VersionId: &version,
		})
	}
	tests := []struct{ version, want string }{
		{version: one, want: "one"},
		{version: two, want: "two"},
		{version: "null", want: "before"},
	}
	for _, tt := range tests {
		output, err := get(tt.version)
		require.NoError(t, err)
		require.Equal(t, tt.want, readBody(t, output.Body))
	}
	_, err := get(marker)
	requireFailure(t, err, 405, "MethodNotAllowed")
	_, err = s.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String(bucket), Key: aws.String("k")})
	requireFailure(t, err, 404, "NotFound")
	_, err = s.CopyObject(t.Context(), copyInput("k", "copy"))
	requireFailure(t, err, 404, "NoSuchKey")

	// If the newest version is removed, the one before it is the current object.
	require.True(t, *s.remove(t, "k", marker).DeleteMarker)
	require.Equal(t, "two", s.get(t, "k"))
	s.remove(t, "k", two)
	require.Equal(t, "one", s.get(t, "k"))
	s.remove(t, "k", two) // a removed version can be removed again
}

// With versioning suspended, a write replaces the null version.
func TestVersioningSuspended(t *testing.T) {
	s := start(t, s3server.Config{})
	s.keepVersions(t, types.BucketVersioningStatusEnabled)
	oldest := s.putVersion(t, "k", "kept")
	s.keepVersions(t, types.BucketVersioningStatusSuspended)

	// An object replaces an object, a marker an object, a marker a marker, and an object a marker.
	require.Equal(t, "null", s.putVersion(t, "k", "one"))
	require.Equal(t, "null", s.putVersion(t, "k", "two"))
	require.Equal(t, []string{"null", oldest}, s.versions(t, 1))
	require.Equal(t, "null", *s.remove(t, "k", "").VersionId)
	require.Equal(t, []string{"!null", oldest}, s.versions(t, 1))
	require.Empty(t, s.keys(t))
	require.Equal(t, "null", *s.remove(t, "k", "").VersionId)
	require.Equal(t, "null", s.putVersion(t, "k", "three"))
	require.Equal(t, []string{"null", oldest}, s.versions(t, 1))

	// The null version may also be older than another version.
	s.keepVersions(t, types.BucketVersioningStatusEnabled)
	newer := s.putVersion(t, "k", "four")
	require.Equal(t, []string{newer, "null", oldest}, s.versions(t, 1))
	require.Equal(t, "three", s.getVersion(t, "k", "null"))
	s.keepVersions(t, types.BucketVersioningStatusSuspended)
	require.Equal(t, "null", s.putVersion(t, "k", "five"))
	require.Equal(t, []string{"null", newer, oldest}, s.versions(t, 1), "the older null version is gone")

	// If the null version is removed, the version before it is the current object.
	s.remove(t, "k", "null")
	require.Equal(t, "four", s.get(t, "k"))
	s.remove(t, "k", "")
	require.True(t, *s.remove(t, "k", "null").DeleteMarker)
	require.Equal(t, "four", s.get(t, "k"))
	require.Equal(t, []string{newer, oldest}, s.versions(t, 1))
}

// Versioning can be suspended in a bucket where it was never enabled.
func TestVersioningSuspendedAtOnce(t *testing.T) {
	s := start(t, s3server.Config{})
	s.put(t, "k", "before")
	s.keepVersions(t, types.BucketVersioningStatusSuspended)
	require.Equal(t, []string{"null"}, s.versions(t, 1000))
	require.Equal(t, "null", s.putVersion(t, "k", "after"))
	require.Equal(t, []string{"null"}, s.versions(t, 1000))

	s.remove(t, "k", "")
	require.Equal(t, []string{"!null"}, s.versions(t, 1000))
}

// ListObjectVersions lists delete markers like versions.
func TestVersionsHaveDeleteMarkers(t *testing.T) {
	s := start(t, s3server.Config{})
	s.keepVersions(t, types.BucketVersioningStatusEnabled)
	// The removal of a missing key adds a marker.
	marker := *s.remove(t, "missing", "").VersionId
	require.NotEmpty(t, marker)
	require.Equal(t, []string{"!" + marker}, s.versions(t, 1))
	_, err := s.HeadObject(t.Context(), &s3.HeadObjectInput{
		Bucket:    aws.String(bucket),
		Key:       aws.String("missing"),
		VersionId: &marker,
	})
	require.ErrorContains(t, err, "405")
	require.True(t, *s.remove(t, "missing", marker).DeleteMarker)
	require.Empty(t, s.versions(t, 1))

	// Two removals add two markers, which can be removed in any order.
	object := s.putVersion(t, "k", "one")
	older := *s.remove(t, "k", "").VersionId
	newer := *s.remove(t, "k", "").VersionId
	require.ElementsMatch(t, []string{"!" + newer, "!" + older, object}, s.versions(t, 1))
	s.remove(t, "k", object)
	require.ElementsMatch(t, []string{"!" + newer, "!" + older}, s.versions(t, 1), "the markers stay")
	s.remove(t, "k", newer)
	require.Equal(t, []string{"!" + older}, s.versions(t, 1))
}

// If the newest version is a delete marker, PutObject with If-None-Match succeeds.
func TestPutObjectIfNoneMatchOverMarker(t *testing.T) {
	s := start(t, s3server.Config{})
	s.keepVersions(t, types.BucketVersioningStatusEnabled)
	s.putVersion(t, "k", "one")
	s.remove(t, "k", "")
	input := putInput("k", "two")
	input.IfNoneMatch = aws.String("*")
	_, err := s.PutObject(t.Context(), input)
	require.NoError(t, err)
	require.Equal(t, "two", s.get(t, "k"))
}

// A listing of versions continues even if the version at its marker is gone.
func TestListVersionsAfterMissingVersion(t *testing.T) {
	s := start(t, s3server.Config{})
	s.keepVersions(t, types.BucketVersioningStatusEnabled)
	one := s.putVersion(t, "k", "1")
	two := s.putVersion(t, "k", "2")
	three := s.putVersion(t, "k", "3")
	page, err := s.ListObjectVersions(t.Context(), &s3.ListObjectVersionsInput{
		Bucket:  aws.String(bucket),
		MaxKeys: aws.Int32(2),
	})
	require.NoError(t, err)
	require.Equal(t, two, *page.NextVersionIdMarker)

	s.remove(t, "k", three)
	s.remove(t, "k", two)
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
	s := start(t, s3server.Config{})
	s.keepVersions(t, types.BucketVersioningStatusEnabled)
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

// If the newest version is removed, a delete marker below it becomes current.
func TestDeleteVersionMakesMarkerCurrent(t *testing.T) {
	s := start(t, s3server.Config{})
	s.keepVersions(t, types.BucketVersioningStatusEnabled)
	one := s.putVersion(t, "k", "one")
	marker := *s.remove(t, "k", "").VersionId
	two := s.putVersion(t, "k", "two")
	s.remove(t, "k", two)
	require.Equal(t, []string{"!" + marker, one}, s.versions(t, 1))
	require.Empty(t, s.keys(t), "the removed object is not back")
}

// If DeleteObject runs at the same time as writes, it returns its own delete marker.
func TestDeleteObjectBesideWrites(t *testing.T) {
	for _, status := range []types.BucketVersioningStatus{
		types.BucketVersioningStatusEnabled,
		types.BucketVersioningStatusSuspended,
	} {
		s := start(t, s3server.Config{})
		s.keepVersions(t, types.BucketVersioningStatusEnabled)
		s.keepVersions(t, status)

		const writers, times = 4, 20
		markers := make(chan string, writers*times) // has the text of an error in place of a failed marker's ID
		var wg sync.WaitGroup
		for range writers {
			wg.Go(func() {
				for range times {
					_, putErr := s.PutObject(t.Context(), putInput("k", "x"))
					deleted, err := s.DeleteObject(t.Context(), &s3.DeleteObjectInput{
						Bucket: aws.String(bucket),
						Key:    aws.String("k"),
					})
					if putErr != nil || err != nil {
						markers <- fmt.Sprint(putErr, err)
						continue
					}
					markers <- aws.ToString(deleted.VersionId)
				}
			})
		}
		wg.Wait()

		for range writers * times {
			id := <-markers
			if status == types.BucketVersioningStatusSuspended {
				require.Equal(t, "null", id)
				continue
			}
			// The response to a removal by ID reports whether it was a delete marker.
			deleted, err := s.DeleteObject(t.Context(), &s3.DeleteObjectInput{
				Bucket:    aws.String(bucket),
				Key:       aws.String("k"),
				VersionId: &id,
			})
			require.NoError(t, err, id)
			require.True(t, aws.ToBool(deleted.DeleteMarker), id)
		}
	}
}

// If a listing of versions runs while an object is overwritten, it still contains the null version.
func TestListVersionsBesideOverwrites(t *testing.T) {
	s := start(t, s3server.Config{})
	s.keepVersions(t, types.BucketVersioningStatusEnabled)
	s.keepVersions(t, types.BucketVersioningStatusSuspended)

	s.put(t, "k", "x")
	errc := make(chan error, 1)
	go func() {
		var err error
		for range 100 {
			_, failure := s.PutObject(t.Context(), putInput("k", "y"))
			err = errors.Join(err, failure)
		}
		errc <- err
	}()
	for {
		require.Len(t, s.versions(t, 10), 1)
		select {
		case err := <-errc:
			require.NoError(t, err)
			return
		default:
		}
	}
}
