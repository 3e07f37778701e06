package operations

import (
	"slices"
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
		require.NotEmpty(t, policy.OperationActions[name], "%s has no action in operationActions", name)
	}

	for action := range acl.ObjectPermissions {
		require.True(t, policy.OnObjects(action) && slices.Contains(policy.Actions, action), action)
	}

	for _, action := range []string{"s3:GetBucketObjectLockConfiguration", "s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:PutBucketPolicy", "s3:PutLifecycleConfiguration"} {
		require.False(t, policy.OnObjects(action), action)
	}
}
