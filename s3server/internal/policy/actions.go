package policy

import (
	"maps"
	"slices"
	"strings"
)

// namedLikeActions has the operations whose action is "s3:" and the name of the operation.
var namedLikeActions = []string{
	"AbortMultipartUpload", "CreateBucket", "DeleteBucket", "DeleteBucketPolicy", "DeleteBucketWebsite", "DeleteObject",
	"DeleteObjectTagging", "GetBucketAcl", "GetBucketLocation", "GetBucketLogging", "GetBucketOwnershipControls", "GetBucketPolicy",
	"GetBucketPolicyStatus", "GetBucketRequestPayment", "GetBucketTagging", "GetBucketVersioning", "GetBucketWebsite", "GetObject",
	"GetObjectAcl", "GetObjectLegalHold", "GetObjectRetention", "GetObjectTagging", "GetObjectTorrent", "PutBucketAcl",
	"PutBucketLogging", "PutBucketOwnershipControls", "PutBucketPolicy", "PutBucketRequestPayment", "PutBucketTagging",
	"PutBucketVersioning", "PutBucketWebsite", "PutObject", "PutObjectAcl", "PutObjectLegalHold", "PutObjectRetention",
	"PutObjectTagging", "RestoreObject",
}

// operationsOf maps an action to its operations, if their names differ from the action's.
var operationsOf = map[string][]string{
	"s3:DeleteObject":                     {"DeleteObjects"},
	"s3:GetAccelerateConfiguration":       {"GetBucketAccelerateConfiguration"},
	"s3:GetAnalyticsConfiguration":        {"GetBucketAnalyticsConfiguration", "ListBucketAnalyticsConfigurations"},
	"s3:GetBucketCORS":                    {"GetBucketCors"},
	"s3:GetBucketNotification":            {"GetBucketNotificationConfiguration"},
	"s3:GetBucketObjectLockConfiguration": {"GetObjectLockConfiguration"},
	"s3:GetBucketPublicAccessBlock":       {"GetPublicAccessBlock"},
	"s3:GetEncryptionConfiguration":       {"GetBucketEncryption"},
	"s3:GetIntelligentTieringConfiguration": {
		"GetBucketIntelligentTieringConfiguration", "ListBucketIntelligentTieringConfigurations",
	},
	"s3:GetInventoryConfiguration":        {"GetBucketInventoryConfiguration", "ListBucketInventoryConfigurations"},
	"s3:GetLifecycleConfiguration":        {"GetBucketLifecycleConfiguration"},
	"s3:GetMetricsConfiguration":          {"GetBucketMetricsConfiguration", "ListBucketMetricsConfigurations"},
	"s3:GetObject":                        {"GetObjectAttributes", "HeadObject", "SelectObjectContent"},
	"s3:GetReplicationConfiguration":      {"GetBucketReplication"},
	"s3:ListAllMyBuckets":                 {"ListBuckets"},
	"s3:ListBucket":                       {"HeadBucket", "ListObjects", "ListObjectsV2"},
	"s3:ListBucketMultipartUploads":       {"ListMultipartUploads"},
	"s3:ListBucketVersions":               {"ListObjectVersions"},
	"s3:ListMultipartUploadParts":         {"ListParts"},
	"s3:PutAccelerateConfiguration":       {"PutBucketAccelerateConfiguration"},
	"s3:PutAnalyticsConfiguration":        {"DeleteBucketAnalyticsConfiguration", "PutBucketAnalyticsConfiguration"},
	"s3:PutBucketCORS":                    {"DeleteBucketCors", "PutBucketCors"},
	"s3:PutBucketNotification":            {"PutBucketNotificationConfiguration"},
	"s3:PutBucketObjectLockConfiguration": {"PutObjectLockConfiguration"},
	"s3:PutBucketOwnershipControls":       {"DeleteBucketOwnershipControls"},
	"s3:PutBucketPublicAccessBlock":       {"DeletePublicAccessBlock", "PutPublicAccessBlock"},
	"s3:PutBucketTagging":                 {"DeleteBucketTagging"},
	"s3:PutEncryptionConfiguration":       {"DeleteBucketEncryption", "PutBucketEncryption"},
	"s3:PutIntelligentTieringConfiguration": {
		"DeleteBucketIntelligentTieringConfiguration", "PutBucketIntelligentTieringConfiguration",
	},
	"s3:PutInventoryConfiguration": {"DeleteBucketInventoryConfiguration", "PutBucketInventoryConfiguration"},
	"s3:PutLifecycleConfiguration": {"DeleteBucketLifecycle", "PutBucketLifecycleConfiguration"},
	"s3:PutMetricsConfiguration":   {"DeleteBucketMetricsConfiguration", "PutBucketMetricsConfiguration"},
	"s3:PutObject": {
		"CompleteMultipartUpload", "CopyObject", "CreateMultipartUpload", "PostObject", "UploadPart", "UploadPartCopy",
	},
	"s3:PutReplicationConfiguration": {"DeleteBucketReplication", "PutBucketReplication"},
}

