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

// An answer is a response that Google is known to send, and what the caller must learn from it.
// The rows are facts that others have documented or recorded; nothing here was asked of Google.
// Where a page gives a status and a code without the text, the message says the same in our words.
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

// Responses that are recorded, or that users have reported.
var reportedAnswers = []answer{
	{"attrs", 404, "notFound", "No such object: photos/k", storage.ObjectNotFound, "", recorded},
	{"download", 404, "NoSuchKey", "The specified key does not exist. No such object: photos/k", storage.ObjectNotFound, "", recorded},
	{"remove", 404, "notFound", "No such object: photos/k", "", "", recorded},
	{"read a bucket", 404, "notFound", "Not Found", storage.BucketNotFound, "", recorded},
	{"remove if unchanged", 412, "conditionNotMet", "Precondition Failed", storage.PreconditionFailed, "", recorded},
	{"download a range", 416, "InvalidRange", "The requested range cannot be satisfied. bytes=32-41", storage.RangeNotSatisfiable, "", recorded},

	{"upload", 401, "required", "Anonymous caller does not have storage.objects.create access to photos/k.", storage.Unauthenticated, "credentials are missing", recorded},
	{"download", 403, "AccessDenied", "Access denied. Anonymous caller does not have storage.objects.get access to photos/k.", storage.PermissionDenied, "may not do this", recorded},
	{"attrs", 403, "forbidden", "another-thing@p.iam.gserviceaccount.com does not have storage.objects.get access to photos/k.", storage.PermissionDenied, "without permission to list the bucket", recorded},
	{"attrs", 403, "forbidden", "x@y.iam.gserviceaccount.com does not have storage.objects.get access to the Google Cloud Storage object.", storage.PermissionDenied, "may not do this", "pulumi/pulumi-hugo#889"},

	{"upload", 400, "required", "Required", storage.InvalidArgument, "", recorded},
	{"upload", 400, "invalid", "The maximum object length is 1024 characters, but got a name with 1025 characters: ''aaaa...''", storage.InvalidArgument, "", recorded},
	{"upload", 400, "invalid", "Disallowed unicode characters present in object name ''new\nlines''", storage.InvalidArgument, "", recorded},
	{"upload", 400, "invalid", `Provided CRC32C "cH+A/A==" doesn't match calculated CRC32C "cH+A+w==".`, storage.ChecksumMismatch, "", recorded},
	{"upload", 400, "invalid", `Provided MD5 hash "ovZjGlcXPJiGOAfKFbJl1Q==" doesn't match calculated MD5 hash "ofZjGlcXPJiGOAfKFbJl1Q==".`, storage.ChecksumMismatch, "", recorded},
	{"public upload", 400, "invalid", "Cannot insert legacy ACL for an object when uniform bucket-level access is enabled. Read more at https://cloud.google.com/storage/docs/uniform-bucket-level-access.", storage.Unsupported, "omit WithPublicRead", "Superbalist/flysystem-google-cloud-storage#118"},

	{"download", 400, "ResourceIsEncryptedWithCustomerEncryptionKey", "The resource is encrypted with a customer encryption key. The requested object is encrypted by a customer-supplied encryption key.", storage.InvalidArgument, "WithCustomerKey", recorded},
	{"copy", 400, "resourceIsEncryptedWithCustomerEncryptionKey", "The target object is encrypted by a customer-supplied encryption key.", storage.InvalidArgument, "WithSourceCustomerKey", recorded},
	{"compose", 400, "resourceNotEncryptedWithCustomerEncryptionKey", "The target object is not encrypted by a customer-supplied encryption key.", storage.InvalidArgument, "omit WithCustomerKey", recorded},
	{"upload", 403, "forbidden", "Permission denied on Cloud KMS key. Please ensure that your Cloud Storage service account has been authorized to use this key.", storage.PermissionDenied, "cryptoKeyEncrypterDecrypter", "googleapis/nodejs-storage#1254"},
	{"create a bucket", 403, "forbidden", "Permission denied on Cloud KMS key. Please ensure that your Cloud Storage service account has been authorized to use this key.", storage.PermissionDenied, "cryptoKeyEncrypterDecrypter", "ollionorg/gcp-landing-zone#59"},

	{"read a bucket", 400, "required", "Bucket is requester pays bucket but no user project provided.", storage.InvalidArgument, "user_project=", recorded},
	{"upload", 400, "required", "Bucket is requester pays bucket but no user project provided.", storage.InvalidArgument, "user_project=", recorded},
	{"list", 400, "required", "Bucket is requester pays bucket but no user project provided.", storage.InvalidArgument, "user_project=", "Superbalist/laravel-google-cloud-storage#44"},
	{"download", 400, "UserProjectMissing", "Bucket is a requester pays bucket but no user project provided. Bucket is Requester Pays bucket but no billing project id provided for non-owner.", storage.InvalidArgument, "user_project=", recorded},
	{"upload", 403, "forbidden", "x@y.iam.gserviceaccount.com does not have serviceusage.services.use access to project 642080918101.", storage.PermissionDenied, "serviceusage.services.use", recorded},
	{"download", 403, "UserProjectAccessDenied", "Requester does not have serviceusage.services.use permissions on user project. x@y.iam.gserviceaccount.com does not have serviceusage.services.use access to project 642080918101.", storage.PermissionDenied, "serviceusage.services.use", recorded},

	{"remove", 403, "forbidden", "Object 'photos/k' is subject to bucket's retention policy and cannot be deleted, overwritten or archived until 2019-05-03T16:25:59.952208428-07:00", storage.Locked, "retention policy", recorded},
	{"upload", 403, "forbidden", "Object 'photos/k' is subject to bucket's retention policy and cannot be deleted, overwritten or archived until 2019-05-03T16:25:59.952208428-07:00", storage.Locked, "retention policy", recorded},
	{"update a bucket", 403, "forbidden", "Cannot reduce retention duration of a locked Retention Policy for bucket 'photos'.", storage.Locked, "retention policy", recorded},
	{"update a bucket", 412, "conditionNotMet", "Precondition Failed", storage.PreconditionFailed, "", recorded},

	{"create a bucket", 429, "rateLimitExceeded", "The project exceeded the rate limit for creating and deleting buckets.", storage.RateLimited, "", recorded},
	{"upload", 429, "rateLimitExceeded", "The object photos/k exceeded the rate limit for object mutation operations (create, update, and delete). Please reduce your request rate. See https://cloud.google.com/storage/docs/gcs429.", storage.RateLimited, "", "trinodb/trino#19943"},
	{"download", 429, "SlowDown", "The object exceeded the rate limit for object mutation operations (create, update, and delete). Please reduce your request rate. See https://cloud.google.com/storage/docs/gcs429.", storage.RateLimited, "", "delta-io/delta-rs#2451"},

	{"upload", 403, "accountDisabled", "The billing account for the owning project is disabled in state absent", storage.PermissionDenied, "billing", "googleapis/python-storage#1456"},
	{"upload", 403, "accountDisabled", "The project to be billed is associated with an absent billing account.", storage.PermissionDenied, "billing", "hashicorp/terraform-provider-google#5209"},
	{"read a bucket", 403, "accountDisabled", "The project to be billed has not configured billing.", storage.PermissionDenied, "billing", "forseti-security/forseti-security#1465"},
	{"create a bucket", 403, "accountDisabled", "The account for the specified project has been disabled.", storage.PermissionDenied, "billing", "rclone/rclone#110"},
	{"create a bucket", 409, "conflict", "Your previous request to create the named bucket succeeded and you already own it.", storage.BucketExists, "", "google-marketing-solutions/ads-policy-monitor#24"},
}

