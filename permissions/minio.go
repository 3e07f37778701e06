package permissions

import "strings"

// minioLacks are the operations that MinIO does not support.
var minioLacks = []Operation{
	"remove-if-revision", "list-uploads", "restore", "upload-public", "create-bucket-cors", "update-bucket-cors",
}

// minioActions returns the actions of MinIO in place of those of Amazon. MinIO has no CORS rules
// and no blocks of public access, and needs no permission to use a key. Its policies must not name
// actions that it does not have. To remove a version, MinIO also needs the action that removes
// objects.
//
// https://github.com/minio/pkg/blob/main/policy/action.go
// https://github.com/minio/minio/blob/master/cmd/auth-handler.go
func minioActions(amazon []string) (all []string) {
	for _, action := range amazon {
		switch {
		case strings.HasPrefix(action, "kms:"),
			strings.HasSuffix(action, "BucketCORS"), strings.HasSuffix(action, "BucketPublicAccessBlock"):
			continue
		case action == "s3:DeleteObjectVersion":
			all = append(all, "s3:DeleteObject")
		}
		all = append(all, action)
	}
	return ordered(all)
}
