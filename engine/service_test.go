package engine_test

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/memstore"
)

// hidingService opens buckets whose first page has nothing that is shown.
type hidingService struct{ driver.ServiceDriver }

func (s hidingService) Driver(name string) (driver.Driver, error) {
	d, err := s.ServiceDriver.Driver(name)
	return hidingFirst{d}, err
}

func (s hidingService) DeleteBucket(context.Context, string) error { return nil } // Azure deletes what is in it

type hidingFirst struct{ driver.Driver }

func (d hidingFirst) List(ctx context.Context, r *driver.ListRequest) (*storage.Page, error) {
	if r.Token == "" {
		return &storage.Page{Token: "second"}, nil
	}
	return d.Driver.List(ctx, &driver.ListRequest{Limit: r.Limit})
}

func TestDeleteBucketReadsPastEmptyPages(t *testing.T) {
	s := engine.NewService(hidingService{memstore.NewServiceDriver(memstore.ServiceConfig{})})
	_, err := s.CreateBucket(t.Context(), "photos")
	require.NoError(t, err)
	b, err := s.Bucket("photos")
	require.NoError(t, err)
	_, err = b.Upload(t.Context(), "a", strings.NewReader("x"))
	require.NoError(t, err)

	require.ErrorIs(t, s.DeleteBucket(t.Context(), "photos"), storage.BucketNotEmpty)
	require.NoError(t, b.Remove(t.Context(), "a"))
	require.NoError(t, s.DeleteBucket(t.Context(), "photos"))
}

func TestDefaultRetentionHasBounds(t *testing.T) {
	s := memstore.NewService(memstore.ServiceConfig{})
	for days, want := range map[int]storage.Code{
		-1:          storage.InvalidArgument,
		0:           storage.InvalidArgument,
		1:           "",
		36_500:      "",
		36_501:      storage.InvalidArgument,
		math.MaxInt: storage.InvalidArgument, // a time of no calendar
	} {
		_, err := s.CreateBucket(t.Context(), fmt.Sprint("of-", max(days, 0), "-days"),
			storage.WithObjectLock(), storage.WithDefaultRetention(storage.Compliance, days))
		require.Equal(t, want, storage.CodeOf(err), "%d days", days)
	}
}

// A greedyService keeps and changes what it is given.
type greedyService struct{ driver.ServiceDriver }

func (s greedyService) UpdateBucket(_ context.Context, r *driver.BucketRequest) (*storage.BucketInfo, error) {
	for _, rule := range *r.Lifecycle {
		rule.Tags["k"] = "changed"
	}
	for _, rule := range *r.CORS {
		for _, list := range [][]string{rule.Origins, rule.Methods, rule.AllowedHeaders, rule.ExposedHeaders} {
			list[0] = "changed"
		}
	}
	return &storage.BucketInfo{}, nil
}

// UpdateBucket does not change or keep the caller's rules, however often an option is used.
func TestUpdateBucketCopiesRules(t *testing.T) {
	s := engine.NewService(greedyService{memstore.NewServiceDriver(memstore.ServiceConfig{})})
	lifecycle := []storage.LifecycleRule{{ID: "1", Tags: map[string]string{"k": "v"}, ExpireAfterDays: 1}}
	cors := []storage.CORSRule{{Origins: []string{"*"}, Methods: []string{"GET"}, AllowedHeaders: []string{"*"}, ExposedHeaders: []string{"ETag"}}}
	opts := []storage.BucketOption{storage.WithLifecycle(lifecycle...), storage.WithCORS(cors...)}
	for range 2 {
		_, err := s.UpdateBucket(t.Context(), "photos", opts...)
		require.NoError(t, err)
		require.Equal(t, []storage.LifecycleRule{{ID: "1", Tags: map[string]string{"k": "v"}, ExpireAfterDays: 1}}, lifecycle)
		require.Equal(t, []storage.CORSRule{{Origins: []string{"*"}, Methods: []string{"GET"}, AllowedHeaders: []string{"*"}, ExposedHeaders: []string{"ETag"}}}, cors)
	}
}
