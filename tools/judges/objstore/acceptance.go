//go:build objstore

// Package s3_test is compiled as a part of the module of objstore (see gomodule.go).
package s3_test

import (
	"testing"

	"github.com/thanos-io/objstore"
	"github.com/thanos-io/objstore/providers/s3"
)

func TestAcceptance(t *testing.T) {
	bucket, remove, err := s3.NewTestBucket(t, "us-east-1")
	if err != nil {
		t.Fatal(err)
	}
	defer remove()
	t.Run("bucket", func(t *testing.T) {
		objstore.AcceptanceTest(t, bucket)
	})
	t.Run("prefix", func(t *testing.T) {
		objstore.AcceptanceTest(t, objstore.NewPrefixedBucket(bucket, "some_prefix"))
	})
}
