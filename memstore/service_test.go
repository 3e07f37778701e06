package memstore_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
)

// createBucket creates a bucket, and returns its driver.
func createBucket(t *testing.T, s driver.ServiceDriver, name string) driver.Driver {
	t.Helper()
	_, err := s.CreateBucket(t.Context(), &driver.BucketRequest{Name: name})
	require.NoError(t, err)
	d, err := s.Driver(name)
	require.NoError(t, err)
	return d
}

func pointerTo[T any](value T) *T { return &value }

// CreateBucket sets all properties, and shares no memory with its arguments and result.
func TestCreateBucketSetsProperties(t *testing.T) {
	noon := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	s := memstore.NewServiceDriver(memstore.ServiceConfig{Now: func() time.Time { return noon }})
	cors := []storage.CORSRule{{Origins: []string{"*"}, Methods: []string{"GET"}, MaxAge: time.Hour}}
	lifecycle := []storage.LifecycleRule{{ID: "old", Prefix: "tmp/", ExpireAfterDays: 3}}
	// want shares no memory with cors and lifecycle, which the test changes below.
	want := &storage.BucketInfo{
		Name:       "b",
		Provider:   "memory",
		Region:     "here",
		Created:    noon,
		Public:     true,
		Versioning: true,
		CORS:       []storage.CORSRule{{Origins: []string{"*"}, Methods: []string{"GET"}, MaxAge: time.Hour}},
		Lifecycle:  []storage.LifecycleRule{{ID: "old", Prefix: "tmp/", ExpireAfterDays: 3}},
	}

	// Create the bucket, and compare the result.
	info, err := s.CreateBucket(t.Context(), &driver.BucketRequest{
		Name:         "b",
		Region:       "here",
		PublicAccess: pointerTo(true),
		Versioning:   pointerTo(true),
		CORS:         &cors,
		Lifecycle:    &lifecycle,
	})
	require.NoError(t, err)
	require.Equal(t, want, info)
	d, err := s.Driver("b")
	require.NoError(t, err)
	require.True(t, d.Describe().Versioned)

	// Change all arguments and the result. The bucket must still have the old values.
	cors[0].Origins[0] = "changed"
	lifecycle[0].ID = "changed"
	info.CORS[0].Methods[0] = "changed"
	info.Lifecycle[0].Prefix = "changed"
	info, err = s.BucketInfo(t.Context(), "b")
	require.NoError(t, err)
	require.Equal(t, want, info)
}

// UpdateBucket changes only the properties that the request sets.
func TestUpdateBucketChangesOnlyRequested(t *testing.T) {
	s := memstore.NewServiceDriver(memstore.ServiceConfig{})
	_, err := s.CreateBucket(t.Context(), &driver.BucketRequest{
		Name:         "b",
		PublicAccess: pointerTo(true),
		CORS:         &[]storage.CORSRule{{}},
		Lifecycle:    &[]storage.LifecycleRule{{}},
	})
	require.NoError(t, err)

	info, err := s.UpdateBucket(t.Context(), &driver.BucketRequest{Name: "b", CORS: &[]storage.CORSRule{}})
	require.NoError(t, err)
	require.Nil(t, info.CORS, "an empty list clears them")
	require.Len(t, info.Lifecycle, 1)
	require.True(t, info.Public)
}

// UpdateBucket cannot change the region, and fails with BucketNotFound for a missing bucket.
func TestUpdateBucketFails(t *testing.T) {
	s := memstore.NewServiceDriver(memstore.ServiceConfig{})
	createBucket(t, s, "b")

	_, err := s.UpdateBucket(t.Context(), &driver.BucketRequest{Name: "b", Region: "there"})
	require.ErrorIs(t, err, storage.Unsupported)
	_, err = s.UpdateBucket(t.Context(), &driver.BucketRequest{Name: "none"})
	require.ErrorIs(t, err, storage.BucketNotFound)
}

