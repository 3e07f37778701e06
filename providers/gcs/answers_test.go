package gcs

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/sdkerror"
	"github.com/omnibucket/storage/internal/testing/wiretest"
)

// An answer is a response that Google is known to send, with what the caller must learn from it.
// Each answer is a fact that others have documented or recorded; nothing here was asked of Google.
// If a page gives a status and a code without the text, the message says the same in our words.
type answer struct {
	call    string // of answeredCalls
	status  int
	reason  string // of the JSON API, or the code of the XML API; "": the response has no body
	message string
	want    storage.Code
	hint    string // is part of it
	source  string // a page, or an issue of a repository at GitHub
}

const (
	jsonErrors = "https://docs.cloud.google.com/storage/docs/json_api/v1/status-codes"
	xmlErrors  = "https://docs.cloud.google.com/storage/docs/xml-api/reference-status"
	recorded   = "googleapis/google-cloud-go storage/storage.replay" // of Google's own tests, in May 2019
)

// reportedAnswers are responses of Google that others have recorded, or that users have reported.
var reportedAnswers = []answer{
	{call: "attrs", status: 404, reason: "notFound", message: "No such object: photos/k", want: storage.ObjectNotFound, source: recorded},
	{
		call:    "download",
		status:  404,
		reason:  "NoSuchKey",
		message: "The specified key does not exist. No such object: photos/k",
		want:    storage.ObjectNotFound,
		source:  recorded,
	},
	{call: "remove", status: 404, reason: "notFound", message: "No such object: photos/k", want: "", source: recorded},
	{call: "read a bucket", status: 404, reason: "notFound", message: "Not Found", want: storage.BucketNotFound, source: recorded},
	{
		call:    "remove if unchanged",
		status:  412,
		reason:  "conditionNotMet",
		message: "Precondition Failed",
		want:    storage.PreconditionFailed,
		source:  recorded,
	},
	{
		call:    "download a range",
		status:  416,
		reason:  "InvalidRange",
		message: "The requested range cannot be satisfied. bytes=32-41",
		want:    storage.RangeNotSatisfiable,
		source:  recorded,
	},

	{
		call:    "upload",
		status:  401,
		reason:  "required",
		message: "Anonymous caller does not have storage.objects.create access to photos/k.",
		want:    storage.Unauthenticated,
		hint:    "credentials are missing",
		source:  recorded,
	},
	{
		call:    "download",
		status:  403,
		reason:  "AccessDenied",
		message: "Access denied. Anonymous caller does not have storage.objects.get access to photos/k.",
		want:    storage.PermissionDenied,
		hint:    "may not do this",
		source:  recorded,
	},
	{
		call:    "attrs",
		status:  403,
		reason:  "forbidden",
		message: "another-thing@p.iam.gserviceaccount.com does not have storage.objects.get access to photos/k.",
		want:    storage.PermissionDenied,
		hint:    "without permission to list the bucket",
		source:  recorded,
	},
	{
		call:    "attrs",
		status:  403,
		reason:  "forbidden",
		message: "x@y.iam.gserviceaccount.com does not have storage.objects.get access to the Google Cloud Storage object.",
		want:    storage.PermissionDenied,
		hint:    "may not do this",
		source:  "pulumi/pulumi-hugo#889",
	},

	{call: "upload", status: 400, reason: "required", message: "Required", want: storage.InvalidArgument, source: recorded},
	{
		call:    "upload",
		status:  400,
		reason:  "invalid",
		message: "The maximum object length is 1024 characters, but got a name with 1025 characters: ''aaaa...''",
		want:    storage.InvalidArgument,
		source:  recorded,
	},
	{
		call:    "upload",
		status:  400,
		reason:  "invalid",
		message: "Disallowed unicode characters present in object name ''new\nlines''",
		want:    storage.InvalidArgument,
		source:  recorded,
	},
	{
		call:    "upload",
		status:  400,
		reason:  "invalid",
		message: `Provided CRC32C "cH+A/A==" doesn't match calculated CRC32C "cH+A+w==".`,
		want:    storage.ChecksumMismatch,
		source:  recorded,
	},
	{
		call:    "upload",
		status:  400,
		reason:  "invalid",
		message: `Provided MD5 hash "ovZjGlcXPJiGOAfKFbJl1Q==" doesn't match calculated MD5 hash "ofZjGlcXPJiGOAfKFbJl1Q==".`,
		want:    storage.ChecksumMismatch,
		source:  recorded,
	},
	{
		call:    "public upload",
		status:  400,
		reason:  "invalid",
		message: "Cannot insert legacy ACL for an object when uniform bucket-level access is enabled. Read more at https://cloud.google.com/storage/docs/uniform-bucket-level-access.",
		want:    storage.Unsupported,
		hint:    "omit WithPublicRead",
		source:  "Superbalist/flysystem-google-cloud-storage#118",
	},

	{
		call:    "download",
		status:  400,
		reason:  "ResourceIsEncryptedWithCustomerEncryptionKey",
		message: "The resource is encrypted with a customer encryption key. The requested object is encrypted by a customer-supplied encryption key.",
		want:    storage.InvalidArgument,
		hint:    "WithCustomerKey",
		source:  recorded,
	},
	{
		call:    "copy",
		status:  400,
		reason:  "resourceIsEncryptedWithCustomerEncryptionKey",
		message: "The target object is encrypted by a customer-supplied encryption key.",
		want:    storage.InvalidArgument,
		hint:    "WithSourceCustomerKey",
		source:  recorded,
	},
	{
		call:    "compose",
		status:  400,
		reason:  "resourceNotEncryptedWithCustomerEncryptionKey",
		message: "The target object is not encrypted by a customer-supplied encryption key.",
		want:    storage.InvalidArgument,
		hint:    "omit WithCustomerKey",
		source:  recorded,
	},
	{
		call:    "upload",
		status:  403,
		reason:  "forbidden",
		message: "Permission denied on Cloud KMS key. Please ensure that your Cloud Storage service account has been authorized to use this key.",
		want:    storage.PermissionDenied,
		hint:    "cryptoKeyEncrypterDecrypter",
		source:  "googleapis/nodejs-storage#1254",
	},
	{
		call:    "create a bucket",
		status:  403,
		reason:  "forbidden",
		message: "Permission denied on Cloud KMS key. Please ensure that your Cloud Storage service account has been authorized to use this key.",
		want:    storage.PermissionDenied,
		hint:    "cryptoKeyEncrypterDecrypter",
		source:  "ollionorg/gcp-landing-zone#59",
	},

	{
		call:    "read a bucket",
		status:  400,
		reason:  "required",
		message: "Bucket is requester pays bucket but no user project provided.",
		want:    storage.InvalidArgument,
		hint:    "user_project=",
		source:  recorded,
	},
	{
		call:    "upload",
		status:  400,
		reason:  "required",
		message: "Bucket is requester pays bucket but no user project provided.",
		want:    storage.InvalidArgument,
		hint:    "user_project=",
		source:  recorded,
	},
	{
		call:    "list",
		status:  400,
		reason:  "required",
		message: "Bucket is requester pays bucket but no user project provided.",
		want:    storage.InvalidArgument,
		hint:    "user_project=",
		source:  "Superbalist/laravel-google-cloud-storage#44",
	},
	{
		call:    "download",
		status:  400,
		reason:  "UserProjectMissing",
		message: "Bucket is a requester pays bucket but no user project provided. Bucket is Requester Pays bucket but no billing project id provided for non-owner.",
		want:    storage.InvalidArgument,
		hint:    "user_project=",
		source:  recorded,
	},
	{
		call:    "upload",
		status:  403,
		reason:  "forbidden",
		message: "x@y.iam.gserviceaccount.com does not have serviceusage.services.use access to project 642080918101.",
		want:    storage.PermissionDenied,
		hint:    "serviceusage.services.use",
		source:  recorded,
	},
	{
		call:    "download",
		status:  403,
		reason:  "UserProjectAccessDenied",
		message: "Requester does not have serviceusage.services.use permissions on user project. x@y.iam.gserviceaccount.com does not have serviceusage.services.use access to project 642080918101.",
		want:    storage.PermissionDenied,
		hint:    "serviceusage.services.use",
		source:  recorded,
	},

	{
		call:    "remove",
		status:  403,
		reason:  "forbidden",
		message: "Object 'photos/k' is subject to bucket's retention policy and cannot be deleted, overwritten or archived until 2019-05-03T16:25:59.952208428-07:00",
		want:    storage.Locked,
		hint:    "retention policy",
		source:  recorded,
	},
	{
		call:    "upload",
		status:  403,
		reason:  "forbidden",
		message: "Object 'photos/k' is subject to bucket's retention policy and cannot be deleted, overwritten or archived until 2019-05-03T16:25:59.952208428-07:00",
		want:    storage.Locked,
		hint:    "retention policy",
		source:  recorded,
	},
	{
		call:    "update a bucket",
		status:  403,
		reason:  "forbidden",
		message: "Cannot reduce retention duration of a locked Retention Policy for bucket 'photos'.",
		want:    storage.Locked,
		hint:    "retention policy",
		source:  recorded,
	},
	{
		call:    "update a bucket",
		status:  412,
		reason:  "conditionNotMet",
		message: "Precondition Failed",
		want:    storage.PreconditionFailed,
		source:  recorded,
	},

	{
		call:    "create a bucket",
		status:  429,
		reason:  "rateLimitExceeded",
		message: "The project exceeded the rate limit for creating and deleting buckets.",
		want:    storage.RateLimited,
		source:  recorded,
	},
	{
		call:    "upload",
		status:  429,
		reason:  "rateLimitExceeded",
		message: "The object photos/k exceeded the rate limit for object mutation operations (create, update, and delete). Please reduce your request rate. See https://cloud.google.com/storage/docs/gcs429.",
		want:    storage.RateLimited,
		source:  "trinodb/trino#19943",
	},
	{
		call:    "download",
		status:  429,
		reason:  "SlowDown",
		message: "The object exceeded the rate limit for object mutation operations (create, update, and delete). Please reduce your request rate. See https://cloud.google.com/storage/docs/gcs429.",
		want:    storage.RateLimited,
		source:  "delta-io/delta-rs#2451",
	},

	{
		call:    "upload",
		status:  403,
		reason:  "accountDisabled",
		message: "The billing account for the owning project is disabled in state absent",
		want:    storage.PermissionDenied,
		hint:    "billing",
		source:  "googleapis/python-storage#1456",
	},
	{
		call:    "upload",
		status:  403,
		reason:  "accountDisabled",
		message: "The project to be billed is associated with an absent billing account.",
		want:    storage.PermissionDenied,
		hint:    "billing",
		source:  "hashicorp/terraform-provider-google#5209",
	},
	{
		call:    "read a bucket",
		status:  403,
		reason:  "accountDisabled",
		message: "The project to be billed has not configured billing.",
		want:    storage.PermissionDenied,
		hint:    "billing",
		source:  "forseti-security/forseti-security#1465",
	},
	{
		call:    "create a bucket",
		status:  403,
		reason:  "accountDisabled",
		message: "The account for the specified project has been disabled.",
		want:    storage.PermissionDenied,
		hint:    "billing",
		source:  "rclone/rclone#110",
	},
	{
		call:    "create a bucket",
		status:  409,
		reason:  "conflict",
		message: "Your previous request to create the named bucket succeeded and you already own it.",
		want:    storage.BucketExists,
		source:  "google-marketing-solutions/ads-policy-monitor#24",
	},
}

