package documented

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

const (
	amazonErrors = "https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html"
	amazonAPI    = "https://docs.aws.amazon.com/AmazonS3/latest/API/"
)

// Amazon has the transient answers of S3. Answers to HEAD have no body (aws/aws-sdk-java-v2#5414).
// Three answers are left out:
//
//   - 409 ConditionalRequestConflict to a completion. This answer ends the upload, and the engine
//     could begin another upload only with a body that can be read again.
//   - NoSuchBucket for the settings of a new bucket. Only a bucket that was just created gets this
//     answer, and a Server cannot know whether a bucket is new. TestCreateBucketSettings tests this
//     answer.
//   - NoSuchKey, which a reader may get for 15 minutes after versioning was first enabled. A
//     missing object gets the same answer, so a driver cannot distinguish the two. docs/stores.md
//     tells users to create the bucket with versions.
//     https://docs.aws.amazon.com/AmazonS3/latest/userguide/manage-versioning-examples.html
var Amazon = []Answer{
	amazonRefusal("SlowDown", http.StatusServiceUnavailable, "Please reduce your request rate.", amazonErrors),
	amazonRefusal("ServiceUnavailable", http.StatusServiceUnavailable, "Service is unable to handle request.", amazonErrors),
	amazonError(
		"InternalError", http.StatusInternalServerError, "We encountered an internal error. Please try again.",
		amazonErrors,
	),
	amazonRefusal(
		"RequestTimeout", http.StatusBadRequest,
		"Your socket connection to the server was not read from or written to within the timeout period.", amazonErrors,
		"PutObject", "UploadPart",
	),
	amazonRefusal(
		"OperationAborted", http.StatusConflict,
		"A conflicting conditional operation is currently in progress against this resource. Try again.", amazonErrors,
		"PutObject", "DeleteObject", "PUT tagging",
	),
	amazonRefusal(
		"OperationAborted for a bucket", http.StatusConflict,
		"A conflicting conditional operation is currently in progress against this resource. Try again.",
		"hashicorp/terraform-provider-aws#33478", "CreateBucket", "DeleteBucket", "PUT versioning", "PUT cors",
		"PUT lifecycle", "PUT policy",
	),
	amazonRefusal(
		"ConditionalRequestConflict", http.StatusConflict,
		"The conditional request cannot succeed due to a conflicting operation against this resource.",
		amazonAPI+"API_PutObject.html", "PutObject if",
	),
	amazonRefusal(
		"ConditionalRequestConflict for a copy", http.StatusConflict,
		"The conditional request cannot succeed due to a conflicting operation against this resource.",
		amazonAPI+"API_CopyObject.html", "CopyObject if",
	),
	internalErrorAfterEffect(
		"PutObject", "CopyObject", "CompleteMultipartUpload", "DeleteObject", "DeleteObjects", "PUT versioning",
		"PUT cors",
	),
	lateAnswer("InternalError", amazonAPI+"API_CopyObject.html"),
	lateAnswer("SlowDown", amazonAPI+"API_CompleteMultipartUpload.html"),
	{
		Kinds:  []string{"DeleteObjects"},
		Status: http.StatusOK,
		Header: amazonHeader,
		Body:   refusedKeys,
		Name:   "InternalError for each key",
		Source: amazonAPI + "API_DeleteObjects.html",
	},
}

var amazonHeader = map[string]string{"X-Amz-Request-Id": "R1", "Content-Type": "application/xml"}

// amazonError returns an error answer of S3 to requests of these kinds. code may be followed by a space
// and a remark, which is only in the name of the answer. source is the page that documents the error.
func amazonError(code string, status int, message, source string, kinds ...string) Answer {
	name, _, _ := strings.Cut(code, " ")
	return Answer{
		Kinds:  kinds,
		Status: status,
		Header: amazonHeader,
		Body:   amazonBody(name, message),
		Name:   code,
		Source: source,
	}
}

// amazonRefusal returns an error answer that proves that the request had no effect.
func amazonRefusal(code string, status int, message, source string, kinds ...string) Answer {
	a := amazonError(code, status, message, source, kinds...)
	a.NoEffect = true
	return a
}

// internalErrorAfterEffect returns an InternalError that is sent after the request took effect. It must
// not be used for CreateBucket, which cannot succeed if its next attempt finds the bucket, because
// another process may have created that (see TestCreateBucketInternalError).
func internalErrorAfterEffect(kinds ...string) Answer {
	answer := amazonError(
		"InternalError", http.StatusInternalServerError, "We encountered an internal error. Please try again.",
		"https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorBestPractices.html",
		kinds...)
	answer.Name = "InternalError after the effect"
	answer.Done = true
	return answer
}

