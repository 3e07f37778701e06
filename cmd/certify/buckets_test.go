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

// If the server refuses to create a bucket, certify does not count it as created. After an error that leaves the
// outcome open, it does.
func TestRefusedBucketCreation(t *testing.T) {
	for code, stays := range map[storage.Code][]string{
		storage.Unauthenticated:  nil,
		storage.PermissionDenied: nil,
		storage.BucketExists:     nil, // somebody else's
		storage.Unavailable:      {"b"},
		storage.Internal:         {"b"},
	} {
		t.Run(string(code), func(t *testing.T) {
			c := &certification{}
			service := &account{
				ServiceDriver: refuser{memstore.NewServiceDriver(memstore.ServiceConfig{}), code},
				made:          &c.made,
				interrupted:   &c.interrupted,
			}
			_, err := service.CreateBucket(t.Context(), &driver.BucketRequest{Name: "b"})
			require.Equal(t, code, storage.CodeOf(err))
			require.ElementsMatch(t, stays, c.made.all())

			c.made.add("b")
			_, _ = service.CreateBucket(t.Context(), &driver.BucketRequest{Name: "b"})
			require.Equal(t, []string{"b"}, c.made.all(), "an earlier attempt may have made it")
		})
	}
}
