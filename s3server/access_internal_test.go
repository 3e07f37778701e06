package s3server

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server/internal/acl"
	"github.com/omnibucket/storage/s3server/internal/policy"
	"github.com/omnibucket/storage/s3server/internal/wildcard"
)

func TestEveryOperationHasAnAction(t *testing.T) {
	names := []string{"CopyObject", "UploadPartCopy", "ListObjects", "ListObjectsV2"}
	for _, o := range operations {
		names = append(names, o.name)
	}
	for _, name := range names {
		require.NotEmpty(t, policy.OperationActions[name], "%s has no action in operationActions", name)
	}
	for from, to := range policy.VersionActions {
		require.True(t, policy.OnObjects(from) && policy.OnObjects(to), "%s, %s", from, to)
	}
	for action := range acl.ObjectPermissions {
		require.True(t, policy.OnObjects(action) && slices.Contains(policy.Actions, action), action)
	}
	for _, action := range []string{"s3:GetBucketObjectLockConfiguration", "s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:PutBucketPolicy", "s3:PutLifecycleConfiguration"} {
		require.False(t, policy.OnObjects(action), action)
	}
}

func TestPatternsMatch(t *testing.T) {
	for _, test := range []struct {
		pattern, value string
		matches        bool
	}{
		{"", "", true}, {"", "a", false}, {"*", "", true}, {"*", "abc", true}, {"a*", "abc", true}, {"a*", "b", false}, {"*c", "abc", true},
		{"a*c", "abcbc", true}, {"a*c", "abcb", false}, {"a?c", "abc", true}, {"a?c", "ac", false}, {"*?", "", false}, {"*?", "x", true},
		{"**a**", "bab", true}, {"a*b*c", "a-b-b-c", true}, {"a*b*c", "a-c-b", false}, {"abc", "ab", false},
	} {
		require.Equal(t, test.matches, wildcard.Match(test.pattern, test.value), "%q of %q", test.pattern, test.value)
	}
}
