package operations

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server/internal/acl"
	"github.com/omnibucket/storage/s3server/internal/policy"
)

// Each operation of the server has an action that a policy can name.
func TestActionOfEachOperation(t *testing.T) {
	names := []string{"CopyObject", "UploadPartCopy", "ListObjects", "ListObjectsV2"}
	for _, o := range operations {
		if o.name != "AssumeRole" { // no policy of a bucket or session is about STS
			names = append(names, o.name)
		}
	}
	for _, name := range names {
		require.NotEmpty(t, policy.OperationActions[name], "%s has no action in OperationActions", name)
	}

	// Actions that an object's ACL can permit are about objects, those of buckets are not.
	for action := range acl.ObjectPermissions {
		require.True(t, policy.OnObjects(action), action)
		require.Contains(t, policy.Actions, action)
	}
	ofBuckets := []string{
		"s3:GetBucketObjectLockConfiguration",
		"s3:ListBucket",
		"s3:ListBucketMultipartUploads",
		"s3:PutBucketPolicy",
		"s3:PutLifecycleConfiguration",
	}
	for _, action := range ofBuckets {
		require.False(t, policy.OnObjects(action), action)
	}
}
