package nulls3

import (
	"net/http"
	"net/url"
	"strings"
)

// Operation returns the name of a request in the reference of S3, such as "PutObject". If a part has
// a checksum in a trailer, Operation also replaces the body of the request by one that keeps the
// checksum for [Service.Respond].
func (Service) Operation(r *http.Request) string {
	_, key := split(r.URL.Path)
	query := r.URL.Query()
	if key == "" {
		return bucketOperation(r.Method, query)
	}

	if r.Method == http.MethodPut && query.Has("partNumber") {
		// The body must keep the checksum from here on, because it is discarded before Respond.
		if r.Header.Get("X-Amz-Trailer") != "" {
			r.Body = &trailed{ReadCloser: r.Body}
		}
		return "UploadPart"
	}
	if r.Method == http.MethodPut {
		return "PutObject"
	}
	if r.Method == http.MethodGet {
		return "GetObject"
	}
	if r.Method == http.MethodHead {
		return "HeadObject"
	}

	if r.Method == http.MethodPost && query.Has("uploads") {
		return "CreateMultipartUpload"
	}
	if r.Method == http.MethodPost {
		return "CompleteMultipartUpload"
	}
	if query.Has("uploadId") {
		return "AbortMultipartUpload"
	}
	return "DeleteObject"
}

func bucketOperation(method string, query url.Values) string {
	if method == http.MethodHead {
		return "HeadBucket"
	}
	if method == http.MethodGet && query.Has("location") {
		return "GetBucketLocation"
	}
	if method == http.MethodGet {
		return "ListObjectsV2"
	}
	return method + " bucket"
}

// split splits the path of a request into the bucket and the key.
func split(path string) (bucket, key string) {
	bucket, key, _ = strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return bucket, key
}
