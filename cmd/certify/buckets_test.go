//go:build omnibucket_sdks

package main

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
)

// A refuser creates no bucket.
type refuser struct {
	driver.ServiceDriver
	code storage.Code
}

func (r refuser) CreateBucket(context.Context, *driver.BucketRequest) (*storage.BucketInfo, error) {
	return nil, r.code
}

// If the server refuses to create a bucket, the ledger of created buckets does not get its name. After an error that
// leaves the outcome open, it does.
func TestRefusedBucketCreation(t *testing.T) {
	tests := []struct {
		code       storage.Code
		mayBeThere bool
	}{
		{code: storage.Unauthenticated, mayBeThere: false},
		{code: storage.PermissionDenied, mayBeThere: false},
		{code: storage.BucketExists, mayBeThere: false}, // it is somebody else's
		{code: storage.Unavailable, mayBeThere: true},
		{code: storage.Internal, mayBeThere: true},
	}
	for _, tt := range tests {
		t.Run(string(tt.code), func(t *testing.T) {
			c := &certification{}
			service := &account{
				ServiceDriver: refuser{
					ServiceDriver: memstore.NewServiceDriver(memstore.ServiceConfig{}),
					code:          tt.code,
				},
				ledger:      &c.ledger,
				interrupted: &c.interrupted,
			}

			_, err := service.CreateBucket(t.Context(), &driver.BucketRequest{Name: "b"})
			require.Equal(t, tt.code, storage.CodeOf(err))
			if tt.mayBeThere {
				require.Equal(t, []string{"b"}, c.ledger.all())
			} else {
				require.Empty(t, c.ledger.all())
			}

			c.ledger.add("b")
			_, _ = service.CreateBucket(t.Context(), &driver.BucketRequest{Name: "b"})
			require.Equal(t, []string{"b"}, c.ledger.all(), "an earlier attempt may have made it")
		})
	}
}