// Responses that Google documents.
var documentedAnswers = []answer{
	{"list", 401, "required", "Login Required", storage.Unauthenticated, "credentials are missing", jsonErrors},
	{"list", 403, "forbidden", "Forbidden", storage.PermissionDenied, "may not do this", jsonErrors},
	{"attrs", 404, "notFound", "Not Found", storage.ObjectNotFound, "", jsonErrors},
	{"attrs if changed", 304, "", "", storage.NotModified, "", jsonErrors},
	{"upload", 400, "badRequest", "Bad Request", storage.InvalidArgument, "", jsonErrors},
	{"upload", 400, "invalidArgument", "Invalid argument.", storage.InvalidArgument, "", jsonErrors},
	{"list", 400, "invalidParameter", "Invalid parameter.", storage.InvalidArgument, "", jsonErrors},
	{"upload", 400, "parseError", "Parse Error", storage.InvalidArgument, "", jsonErrors},
	{"upload", 400, "cloudKmsBadKey", "Bad Cloud KMS key.", storage.InvalidArgument, "Cloud KMS", jsonErrors},
	{"copy", 400, "cloudKmsDecryptionKeyNotFound", "Resource's Cloud KMS decryption key not found.", storage.InvalidArgument, "Cloud KMS", jsonErrors},
	{"upload", 400, "cloudKmsEncryptionKeyNotFound", "Cloud KMS encryption key not found.", storage.InvalidArgument, "Cloud KMS", jsonErrors},
	{"upload", 400, "cloudKmsKeyLocationNotAllowed", "Cloud KMS key location not allowed.", storage.InvalidArgument, "location", jsonErrors},
	{"upload", 400, "cloudKmsDisabledKey", "Cloud KMS key is disabled, destroyed, or scheduled to be destroyed.", storage.PermissionDenied, "disabled", jsonErrors},
	{"download", 400, "CloudKmsDisabledKey", "Cloud KMS key is disabled, destroyed, or scheduled to be destroyed.", storage.PermissionDenied, "disabled", xmlErrors},
	{"download", 400, "CloudKmsDecryptionKeyNotFound", "Resource's Cloud KMS decryption key not found.", storage.InvalidArgument, "Cloud KMS", xmlErrors},
	{"copy", 400, "customerEncryptionKeyIsIncorrect", "The provided encryption key is incorrect.", storage.InvalidArgument, "another key", jsonErrors},
	{"upload", 400, "customerEncryptionKeyFormatIsInvalid", "Missing an encryption key, or it is not Base64 encoded.", storage.InvalidArgument, "", jsonErrors},
	{"upload", 400, "customerEncryptionKeySha256IsInvalid", "Missing a SHA256 hash of the encryption key.", storage.InvalidArgument, "", jsonErrors},
	{"upload", 400, "userProjectInvalid", "The user project specified in the request is invalid.", storage.InvalidArgument, "user_project=", jsonErrors},
	{"upload", 400, "userProjectMissing", "Bucket is a requester pays bucket but no user project provided.", storage.InvalidArgument, "user_project=", jsonErrors},
	{"download", 401, "AuthenticationRequiredRequesterPays", "Access to a Requester Pays bucket requires authentication.", storage.Unauthenticated, "credentials are missing", jsonErrors},
	{"attrs", 401, "authError", "Invalid Credentials", storage.Unauthenticated, "expired", jsonErrors},
	{"upload", 403, "insufficientPermissions", "Insufficient Permission", storage.PermissionDenied, "may not do this", jsonErrors},
	{"upload", 403, "countryBlocked", "The API is not available in this country.", storage.PermissionDenied, "", jsonErrors},
	{"upload", 403, "sslRequired", "SSL is required to perform this operation.", storage.PermissionDenied, "https", jsonErrors},
	{"upload", 403, "UserProjectAccountProblem", "There is a problem with the project used in the request.", storage.PermissionDenied, "billing", jsonErrors},
	{"remove", 403, "objectUnderActiveHold", "Object 'photos/k' is under active Temporary hold and cannot be deleted, overwritten or archived until hold is removed.", storage.Locked, "hold", jsonErrors},
	{"upload", 403, "retentionPolicyNotMet", "Object 'photos/k' is subject to bucket's retention policy.", storage.Locked, "retention", jsonErrors},
	{"upload", 405, "methodNotAllowed", "Method Not Allowed", storage.Unsupported, "", jsonErrors},
	{"upload", 408, "uploadBrokenConnection", "Request timed out", storage.Unavailable, "", jsonErrors},
	{"set tags", 409, "conflict", "The metadata for object \"k\" was edited during the operation. Please try again.", storage.Unavailable, "", jsonErrors},
	{"upload", 411, "", "", storage.InvalidArgument, "Content-Length", jsonErrors},
	{"upload if absent", 412, "conditionNotMet", "At least one of the pre-conditions you specified did not hold.", storage.PreconditionFailed, "", jsonErrors},
	{"upload", 412, "orgPolicyConstraintFailed", "Request violates an OrgPolicy constraint.", storage.PermissionDenied, "policy of the organization", jsonErrors},
	{"create a bucket", 412, "orgPolicyConstraintFailed", "Request violates constraint 'constraints/storage.uniformBucketLevelAccess'", storage.PermissionDenied, "policy of the organization", jsonErrors},
	{"upload", 413, "uploadTooLarge", "Upload too large", storage.TooLarge, "", jsonErrors},
	{"download a range", 416, "requestedRangeNotSatisfiable", "Request range not satisfiable", storage.RangeNotSatisfiable, "", jsonErrors},
	{"upload", 500, "internalError", "We encountered an internal error. Please try again.", storage.Unavailable, "", jsonErrors},
	{"upload", 500, "backendError", "We encountered an internal error. Please try again.", storage.Unavailable, "", jsonErrors},
	{"upload", 502, "", "", storage.Unavailable, "", jsonErrors},
	{"download", 503, "backendError", "Backend Error", storage.Unavailable, "", jsonErrors},
	{"upload", 504, "", "", storage.Unavailable, "", jsonErrors},
	{"delete a bucket", 409, "conflict", "The bucket you tried to delete is not empty.", storage.BucketNotEmpty, "RemoveVersions", jsonErrors},
	{"remove", 403, "forbidden", "Object 'photos/k' is under active Event-Based hold and cannot be deleted, overwritten or archived until hold is removed.", storage.Locked, "hold", "https://cloud.google.com/storage/docs/object-holds"},
}

