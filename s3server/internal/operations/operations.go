// Package operations has the operations of S3. Its entry point is [Route], which finds the handler of a
// request. Before a handler is called, the caller and its permission are checked, except by the
// operations that check them on their own.
package operations

import (
	"cmp"
	"net/http"
	"strings"

	"github.com/omnibucket/storage/s3server/internal/acl"
	"github.com/omnibucket/storage/s3server/internal/cors"
	"github.com/omnibucket/storage/s3server/internal/request"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
	"github.com/omnibucket/storage/s3server/internal/tagging"
	"github.com/omnibucket/storage/s3server/internal/website"
)

type handler = func(*request.Request) error

// limitListings returns a handler that calls list, and makes requests wait while too many listings are in
// progress.
func limitListings(list handler) handler {
	return func(r *request.Request) error {
		if err := r.EnterListing(); err != nil {
			return err
		}
		return list(r)
	}
}

type operation struct {
	name   string
	handle handler
}

// operations maps a kind of target, a method and a subresource to an operation.
var operations = map[string]operation{
	"SERVICE GET ":  {"ListBuckets", limitListings(listBuckets)},
	"SERVICE POST ": {"AssumeRole", assumeRole}, // an operation of AWS STS, which checks its signature itself

	"BUCKET PUT ":          {"CreateBucket", createBucket},
	"BUCKET HEAD ":         {"HeadBucket", headBucket},
	"BUCKET DELETE ":       {"DeleteBucket", deleteBucket},
	"BUCKET GET ":          {"ListObjects", limitListings(listObjectsV1)},
	"BUCKET GET list-type": {"ListObjectsV2", limitListings(listObjects)},
	"BUCKET GET versions":  {"ListObjectVersions", limitListings(listVersions)},
	"BUCKET GET uploads":   {"ListMultipartUploads", limitListings(listUploads)},
	"BUCKET GET location":  {"GetBucketLocation", getSetting("LocationConstraint", getLocation)},
	"BUCKET POST delete":   {"DeleteObjects", deleteObjects},
	"BUCKET POST ":         {"PostObject", postObject},
	"BUCKET GET versioning": {
		"GetBucketVersioning",
		getSetting(
			"VersioningConfiguration",
			func(b *state.Bucket) (any, error) { return versioningConfiguration{Status: b.Versioning}, nil },
		),
	},
	"BUCKET PUT versioning": {"PutBucketVersioning", putVersioning},
	"BUCKET GET cors": {
		"GetBucketCors",
		getSettingIf(
			"CORSConfiguration", "NoSuchCORSConfiguration",
			func(b *state.Bucket) *cors.Configuration { return b.CORS },
		),
	},
	"BUCKET PUT cors": {
		"PutBucketCors", putSetting((*request.Request).ReadXMLWithDigest, func(b *state.Bucket, c *cors.Configuration) {
			b.CORS = c
		}),
	},
	"BUCKET DELETE cors": {"DeleteBucketCors", deleteSetting(func(b *state.Bucket) {
		b.CORS = nil
	})},
	"BUCKET GET policy": {"GetBucketPolicy", getPolicy},
	"BUCKET PUT policy": {"PutBucketPolicy", putPolicy},
	"BUCKET DELETE policy": {"DeleteBucketPolicy", deleteSetting(func(b *state.Bucket) {
		b.Policy = nil
	})},
	"BUCKET GET policyStatus": {
		"GetBucketPolicyStatus", getSettingIf("PolicyStatus", "NoSuchBucketPolicy", policyStatusOf),
	},
	"BUCKET GET publicAccessBlock": {
		"GetPublicAccessBlock",
		getSettingIf(
			"PublicAccessBlockConfiguration", "NoSuchPublicAccessBlockConfiguration",
			func(b *state.Bucket) *acl.Block { return b.Block },
		),
	},
	"BUCKET PUT publicAccessBlock": {
		"PutPublicAccessBlock", putSetting((*request.Request).ReadXML, func(b *state.Bucket, c *acl.Block) {
			b.Block = c
		}),
	},
	"BUCKET DELETE publicAccessBlock": {"DeletePublicAccessBlock", deleteSetting(func(b *state.Bucket) {
		b.Block = nil
	})},
	"BUCKET GET ownershipControls": {"GetBucketOwnershipControls", getSetting("OwnershipControls", getOwnership)},
	"BUCKET PUT ownershipControls": {"PutBucketOwnershipControls", putOwnership},
	"BUCKET DELETE ownershipControls": {
		"DeleteBucketOwnershipControls", deleteSetting(func(b *state.Bucket) {
			b.Ownership = ""
		}),
	},
	"BUCKET GET lifecycle": {"GetBucketLifecycleConfiguration", getLifecycle},
	"BUCKET PUT lifecycle": {"PutBucketLifecycleConfiguration", putLifecycle},
	"BUCKET DELETE lifecycle": {"DeleteBucketLifecycle", deleteSetting(func(b *state.Bucket) {
		b.Lifecycle = nil
	})},
	"BUCKET GET acl":         {"GetBucketAcl", getACL},
	"BUCKET PUT acl":         {"PutBucketAcl", putBucketACL},
	"BUCKET GET object-lock": {"GetObjectLockConfiguration", getSetting("ObjectLockConfiguration", getLocking)},
	"BUCKET PUT object-lock": {"PutObjectLockConfiguration", putLocking},
	"BUCKET GET tagging":     {"GetBucketTagging", getSetting("Tagging", getBucketTagging)},
	"BUCKET PUT tagging":     {"PutBucketTagging", putBucketTagging},
	"BUCKET DELETE tagging": {"DeleteBucketTagging", deleteSetting(func(b *state.Bucket) {
		b.Tags = nil
	})},
	"BUCKET GET encryption": {
		"GetBucketEncryption", getSetting("ServerSideEncryptionConfiguration", getBucketEncryption),
	},
	"BUCKET PUT encryption": {
		"PutBucketEncryption",
		putSetting((*request.Request).ReadXMLWithDigest, func(b *state.Bucket, c *encryptionConfiguration) {
			b.Encryption = &c.Rule[0]
		}),
	},
	"BUCKET DELETE encryption": {"DeleteBucketEncryption", deleteSetting(func(b *state.Bucket) {
		b.Encryption = nil
	})},
	"BUCKET GET requestPayment": {
		"GetBucketRequestPayment",
		getSetting(
			"RequestPaymentConfiguration",
			func(b *state.Bucket) (any, error) { return requestPayment{Payer: cmp.Or(b.Payer, payerOwner)}, nil },
		),
	},
	"BUCKET PUT requestPayment": {
		"PutBucketRequestPayment",
		putSetting((*request.Request).ReadXML, func(b *state.Bucket, c *requestPayment) {
			b.Payer = c.Payer
		}),
	},
	"BUCKET GET accelerate": {
		"GetBucketAccelerateConfiguration",
		getSetting(
			"AccelerateConfiguration",
			func(b *state.Bucket) (any, error) { return accelerateConfiguration{Status: b.Acceleration}, nil },
		),
	},
	"BUCKET PUT accelerate": {"PutBucketAccelerateConfiguration", putAcceleration},
	"BUCKET GET logging":    {"GetBucketLogging", getLogging},
	"BUCKET PUT logging":    {"PutBucketLogging", putLogging},
	"BUCKET GET notification": {
		"GetBucketNotificationConfiguration", getSetting("NotificationConfiguration", getNotification),
	},
	"BUCKET PUT notification": {"PutBucketNotificationConfiguration", putNotification},
	"BUCKET GET website": {
		"GetBucketWebsite",
		getSettingIf(
			"WebsiteConfiguration", "NoSuchWebsiteConfiguration",
			func(b *state.Bucket) *website.Configuration { return b.Website },
		),
	},
	"BUCKET PUT website": {
		"PutBucketWebsite",
		putSetting((*request.Request).ReadXML, func(b *state.Bucket, c *website.Configuration) {
			b.Website = c
		}),
	},
	"BUCKET DELETE website": {"DeleteBucketWebsite", deleteSetting(func(b *state.Bucket) {
		b.Website = nil
	})},
	"BUCKET GET replication": {
		"GetBucketReplication",
		getSettingIf("", "ReplicationConfigurationNotFoundError", func(*state.Bucket) *struct{} { return nil }),
	},
	"BUCKET DELETE replication": {
		"DeleteBucketReplication", deleteSetting(func(*state.Bucket) {}),
	}, // like AWS, succeed even if there is no configuration

	// With an id, these requests are for one configuration. Without it, they are for
	// all.
	"BUCKET GET analytics": {
		"ListBucketAnalyticsConfigurations", listNothing("ListBucketAnalyticsConfigurationResult"),
	},
	"BUCKET GET analytics id":    {"GetBucketAnalyticsConfiguration", noConfiguration},
	"BUCKET DELETE analytics id": {"DeleteBucketAnalyticsConfiguration", noConfiguration},
	"BUCKET GET intelligent-tiering": {
		"ListBucketIntelligentTieringConfigurations", listNothing("ListBucketIntelligentTieringConfigurationsOutput"),
	},
	"BUCKET GET intelligent-tiering id":    {"GetBucketIntelligentTieringConfiguration", noConfiguration},
	"BUCKET DELETE intelligent-tiering id": {"DeleteBucketIntelligentTieringConfiguration", noConfiguration},
	"BUCKET GET inventory": {
		"ListBucketInventoryConfigurations", listNothing("ListInventoryConfigurationsResult"),
	},
	"BUCKET GET inventory id":    {"GetBucketInventoryConfiguration", noConfiguration},
	"BUCKET DELETE inventory id": {"DeleteBucketInventoryConfiguration", noConfiguration},
	"BUCKET GET metrics": {
		"ListBucketMetricsConfigurations", listNothing("ListMetricsConfigurationsResult"),
	},
	"BUCKET GET metrics id":    {"GetBucketMetricsConfiguration", noConfiguration},
	"BUCKET DELETE metrics id": {"DeleteBucketMetricsConfiguration", noConfiguration},

	"OBJECT PUT ":            {"PutObject", putObject},
	"OBJECT GET ":            {"GetObject", getObject},
	"OBJECT HEAD ":           {"HeadObject", getObject},
	"OBJECT DELETE ":         {"DeleteObject", deleteObject},
	"OBJECT POST uploads":    {"CreateMultipartUpload", createUpload},
	"OBJECT PUT uploadId":    {"UploadPart", uploadPart},
	"OBJECT POST uploadId":   {"CompleteMultipartUpload", completeUpload},
	"OBJECT DELETE uploadId": {"AbortMultipartUpload", abortUpload},
	"OBJECT GET uploadId":    {"ListParts", limitListings(listParts)},
	"OBJECT GET attributes":  {"GetObjectAttributes", getAttributes},
	"OBJECT GET acl":         {"GetObjectAcl", getACL},
	"OBJECT PUT acl":         {"PutObjectAcl", putObjectACL},
	"OBJECT GET tagging": {
		"GetObjectTagging",
		getFromVersion("Tagging", func(v *state.Version) (any, error) {
			return tagging.DocumentOf(v.Object.Properties.Tags), nil
		}),
	},
	"OBJECT PUT tagging":    {"PutObjectTagging", putTagging},
	"OBJECT DELETE tagging": {"DeleteObjectTagging", deleteTagging},
	"OBJECT GET retention":  {"GetObjectRetention", getFromLock("Retention", getRetention)},
	"OBJECT PUT retention":  {"PutObjectRetention", putRetention},
	"OBJECT GET legal-hold": {"GetObjectLegalHold", getFromLock("LegalHold", getLegalHold)},
	"OBJECT PUT legal-hold": {"PutObjectLegalHold", putLegalHold},
	"OBJECT POST restore":   {"RestoreObject", restoreObject},
}

