package request

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/omnibucket/storage/s3server/internal/checksum"
	"github.com/omnibucket/storage/s3server/internal/headers"
	"github.com/omnibucket/storage/s3server/internal/s3error"
)

// HoistParameters copies the x-amz-* query parameters of a presigned URL to the headers, because S3
// treats them alike. It keeps a header that the request already has.
//
// It leaves out checksums, which S3 ignores in a URL, because SDKs add the checksum of an empty body. It
// also leaves out the hash of the body, which policies must not see as a header.
func HoistParameters(r *Request) {
	for parameter, values := range r.Query {
		name := http.CanonicalHeaderKey(parameter)
		if !strings.HasPrefix(name, headers.AmzPrefix) || isChecksumHeader(name) {
			continue
		}
		if r.HTTP.Header[name] == nil {
			r.HTTP.Header[name] = values
		}
	}
}

// isChecksumHeader reports whether the header with this name has a checksum or a hash of the body, or
// names the kind of checksum that an SDK has computed.
func isChecksumHeader(name string) bool {
	if name == checksum.SDKAlgorithmHeader || name == "X-Amz-Content-Sha256" {
		return true
	}
	return strings.HasPrefix(name, checksum.Prefix) && !slices.Contains(checksum.Parameters, name)
}

// missingSubresources has further query parameters that select an operation of S3. This server does
// not implement these operations.
var missingSubresources = []string{
	"abac", "annotation", "metadataAnnotationTable", "metadataConfiguration", "metadataInventoryTable",
	"metadataJournalTable", "metadataTable", "renameObject", "session",
}

// plainParameters has query parameters that do not select an operation. Some clients send them
// without a value.
var plainParameters = []string{
	"bucket-region", "continuation-token", "delimiter", "encoding-type", "fetch-owner", "id", "key-marker", "list-type", "marker",
	"max-buckets", "max-keys", "max-parts", "max-uploads", "part-number-marker", "partNumber", "prefix", "select-type", "start-after",
	"upload-id-marker", "version-id-marker", "versionId", "x-id",
}

// MissingSubresource returns the name of a query parameter that selects an operation which this server
// does not have, so that the request must fail, or "" if there is none.
//
// An unknown parameter without a value may select an operation, too: if the server ignored it,
// "DELETE /bucket?unknown" would delete the bucket. Like S3, the server ignores an unknown parameter
// with a value, and all unknown parameters of a read of an object.
func MissingSubresource(r *Request) string {
	isRead := r.HTTP.Method == http.MethodGet || r.HTTP.Method == http.MethodHead
	readsObject := isRead && r.Target.Kind() == "OBJECT"
	for _, name := range slices.Sorted(maps.Keys(r.Query)) {
		if slices.Contains(missingSubresources, name) {
			return name
		}
		if readsObject || isKnownParameter(name) {
			continue
		}
		hasValue := strings.Join(r.Query[name], "") != ""
		if !hasValue {
			return name
		}
	}
	return ""
}

// isKnownParameter reports whether the server knows the query parameter with this name.
func isKnownParameter(name string) bool {
	if slices.Contains(Subresources, name) || slices.Contains(plainParameters, name) {
		return true
	}
	return strings.HasPrefix(name, "response-") || strings.HasPrefix(http.CanonicalHeaderKey(name), headers.AmzPrefix)
}

// versionedOperations has the operations that accept a versionId.
var versionedOperations = []string{
	"GetObject", "HeadObject", "DeleteObject", "GetObjectAcl", "PutObjectAcl", "GetObjectTagging", "PutObjectTagging",
	"DeleteObjectTagging", "GetObjectRetention", "PutObjectRetention", "GetObjectLegalHold", "PutObjectLegalHold",
	"GetObjectAttributes", "RestoreObject",
}

// CheckParameters fails if a request for an object has a query parameter that only other operations have.
func CheckParameters(r *Request) error {
	if r.Target.Kind() != "OBJECT" || r.Operation == "Preflight" {
		return nil
	}

	if r.Has("versionId") && !slices.Contains(versionedOperations, r.Operation) {
		return s3error.New("InvalidArgument", "ArgumentName", "versionId", "ArgumentValue", r.Query.Get("versionId")).
			WithMessage("This operation does not accept a version-id.")
	}
	if r.Has("partNumber") && (r.Operation == "PutObject" || r.Operation == "CopyObject") {
		return s3error.New("InvalidArgument", "ArgumentName", "partNumber", "ArgumentValue", r.Query.Get("partNumber")).
			WithMessage("This operation does not accept partNumber without uploadId")
	}
	return nil
}

const (
	// MaxRequestHead is the maximum number of bytes of the request line and headers in s3server.Start.
	MaxRequestHead = 64 << 10
	maxURI         = 16 << 10 // bytes; enough for a signed URL of a long key
)

// CheckHead fails if the URL or the headers exceed the limits. Only the server of s3server.Start already
// limits their sum.
func CheckHead(r *Request) error {
	if len(r.HTTP.URL.Path) > maxURI || len(r.HTTP.URL.RawQuery) > maxURI {
		err := s3error.New("InvalidURI")
		err.Status = http.StatusRequestURITooLong
		return err
	}

	size := 0
	for name, values := range r.HTTP.Header {
		for _, value := range values {
			size += len(name) + len(value)
		}
	}
	if size > r.Server.Limits.MaxHeader {
		return s3error.New("RequestHeaderSectionTooLarge")
	}
	return nil
}

// Subresources has the query parameters that select an operation. If a request has several, the
// first one in this list counts.
var Subresources = []string{
	"accelerate", "acl", "analytics", "cors", "delete", "encryption", "intelligent-tiering", "inventory", "legal-hold",
	"lifecycle", "location", "logging", "metrics", "notification", "object-lock", "ownershipControls", "policy", "policyStatus",
	"publicAccessBlock", "replication", "requestPayment", "restore", "retention", "tagging", "uploadId", "uploads",
	"versioning", "versions", "website",
	// Operations with these parameters are not implemented.
	"attributes", "select", "torrent",
}

// BypassHeader is the header that asks to bypass a retention in governance mode, if its value is
// true.
const BypassHeader = "X-Amz-Bypass-Governance-Retention"