// documentedAnswers are responses that Google documents.
var documentedAnswers = []answer{
	{
		call:    "list",
		status:  401,
		reason:  "required",
		message: "Login Required",
		want:    storage.Unauthenticated,
		hint:    "credentials are missing",
		source:  jsonErrors,
	},
	{
		call:    "list",
		status:  403,
		reason:  "forbidden",
		message: "Forbidden",
		want:    storage.PermissionDenied,
		hint:    "may not do this",
		source:  jsonErrors,
	},
	{call: "attrs", status: 404, reason: "notFound", message: "Not Found", want: storage.ObjectNotFound, source: jsonErrors},
	{call: "attrs if changed", status: 304, want: storage.NotModified, source: jsonErrors},
	{call: "upload", status: 400, reason: "badRequest", message: "Bad Request", want: storage.InvalidArgument, source: jsonErrors},
	{call: "upload", status: 400, reason: "invalidArgument", message: "Invalid argument.", want: storage.InvalidArgument, source: jsonErrors},
	{call: "list", status: 400, reason: "invalidParameter", message: "Invalid parameter.", want: storage.InvalidArgument, source: jsonErrors},
	{call: "upload", status: 400, reason: "parseError", message: "Parse Error", want: storage.InvalidArgument, source: jsonErrors},
	{
		call:    "upload",
		status:  400,
		reason:  "cloudKmsBadKey",
		message: "Bad Cloud KMS key.",
		want:    storage.InvalidArgument,
		hint:    "Cloud KMS",
		source:  jsonErrors,
	},
	{
		call:    "copy",
		status:  400,
		reason:  "cloudKmsDecryptionKeyNotFound",
		message: "Resource's Cloud KMS decryption key not found.",
		want:    storage.InvalidArgument,
		hint:    "Cloud KMS",
		source:  jsonErrors,
	},
	{
		call:    "upload",
		status:  400,
		reason:  "cloudKmsEncryptionKeyNotFound",
		message: "Cloud KMS encryption key not found.",
		want:    storage.InvalidArgument,
		hint:    "Cloud KMS",
		source:  jsonErrors,
	},
	{
		call:    "upload",
		status:  400,
		reason:  "cloudKmsKeyLocationNotAllowed",
		message: "Cloud KMS key location not allowed.",
		want:    storage.InvalidArgument,
		hint:    "location",
		source:  jsonErrors,
	},
	{
		call:    "upload",
		status:  400,
		reason:  "cloudKmsDisabledKey",
		message: "Cloud KMS key is disabled, destroyed, or scheduled to be destroyed.",
		want:    storage.PermissionDenied,
		hint:    "disabled",
		source:  jsonErrors,
	},
	{
		call:    "download",
		status:  400,
		reason:  "CloudKmsDisabledKey",
		message: "Cloud KMS key is disabled, destroyed, or scheduled to be destroyed.",
		want:    storage.PermissionDenied,
		hint:    "disabled",
		source:  xmlErrors,
	},
	{
		call:    "download",
		status:  400,
		reason:  "CloudKmsDecryptionKeyNotFound",
		message: "Resource's Cloud KMS decryption key not found.",
		want:    storage.InvalidArgument,
		hint:    "Cloud KMS",
		source:  xmlErrors,
	},
	{
		call:    "copy",
		status:  400,
		reason:  "customerEncryptionKeyIsIncorrect",
		message: "The provided encryption key is incorrect.",
		want:    storage.InvalidArgument,
		hint:    "another key",
		source:  jsonErrors,
	},
	{
		call:    "upload",
		status:  400,
		reason:  "customerEncryptionKeyFormatIsInvalid",
		message: "Missing an encryption key, or it is not Base64 encoded.",
		want:    storage.InvalidArgument,
		source:  jsonErrors,
	},
	{
		call:    "upload",
		status:  400,
		reason:  "customerEncryptionKeySha256IsInvalid",
		message: "Missing a SHA256 hash of the encryption key.",
		want:    storage.InvalidArgument,
		source:  jsonErrors,
	},
	{
		call:    "upload",
		status:  400,
		reason:  "userProjectInvalid",
		message: "The user project specified in the request is invalid.",
		want:    storage.InvalidArgument,
		hint:    "user_project=",
		source:  jsonErrors,
	},
	{
		call:    "upload",
		status:  400,
		reason:  "userProjectMissing",
		message: "Bucket is a requester pays bucket but no user project provided.",
		want:    storage.InvalidArgument,
		hint:    "user_project=",
		source:  jsonErrors,
	},
	{
		call:    "download",
		status:  401,
		reason:  "AuthenticationRequiredRequesterPays",
		message: "Access to a Requester Pays bucket requires authentication.",
		want:    storage.Unauthenticated,
		hint:    "credentials are missing",
		source:  jsonErrors,
	},
	{
		call:    "attrs",
		status:  401,
		reason:  "authError",
		message: "Invalid Credentials",
		want:    storage.Unauthenticated,
		hint:    "expired",
		source:  jsonErrors,
	},
	{
		call:    "upload",
		status:  403,
		reason:  "insufficientPermissions",
		message: "Insufficient Permission",
		want:    storage.PermissionDenied,
		hint:    "may not do this",
		source:  jsonErrors,
	},
	{
		call:    "upload",
		status:  403,
		reason:  "countryBlocked",
		message: "The API is not available in this country.",
		want:    storage.PermissionDenied,
		source:  jsonErrors,
	},
	{
		call:    "upload",
		status:  403,
		reason:  "sslRequired",
		message: "SSL is required to perform this operation.",
		want:    storage.PermissionDenied,
		hint:    "https",
		source:  jsonErrors,
	},
	{
		call:    "upload",
		status:  403,
		reason:  "UserProjectAccountProblem",
		message: "There is a problem with the project used in the request.",
		want:    storage.PermissionDenied,
		hint:    "billing",
		source:  jsonErrors,
	},
	{
		call:    "remove",
		status:  403,
		reason:  "objectUnderActiveHold",
		message: "Object 'photos/k' is under active Temporary hold and cannot be deleted, overwritten or archived until hold is removed.",
		want:    storage.Locked,
		hint:    "hold",
		source:  jsonErrors,
	},
	{
		call:    "upload",
		status:  403,
		reason:  "retentionPolicyNotMet",
		message: "Object 'photos/k' is subject to bucket's retention policy.",
		want:    storage.Locked,
		hint:    "retention",
		source:  jsonErrors,
	},
	{call: "upload", status: 405, reason: "methodNotAllowed", message: "Method Not Allowed", want: storage.Unsupported, source: jsonErrors},
	{call: "upload", status: 408, reason: "uploadBrokenConnection", message: "Request timed out", want: storage.Unavailable, source: jsonErrors},
	{
		call:    "set tags",
		status:  409,
		reason:  "conflict",
		message: "The metadata for object \"k\" was edited during the operation. Please try again.",
		want:    storage.Unavailable,
		source:  jsonErrors,
	},
	{call: "upload", status: 411, want: storage.InvalidArgument, hint: "Content-Length", source: jsonErrors},
	{
		call:    "upload if absent",
		status:  412,
		reason:  "conditionNotMet",
		message: "At least one of the pre-conditions you specified did not hold.",
		want:    storage.PreconditionFailed,
		source:  jsonErrors,
	},
	{
		call:    "upload",
		status:  412,
		reason:  "orgPolicyConstraintFailed",
		message: "Request violates an OrgPolicy constraint.",
		want:    storage.PermissionDenied,
		hint:    "policy of the organization",
		source:  jsonErrors,
	},
	{
		call:    "create a bucket",
		status:  412,
		reason:  "orgPolicyConstraintFailed",
		message: "Request violates constraint 'constraints/storage.uniformBucketLevelAccess'",
		want:    storage.PermissionDenied,
		hint:    "policy of the organization",
		source:  jsonErrors,
	},
	{call: "upload", status: 413, reason: "uploadTooLarge", message: "Upload too large", want: storage.TooLarge, source: jsonErrors},
	{
		call:    "download a range",
		status:  416,
		reason:  "requestedRangeNotSatisfiable",
		message: "Request range not satisfiable",
		want:    storage.RangeNotSatisfiable,
		source:  jsonErrors,
	},
	{
		call:    "upload",
		status:  500,
		reason:  "internalError",
		message: "We encountered an internal error. Please try again.",
		want:    storage.Unavailable,
		source:  jsonErrors,
	},
	{
		call:    "upload",
		status:  500,
		reason:  "backendError",
		message: "We encountered an internal error. Please try again.",
		want:    storage.Unavailable,
		source:  jsonErrors,
	},
	{call: "upload", status: 502, want: storage.Unavailable, source: jsonErrors},
	{call: "download", status: 503, reason: "backendError", message: "Backend Error", want: storage.Unavailable, source: jsonErrors},
	{call: "upload", status: 504, want: storage.Unavailable, source: jsonErrors},
	{
		call:    "delete a bucket",
		status:  409,
		reason:  "conflict",
		message: "The bucket you tried to delete is not empty.",
		want:    storage.BucketNotEmpty,
		hint:    "RemoveVersions",
		source:  jsonErrors,
	},
	{
		call:    "remove",
		status:  403,
		reason:  "forbidden",
		message: "Object 'photos/k' is under active Event-Based hold and cannot be deleted, overwritten or archived until hold is removed.",
		want:    storage.Locked,
		hint:    "hold",
		source:  "https://cloud.google.com/storage/docs/object-holds",
	},
}

