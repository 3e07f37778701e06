package s3server

import (
	"net/http"
	"strings"
)

type handler = func(*request) error

// subresources are the query parameters that select another operation. The first one in
// a request decides.
var subresources = []string{
	"accelerate", "acl", "analytics", "cors", "delete", "encryption", "intelligent-tiering", "inventory", "legal-hold",
	"lifecycle", "location", "logging", "metrics", "notification", "object-lock", "ownershipControls", "policy", "policyStatus",
	"publicAccessBlock", "replication", "requestPayment", "restore", "retention", "tagging", "uploadId", "uploads",
	"versioning", "versions", "website",
	// This server does not implement these:
	"attributes", "select", "torrent",
}

type operation struct {
	name   string
	handle handler
}

// operations has the operations by kind, method and subresource.
var operations = map[string]operation{
	"SERVICE GET ": {"ListBuckets", listingOf((*request).listBuckets)},

	"BUCKET PUT ":                     {"CreateBucket", (*request).createBucket},
	"BUCKET HEAD ":                    {"HeadBucket", (*request).headBucket},
	"BUCKET DELETE ":                  {"DeleteBucket", (*request).deleteBucket},
	"BUCKET GET ":                     {"ListObjects", listingOf((*request).listObjectsV1)},
	"BUCKET GET list-type":            {"ListObjectsV2", listingOf((*request).listObjects)},
	"BUCKET GET versions":             {"ListObjectVersions", listingOf((*request).listVersions)},
	"BUCKET GET uploads":              {"ListMultipartUploads", listingOf((*request).listUploads)},
	"BUCKET GET location":             {"GetBucketLocation", (*request).getLocation},
	"BUCKET POST delete":              {"DeleteObjects", (*request).deleteObjects},
	"BUCKET POST ":                    {"PostObject", (*request).postObject},
	"BUCKET GET versioning":           {"GetBucketVersioning", (*request).getVersioning},
	"BUCKET PUT versioning":           {"PutBucketVersioning", (*request).putVersioning},
	"BUCKET GET cors":                 {"GetBucketCors", (*request).getCORS},
	"BUCKET PUT cors":                 {"PutBucketCors", (*request).putCORS},
	"BUCKET DELETE cors":              {"DeleteBucketCors", (*request).deleteCORS},
	"BUCKET GET policy":               {"GetBucketPolicy", (*request).getPolicy},
	"BUCKET PUT policy":               {"PutBucketPolicy", (*request).putPolicy},
	"BUCKET DELETE policy":            {"DeleteBucketPolicy", (*request).deletePolicy},
	"BUCKET GET policyStatus":         {"GetBucketPolicyStatus", (*request).getPolicyStatus},
	"BUCKET GET publicAccessBlock":    {"GetPublicAccessBlock", (*request).getAccessBlock},
	"BUCKET PUT publicAccessBlock":    {"PutPublicAccessBlock", (*request).putAccessBlock},
	"BUCKET DELETE publicAccessBlock": {"DeletePublicAccessBlock", (*request).deleteAccessBlock},
	"BUCKET GET ownershipControls":    {"GetBucketOwnershipControls", (*request).getOwnership},
	"BUCKET PUT ownershipControls":    {"PutBucketOwnershipControls", (*request).putOwnership},
	"BUCKET DELETE ownershipControls": {"DeleteBucketOwnershipControls", (*request).deleteOwnership},
	"BUCKET GET lifecycle":            {"GetBucketLifecycleConfiguration", (*request).getLifecycle},
	"BUCKET PUT lifecycle":            {"PutBucketLifecycleConfiguration", (*request).putLifecycle},
	"BUCKET DELETE lifecycle":         {"DeleteBucketLifecycle", (*request).deleteLifecycle},
	"BUCKET GET acl":                  {"GetBucketAcl", (*request).getACL},
	"BUCKET PUT acl":                  {"PutBucketAcl", (*request).putBucketACL},
	"BUCKET GET object-lock":          {"GetObjectLockConfiguration", (*request).getLocking},
	"BUCKET PUT object-lock":          {"PutObjectLockConfiguration", (*request).putLocking},
	"BUCKET GET tagging":              {"GetBucketTagging", (*request).getBucketTagging},
	"BUCKET PUT tagging":              {"PutBucketTagging", (*request).putBucketTagging},
	"BUCKET DELETE tagging":           {"DeleteBucketTagging", (*request).deleteBucketTagging},
	"BUCKET GET encryption":           {"GetBucketEncryption", (*request).getBucketEncryption},
	"BUCKET PUT encryption":           {"PutBucketEncryption", (*request).putBucketEncryption},
	"BUCKET DELETE encryption":        {"DeleteBucketEncryption", (*request).deleteBucketEncryption},
	"BUCKET GET requestPayment":       {"GetBucketRequestPayment", (*request).getRequestPayment},
	"BUCKET PUT requestPayment":       {"PutBucketRequestPayment", (*request).putRequestPayment},
	"BUCKET GET accelerate":           {"GetBucketAccelerateConfiguration", (*request).getAcceleration},
	"BUCKET PUT accelerate":           {"PutBucketAccelerateConfiguration", (*request).putAcceleration},
	"BUCKET GET logging":              {"GetBucketLogging", (*request).getLogging},
	"BUCKET PUT logging":              {"PutBucketLogging", (*request).putLogging},
	"BUCKET GET notification":         {"GetBucketNotificationConfiguration", (*request).getNotification},
	"BUCKET PUT notification":         {"PutBucketNotificationConfiguration", (*request).putNotification},
	"BUCKET GET website":              {"GetBucketWebsite", (*request).getWebsite},
	"BUCKET PUT website":              {"PutBucketWebsite", (*request).putWebsite},
	"BUCKET DELETE website":           {"DeleteBucketWebsite", (*request).deleteWebsite},
	"BUCKET GET replication":          {"GetBucketReplication", (*request).getReplication},
	"BUCKET DELETE replication":       {"DeleteBucketReplication", (*request).deleteNothing},

	// With an id, these name one configuration, and else all.
	"BUCKET GET analytics":                 {"ListBucketAnalyticsConfigurations", listNothing("ListBucketAnalyticsConfigurationResult")},
	"BUCKET GET analytics id":              {"GetBucketAnalyticsConfiguration", (*request).noConfiguration},
	"BUCKET DELETE analytics id":           {"DeleteBucketAnalyticsConfiguration", (*request).noConfiguration},
	"BUCKET GET intelligent-tiering":       {"ListBucketIntelligentTieringConfigurations", listNothing("ListBucketIntelligentTieringConfigurationsOutput")},
	"BUCKET GET intelligent-tiering id":    {"GetBucketIntelligentTieringConfiguration", (*request).noConfiguration},
	"BUCKET DELETE intelligent-tiering id": {"DeleteBucketIntelligentTieringConfiguration", (*request).noConfiguration},
	"BUCKET GET inventory":                 {"ListBucketInventoryConfigurations", listNothing("ListInventoryConfigurationsResult")},
	"BUCKET GET inventory id":              {"GetBucketInventoryConfiguration", (*request).noConfiguration},
	"BUCKET DELETE inventory id":           {"DeleteBucketInventoryConfiguration", (*request).noConfiguration},
	"BUCKET GET metrics":                   {"ListBucketMetricsConfigurations", listNothing("ListMetricsConfigurationsResult")},
	"BUCKET GET metrics id":                {"GetBucketMetricsConfiguration", (*request).noConfiguration},
	"BUCKET DELETE metrics id":             {"DeleteBucketMetricsConfiguration", (*request).noConfiguration},

	"OBJECT PUT ":            {"PutObject", (*request).putObject},
	"OBJECT GET ":            {"GetObject", (*request).getObject},
	"OBJECT HEAD ":           {"HeadObject", (*request).getObject},
	"OBJECT DELETE ":         {"DeleteObject", (*request).deleteObject},
	"OBJECT POST uploads":    {"CreateMultipartUpload", (*request).createUpload},
	"OBJECT PUT uploadId":    {"UploadPart", (*request).uploadPart},
	"OBJECT POST uploadId":   {"CompleteMultipartUpload", (*request).completeUpload},
	"OBJECT DELETE uploadId": {"AbortMultipartUpload", (*request).abortUpload},
	"OBJECT GET uploadId":    {"ListParts", listingOf((*request).listParts)},
	"OBJECT GET attributes":  {"GetObjectAttributes", (*request).getAttributes},
	"OBJECT GET acl":         {"GetObjectAcl", (*request).getACL},
	"OBJECT PUT acl":         {"PutObjectAcl", (*request).putObjectACL},
	"OBJECT GET tagging":     {"GetObjectTagging", (*request).getTagging},
	"OBJECT PUT tagging":     {"PutObjectTagging", (*request).putTagging},
	"OBJECT DELETE tagging":  {"DeleteObjectTagging", (*request).deleteTagging},
	"OBJECT GET retention":   {"GetObjectRetention", (*request).getRetention},
	"OBJECT PUT retention":   {"PutObjectRetention", (*request).putRetention},
	"OBJECT GET legal-hold":  {"GetObjectLegalHold", (*request).getLegalHold},
	"OBJECT PUT legal-hold":  {"PutObjectLegalHold", (*request).putLegalHold},
	"OBJECT POST restore":    {"RestoreObject", (*request).restoreObject},
}

// chooseOperation returns the operation. A name without a handler is one that this
// server does not implement.
func (r *request) chooseOperation() (string, handler) {
	if r.Method == http.MethodOptions {
		return "Preflight", (*request).preflight
	}
	if missing := r.missingSubresource(); missing != "" {
		return missing, nil
	}
	subresource := ""
	for _, name := range subresources {
		if r.has(name) {
			subresource = name
			break
		}
	}
	kind := r.target.kind()
	if kind == "BUCKET" && r.Method == http.MethodGet && subresource == "" {
		if r.query.Get("list-type") == "2" {
			subresource = "list-type"
		}
	}
	if copying := r.Header.Get("X-Amz-Copy-Source") != ""; copying && kind == "OBJECT" && r.Method == http.MethodPut {
		switch subresource {
		case "":
			return "CopyObject", (*request).copyObject
		case "uploadId":
			return "UploadPartCopy", (*request).copyPart
		}
	}
	switch subresource {
	case "analytics", "intelligent-tiering", "inventory", "metrics":
		if r.has("id") {
			subresource += " id"
		}
	}
	chosen, found := operations[strings.Join([]string{kind, r.Method, subresource}, " ")]
	if !found {
		return subresource, nil
	}
	return chosen.name, chosen.handle
}
