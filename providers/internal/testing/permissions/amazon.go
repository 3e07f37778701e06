package permissions

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// amazonActions maps method, kind of resource and subresource of a request to the action of Amazon
// S3.
//
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
var amazonActions = map[string]string{
	"GET account": "s3:ListAllMyBuckets",

	"PUT bucket":                   "s3:CreateBucket",
	"HEAD bucket":                  "s3:ListBucket",
	"DELETE bucket":                "s3:DeleteBucket",
	"GET bucket list-type":         "s3:ListBucket",
	"GET bucket versions":          "s3:ListBucketVersions",
	"GET bucket uploads":           "s3:ListBucketMultipartUploads",
	"POST bucket delete":           "s3:DeleteObject",
	"GET bucket versioning":        "s3:GetBucketVersioning",
	"PUT bucket versioning":        "s3:PutBucketVersioning",
	"GET bucket cors":              "s3:GetBucketCORS",
	"PUT bucket cors":              "s3:PutBucketCORS",
	"DELETE bucket cors":           "s3:PutBucketCORS",
	"GET bucket lifecycle":         "s3:GetLifecycleConfiguration",
	"PUT bucket lifecycle":         "s3:PutLifecycleConfiguration",
	"DELETE bucket lifecycle":      "s3:PutLifecycleConfiguration",
	"GET bucket policy":            "s3:GetBucketPolicy",
	"PUT bucket policy":            "s3:PutBucketPolicy",
	"DELETE bucket policy":         "s3:DeleteBucketPolicy",
	"GET bucket publicAccessBlock": "s3:GetBucketPublicAccessBlock",
	"PUT bucket publicAccessBlock": "s3:PutBucketPublicAccessBlock",
	"GET bucket policyStatus":      "s3:GetBucketPolicyStatus",
	"GET bucket object-lock":       "s3:GetBucketObjectLockConfiguration",
	"PUT bucket object-lock":       "s3:PutBucketObjectLockConfiguration",

	"GET object":             "s3:GetObject",
	"HEAD object":            "s3:GetObject",
	"PUT object":             "s3:PutObject",
	"DELETE object":          "s3:DeleteObject",
	"POST object uploads":    "s3:PutObject",
	"PUT object uploadId":    "s3:PutObject",
	"POST object uploadId":   "s3:PutObject",
	"DELETE object uploadId": "s3:AbortMultipartUpload",
	"GET object uploadId":    "s3:ListMultipartUploadParts",
	"GET object tagging":     "s3:GetObjectTagging",
	"PUT object tagging":     "s3:PutObjectTagging",
	"DELETE object tagging":  "s3:DeleteObjectTagging",
	"GET object retention":   "s3:GetObjectRetention",
	"PUT object retention":   "s3:PutObjectRetention",
	"GET object legal-hold":  "s3:GetObjectLegalHold",
	"PUT object legal-hold":  "s3:PutObjectLegalHold",
	"POST object restore":    "s3:RestoreObject",
}

// amazonSubresources are the query parameters that select an operation.
var amazonSubresources = []string{
	"list-type", "versions", "uploads", "uploadId", "delete", "versioning", "cors", "lifecycle", "policy",
	"policyStatus", "publicAccessBlock", "object-lock", "tagging", "retention", "legal-hold", "restore",
}

// amazonVersioned maps an action to the action that replaces it if a request names a version.
var amazonVersioned = map[string]string{
	"s3:GetObject":           "s3:GetObjectVersion",
	"s3:DeleteObject":        "s3:DeleteObjectVersion",
	"s3:GetObjectTagging":    "s3:GetObjectVersionTagging",
	"s3:PutObjectTagging":    "s3:PutObjectVersionTagging",
	"s3:DeleteObjectTagging": "s3:DeleteObjectVersionTagging",
}

const amazonSSE = "X-Amz-Server-Side-Encryption"

// An amazonAccount remembers which objects and uploads have tags, because copying them needs more
// permissions.
type amazonAccount struct {
	hasTags map[string]bool // by path
	uploads map[string]bool // by path: true if the upload has tags
}

func newAmazonAccount() classifier {
	return &amazonAccount{map[string]bool{}, map[string]bool{}}
}

// needs returns the permissions that a request needs because of its operation and its headers. It fails
// if amazonActions does not have the operation.
func (a *amazonAccount) needs(x *Exchange) ([]string, error) {
	name := amazonOperation(x)
	action := amazonActions[name]
	if action == "" {
		return nil, fmt.Errorf("the table of Amazon S3 has no %q", name)
	}
	if versionAction := amazonVersioned[action]; versionAction != "" && x.Query.Has("versionId") {
		action = versionAction
	}

	needs := []string{action}
	needs = append(needs, amazonConditionPermissions(x, name)...)
	needs = append(needs, amazonHeaderPermissions(x, name)...)
	needs = append(needs, amazonKMSPermissions(x, name)...)
	needs = append(needs, a.copySourcePermissions(x)...)
	a.recordTags(x, name)
	return needs, nil
}

// amazonOperation returns the name of a request's operation in amazonActions: the method, the kind of
// resource and a subresource.
func amazonOperation(x *Exchange) string {
	bucket, key := x.split()
	kind := "object"
	if key == "" {
		kind = "bucket"
	}
	if bucket == "" {
		kind = "account"
	}

	for _, subresource := range amazonSubresources {
		if x.Query.Has(subresource) {
			return x.Method + " " + kind + " " + subresource
		}
	}
	return x.Method + " " + kind
}

