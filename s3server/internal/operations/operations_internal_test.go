package operations

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server/internal/acl"
	"github.com/omnibucket/storage/s3server/internal/policy"
)

// Each operation of the server has an action that a policy can name.
func TestActionOfEachOperation(t *testing.T) {
	names := []string{"CopyObject", "UploadPartCopy", "ListObjects", "ListObjectsV2"}
	for _, o := range operations {
		// AssumeRole belongs to STS. No policy of a bucket or session is about STS.
		if o.name != "AssumeRole" {
			names = append(names, o.name)
		}
	}
	for _, name := range names {
		require.NotEmpty(t, policy.OperationActions[name], "%s has no action in OperationActions", name)
	}
}

// An object's ACL can permit only actions on objects. Actions on buckets are not among them.
func TestActionsOnObjects(t *testing.T) {
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

// The parameter DurationSeconds must be from 15 minutes to 12 hours, and is one hour by default.
func TestSessionTime(t *testing.T) {
	tests := []struct {
		text string
		want time.Duration // 0 if the text is refused
	}{
		{text: "", want: time.Hour},
		{text: "900", want: 15 * time.Minute},
		{text: "43200", want: 12 * time.Hour},
		{text: "899"},
		{text: "43201"},
		{text: "x"},
		{text: "-18446740473"}, // in nanoseconds, it overflows to about an hour
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			got, err := sessionTime(tt.text)
			require.Equal(t, tt.want == 0, err != nil)
			require.Equal(t, tt.want, got)
		})
	}
}