// An answeredCall is an operation of several requests. One of the requests gets the response that is tested, and all
// others succeed.
type answeredCall struct {
	request string // pattern of the line of the request that gets the row's response
	xml     bool   // it is of the XML API
	make    wiretest.Call
}

// anyRevision is a revision of the object, as callers get it.
const anyRevision = "gcs:1700000000000001"

// answeredCalls maps names to operations. The answers in this file contain these names.
var answeredCalls = map[string]answeredCall{
	"attrs":               {`^GET /storage/v1/b/photos/o/k\b`, false, wiretest.Attrs()},
	"attrs if changed":    {`^GET /storage/v1/b/photos/o/k\b`, false, wiretest.Attrs(storage.IfRevisionNot(anyRevision))},
	"download":            {`^GET /photos/k\b`, true, wiretest.Download()},
	"download a range":    {`^GET /photos/k\b`, true, wiretest.Download(storage.WithRange(32, 10))},
	"upload":              {`^POST /upload/`, false, wiretest.Upload()},
	"upload if absent":    {`^POST /upload/`, false, wiretest.Upload(storage.IfAbsent())},
	"public upload":       {`^POST /upload/`, false, wiretest.Upload(storage.WithPublicRead())},
	"copy":                {`^POST /storage/v1/b/photos/o/s/rewriteTo/`, false, wiretest.Copy},
	"compose":             {`^POST /storage/v1/b/photos/o/k/compose`, false, compose},
	"list":                {`^GET /storage/v1/b/photos/o\?`, false, wiretest.List},
	"remove":              {`^DELETE /storage/v1/b/photos/o/k\b`, false, wiretest.Remove()},
	"remove if unchanged": {`^DELETE /storage/v1/b/photos/o/k\b`, false, wiretest.Remove(storage.IfRevision(anyRevision))},
	"set tags":            {`^PATCH /storage/v1/b/photos/o/k\b`, false, wiretest.SetTags},
	"create a bucket":     {`^POST /storage/v1/b\?`, false, wiretest.CreateBucket},
	"delete a bucket":     {`^DELETE /storage/v1/b/photos\?`, false, wiretest.DeleteBucket},
	"read a bucket":       {`^GET /storage/v1/b/photos\?`, false, wiretest.ReadBucket},
	"update a bucket":     {`^PATCH /storage/v1/b/photos\?`, false, updateBucket},
}