// CreateBucket fails with BucketExists for a name that exists, and changes nothing.
func TestCreateBucketTwice(t *testing.T) {
	s := memstore.NewServiceDriver(memstore.ServiceConfig{})
	put(t, createBucket(t, s, "b"), "k", "content")

	_, err := s.CreateBucket(t.Context(), &driver.BucketRequest{Name: "b", Region: "other"})
	require.ErrorIs(t, err, storage.BucketExists)

	info, err := s.BucketInfo(t.Context(), "b")
	require.NoError(t, err)
	require.Empty(t, info.Region)
}

// DeleteBucket fails with BucketNotEmpty until all objects, versions and delete markers are removed.
func TestDeleteBucket(t *testing.T) {
	s := memstore.NewServiceDriver(memstore.ServiceConfig{})
	d := createBucket(t, s, "b")
	d.Describe().EnableVersions()
	version := put(t, d, "k", "content").Version

	require.ErrorIs(t, s.DeleteBucket(t.Context(), "b"), storage.BucketNotEmpty)

	// A noncurrent version and a delete marker remain.
	remove(t, d, "k", "")
	require.ErrorIs(t, s.DeleteBucket(t.Context(), "b"), storage.BucketNotEmpty)

	// The delete marker remains.
	remove(t, d, "k", version)
	require.ErrorIs(t, s.DeleteBucket(t.Context(), "b"), storage.BucketNotEmpty)

	// An upload is not an object.
	const deleteMarker = "memory:2"
	remove(t, d, "k", deleteMarker)
	beginUpload(t, d, "k")
	require.NoError(t, s.DeleteBucket(t.Context(), "b"))
	require.ErrorIs(t, s.DeleteBucket(t.Context(), "b"), storage.BucketNotFound)
}

// requireBucketNotFound requires that every call of d fails with BucketNotFound.
func requireBucketNotFound(t *testing.T, d driver.Driver) {
	t.Helper()
	_, err := d.Put(t.Context(), putRequest("k", ""))
	require.ErrorIs(t, err, storage.BucketNotFound)
	_, err = head(d, "k")
	require.ErrorIs(t, err, storage.BucketNotFound)
	_, _, err = d.Get(t.Context(), &driver.GetRequest{Key: "k"})
	require.ErrorIs(t, err, storage.BucketNotFound)
	err = d.Delete(t.Context(), &driver.DeleteRequest{Key: "k"})
	require.ErrorIs(t, err, storage.BucketNotFound)

	_, err = d.List(t.Context(), &driver.ListRequest{Limit: 1})
	require.ErrorIs(t, err, storage.BucketNotFound)
	_, err = d.ListVersions(t.Context(), &driver.ListRequest{Limit: 1})
	require.ErrorIs(t, err, storage.BucketNotFound)

	source := d.Locate("k")
	_, err = d.Copy(t.Context(), &driver.CopyRequest{Source: source, Key: "k"})
	require.ErrorIs(t, err, storage.BucketNotFound)
	_, err = d.Compose(t.Context(), &driver.ComposeRequest{Sources: []driver.ObjectRef{source}, Key: "k"})
	require.ErrorIs(t, err, storage.BucketNotFound)
	_, err = d.BeginParts(t.Context(), putRequest("k", ""))
	require.ErrorIs(t, err, storage.BucketNotFound)
}

// Opening a bucket that does not exist makes no request, and calls fail with BucketNotFound.
func TestServiceMissingBucket(t *testing.T) {
	s := memstore.NewServiceDriver(memstore.ServiceConfig{})
	d, err := s.Driver("b")
	require.NoError(t, err)
	d.Describe().EnableVersions()
	require.False(t, d.Describe().Versioned)

	_, err = s.BucketInfo(t.Context(), "b")
	require.ErrorIs(t, err, storage.BucketNotFound)
	requireBucketNotFound(t, d)
}

// After a bucket was removed, calls fail with BucketNotFound.
func TestServiceRemovedBucket(t *testing.T) {
	s := memstore.NewServiceDriver(memstore.ServiceConfig{})
	d, err := s.Driver("b")
	require.NoError(t, err)
	d.Describe().EnableVersions()
	createBucket(t, s, "b")
	put(t, d, "k", "")
	remove(t, d, "k", "")
	require.NoError(t, s.DeleteBucket(t.Context(), "b"))

	_, err = s.BucketInfo(t.Context(), "b")
	require.ErrorIs(t, err, storage.BucketNotFound)
	requireBucketNotFound(t, d)
}