// OperationActions maps an operation to the action that a policy must allow. An operation that is
// missing here is permitted only to the bucket's owner.
var OperationActions = func() map[string]string {
	actions := map[string]string{}
	for _, operation := range namedLikeActions {
		actions[operation] = "s3:" + operation
	}
	for action, operations := range operationsOf {
		for _, operation := range operations {
			actions[operation] = action
		}
	}
	return actions
}()

// ActionOn returns the action that a policy must allow, which may be another one for a request that names
// a version.
func ActionOn(action string, versioned bool) string {
	if versionAction := VersionActions[action]; versionAction != "" && versioned {
		return versionAction
	}
	return action
}

// VersionActions maps an action to the action for a request that names a version.
var VersionActions = map[string]string{
	"s3:DeleteObject":        "s3:DeleteObjectVersion",
	"s3:DeleteObjectTagging": "s3:DeleteObjectVersionTagging",
	"s3:GetObject":           "s3:GetObjectVersion",
	"s3:GetObjectAcl":        "s3:GetObjectVersionAcl",
	"s3:GetObjectTagging":    "s3:GetObjectVersionTagging",
	"s3:GetObjectTorrent":    "s3:GetObjectVersionTorrent",
	"s3:PutObjectAcl":        "s3:PutObjectVersionAcl",
	"s3:PutObjectTagging":    "s3:PutObjectVersionTagging",
}

// otherActions has the other actions of AWS on buckets and objects. A policy may name them.
var otherActions = []string{
	"s3:BypassGovernanceRetention", "s3:GetObjectAttributes", "s3:GetObjectVersionAttributes", "s3:GetObjectVersionForReplication",
	"s3:InitiateReplication", "s3:ObjectOwnerOverrideToBucketOwner", "s3:ReplicateDelete", "s3:ReplicateObject", "s3:ReplicateTags",
	"s3:UpdateObjectEncryption", "s3:CreateBucketMetadataTableConfiguration", "s3:DeleteBucketMetadataTableConfiguration",
	"s3:GetBucketMetadataTableConfiguration", "s3:GetBucketAbac", "s3:PutBucketAbac",
}

// Actions has all actions that a bucket's policy may name.
var Actions = func() []string {
	all := slices.AppendSeq(slices.Clone(otherActions), maps.Values(OperationActions))
	all = slices.AppendSeq(all, maps.Values(VersionActions))
	slices.Sort(all)
	return slices.DeleteFunc(slices.Compact(all), func(action string) bool {
		return action == "s3:ListAllMyBuckets"
	})
}()

// OnObjects reports whether an action is on objects, not on a bucket.
func OnObjects(action string) bool {
	name := strings.TrimPrefix(action, "s3:")
	switch name {
	case "AbortMultipartUpload", "BypassGovernanceRetention", "InitiateReplication", "ListMultipartUploadParts",
		"UpdateObjectEncryption":
		return true
	}
	if strings.HasPrefix(name, "Replicate") {
		return true
	}

	// The name of an action on a bucket may contain Object, too, as in GetBucketObjectLockConfiguration.
	if strings.HasPrefix(name, "GetBucket") || strings.HasPrefix(name, "PutBucket") {
		return false
	}
	return strings.Contains(name, "Object")
}

// ReadsOnly reports whether an action is permitted to a read-only credential.
func ReadsOnly(action string) bool {
	return strings.HasPrefix(action, "s3:Get") || strings.HasPrefix(action, "s3:List")
}