// compose is a [wiretest.Call] that composes "s" and "t" to "k".
func compose(ctx context.Context, bucket storage.Bucket, _ storage.Service) error {
	_, err := storage.Compose(ctx, bucket, "k", []string{"s", "t"})
	return err
}

// updateBucket is a [wiretest.Call] that makes the bucket "photos" keep versions.
func updateBucket(ctx context.Context, _ storage.Bucket, s storage.Service) error {
	_, err := s.UpdateBucket(ctx, "photos", storage.WithVersioning(true))
	return err
}

// reply returns the answer as a response of the JSON API, or of the XML API if isXML is true.
func (a *answer) reply(isXML bool) reply {
	if a.reason == "" {
		return reply{Status: a.status, Header: map[string]string{requestIDHeader: "R1"}}
	}
	if isXML {
		return xmlError(a.status, a.reason, strings.ReplaceAll(a.message, "'", "&#39;"))
	}
	return jsonError(a.status, a.reason, a.message)
}

// success returns a response without an error. A listing gets an empty page, and all other requests
// get an object.
func success(r wiretest.Request) reply {
	isListing := r.Method == http.MethodGet && strings.HasSuffix(r.Path, "/o")
	if isListing {
		return reply{Header: storedReply.Header, Body: `{"kind":"storage#objects"}`}
	}
	return storedReply
}

