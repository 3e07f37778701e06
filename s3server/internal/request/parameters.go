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

// hoistParameters copies the x-amz-* query parameters of a presigned URL to the headers, because S3
// treats such a parameter like a header. It does not copy checksums, which S3 ignores in a URL:
// SDKs add the checksum of an empty body there. It does not copy the hash of the body, because
// policies must not see this hash as a header.
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

// missingSubresource looks for a query parameter that selects an operation which this server does
// not have. If there is one, it returns the name of the parameter, and the request must fail. If
// there is none, it returns "".
//
// An unknown parameter without a value may also select an operation, so missingSubresource returns
// its name. If the server ignored the parameter, "DELETE /bucket?unknown" would delete the bucket.
// Like S3, the server ignores an unknown parameter with a value. For a read of an object, it
// ignores all unknown parameters.
func missingSubresource(r *request) string {
	readsObject := r.target.kind() == "OBJECT" && (r.in.Method == http.MethodGet || r.in.Method == http.MethodHead)
	for _, name := range slices.Sorted(maps.Keys(r.query)) {
		ok := slices.Contains(subresources, name) || slices.Contains(plainParameters, name) ||
			strings.HasPrefix(name, "response-") || strings.HasPrefix(http.CanonicalHeaderKey(name), headers.AmzPrefix)
		unknown := !ok && !readsObject && strings.Join(r.query[name], "") == ""
		if unknown || slices.Contains(missingSubresources, name) {
			return name
		}
	}
	return ""
}

// versionedOperations has the operations that accept the parameter versionId.
var versionedOperations = []string{
	"GetObject", "HeadObject", "DeleteObject", "GetObjectAcl", "PutObjectAcl", "GetObjectTagging", "PutObjectTagging",
	"DeleteObjectTagging", "GetObjectRetention", "PutObjectRetention", "GetObjectLegalHold", "PutObjectLegalHold",
	"GetObjectAttributes", "RestoreObject",
}

// checkParameters fails if a request has a query parameter that belongs only to other operations.
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
	// maxRequestHead is the maximum number of bytes of the request line and headers in [Start].
	maxRequestHead = 64 << 10
	maxURI         = 16 << 10 // bytes; enough for a signed URL of a long key
)

// checkHead fails if the URL or the headers exceed the limits. [Start] already limits their sum,
// but another [http.Server] may not.
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
