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

// In the buckets of a hidingService, the first page of each listing is empty, although more pages follow.
type hidingService struct{ driver.ServiceDriver }

func (service hidingService) Driver(name string) (driver.Driver, error) {
	d, err := service.ServiceDriver.Driver(name)
	return hidingFirst{d}, err
}

func (service hidingService) DeleteBucket(context.Context, string) error { return nil } // Azure deletes what is in it

type hidingFirst struct{ driver.Driver }

func (d hidingFirst) List(ctx context.Context, r *driver.ListRequest) (*storage.Page, error) {
	if r.Token == "" {
		return &storage.Page{Token: "second"}, nil
	}
	return d.Driver.List(ctx, &driver.ListRequest{Limit: r.Limit})
}

// DeleteBucket fails with BucketNotEmpty if the bucket has an object, even if the first page of the listing is empty.
func TestDeleteBucketReadsPastEmptyPages(t *testing.T) {
	service := engine.NewService(hidingService{memstore.NewServiceDriver(memstore.ServiceConfig{})})
	_, err := service.CreateBucket(t.Context(), "photos")
	require.NoError(t, err)
	bucket, err := service.Bucket("photos")
	require.NoError(t, err)
	_, err = bucket.Upload(t.Context(), "a", strings.NewReader("x"))
	require.NoError(t, err)

	require.ErrorIs(t, service.DeleteBucket(t.Context(), "photos"), storage.BucketNotEmpty)
	require.NoError(t, bucket.Remove(t.Context(), "a"))
	require.NoError(t, service.DeleteBucket(t.Context(), "photos"))
}

// WithDefaultRetention permits 1 to 36,500 days, which are 100 years.
func TestDefaultRetentionHasBounds(t *testing.T) {
	service := memstore.NewService(memstore.ServiceConfig{})
	tests := []struct {
		days int
		want storage.Code
	}{
		{days: -1, want: storage.InvalidArgument},
		{days: 0, want: storage.InvalidArgument},
		{days: 1, want: ""},
		{days: 36_500, want: ""},
		{days: 36_501, want: storage.InvalidArgument},
		{days: math.MaxInt, want: storage.InvalidArgument},
	}
	for i, tt := range tests {
		t.Run(fmt.Sprint(tt.days, " days"), func(t *testing.T) {
			_, err := service.CreateBucket(t.Context(), fmt.Sprint("bucket-", i),
				storage.WithObjectLock(), storage.WithDefaultRetention(storage.Compliance, tt.days))
			require.Equal(t, tt.want, storage.CodeOf(err))
		})
	}
}

// A greedyService keeps and changes what it is given.
type greedyService struct{ driver.ServiceDriver }

func (service greedyService) UpdateBucket(_ context.Context, r *driver.BucketRequest) (*storage.BucketInfo, error) {
	for _, rule := range *r.Lifecycle {
		rule.Tags["k"] = "changed"
	}
	for _, rule := range *r.CORS {
		rule.Origins[0] = "changed"
		rule.Methods[0] = "changed"
		rule.AllowedHeaders[0] = "changed"
		rule.ExposedHeaders[0] = "changed"
	}
	return &storage.BucketInfo{}, nil
}

// UpdateBucket does not change the caller's rules, even if the driver changes those that it gets.
func TestUpdateBucketCopiesRules(t *testing.T) {
	newLifecycle := func() []storage.LifecycleRule {
		return []storage.LifecycleRule{{ID: "1", Tags: map[string]string{"k": "v"}, ExpireAfterDays: 1}}
	}
	newCORS := func() []storage.CORSRule {
		return []storage.CORSRule{{
			Origins:        []string{"*"},
			Methods:        []string{"GET"},
			AllowedHeaders: []string{"*"},
			ExposedHeaders: []string{"ETag"},
		}}
	}
	service := engine.NewService(greedyService{memstore.NewServiceDriver(memstore.ServiceConfig{})})
	lifecycle := newLifecycle()
	cors := newCORS()
	opts := []storage.BucketOption{storage.WithLifecycle(lifecycle...), storage.WithCORS(cors...)}

	// The driver changes the rules that it gets in each call.
	for range 2 {
		_, err := service.UpdateBucket(t.Context(), "photos", opts...)
		require.NoError(t, err)
		require.Equal(t, newLifecycle(), lifecycle)
		require.Equal(t, newCORS(), cors)
	}
}
