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

// The ledger lists the buckets that the program has created. If the creation of a bucket fails, the
// ledger gets its name only if the bucket may exist.
func TestRefusedBucketCreation(t *testing.T) {
	tests := []struct {
		code         storage.Code
		wantInLedger bool
	}{
		{code: storage.Unauthenticated, wantInLedger: false},
		{code: storage.PermissionDenied, wantInLedger: false},
		// The bucket is somebody else's.
		{code: storage.BucketExists, wantInLedger: false},
		{code: storage.Unavailable, wantInLedger: true},
		{code: storage.Internal, wantInLedger: true},
	}
	for _, tt := range tests {
		t.Run(string(tt.code), func(t *testing.T) {
			c := &certification{}
			// In this account, each creation of a bucket fails with tt.code.
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
			if tt.wantInLedger {
				require.Equal(t, []string{"b"}, c.ledger.all())
			} else {
				require.Empty(t, c.ledger.all())
			}

			// A name in the ledger stays, because an earlier attempt may have created the bucket.
			c.ledger.add("b")
			_, _ = service.CreateBucket(t.Context(), &driver.BucketRequest{Name: "b"})
			require.Equal(t, []string{"b"}, c.ledger.all())
		})
	}
}