// amazonConditionPermissions returns the further permissions that a request needs because of its condition,
// or because the object is missing.
//
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-deletes.html
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html
func amazonConditionPermissions(x *Exchange, name string) []string {
	switch name {
	case "PUT object", "POST object uploadId", "DELETE object":
		if x.hasHeader("If-Match") {
			return []string{"s3:GetObject"}
		}
	case "POST bucket delete":
		hasETag := strings.Contains(x.Body, "<ETag>") // the condition of one of the objects
		if hasETag {
			return []string{"s3:GetObject"}
		}
	case "GET object", "HEAD object":
		if x.Status == http.StatusNotFound {
			return []string{"s3:ListBucket"}
		}
	}
	return nil
}

// amazonHeaderPermissions returns the further permissions that a request needs because of headers in the
// request or the response.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-managing.html
func amazonHeaderPermissions(x *Exchange, name string) (actions []string) {
	switch name {
	case "PUT object", "POST object uploads":
		for header, action := range map[string]string{
			"X-Amz-Acl":                    "s3:PutObjectAcl",
			"X-Amz-Tagging":                "s3:PutObjectTagging",
			"X-Amz-Object-Lock-Mode":       "s3:PutObjectRetention",
			"X-Amz-Object-Lock-Legal-Hold": "s3:PutObjectLegalHold",
		} {
			if x.hasHeader(header) {
				actions = append(actions, action)
			}
		}
	case "GET object", "HEAD object":
		// Without the permission, the response does not have the header.
		if x.Response.Get("X-Amz-Object-Lock-Mode") != "" {
			actions = append(actions, "s3:GetObjectRetention")
		}
		if x.Response.Get("X-Amz-Object-Lock-Legal-Hold") != "" {
			actions = append(actions, "s3:GetObjectLegalHold")
		}
	case "POST bucket delete":
		if strings.Contains(x.Body, "<VersionId>") {
			actions = append(actions, "s3:DeleteObjectVersion")
		}
	case "PUT bucket":
		if x.hasHeader("X-Amz-Bucket-Object-Lock-Enabled") {
			actions = append(actions, "s3:PutBucketObjectLockConfiguration", "s3:PutBucketVersioning")
		}
	}

	if x.Header.Get("X-Amz-Bypass-Governance-Retention") == "true" {
		actions = append(actions, "s3:BypassGovernanceRetention")
	}
	return actions
}

// amazonKMSPermissions returns the further permissions that a request needs if the object is encrypted with a
// KMS key. name is that of the request's operation in amazonActions, and "uploadId" in it stands for
// a part of a multipart upload or its completion.
//
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html (x-amz-checksum-mode)
func amazonKMSPermissions(x *Exchange, name string) []string {
	const kms = "aws:kms" // value of the header
	usesKMS := x.Header.Get(amazonSSE) == kms || x.Response.Get(amazonSSE) == kms
	if !usesKMS {
		return nil
	}
	switch name {
	case "PUT object", "POST object uploads", "PUT object uploadId": // these write data
		return []string{"kms:GenerateDataKey"}
	case "POST object uploadId", "GET object": // these read data
		return []string{"kms:Decrypt"}
	case "HEAD object":
		// The checksum of the object is encrypted, too.
		if x.hasHeader("X-Amz-Checksum-Mode") {
			return []string{"kms:Decrypt"}
		}
	}
	return nil
}

// copySourcePermissions returns the permissions that a copy needs for its source.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
func (a *amazonAccount) copySourcePermissions(x *Exchange) []string {
	source := x.Header.Get("X-Amz-Copy-Source")
	if source == "" {
		return nil
	}

	// The source is a path, and perhaps a version, as in bucket/key?versionId=1.
	path, query, _ := strings.Cut(strings.TrimPrefix(source, "/"), "?")
	path, _ = url.PathUnescape(path)
	read := "s3:GetObject"
	readTags := "s3:GetObjectTagging"
	namesVersion := query != ""
	if namesVersion {
		read = "s3:GetObjectVersion"
		readTags = "s3:GetObjectVersionTagging"
	}

	needs := []string{read}
	// A copy of a whole object copies its tags, too, unless the request replaces them.
	isPart := x.Query.Has("uploadId")
	keepsTags := x.Header.Get("X-Amz-Tagging-Directive") != "REPLACE"
	if !isPart && keepsTags && a.hasTags[path] {
		needs = append(needs, readTags, "s3:PutObjectTagging")
	}
	return needs
}

// recordTags records which objects and uploads have tags after a request that succeeded.
func (a *amazonAccount) recordTags(x *Exchange, name string) {
	if x.Status >= http.StatusMultipleChoices {
		return
	}
	switch name {
	case "PUT object":
		a.hasTags[x.Path] = x.hasHeader("X-Amz-Tagging")
	case "PUT object tagging":
		a.hasTags[x.Path] = true
	case "DELETE object tagging", "DELETE object":
		a.hasTags[x.Path] = false
	case "POST object uploads":
		// The tags of an upload become those of its object.
		a.uploads[x.Path] = x.hasHeader("X-Amz-Tagging")
	case "POST object uploadId":
		a.hasTags[x.Path] = a.uploads[x.Path]
	}
}
