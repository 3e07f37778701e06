package documented

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
)

const (
	amazonErrors = "https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html"
	amazonAPI    = "https://docs.aws.amazon.com/AmazonS3/latest/API/"
)

// Amazon has the answers of S3. Those to HEAD have no body (aws/aws-sdk-java-v2#5414).
var Amazon = []Answer{
	amazonError("SlowDown", http.StatusServiceUnavailable, "Please reduce your request rate.", amazonErrors),
	amazonError("ServiceUnavailable", http.StatusServiceUnavailable, "Service is unable to handle request.", amazonErrors),
	amazonError("InternalError", http.StatusInternalServerError, "We encountered an internal error. Please try again.", amazonErrors),
	amazonError("RequestTimeout", http.StatusBadRequest, "Your socket connection to the server was not read from or written to within the timeout period.",
		amazonErrors, "PutObject", "PutObject if", "UploadPart"),
	amazonError("OperationAborted", http.StatusConflict, "A conflicting conditional operation is currently in progress against this resource. Try again.",
		amazonErrors, "PutObject", "DeleteObject", "PUT tagging", "DELETE tagging"),
	amazonError("ConditionalRequestConflict", http.StatusConflict, "The conditional request cannot succeed due to a conflicting operation against this resource.",
		amazonAPI+"API_PutObject.html", "PutObject if"),
	late("InternalError", amazonAPI+"API_CopyObject.html"),
	late("SlowDown", amazonAPI+"API_CompleteMultipartUpload.html"),
	{
		Kinds: []string{"DeleteObjects"}, Status: http.StatusOK, Header: amazonHeader, Body: refusedKeys,
		Name: "InternalError for each key", Source: amazonAPI + "API_DeleteObjects.html",
	},
}

var amazonHeader = map[string]string{"X-Amz-Request-Id": "R1", "Content-Type": "application/xml"}

func amazonError(code string, status int, message, source string, kinds ...string) Answer {
	return Answer{Kinds: kinds, Status: status, Header: amazonHeader, Body: amazonBody(code, message), Name: code, Source: source}
}

// late returns an error that S3 finds after it has begun a response with 200.
func late(code, source string) Answer {
	a := amazonError(code, http.StatusOK, "Please try again.", source, "CopyObject", "UploadPartCopy", "CompleteMultipartUpload")
	a.Name += " in a 200"
	return a
}

func amazonBody(code, message string) func([]byte) string {
	return func([]byte) string {
		return fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?><Error><Code>%s</Code><Message>%s</Message><RequestId>R1</RequestId></Error>`, code, message)
	}
}

var keys = regexp.MustCompile(`<Key>.*?</Key>(<VersionId>.*?</VersionId>)?`)

func refusedKeys(request []byte) string {
	var body strings.Builder
	body.WriteString(`<?xml version="1.0" encoding="UTF-8"?><DeleteResult>`)
	for _, key := range keys.FindAll(request, -1) {
		fmt.Fprintf(&body, `<Error>%s<Code>InternalError</Code><Message>Please try again.</Message></Error>`, key)
	}
	body.WriteString(`</DeleteResult>`)
	return body.String()
}

// AmazonKind returns the bucket and the operation of a request to S3 whose path begins with the
// bucket. Signed addresses have no kind, because their users do not retry.
func AmazonKind(r *http.Request) (bucket, kind string) {
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	query := r.URL.Query()
	if query.Has("X-Amz-Signature") || r.Header.Get("Authorization") == "" {
		return bucket, ""
	}
	copies := r.Header.Get("X-Amz-Copy-Source") != ""
	switch {
	case r.Method == http.MethodPost && query.Has("delete"):
		return bucket, "DeleteObjects"
	case r.Method == http.MethodPost && query.Has("uploads"):
		return bucket, "CreateMultipartUpload"
	case r.Method == http.MethodPost && query.Has("uploadId"):
		return bucket, "CompleteMultipartUpload"
	case r.Method == http.MethodPut && query.Has("partNumber") && copies:
		return bucket, "UploadPartCopy"
	case r.Method == http.MethodPut && query.Has("partNumber"):
		return bucket, "UploadPart"
	case r.Method == http.MethodPut && copies:
		return bucket, "CopyObject"
	}
	for _, parameter := range []string{"list-type", "versions", "uploads", "uploadId", "tagging", "retention", "legal-hold", "restore", "attributes"} {
		if query.Has(parameter) {
			return bucket, r.Method + " " + parameter
		}
	}
	switch {
	case r.Method == http.MethodPut && key != "" && (r.Header.Get("If-None-Match") != "" || r.Header.Get("If-Match") != ""):
		return bucket, "PutObject if"
	case r.Method == http.MethodPut && key != "":
		return bucket, "PutObject"
	case r.Method == http.MethodDelete && key != "":
		return bucket, "DeleteObject"
	case key != "":
		return bucket, r.Method + " object"
	}
	return bucket, r.Method + " bucket"
}