// An answeredCall makes one request that is answered, among others that succeed.
type answeredCall struct {
	request string // is a pattern for the request line of the answered one
	xml     bool   // it is of the XML API
	make    wiretest.Call
}

const anyRevision = "gcs:1700000000000001"

// answeredCalls are the operations, by the names that answers use.
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

func compose(ctx context.Context, b storage.Bucket, _ storage.Service) error {
	_, err := storage.Compose(ctx, b, "k", []string{"s", "t"})
	return err
}

func updateBucket(ctx context.Context, _ storage.Bucket, s storage.Service) error {
	_, err := s.UpdateBucket(ctx, "photos", storage.WithVersioning(true))
	return err
}

// reply returns the response.
func (a *answer) reply(xml bool) reply {
	if a.reason == "" {
		return reply{Status: a.status, Header: map[string]string{requestIDHeader: "R1"}}
	}
	if xml {
		return failingXML(a.status, a.reason, strings.NewReplacer("'", "&#39;").Replace(a.message))
	}
	return failing(a.status, a.reason, a.message)
}

// success returns the response to a request that is made before or after the answered one.
func success(r wiretest.Request) reply {
	if regexp.MustCompile(`/o$`).MatchString(r.Path) && r.Method == http.MethodGet {
		return reply{Header: stored.Header, Body: `{"kind":"storage#objects"}`}
	}
	return stored
}

func TestAnswersOfGoogle(t *testing.T) {
	for _, a := range append(reportedAnswers, documentedAnswers...) {
		name := strings.TrimSpace(fmt.Sprintf("%s: %d %s %s", a.call, a.status, a.reason, a.message))
		t.Run(name, func(t *testing.T) { testAnswer(t, &a) })
	}
}

func testAnswer(t *testing.T, a *answer) {
	c, ok := answeredCalls[a.call]
	require.True(t, ok, a.call)
	require.NotEmpty(t, a.source)
	var answered atomic.Int32
	w := newStandIn(t)
	w.server.Answer = func(r wiretest.Request) reply {
		if !regexp.MustCompile(c.request).MatchString(r.Line()) {
			return success(r)
		}
		answered.Add(1)
		return a.reply(c.xml)
	}
	s, err := NewServiceDriver(t.Context(), Config{Endpoint: w.server.URL, Project: "p"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	once := storage.WithRetry(storage.RetryPolicy{Attempts: 1})
	err = c.make(t.Context(), engine.New(w.on(t), once), engine.NewService(s, once))
	require.NotZero(t, answered.Load(), "the request was not made: %v", w.server.Lines())
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
