package s3_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// If a policy lets everybody read the objects of a bucket, an anonymous client can read their content and nothing
// else. Its calls for tags and locks, and its writes, fail with PermissionDenied and change nothing.
func TestWithPublicAccessWithoutTagsAndLocks(t *testing.T) {
	runOnLockingServers(t, testAnonymousAccess)
}

// testAnonymousAccess reads an object of one server without credentials, and requires that all other calls fail.
func testAnonymousAccess(t *testing.T, s *testServer) {
	ctx := t.Context()
	bucket := s.lockingBucket(t)
	owner := s.open(t, bucket, storage.WithObjectLock())
	defer func() {
		require.NoError(t, storage.Close(owner))
	}()
	attrs, err := owner.Upload(ctx, "k", strings.NewReader("text"),
		storage.WithTags(map[string]string{"k": "v"}), storage.WithLegalHold())
	require.NoError(t, err)
	defer func() {
		require.NoError(t, storage.SetLegalHold(context.WithoutCancel(ctx), owner, "k", false,
			storage.WithVersion(attrs.Version)))
	}()

	letEverybodyRead(t, s, bucket)

	// A client without credentials can read the object.
	c := s.config(t, bucket)
	c.AccessKeyID = ""
	c.SecretKey = ""
	c.Anonymous = true
	b := openBucket(t, c)
	got, _, err := storage.ReadAll(ctx, b, "k")
	require.NoError(t, err)
	require.Equal(t, "text", string(got))

	// The client can do nothing else.
	refusedCalls := map[string]func() error{
		"Tags": func() error {
			_, err := storage.Tags(ctx, b, "k")
			return err
		},
		"SetTags":      func() error { return storage.SetTags(ctx, b, "k", nil) },
		"SetLegalHold": func() error { return storage.SetLegalHold(ctx, b, "k", false) },
		"SetRetention": func() error {
			return storage.SetRetention(ctx, b, "k", storage.Retention{
				Mode:  storage.Governance,
				Until: time.Now().Add(time.Hour),
			})
		},
		"an upload with tags": func() error {
			_, err := b.Upload(ctx, "new", strings.NewReader("x"),
				storage.WithTags(map[string]string{"k": "v"}))
			return err
		},
		"an upload with a hold": func() error {
			_, err := b.Upload(ctx, "new", strings.NewReader("x"), storage.WithLegalHold())
			return err
		},
		"an upload with a retention": func() error {
			_, err := b.Upload(ctx, "new", strings.NewReader("x"),
				storage.WithRetention(time.Now().Add(time.Hour), storage.Governance))
			return err
		},
		"a removal": func() error { return b.Remove(ctx, "k") },
	}
	for name, call := range refusedCalls {
		err := call()
		require.Equal(t, storage.PermissionDenied, storage.CodeOf(err), "%s on %s: %v", name, s.name, err)
	}

	// Nothing has changed.
	tags, err := storage.Tags(ctx, owner, "k")
	require.NoError(t, err)
	require.Equal(t, map[string]string{"k": "v"}, tags)

	newAttrs, err := owner.Attrs(ctx, "k")
	require.NoError(t, err)
	require.True(t, newAttrs.LegalHold)

	exists, err := owner.Exists(ctx, "new")
	require.NoError(t, err)
	require.False(t, exists)
}

// letEverybodyRead sets a policy of the bucket with which everybody may read its objects.
func letEverybodyRead(t *testing.T, s *testServer, bucket string) {
	t.Helper()
	// New buckets of Amazon block policies that let everybody read.
	if s.name == "aws" {
		_, err := s.raw.DeletePublicAccessBlock(t.Context(), &awss3.DeletePublicAccessBlockInput{Bucket: &bucket})
		require.NoError(t, err)
	}

	policy := fmt.Sprintf(`{"Version": "2012-10-17", "Statement": [{
		"Effect": "Allow", "Principal": "*", "Action": ["s3:GetObject"],
		"Resource": ["arn:aws:s3:::%s/*"]
	}]}`, bucket)
	_, err := s.raw.PutBucketPolicy(t.Context(), &awss3.PutBucketPolicyInput{Bucket: &bucket, Policy: &policy})
	require.NoError(t, err)
}