// Each known response of Google reaches the caller with the expected Code and hint.
func TestAnswersOfGoogle(t *testing.T) {
	for _, a := range append(reportedAnswers, documentedAnswers...) {
		name := strings.TrimSpace(fmt.Sprintf("%s: %d %s %s", a.call, a.status, a.reason, a.message))
		t.Run(name, func(t *testing.T) {
			testAnswer(t, &a)
		})
	}
}

// testAnswer makes the call that an answer belongs to, and checks the call's error. The server sends the answer to the
// matching request, and a success to all others.
func testAnswer(t *testing.T, a *answer) {
	call, ok := answeredCalls[a.call]
	require.True(t, ok, a.call)
	require.NotEmpty(t, a.source, "each answer says where it was documented")

	var matches atomic.Int32
	server := newCannedServer(t)
	server.Answer = func(r wiretest.Request) reply {
		if !regexp.MustCompile(call.request).MatchString(r.Line()) {
			return success(r)
		}
		matches.Add(1)
		return a.reply(call.xml)
	}
	service, err := NewServiceDriver(t.Context(), Config{Endpoint: server.URL, Project: "p"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, service.Close()) })

	noRetry := storage.WithRetry(storage.RetryPolicy{Attempts: 1})
	err = call.make(t.Context(), engine.New(server.openDriver(t), noRetry), engine.NewService(service, noRetry))
	require.NotZero(t, matches.Load(), "the request was not made: %v", server.Lines())

	if a.want == "" {
		require.NoError(t, err)
		return
	}
	e := wiretest.RequireAnswer(t, err, a.want, sdkerror.IsRetryable(a.want), a.hint, a.source)
	if a.want != storage.RangeNotSatisfiable { // the engine's own error
		require.Equal(t, a.status, e.Status)
		require.Equal(t, "R1", e.RequestID)
	}
}