// If the bucket is removed while Put reads its body, Put fails.
func TestPutIntoRemovedBucket(t *testing.T) {
	s := memstore.NewServiceDriver(memstore.ServiceConfig{})
	d := createBucket(t, s, "b")
	req := putRequest("k", "content")
	req.Body = &endHookBody{Reader: req.Body, atEnd: func() {
		require.NoError(t, s.DeleteBucket(t.Context(), "b"))
	}}
	_, err := d.Put(t.Context(), req)
	require.ErrorIs(t, err, storage.BucketNotFound)
}

// A bucket that is created again under its name does not repeat revisions of the removed one.
func TestCreateBucketReusesNoRevision(t *testing.T) {
	s := memstore.NewServiceDriver(memstore.ServiceConfig{})
	d := createBucket(t, s, "b")
	revision := put(t, d, "k", "content").Revision
	remove(t, d, "k", "")
	require.NoError(t, s.DeleteBucket(t.Context(), "b"))

	createBucket(t, s, "b")
	require.NotEqual(t, revision, put(t, d, "k", "content").Revision)
}

// A service without buckets lists one empty page.
func TestListBucketsOfEmptyService(t *testing.T) {
	s := memstore.NewServiceDriver(memstore.ServiceConfig{})
	page, token, err := s.ListBuckets(t.Context(), "")
	require.NoError(t, err)
	require.Empty(t, page)
	require.Empty(t, token)
}

// ListBuckets lists buckets by name, in pages. A full last page has no token.
func TestListBucketsPages(t *testing.T) {
	const (
		pageSize = 1000
		pages    = 2
		buckets  = pages * pageSize
	)
	s := memstore.NewServiceDriver(memstore.ServiceConfig{})
	// Create the buckets in the reverse order of their names.
	for i := buckets - 1; i >= 0; i-- {
		createBucket(t, s, fmt.Sprintf("b%04d", i))
	}

	// List the pages, which are all full.
	var names []string
	token := ""
	for range pages {
		page, nextToken, err := s.ListBuckets(t.Context(), token)
		require.NoError(t, err)
		require.Len(t, page, pageSize)
		for _, info := range page {
			names = append(names, info.Name)
		}
		token = nextToken
	}
	require.Empty(t, token)
	require.Len(t, names, buckets)
	require.IsIncreasing(t, names)
}

// ListBuckets fails with InvalidArgument for a token that it did not return.
func TestListBucketsRefusesToken(t *testing.T) {
	s := memstore.NewServiceDriver(memstore.ServiceConfig{})
	_, _, err := s.ListBuckets(t.Context(), "no token")
	require.ErrorIs(t, err, storage.InvalidArgument)
}

// Credentials fails with Unsupported, because a service in memory has none.
func TestCredentialsAreUnsupported(t *testing.T) {
	s := memstore.NewServiceDriver(memstore.ServiceConfig{})
	_, err := s.Credentials(t.Context(), "b")
	require.ErrorIs(t, err, storage.Unsupported)
	require.Equal(t, "memory", s.Provider())
}

// Calls of the service fail with Canceled if their ctx was canceled.
func TestServiceCallsAfterContextEnds(t *testing.T) {
	s := memstore.NewServiceDriver(memstore.ServiceConfig{})
	createBucket(t, s, "b")
	ctx, cancel := newEndedContext("canceled")
	defer cancel()

	_, err := s.CreateBucket(ctx, &driver.BucketRequest{Name: "c"})
	require.ErrorIs(t, err, storage.Canceled)
	_, err = s.UpdateBucket(ctx, &driver.BucketRequest{Name: "b"})
	require.ErrorIs(t, err, storage.Canceled)

	_, err = s.BucketInfo(ctx, "b")
	require.ErrorIs(t, err, storage.Canceled)
	_, _, err = s.ListBuckets(ctx, "")
	require.ErrorIs(t, err, storage.Canceled)
	require.ErrorIs(t, s.DeleteBucket(ctx, "b"), storage.Canceled)
}
