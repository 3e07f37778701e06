package policy

import (
	"slices"
	"strings"
)

// OperationActions are the actions that a policy allows or denies for each operation.
// An operation that is missing here is the bucket owner's alone.
var OperationActions = map[string]string{
	"ListBuckets":  "s3:ListAllMyBuckets",
	"CreateBucket": "s3:CreateBucket",

	"AbortMultipartUpload":                        "s3:AbortMultipartUpload",
	"CompleteMultipartUpload":                     "s3:PutObject",
	"CopyObject":                                  "s3:PutObject",
	"CreateMultipartUpload":                       "s3:PutObject",
	"DeleteBucket":                                "s3:DeleteBucket",
	"DeleteBucketAnalyticsConfiguration":          "s3:PutAnalyticsConfiguration",
	"DeleteBucketCors":                            "s3:PutBucketCORS",
	"DeleteBucketEncryption":                      "s3:PutEncryptionConfiguration",
	"DeleteBucketIntelligentTieringConfiguration": "s3:PutIntelligentTieringConfiguration",
	"DeleteBucketInventoryConfiguration":          "s3:PutInventoryConfiguration",
	"DeleteBucketLifecycle":                       "s3:PutLifecycleConfiguration",
	"DeleteBucketMetricsConfiguration":            "s3:PutMetricsConfiguration",
	"DeleteBucketOwnershipControls":               "s3:PutBucketOwnershipControls",
	"DeleteBucketPolicy":                          "s3:DeleteBucketPolicy",
	"DeleteBucketReplication":                     "s3:PutReplicationConfiguration",
	"DeleteBucketTagging":                         "s3:PutBucketTagging",
	"DeleteBucketWebsite":                         "s3:DeleteBucketWebsite",
	"DeleteObject":                                "s3:DeleteObject",
	"DeleteObjectTagging":                         "s3:DeleteObjectTagging",
	"DeleteObjects":                               "s3:DeleteObject",
	"DeletePublicAccessBlock":                     "s3:PutBucketPublicAccessBlock",
	"GetBucketAccelerateConfiguration":            "s3:GetAccelerateConfiguration",
	"GetBucketAcl":                                "s3:GetBucketAcl",
	"GetBucketAnalyticsConfiguration":             "s3:GetAnalyticsConfiguration",
	"GetBucketCors":                               "s3:GetBucketCORS",
	"GetBucketEncryption":                         "s3:GetEncryptionConfiguration",
	"GetBucketIntelligentTieringConfiguration":    "s3:GetIntelligentTieringConfiguration",
	"GetBucketInventoryConfiguration":             "s3:GetInventoryConfiguration",
	"GetBucketLifecycleConfiguration":             "s3:GetLifecycleConfiguration",
	"GetBucketLocation":                           "s3:GetBucketLocation",
	"GetBucketLogging":                            "s3:GetBucketLogging",
	"GetBucketMetricsConfiguration":               "s3:GetMetricsConfiguration",
	"GetBucketNotificationConfiguration":          "s3:GetBucketNotification",
	"GetBucketOwnershipControls":                  "s3:GetBucketOwnershipControls",
	"GetBucketPolicy":                             "s3:GetBucketPolicy",
	"GetBucketPolicyStatus":                       "s3:GetBucketPolicyStatus",
	"GetBucketReplication":                        "s3:GetReplicationConfiguration",
	"GetBucketRequestPayment":                     "s3:GetBucketRequestPayment",
	"GetBucketTagging":                            "s3:GetBucketTagging",
	"GetBucketVersioning":                         "s3:GetBucketVersioning",
	"GetBucketWebsite":                            "s3:GetBucketWebsite",
	"GetObject":                                   "s3:GetObject",
	"GetObjectAcl":                                "s3:GetObjectAcl",
	"GetObjectAttributes":                         "s3:GetObject",
	"GetObjectLegalHold":                          "s3:GetObjectLegalHold",
	"GetObjectLockConfiguration":                  "s3:GetBucketObjectLockConfiguration",
	"GetObjectRetention":                          "s3:GetObjectRetention",
	"GetObjectTagging":                            "s3:GetObjectTagging",
	"GetObjectTorrent":                            "s3:GetObjectTorrent",
	"GetPublicAccessBlock":                        "s3:GetBucketPublicAccessBlock",
	"HeadBucket":                                  "s3:ListBucket",
	"HeadObject":                                  "s3:GetObject",
	"ListBucketAnalyticsConfigurations":           "s3:GetAnalyticsConfiguration",
	"ListBucketIntelligentTieringConfigurations":  "s3:GetIntelligentTieringConfiguration",
	"ListBucketInventoryConfigurations":           "s3:GetInventoryConfiguration",
	"ListBucketMetricsConfigurations":             "s3:GetMetricsConfiguration",
	"ListMultipartUploads":                        "s3:ListBucketMultipartUploads",
	"ListObjectVersions":                          "s3:ListBucketVersions",
	"ListObjects":                                 "s3:ListBucket",
	"ListObjectsV2":                               "s3:ListBucket",
	"ListParts":                                   "s3:ListMultipartUploadParts",
	"PostObject":                                  "s3:PutObject",
	"PutBucketAccelerateConfiguration":            "s3:PutAccelerateConfiguration",
	"PutBucketAcl":                                "s3:PutBucketAcl",
	"PutBucketAnalyticsConfiguration":             "s3:PutAnalyticsConfiguration",
	"PutBucketCors":                               "s3:PutBucketCORS",
	"PutBucketEncryption":                         "s3:PutEncryptionConfiguration",
	"PutBucketIntelligentTieringConfiguration":    "s3:PutIntelligentTieringConfiguration",
	"PutBucketInventoryConfiguration":             "s3:PutInventoryConfiguration",
	"PutBucketLifecycleConfiguration":             "s3:PutLifecycleConfiguration",
	"PutBucketLogging":                            "s3:PutBucketLogging",
	"PutBucketMetricsConfiguration":               "s3:PutMetricsConfiguration",
	"PutBucketNotificationConfiguration":          "s3:PutBucketNotification",
	"PutBucketOwnershipControls":                  "s3:PutBucketOwnershipControls",
	"PutBucketPolicy":                             "s3:PutBucketPolicy",
	"PutBucketReplication":                        "s3:PutReplicationConfiguration",
	"PutBucketRequestPayment":                     "s3:PutBucketRequestPayment",
	"PutBucketTagging":                            "s3:PutBucketTagging",
	"PutBucketVersioning":                         "s3:PutBucketVersioning",
	"PutBucketWebsite":                            "s3:PutBucketWebsite",
	"PutObject":                                   "s3:PutObject",
	"PutObjectAcl":                                "s3:PutObjectAcl",
	"PutObjectLegalHold":                          "s3:PutObjectLegalHold",
	"PutObjectLockConfiguration":                  "s3:PutBucketObjectLockConfiguration",
	"PutObjectRetention":                          "s3:PutObjectRetention",
	"PutObjectTagging":                            "s3:PutObjectTagging",
	"PutPublicAccessBlock":                        "s3:PutBucketPublicAccessBlock",
	"RestoreObject":                               "s3:RestoreObject",
	"SelectObjectContent":                         "s3:GetObject",
	"UploadPart":                                  "s3:PutObject",
	"UploadPartCopy":                              "s3:PutObject",
}

