package permissions

import (
	"slices"
	"strings"
)

// minioLacks are the operations that MinIO does not support.
var minioLacks = []Operation{
	"remove-if-revision", "list-uploads", "restore", "upload-public", "create-bucket-cors", "update-bucket-cors",
}

// minioFree maps operations to those actions of Amazon that MinIO does not check. It compares
// entity tags, stores the tags of a write and copies tags with s3:PutObject and s3:GetObject alone.
// It also says that an object is missing to a client that may not list.
//
// https://github.com/minio/minio/blob/master/cmd/object-handlers.go
var minioFree = map[Operation][]string{
	"upload-if-revision": {"s3:GetObject"},
	"download-missing":   {"s3:ListBucket"},
	"copy-tagged":        {"s3:GetObjectTagging", "s3:PutObjectTagging"},
	"copy-with-tags":     {"s3:PutObjectTagging"},
	"upload-with-tags":   {"s3:PutObjectTagging"},
}

// minioActions returns the actions that MinIO needs for an operation that needs amazonActions on AWS. It
// leaves out the actions that MinIO does not have, because its policies must not name them, and those
// that MinIO does not check. To remove a version, MinIO also needs the action that removes objects.
//
// https://github.com/minio/pkg/blob/main/policy/action.go
// https://github.com/minio/minio/blob/master/cmd/auth-handler.go
func minioActions(o Operation, amazonActions []string) []string {
	var actions []string
	for _, action := range amazonActions {
		if isUnknownToMinIO(action) || slices.Contains(minioFree[o], action) {
			continue
		}
		if action == "s3:DeleteObjectVersion" {
			actions = append(actions, "s3:DeleteObject")
		}
		actions = append(actions, action)
	}
	return sortPermissions(actions)
}

// isUnknownToMinIO reports whether MinIO has no such action.
func isUnknownToMinIO(action string) bool {
	return strings.HasPrefix(action, "kms:") ||
		strings.HasSuffix(action, "BucketCORS") ||
		strings.HasSuffix(action, "BucketPublicAccessBlock")
}

// removeImplied removes s3:ListBucketVersions if the actions have s3:ListBucket, with which MinIO
// also permits listing versions.
//
// https://github.com/minio/minio/blob/master/cmd/auth-handler.go
func removeImplied(actions []string) []string {
	if !slices.Contains(actions, "s3:ListBucket") {
		return actions
	}
	return slices.DeleteFunc(actions, func(action string) bool { return action == "s3:ListBucketVersions" })
}