// lateAnswer returns an error that S3 sends in the body of a response with status 200. S3 finds such an
// error only after it has begun the response.
func lateAnswer(code, source string) Answer {
	a := amazonError(code, http.StatusOK, "Please try again.", source, "CopyObject", "CompleteMultipartUpload")
	a.Name += " in a 200"
	return a
}

// amazonBody returns a function for Answer.Body, which returns the XML of an S3 error whatever the body
// of the request is.
func amazonBody(code, message string) func([]byte) string {
	return func([]byte) string {
		return fmt.Sprintf(
			`<?xml version="1.0" encoding="UTF-8"?><Error><Code>%s</Code><Message>%s</Message><RequestId>R1</RequestId></Error>`,
			code,
			message,
		)
	}
}

var keys = regexp.MustCompile(`<Key>.*?</Key>(<VersionId>.*?</VersionId>)?`)

// refusedKeys returns the body of the response to a batch of removals that have all failed.
func refusedKeys(request []byte) string {
	var body strings.Builder
	body.WriteString(`<?xml version="1.0" encoding="UTF-8"?><DeleteResult>`)
	for _, key := range keys.FindAll(request, -1) {
		fmt.Fprintf(&body, `<Error>%s<Code>InternalError</Code><Message>Please try again.</Message></Error>`, key)
	}
	body.WriteString(`</DeleteResult>`)
	return body.String()
}

// amazonParameters are the query parameters that select an operation.
var amazonParameters = []string{
	"list-type", "versions", "uploads", "uploadId", "tagging", "retention", "legal-hold", "restore", "attributes",
	"versioning", "cors", "lifecycle", "policy", "policyStatus", "publicAccessBlock", "ownershipControls", "object-lock", "acl", "location",
}

// AmazonKind returns the bucket of a request to S3, and the kind of the request, which is the name of
// the operation. The kind is "" for a request to a signed URL. A [Server] sends no [Answer] to such a
// request, because a client of a signed URL does not retry.
func AmazonKind(r *http.Request) (bucket, kind string) {
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	// The bucket is the first part of the host, as in NAME.s3.amazonaws.com, or else of the path.
	if name, _, isHost := strings.Cut(r.Host, ".s3."); isHost {
		bucket = name
		key = strings.TrimPrefix(r.URL.Path, "/")
	}

	query := r.URL.Query()
	isSignedURL := query.Has("X-Amz-Signature") || r.Header.Get("Authorization") == ""
	if isSignedURL {
		return bucket, ""
	}

	// The kind depends on what the request names: a bucket, an object, or neither.
	switch {
	case bucket == "":
		return bucket, "ListBuckets"
	case key == "":
		kind = bucketKind(r.Method, query)
	default:
		kind = objectKind(r.Method, query, r.Header.Get("X-Amz-Copy-Source") != "")
	}
	if !isRead(r.Method) && hasCondition(r) {
		// An Answer can be for all writes of a kind, or only for those with a condition.
		kind += " if"
	}
	return bucket, kind
}

// hasCondition reports whether a request has a condition on the object that it writes.
func hasCondition(r *http.Request) bool {
	return r.Header.Get("If-None-Match") != "" || r.Header.Get("If-Match") != ""
}

// bucketKind returns the kind of a request about a bucket, such as "CreateBucket" or the method and the
// parameter that selects a setting.
func bucketKind(method string, query url.Values) string {
	for _, parameter := range amazonParameters {
		if query.Has(parameter) {
			return method + " " + parameter
		}
	}
	if method == http.MethodPost && query.Has("delete") {
		return "DeleteObjects"
	}
	if method == http.MethodPut {
		return "CreateBucket"
	}
	if method == http.MethodDelete {
		return "DeleteBucket"
	}
	return method + " bucket"
}

// objectKind returns the kind of a request about an object. isCopy is true if the request
// names the source of a copy.
func objectKind(method string, query url.Values, isCopy bool) string {
	switch {
	case method == http.MethodPost && query.Has("uploads"):
		return "CreateMultipartUpload"
	case method == http.MethodPost && query.Has("uploadId"):
		return "CompleteMultipartUpload"
	case method == http.MethodPut && query.Has("partNumber") && isCopy:
		return "UploadPartCopy"
	case method == http.MethodPut && query.Has("partNumber"):
		return "UploadPart"
	case method == http.MethodPut && isCopy:
		return "CopyObject"
	}

	// Other operations with a parameter, such as ?tagging, have the method and the parameter as the kind.
	for _, parameter := range amazonParameters {
		if query.Has(parameter) {
			return method + " " + parameter
		}
	}
	switch method {
	case http.MethodPut:
		return "PutObject"
	case http.MethodDelete:
		return "DeleteObject"
	default:
		return method + " object"
	}
}