// Route sets the operation and the target of the request, and returns the operation's handler.
func Route(r *request.Request) (func(*request.Request) error, error) {
	r.Operation = "Unknown"
	err := request.CheckHead(r)
	if err != nil {
		return nil, err
	}

	// A website has its own host name and its own handler.
	if request.LocateWebsite(r) {
		return websiteHandler(r), nil
	}

	r.Query, err = request.ParseQuery(r.HTTP.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	r.Target, err = r.Server.Locate(r.HTTP)
	if err != nil {
		return nil, err
	}

	name, handle := chooseOperation(r)
	if handle == nil {
		if name != "" {
			// S3 has this operation, but this server does not implement it.
			return nil, s3error.New("NotImplemented", "Resource", name).WithMessage("This server does not implement %s", name)
		}
		return nil, s3error.New("MethodNotAllowed", "Method", r.HTTP.Method, "ResourceType", r.Target.Kind())
	}
	r.Operation = name
	return handle, nil
}

// chooseOperation returns the name of the request's operation and its handler, which is nil if the server
// does not implement the operation.
func chooseOperation(r *request.Request) (string, handler) {
	if r.HTTP.Method == http.MethodOptions {
		return "Preflight", preflight
	}
	if name := request.MissingSubresource(r); name != "" {
		return name, nil
	}

	// A copy differs from a write only by its header.
	kind := r.Target.Kind()
	subresource := subresourceOf(r)
	_, hasSource := r.HTTP.Header[copySource]
	isWrite := kind == "OBJECT" && r.HTTP.Method == http.MethodPut
	if hasSource && isWrite {
		switch subresource {
		case "":
			return "CopyObject", copyObject
		case "uploadId":
			return "UploadPartCopy", copyPart
		}
	}

	// The table has keys such as "BUCKET GET policy".
	operation, ok := operations[strings.Join([]string{kind, r.HTTP.Method, subresource}, " ")]
	if !ok {
		return subresource, nil
	}
	return operation.name, operation.handle
}

// subresourceOf returns the query parameter that selects the request's operation together with the method, or "" if
// there is none. " id" follows the parameter if the request is for one configuration in a list of them.
func subresourceOf(r *request.Request) string {
	subresource := ""
	for _, name := range request.Subresources {
		if r.Has(name) {
			subresource = name
			break
		}
	}

	switch subresource {
	case "":
		// The two listings of objects differ only in the value of this parameter.
		isListing := r.Target.Kind() == "BUCKET" && r.HTTP.Method == http.MethodGet
		if isListing && r.Query.Get("list-type") == "2" {
			return "list-type"
		}
	case "analytics", "intelligent-tiering", "inventory", "metrics":
		if r.Has("id") {
			return subresource + " id"
		}
	}
	return subresource
}