// VersionActions are the actions for a request that names a version.
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

// otherActions are AWS's further actions on buckets and objects, which a policy may name.
var otherActions = []string{
	"s3:BypassGovernanceRetention", "s3:GetObjectAttributes", "s3:GetObjectVersionAttributes", "s3:GetObjectVersionForReplication",
	"s3:InitiateReplication", "s3:ObjectOwnerOverrideToBucketOwner", "s3:ReplicateDelete", "s3:ReplicateObject", "s3:ReplicateTags",
	"s3:UpdateObjectEncryption", "s3:CreateBucketMetadataTableConfiguration", "s3:DeleteBucketMetadataTableConfiguration",
	"s3:GetBucketMetadataTableConfiguration", "s3:GetBucketAbac", "s3:PutBucketAbac",
}

// Actions are all actions that a bucket's policy may name.
var Actions = func() []string {
	all := slices.Clone(otherActions)
	for _, action := range OperationActions {
		all = append(all, action)
	}
	for _, action := range VersionActions {
		all = append(all, action)
	}
	slices.Sort(all)
	return slices.DeleteFunc(slices.Compact(all), func(action string) bool {
		return action == "s3:ListAllMyBuckets"
	})
}()

// OnObjects reports whether the resource of an action is an object.
func OnObjects(action string) bool {
	name := strings.TrimPrefix(action, "s3:")
	switch name {
	case "AbortMultipartUpload", "BypassGovernanceRetention", "InitiateReplication", "ListMultipartUploadParts", "UpdateObjectEncryption":
		return true
	}
	return strings.Contains(name, "Object") && !strings.HasPrefix(name, "GetBucket") && !strings.HasPrefix(name, "PutBucket") || strings.HasPrefix(name, "Replicate")
}

// ReadsOnly reports whether a read-only key may do this.
func ReadsOnly(action string) bool {
	return strings.HasPrefix(action, "s3:Get") || strings.HasPrefix(action, "s3:List")
}
