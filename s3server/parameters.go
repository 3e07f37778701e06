package s3server

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/omnibucket/storage/s3server/internal/checksum"
	"github.com/omnibucket/storage/s3server/internal/headers"
	"github.com/omnibucket/storage/s3server/internal/s3error"
)

// hoistParameters turns the x-amz-* parameters of a presigned URL into headers, because S3 gives both the same
// meaning. It ignores checksums, as S3 does: SDKs sign the checksum of an empty body. Nor does the hash of the body
// become a header, because policies do not see it as one.
func hoistParameters(r *request) {
	for parameter, values := range r.query {
		name := http.CanonicalHeaderKey(parameter)
		checksum := strings.HasPrefix(name, checksum.Prefix) && !slices.Contains(checksum.Parameters, name) ||
			name == checksum.SDKAlgorithmHeader ||
			name == "X-Amz-Content-Sha256"
		if !strings.HasPrefix(name, headers.AmzPrefix) || checksum || r.in.Header[name] != nil {
			continue
		}
		r.in.Header[name] = values
	}
}

// missingSubresources are query parameters that select an operation of S3 that this server lacks,
// in addition to those in subresources.
var missingSubresources = []string{
	"abac", "annotation", "metadataAnnotationTable", "metadataConfiguration", "metadataInventoryTable",
	"metadataJournalTable", "metadataTable", "renameObject", "session",
}

// plainParameters are query parameters that select no operation. Clients send some without a
// value.
var plainParameters = []string{
	"bucket-region", "continuation-token", "delimiter", "encoding-type", "fetch-owner", "id", "key-marker", "list-type", "marker",
	"max-buckets", "max-keys", "max-parts", "max-uploads", "part-number-marker", "partNumber", "prefix", "select-type", "start-after",
	"upload-id-marker", "version-id-marker", "versionId", "x-id",
}

// missingSubresource returns a parameter that selects an operation that this server lacks, or "".
// An unknown parameter without a value may belong to another version of S3: without this check,
// "DELETE /bucket?unknown" would delete the bucket. S3 ignores one in a read of an object, and one
// with a value.
func missingSubresource(r *request) string {
	readsObject := r.target.kind() == "OBJECT" && (r.in.Method == http.MethodGet || r.in.Method == http.MethodHead)
	for _, name := range slices.Sorted(maps.Keys(r.query)) {
		known := slices.Contains(subresources, name) || slices.Contains(plainParameters, name) ||
			strings.HasPrefix(name, "response-") || strings.HasPrefix(http.CanonicalHeaderKey(name), headers.AmzPrefix)
		unknown := !known && !readsObject && strings.Join(r.query[name], "") == ""
		if unknown || slices.Contains(missingSubresources, name) {
			return name
		}
	}
	return ""
}

// versionedOperations are the operations that accept a versionId.
var versionedOperations = []string{
	"GetObject", "HeadObject", "DeleteObject", "GetObjectAcl", "PutObjectAcl", "GetObjectTagging", "PutObjectTagging",
	"DeleteObjectTagging", "GetObjectRetention", "PutObjectRetention", "GetObjectLegalHold", "PutObjectLegalHold",
	"GetObjectAttributes", "RestoreObject",
}

// checkParameters refuses parameters that S3 refuses, because they belong to another operation.
func checkParameters(r *request) error {
	if r.target.kind() != "OBJECT" || r.operation == "Preflight" {
		return nil
	}
	if r.has("versionId") && !slices.Contains(versionedOperations, r.operation) {
		return s3error.New("InvalidArgument", "ArgumentName", "versionId", "ArgumentValue", r.query.Get("versionId")).
			WithMessage("This operation does not accept a version-id.")
	}
	if r.has("partNumber") && (r.operation == "PutObject" || r.operation == "CopyObject") {
		return s3error.New("InvalidArgument", "ArgumentName", "partNumber", "ArgumentValue", r.query.Get("partNumber")).
			WithMessage("This operation does not accept partNumber without uploadId")
	}
	return nil
}

const (
	// maxRequestHead is the largest size of a request without its body that [Start] accepts.
	maxRequestHead = 64 << 10
	maxURI         = 16 << 10 // room for a signed URL of a long key
)

// checkHead refuses a request line and headers that are larger than the limits. An
// [http.Server] of a caller may let pass more than Start's.
func checkHead(r *request) error {
	if len(r.in.URL.Path) > maxURI || len(r.in.URL.RawQuery) > maxURI {
		e := s3error.New("InvalidURI")
		e.Status = http.StatusRequestURITooLong
		return e
	}
	size := 0
	for name, values := range r.in.Header {
		for _, value := range values {
			size += len(name) + len(value)
		}
	}
	if size > r.server.limits.MaxHeader {
		return s3error.New("RequestHeaderSectionTooLarge")
	}
	return nil
}
