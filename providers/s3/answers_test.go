package s3

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/sdkerror"
	"github.com/omnibucket/storage/internal/testing/wiretest"
)

// An answer is a response that a service is known to send, and the error that the caller must get.
// Others have documented or recorded the response: the field source says where. If a page gives a
// status and a code without the text, the message has the same meaning in other words.
type answer struct {
	call    string // a key of calls
	status  int
	code    string // of the service; "": the response has no body
	message string
	extra   string // more elements of the body
	header  string // "Name: value", or ""
	want    storage.Code
	hint    string // is part of the error's hint
	source  string // a page, or an issue of a repository at GitHub
}

const (
	amazonErrors = "https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html"
	r2Errors     = "https://developers.cloudflare.com/r2/api/error-codes"
	wasabiErrors = "https://docs.wasabi.com/docs/rest-api-introduction"
	ossPaths     = "https://www.alibabacloud.com/help/en/oss/developer-reference/compatibility-with-amazon-s3"
)

// recorded names a response of Amazon that a test of LocalStack has recorded.
func recorded(test string) string {
	return "localstack/localstack tests/aws/services/s3/*.snapshot.json " + test
}

// answers maps the names of profiles, which are kinds of services, to their responses.
var answers = map[string][]answer{
	"aws": slices.Concat(amazonRefusals, amazonArguments, amazonStates, amazonRetries, amazonBuckets,
		amazonRegions, amazonLocks, amazonKeys),
	"r2":      r2Answers,
	"b2":      b2Answers,
	"spaces":  spacesAnswers,
	"wasabi":  wasabiAnswers,
	"unknown": otherAnswers,
}

// amazonRefusals are refusals of credentials and permissions.
var amazonRefusals = []answer{
	{
		call:    "download",
		status:  403,
		code:    "AccessDenied",
		message: "Access Denied",
		want:    storage.PermissionDenied,
		hint:    "without permission to list the bucket",
		source:  amazonErrors,
	},
	{
		call:    "upload",
		status:  403,
		code:    "AccessDenied",
		message: "Access Denied",
		want:    storage.PermissionDenied,
		hint:    "may not do this",
		source:  "versity/versitygw#1498",
	},
	{
		call:    "upload",
		status:  403,
		code:    "AccessDenied",
		message: "Cannot upload files, storage cap exceeded. See the Caps & Alerts page to increase your cap.",
		want:    storage.PermissionDenied,
		hint:    "limit of the account",
		source:  "users of B2",
	},
	{
		call:    "list",
		status:  403,
		code:    "AccessDenied",
		message: "Transaction cap exceeded, see the Caps & Alerts page to increase your cap",
		want:    storage.PermissionDenied,
		hint:    "limit of the account",
		source:  "users of B2",
	},
	{
		call:   "attrs",
		status: 403,
		want:   storage.PermissionDenied,
		hint:   "may not do this",
		source: recorded("test_object_retrieval_sse_c"),
	},
	{
		call:    "download",
		status:  403,
		code:    "AccountProblem",
		message: "There is a problem with your AWS account that prevents the operation from completing successfully.",
		want:    storage.PermissionDenied,
		hint:    "restricted the account",
		source:  amazonErrors,
	},
	{
		call:    "download",
		status:  403,
		code:    "AllAccessDisabled",
		message: "All access to this Amazon S3 resource has been disabled.",
		want:    storage.PermissionDenied,
		source:  amazonErrors,
	},
	{
		call:    "download",
		status:  403,
		code:    "InvalidPayer",
		message: "All access to this object has been disabled.",
		want:    storage.PermissionDenied,
		source:  amazonErrors,
	},
	{
		call:    "upload",
		status:  403,
		code:    "NotSignedUp",
		message: "Your account is not signed up for the Amazon S3 service.",
		want:    storage.PermissionDenied,
		hint:    "sign up",
		source:  amazonErrors,
	},
	{
		call:    "download",
		status:  403,
		code:    "InvalidAccessKeyId",
		message: "The AWS Access Key Id you provided does not exist in our records.",
		extra:   "<AWSAccessKeyId>key</AWSAccessKeyId>",
		want:    storage.Unauthenticated,
		hint:    "another service",
		source:  "versity/versitygw#1498",
	},
	{
		call:    "upload",
		status:  403,
		code:    "SignatureDoesNotMatch",
		message: "The request signature we calculated does not match the signature you provided.",
		want:    storage.Unauthenticated,
		hint:    "secret key",
		source:  amazonErrors,
	},
	{
		call:    "list",
		status:  403,
		code:    "SignatureDoesNotMatch",
		message: "The request signature we calculated does not match the signature you provided. Check your key and signing method.",
		extra:   "<StringToSign>GET</StringToSign>",
		want:    storage.Unauthenticated,
		hint:    "secret key",
		source:  "aristidb/aws#114",
	},
	{
		call:    "download",
		status:  403,
		code:    "InvalidSecurity",
		message: "The provided security credentials are not valid.",
		want:    storage.Unauthenticated,
		hint:    "access key",
		source:  amazonErrors,
	},
	{
		call:    "download",
		status:  400,
		code:    "ExpiredToken",
		message: "The provided token has expired.",
		want:    storage.Unauthenticated,
		hint:    "token has expired",
		source:  amazonErrors,
	},
	{
		call:    "upload",
		status:  400,
		code:    "InvalidToken",
		message: "The provided token is malformed or otherwise not valid.",
		want:    storage.Unauthenticated,
		hint:    "session token",
		source:  amazonErrors,
	},
	{
		call:    "list",
		status:  400,
		code:    "TokenRefreshRequired",
		message: "The provided token must be refreshed.",
		want:    storage.Unauthenticated,
		hint:    "session token",
		source:  amazonErrors,
	},
	{
		call:    "download",
		status:  403,
		code:    "RequestTimeTooSkewed",
		message: "The difference between the request time and the server's time is too large.",
		want:    storage.Unauthenticated,
		hint:    "clock",
		source:  amazonErrors,
	},
}

// amazonArguments are errors about arguments, checksums and headers of a request.
var amazonArguments = []answer{
	{
		call:    "upload",
		status:  400,
		code:    "InvalidArgument",
		message: "Invalid Argument",
		want:    storage.InvalidArgument,
		source:  amazonErrors,
	},
	{
		call:    "download",
		status:  400,
		code:    "InvalidRequest",
		message: "Please use AWS4-HMAC-SHA256.",
		want:    storage.InvalidArgument,
		source:  amazonErrors,
	},
	{
		call:    "download",
		status:  400,
		code:    "InvalidURI",
		message: "Couldn't parse the specified URI.",
		want:    storage.InvalidArgument,
		source:  amazonErrors,
	},
	{
		call:    "upload",
		status:  400,
		code:    "KeyTooLongError",
		message: "Your key is too long.",
		want:    storage.InvalidArgument,
		source:  amazonErrors,
	},
	{
		call:    "upload",
		status:  400,
		code:    "MetadataTooLarge",
		message: "Your metadata headers exceed the maximum allowed metadata size.",
		want:    storage.InvalidArgument,
		source:  amazonErrors,
	},
	{
		call:    "upload",
		status:  400,
		code:    "MissingSecurityHeader",
		message: "Your request is missing a required header.",
		want:    storage.InvalidArgument,
		source:  amazonErrors,
	},
	{
		call:    "upload",
		status:  400,
		code:    "UnexpectedContent",
		message: "This request does not support content.",
		want:    storage.InvalidArgument,
		source:  amazonErrors,
	},
	{
		call:    "upload",
		status:  411,
		code:    "MissingContentLength",
		message: "You must provide the Content-Length HTTP header.",
		want:    storage.InvalidArgument,
		hint:    "proxy",
		source:  amazonErrors,
	},
	{
		call:    "upload",
		status:  400,
		code:    "EntityTooLarge",
		message: "Your proposed upload exceeds the maximum allowed object size.",
		want:    storage.TooLarge,
		source:  amazonErrors,
	},
	{
		call:    "upload",
		status:  400,
		code:    "MaxMessageLengthExceeded",
		message: "Your request was too big.",
		want:    storage.TooLarge,
		source:  amazonErrors,
	},
	{
		call:    "complete",
		status:  400,
		code:    "EntityTooSmall",
		message: "Your proposed upload is smaller than the minimum allowed size",
		extra:   "<PartNumber>1</PartNumber><MinSizeAllowed>5242880</MinSizeAllowed><ProposedSize>4</ProposedSize>",
		want:    storage.InvalidArgument,
		source:  recorded("test_multipart_complete_multipart_too_small"),
	},
	{
		call:    "complete",
		status:  400,
		code:    "InvalidPart",
		message: "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.",
		extra:   "<PartNumber>2</PartNumber>",
		want:    storage.InvalidArgument,
		source:  recorded("test_multipart_complete_multipart_wrong_part"),
	},
	{
		call:    "complete",
		status:  400,
		code:    "InvalidPartOrder",
		message: "The list of parts was not in ascending order. Parts must be ordered by part number.",
		want:    storage.InvalidArgument,
		source:  recorded("test_complete_multipart_parts_order"),
	},
	{
		call:    "complete",
		status:  400,
		code:    "MalformedXML",
		message: "The XML you provided was not well-formed or did not validate against our published schema",
		want:    storage.InvalidArgument,
		source:  recorded("test_s3_request_payer_exceptions"),
	},
	{
		call:    "part",
		status:  404,
		code:    "NoSuchUpload",
		message: "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.",
		extra:   "<UploadId>u</UploadId>",
		want:    storage.InvalidArgument,
		source:  recorded("test_multipart_and_list_parts"),
	},
	{
		call:    "part",
		status:  400,
		code:    "InvalidArgument",
		message: "Part number must be an integer between 1 and 10000, inclusive",
		extra:   "<ArgumentName>partNumber</ArgumentName>",
		want:    storage.InvalidArgument,
		source:  recorded("test_complete_multipart_parts_order"),
	},
	{
		call:    "upload in a class",
		status:  400,
		code:    "InvalidStorageClass",
		message: "The storage class you specified is not valid",
		extra:   "<StorageClassRequested>OUTPOSTS</StorageClassRequested>",
		want:    storage.InvalidArgument,
		hint:    "storage class",
		source:  recorded("test_put_object_storage_class_outposts"),
	},
	{
		call:    "set tags",
		status:  400,
		code:    "InvalidTag",
		message: "System tags cannot be added/updated by requester",
		extra:   "<TagKey>aws:prefixed</TagKey>",
		want:    storage.InvalidArgument,
		source:  recorded("test_tagging_validation"),
	},
	{
		call:    "set tags",
		status:  400,
		code:    "InvalidTag",
		message: "The TagValue you have provided is invalid",
		extra:   "<TagKey>Key1</TagKey><TagValue>Val1,Val2</TagValue>",
		want:    storage.InvalidArgument,
		source:  recorded("test_tagging_validation"),
	},
	{
		call:    "copy",
		status:  400,
		code:    "InvalidRequest",
		message: "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.",
		want:    storage.InvalidArgument,
		source:  recorded("test_s3_copy_object_in_place"),
	},
	{
		call:    "list",
		status:  400,
		code:    "InvalidArgument",
		message: "The continuation token provided is incorrect",
		extra:   "<ArgumentName>continuation-token</ArgumentName>",
		want:    storage.InvalidArgument,
		source:  recorded("test_list_objects_v2_continuation_start_after"),
	},
	{
		call:    "remove a version",
		status:  400,
		code:    "InvalidArgument",
		message: "Invalid version id specified",
		extra:   "<ArgumentName>versionId</ArgumentName>",
		want:    storage.InvalidArgument,
		source:  recorded("test_delete_object_versioned"),
	},
	{
		call:    "upload",
		status:  400,
		code:    "BadDigest",
		message: "The CRC32C you specified did not match the calculated checksum.",
		want:    storage.ChecksumMismatch,
		source:  recorded("test_put_object_checksum[CRC32C]"),
	},
	{
		call:    "upload",
		status:  400,
		code:    "BadDigest",
		message: "The Content-MD5 you specified did not match what we received.",
		extra:   "<CalculatedDigest>Q3uTDbhLgHnC3YBKcZNrXw==</CalculatedDigest>",
		want:    storage.ChecksumMismatch,
		source:  recorded("test_s3_invalid_content_md5"),
	},
	{
		call:    "upload",
		status:  400,
		code:    "InvalidDigest",
		message: "The Content-MD5 you specified was invalid.",
		extra:   "<Content-MD5>__invalid__</Content-MD5>",
		want:    storage.ChecksumMismatch,
		source:  recorded("test_s3_invalid_content_md5"),
	},
	{
		call:    "complete",
		status:  400,
		code:    "BadDigest",
		message: "The crc32c you specified did not match the calculated checksum.",
		want:    storage.ChecksumMismatch,
		source:  recorded("test_multipart_parts_checksum_exceptions_full_object"),
	},
	{
		call:    "upload",
		status:  400,
		code:    "XAmzContentSHA256Mismatch",
		message: "The provided 'x-amz-content-sha256' header does not match what was computed.",
		want:    storage.ChecksumMismatch,
		source:  "s3tools/s3cmd#812",
	},
	{
		call:    "upload",
		status:  405,
		code:    "MethodNotAllowed",
		message: "The specified method is not allowed against this resource.",
		want:    storage.Unsupported,
		source:  amazonErrors,
	},
	{
		call:    "upload if absent",
		status:  501,
		code:    "NotImplemented",
		message: "A header you provided implies functionality that is not implemented",
		extra:   "<Header>If-None-Match</Header><additionalMessage>We don't accept the provided value of If-None-Match header for this API</additionalMessage>",
		want:    storage.Unsupported,
		source:  recorded("test_put_object_if_none_match_validation"),
	},
}

// amazonStates are errors about the state of an object or a bucket, such as a failed condition.
var amazonStates = []answer{
	{
		call:    "download",
		status:  404,
		code:    "NoSuchKey",
		message: "The specified key does not exist.",
		extra:   "<Key>k</Key>",
		want:    storage.ObjectNotFound,
		source:  recorded("test_range_key_not_exists"),
	},
	{
		call:   "attrs",
		status: 404,
		want:   storage.ObjectNotFound,
		source: recorded("test_create_bucket_head_bucket"),
	},
	{
		call:    "download",
		status:  404,
		code:    "NoSuchBucket",
		message: "The specified bucket does not exist",
		extra:   "<BucketName>photos</BucketName>",
		want:    storage.BucketNotFound,
		hint:    "CreateBucket",
		source:  recorded("test_get_object_no_such_bucket"),
	},
	{
		call:    "upload",
		status:  404,
		code:    "NoSuchBucket",
		message: "The specified bucket does not exist",
		extra:   "<BucketName>photos</BucketName>",
		want:    storage.BucketNotFound,
		hint:    "CreateBucket",
		source:  amazonErrors,
	},
	{
		call:    "list",
		status:  404,
		code:    "NoSuchBucket",
		message: "The specified bucket does not exist",
		extra:   "<BucketName>photos</BucketName>",
		want:    storage.BucketNotFound,
		hint:    "CreateBucket",
		source:  amazonErrors,
	},
	{
		call:    "read a version",
		status:  404,
		code:    "NoSuchVersion",
		message: "The specified version does not exist.",
		extra:   "<Key>k</Key><VersionId>v1</VersionId>",
		want:    storage.ObjectNotFound,
		source:  recorded("test_delete_object_versioned"),
	},
	{
		call:    "read a version",
		status:  405,
		code:    "MethodNotAllowed",
		message: "The specified method is not allowed against this resource.",
		extra:   "<Method>GET</Method><ResourceType>DeleteMarker</ResourceType>",
		header:  "X-Amz-Delete-Marker: true",
		want:    storage.ObjectNotFound,
		source:  recorded("test_put_object_acl_on_delete_marker"),
	},
	{
		call:   "attributes of a version",
		status: 405,
		header: "X-Amz-Delete-Marker: true",
		want:   storage.ObjectNotFound,
		source: recorded("test_object_lock_delete_markers"),
	},
	{
		call:    "download a range",
		status:  416,
		code:    "InvalidRange",
		message: "The requested range is not satisfiable",
		extra:   "<ActualObjectSize>8</ActualObjectSize><RangeRequested>bytes=1024-4096</RangeRequested>",
		want:    storage.RangeNotSatisfiable,
		source:  recorded("test_invalid_range_error"),
	},
	{
		call:   "download if changed",
		status: 304,
		want:   storage.NotModified,
		source: recorded("test_s3_get_object_preconditions[get_object]"),
	},
	{
		call:    "download if unchanged",
		status:  412,
		code:    "PreconditionFailed",
		message: "At least one of the pre-conditions you specified did not hold",
		extra:   "<Condition>If-Match</Condition>",
		want:    storage.PreconditionFailed,
		source:  recorded("test_precondition_failed_error"),
	},
	{
		call:   "attrs if unchanged",
		status: 412,
		want:   storage.PreconditionFailed,
		source: recorded("test_s3_get_object_preconditions[head_object]"),
	},
	{
		call:    "upload if absent",
		status:  412,
		code:    "PreconditionFailed",
		message: "At least one of the pre-conditions you specified did not hold",
		extra:   "<Condition>If-None-Match</Condition>",
		want:    storage.PreconditionFailed,
		source:  amazonErrors,
	},
	{
		call:    "upload if unchanged",
		status:  412,
		code:    "PreconditionFailed",
		message: "At least one of the pre-conditions you specified did not hold",
		extra:   "<Condition>If-Match</Condition>",
		want:    storage.PreconditionFailed,
		source:  recorded("test_put_object_if_match"),
	},
	{
		call:    "upload if unchanged",
		status:  404,
		code:    "NoSuchKey",
		message: "The specified key does not exist.",
		extra:   "<Key>k</Key>",
		want:    storage.PreconditionFailed,
		source:  recorded("test_put_object_if_match"),
	},
	{
		call:    "download",
		status:  403,
		code:    "InvalidObjectState",
		message: "The operation is not valid for the object's storage class",
		extra:   "<StorageClass>DEEP_ARCHIVE</StorageClass>",
		want:    storage.Archived,
		hint:    "Restore",
		source:  recorded("test_s3_get_deep_archive_object_restore"),
	},
	{
		call:    "restore",
		status:  409,
		code:    "RestoreAlreadyInProgress",
		message: "Object restore is already in progress",
		source:  amazonErrors,
	},
	{
		call:    "restore",
		status:  503,
		code:    "GlacierExpeditedRetrievalNotAvailable",
		message: "Glacier expedited retrievals are currently not available, please try again later",
		want:    storage.Unavailable,
		hint:    "Standard",
		source:  "https://docs.aws.amazon.com/AmazonS3/latest/API/API_RestoreObject.html",
	},
}

// amazonRetries are temporary errors.
var amazonRetries = []answer{
	{
		call:    "upload",
		status:  400,
		code:    "IncompleteBody",
		message: "You did not provide the number of bytes specified by the Content-Length HTTP header.",
		want:    storage.Unavailable,
		source:  amazonErrors,
	},
	{
		call:    "upload",
		status:  400,
		code:    "RequestTimeout",
		message: "Your socket connection to the server was not read from or written to within the timeout period.",
		want:    storage.Unavailable,
		source:  amazonErrors,
	},
	{
		call:    "download",
		status:  500,
		code:    "InternalError",
		message: "We encountered an internal error. Please try again.",
		want:    storage.Unavailable,
		source:  recorded("test_create_bucket_with_tags_exc"),
	},
	{call: "attrs", status: 500, want: storage.Unavailable, source: amazonErrors},
	{call: "attrs", status: 503, want: storage.RateLimited, source: "aws/aws-sdk-java-v2#5414"},
	{
		call:    "download",
		status:  503,
		code:    "ServiceUnavailable",
		message: "Service is unable to handle request.",
		want:    storage.Unavailable,
		source:  amazonErrors,
	},
	{
		call:    "download",
		status:  503,
		code:    "SlowDown",
		message: "Please reduce your request rate.",
		header:  "Connection: close",
		want:    storage.RateLimited,
		source:  "pingcap/tiflash#10538",
	},
	{
		call:    "list",
		status:  503,
		code:    "SlowDown",
		message: "Reduce your request rate.",
		want:    storage.RateLimited,
		source:  amazonErrors,
	},
	{
		call:    "upload",
		status:  409,
		code:    "OperationAborted",
		message: "A conflicting conditional operation is currently in progress against this resource. Try again.",
		want:    storage.Unavailable,
		source:  amazonErrors,
	},
	{
		call:    "upload if absent",
		status:  409,
		code:    "ConditionalRequestConflict",
		message: "The conditional request cannot succeed due to a conflicting operation against this resource.",
		extra:   "<Condition>If-None-Match</Condition><Key>k</Key>",
		want:    storage.Unavailable,
		source:  "apache/opendal#6741",
	},
	{
		call:    "complete",
		status:  409,
		code:    "ConditionalRequestConflict",
		message: "The conditional request cannot succeed due to a conflicting operation against this resource.",
		extra:   "<Condition>If-None-Match</Condition><Key>k</Key>",
		want:    storage.Unavailable,
		source:  recorded("test_multipart_if_none_match_with_delete"),
	},
}

// amazonBuckets are responses to requests for buckets and their settings.
var amazonBuckets = []answer{
	{
		call:    "create a bucket",
		status:  409,
		code:    "BucketAlreadyExists",
		message: "The requested bucket name is not available. The bucket namespace is shared by all users of the system.",
		want:    storage.BucketExists,
		source:  amazonErrors,
	},
	{
		call:    "create a bucket",
		status:  409,
		code:    "BucketAlreadyOwnedByYou",
		message: "Your previous request to create the named bucket succeeded and you already own it.",
		extra:   "<BucketName>photos</BucketName>",
		want:    storage.BucketExists,
		source:  recorded("test_create_bucket_with_existing_name"),
	},
	{
		call:    "create a bucket",
		status:  409,
		code:    "OperationAborted",
		message: "A conflicting conditional operation is currently in progress against this resource. Please try again.",
		want:    storage.Unavailable,
		hint:    "deleted a short time ago",
		source:  "aws/aws-cli#2593",
	},
	{
		call:    "create a bucket",
		status:  400,
		code:    "InvalidBucketName",
		message: "The specified bucket is not valid.",
		extra:   "<BucketName>Photos</BucketName>",
		want:    storage.InvalidArgument,
		hint:    "3 to 63",
		source:  recorded("test_s3_uppercase_bucket_name"),
	},
	{
		call:    "create a bucket",
		status:  400,
		code:    "TooManyBuckets",
		message: "You have attempted to create more buckets than allowed.",
		want:    storage.PermissionDenied,
		hint:    "limit",
		source:  amazonErrors,
	},
	{
		call:    "create a bucket",
		status:  400,
		code:    "IllegalLocationConstraintException",
		message: "The unspecified location constraint is incompatible for the region specific endpoint this request was sent to.",
		want:    storage.InvalidArgument,
		hint:    "another region",
		source:  recorded("test_different_location_constraint"),
	},
	{
		call:    "create a bucket",
		status:  400,
		code:    "InvalidLocationConstraint",
		message: "The specified location-constraint is not valid",
		extra:   "<LocationConstraint>us-east-1</LocationConstraint>",
		want:    storage.InvalidArgument,
		source:  recorded("test_different_location_constraint"),
	},
	{
		call:    "delete a bucket",
		status:  409,
		code:    "BucketNotEmpty",
		message: "The bucket you tried to delete is not empty",
		extra:   "<BucketName>photos</BucketName>",
		want:    storage.BucketNotEmpty,
		source:  recorded("test_delete_bucket_with_objects"),
	},
	{
		call:    "delete a bucket",
		status:  409,
		code:    "BucketNotEmpty",
		message: "The bucket you tried to delete is not empty. You must delete all versions in the bucket.",
		extra:   "<BucketName>photos</BucketName>",
		want:    storage.BucketNotEmpty,
		source:  recorded("test_delete_versioned_bucket_with_objects"),
	},
	{
		call:    "end versions",
		status:  409,
		code:    "InvalidBucketState",
		message: "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.",
		want:    storage.Unsupported,
		hint:    "object lock",
		source:  recorded("test_disable_versioning_on_locked_bucket"),
	},
	{
		call:    "read the CORS rules",
		status:  404,
		code:    "NoSuchCORSConfiguration",
		message: "The CORS configuration does not exist",
		extra:   "<BucketName>photos</BucketName>",
		source:  recorded("test_get_cors"),
	},
	{
		call:    "read the lifecycle",
		status:  404,
		code:    "NoSuchLifecycleConfiguration",
		message: "The lifecycle configuration does not exist",
		extra:   "<BucketName>photos</BucketName>",
		source:  recorded("test_delete_bucket_lifecycle_configuration"),
	},
	{
		call:    "read the default retention",
		status:  404,
		code:    "ObjectLockConfigurationNotFoundError",
		message: "Object Lock configuration does not exist for this bucket",
		extra:   "<BucketName>photos</BucketName>",
		source:  recorded("test_put_object_lock_configuration_on_existing_bucket"),
	},
}

// amazonRegions are responses of a region that is not the bucket's.
var amazonRegions = []answer{
	{
		call:    "download",
		status:  400,
		code:    "AuthorizationHeaderMalformed",
		message: "The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'eu-central-1'",
		extra:   "<Region>eu-central-1</Region>",
		header:  "X-Amz-Bucket-Region: eu-central-1",
		want:    storage.InvalidArgument,
		hint:    "set region=eu-central-1",
		source:  "jsoma/flatware#10",
	},
	{
		call:    "create a bucket",
		status:  400,
		code:    "AuthorizationHeaderMalformed",
		message: "The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'us-east-2'",
		want:    storage.InvalidArgument,
		hint:    "set region=us-east-2",
		source:  "hashicorp/terraform-provider-aws#14544",
	},
	{
		call:    "upload",
		status:  307,
		code:    "TemporaryRedirect",
		message: "Please re-send this request to the specified temporary endpoint. Continue to use the original request endpoint for future requests.",
		extra:   "<Endpoint>photos.s3.eu-central-1.amazonaws.com</Endpoint><Bucket>photos</Bucket>",
		header:  "X-Amz-Bucket-Region: eu-central-1",
		want:    storage.InvalidArgument,
		hint:    "set region=eu-central-1",
		source:  "cperciva/bsdec2-image-upload#11",
	},
	{
		call:    "download",
		status:  301,
		code:    "PermanentRedirect",
		message: "The bucket you are attempting to access must be addressed using the specified endpoint. Please send all future requests to this endpoint.",
		extra:   "<Bucket>photos</Bucket><Endpoint>s3.amazonaws.com</Endpoint>",
		want:    storage.InvalidArgument,
		hint:    "another region",
		source:  "chilts/awssum-amazon-s3#3",
	},
	{
		call:    "list",
		status:  301,
		code:    "PermanentRedirect",
		message: "The bucket you are attempting to access must be addressed using the specified endpoint. Please send all future requests to this endpoint.",
		extra:   "<Bucket>photos</Bucket><Endpoint>photos.s3-ap-northeast-1.amazonaws.com</Endpoint>",
		want:    storage.InvalidArgument,
		hint:    "another region",
		source:  "appoxy/aws#110",
	},
}

// amazonLocks are errors about retention and object lock.
var amazonLocks = []answer{
	{
		call:    "remove a version",
		status:  403,
		code:    "AccessDenied",
		message: "Access Denied because object protected by object lock.",
		want:    storage.Locked,
		source:  recorded("test_s3_object_retention_exc"),
	},
	{
		call:    "set a retention",
		status:  403,
		code:    "AccessDenied",
		message: "Access Denied because object protected by object lock.",
		want:    storage.Locked,
		source:  recorded("test_s3_object_retention_exc"),
	},
	{
		call:    "set a retention",
		status:  400,
		code:    "InvalidRequest",
		message: "Bucket is missing Object Lock Configuration",
		want:    storage.Unsupported,
		hint:    "WithObjectLock",
		source:  recorded("test_s3_object_retention_exc"),
	},
	{
		call:    "unchecked part",
		status:  400,
		code:    "InvalidRequest",
		message: "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Part requests with Object Lock parameters",
		want:    storage.InvalidArgument,
		hint:    "without WithUncheckedParts",
		source:  "https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-managing.html",
	},
	{
		call:    "set a retention",
		status:  400,
		code:    "InvalidArgument",
		message: "The retain until date must be in the future!",
		extra:   "<ArgumentName>RetainUntilDate</ArgumentName>",
		want:    storage.InvalidArgument,
		source:  recorded("test_s3_object_retention_exc"),
	},
	{
		call:    "set a retention",
		status:  409,
		code:    "InvalidBucketState",
		message: "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration",
		want:    storage.Unsupported,
		hint:    "object lock",
		source:  recorded("test_put_object_lock_configuration_on_existing_bucket"),
	},
}

// amazonKeys are errors about encryption keys.
var amazonKeys = []answer{
	{
		call:    "download",
		status:  400,
		code:    "KMS.DisabledException",
		message: "arn:aws:kms:us-east-1:111111111111:key/k is disabled.",
		want:    storage.PermissionDenied,
		hint:    "disabled",
		source:  recorded("test_s3_sse_validate_kms_key_state"),
	},
	{
		call:    "download",
		status:  400,
		code:    "KMS.KMSInvalidStateException",
		message: "arn:aws:kms:us-east-1:111111111111:key/k is pending deletion.",
		want:    storage.PermissionDenied,
		hint:    "about to be deleted",
		source:  recorded("test_s3_sse_validate_kms_key_state"),
	},
	{
		call:    "upload with a KMS key",
		status:  400,
		code:    "KMS.NotFoundException",
		message: "Invalid keyId 'fake-key-id'",
		want:    storage.InvalidArgument,
		hint:    "check its id",
		source:  recorded("test_s3_sse_validate_kms_key"),
	},
	{
		call:    "upload with a KMS key",
		status:  400,
		code:    "KMS.NotFoundException",
		message: "Key 'arn:aws:kms:us-east-1:111111111111:key/k' does not exist",
		want:    storage.InvalidArgument,
		hint:    "bucket's region",
		source:  recorded("test_s3_sse_validate_kms_key"),
	},
	{
		call:    "download",
		status:  403,
		code:    "AccessDenied",
		message: "The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.",
		want:    storage.PermissionDenied,
		hint:    "KMS key",
		source:  "ministryofjustice/modernisation-platform#3468",
	},
	{
		call:    "download",
		status:  400,
		code:    "InvalidRequest",
		message: "The object was stored using a form of Server Side Encryption. The correct parameters must be provided to retrieve the object.",
		want:    storage.InvalidArgument,
		hint:    "WithCustomerKey",
		source:  recorded("test_object_retrieval_sse_c"),
	},
	{
		call:   "attrs",
		status: 400,
		want:   storage.InvalidArgument,
		hint:   "WithCustomerKey",
		source: recorded("test_object_retrieval_sse_c"),
	},
	{
		call:    "upload",
		status:  400,
		code:    "InvalidEncryptionAlgorithmError",
		message: "The Encryption request you specified is not valid. Supported value: AES256.",
		extra:   "<ArgumentName>x-amz-server-side-encryption</ArgumentName>",
		want:    storage.InvalidArgument,
		source:  recorded("test_put_object_validation_sse_c"),
	},
}

var r2Answers = []answer{
	{
		call:    "download",
		status:  401,
		code:    "Unauthorized",
		message: "Unauthorized",
		want:    storage.Unauthenticated,
		hint:    "access key",
		source:  r2Errors,
	},
	{call: "attrs", status: 401, want: storage.Unauthenticated, source: r2Errors},
	{
		call:    "upload",
		status:  403,
		code:    "AccessDenied",
		message: "Access Denied",
		want:    storage.PermissionDenied,
		hint:    "may not do this",
		source:  r2Errors,
	},
	{
		call:    "upload",
		status:  400,
		code:    "ExpiredRequest",
		message: "Request has expired",
		want:    storage.Unauthenticated,
		hint:    "clock",
		source:  r2Errors,
	},
	{
		call:    "download",
		status:  403,
		code:    "SignatureDoesNotMatch",
		message: "The request signature we calculated does not match the signature you provided.",
		want:    storage.Unauthenticated,
		hint:    "secret key",
		source:  r2Errors,
	},
	{
		call:    "upload",
		status:  403,
		code:    "NotEntitled",
		message: "Please enable R2 through the Cloudflare Dashboard.",
		want:    storage.PermissionDenied,
		hint:    "subscribe",
		source:  r2Errors,
	},
	{
		call:    "create a bucket",
		status:  400,
		code:    "InvalidBucketName",
		message: "The specified bucket name is not valid.",
		want:    storage.InvalidArgument,
		hint:    "3 to 63",
		source:  r2Errors,
	},
	{
		call:    "list",
		status:  404,
		code:    "NoSuchBucket",
		message: "The specified bucket does not exist.",
		want:    storage.BucketNotFound,
		hint:    "CreateBucket",
		source:  r2Errors,
	},
	{
		call:    "delete a bucket",
		status:  409,
		code:    "BucketNotEmpty",
		message: "The bucket you tried to delete is not empty",
		want:    storage.BucketNotEmpty,
		source:  r2Errors,
	},
	{
		call:    "create a bucket",
		status:  400,
		code:    "TooManyBuckets",
		message: "You have attempted to create more buckets than allowed",
		want:    storage.PermissionDenied,
		hint:    "limit",
		source:  r2Errors,
	},
	{
		call:    "create a bucket",
		status:  409,
		code:    "BucketConflict",
		message: "The bucket name already exists",
		want:    storage.BucketExists,
		source:  r2Errors,
	},
	{
		call:    "download",
		status:  404,
		code:    "NoSuchKey",
		message: "The specified key does not exist.",
		want:    storage.ObjectNotFound,
		source:  r2Errors,
	},
	{
		call:    "upload",
		status:  400,
		code:    "InvalidObjectName",
		message: "The specified object name is not valid.",
		want:    storage.InvalidArgument,
		source:  r2Errors,
	},
	{
		call:    "upload",
		status:  400,
		code:    "EntityTooLarge",
		message: "Your proposed upload exceeds the maximum allowed object size.",
		want:    storage.TooLarge,
		source:  r2Errors,
	},
	{
		call:    "upload",
		status:  400,
		code:    "MetadataTooLarge",
		message: "Your metadata headers exceed the maximum allowed metadata size.",
		want:    storage.InvalidArgument,
		source:  r2Errors,
	},
	{
		call:    "remove",
		status:  403,
		code:    "ObjectLockedByBucketPolicy",
		message: "The object is locked by the bucket policy.",
		want:    storage.Locked,
		source:  r2Errors,
	},
	{
		call:    "upload",
		status:  403,
		code:    "ObjectLockedByBucketPolicy",
		message: "The object is locked by the bucket policy.",
		want:    storage.Locked,
		source:  r2Errors,
	},
	{
		call:    "upload",
		status:  411,
		code:    "MissingContentLength",
		message: "You must provide the Content-Length HTTP header.",
		want:    storage.InvalidArgument,
		hint:    "proxy",
		source:  r2Errors,
	},
	{
		call:    "upload",
		status:  400,
		code:    "IncompleteBody",
		message: "You did not provide the number of bytes specified by the Content-Length HTTP header",
		want:    storage.Unavailable,
		source:  r2Errors,
	},
	{
		call:    "upload",
		status:  400,
		code:    "InvalidDigest",
		message: "The Content-MD5 you specified is not valid.",
		want:    storage.ChecksumMismatch,
		source:  r2Errors,
	},
	{
		call:    "upload",
		status:  400,
		code:    "BadDigest",
		message: "The CRC32C checksum you specified did not match what we received.",
		want:    storage.ChecksumMismatch,
		source:  r2Errors,
	},
	{
		call:    "download a range",
		status:  416,
		code:    "InvalidRange",
		message: "The requested range is not satisfiable",
		want:    storage.RangeNotSatisfiable,
		source:  r2Errors,
	},
	{
		call:    "upload if absent",
		status:  412,
		code:    "PreconditionFailed",
		message: "At least one of the pre-conditions you specified did not hold.",
		want:    storage.PreconditionFailed,
		source:  r2Errors,
	},
	{
		call:    "complete",
		status:  400,
		code:    "EntityTooSmall",
		message: "Your proposed upload is smaller than the minimum allowed object size.",
		want:    storage.InvalidArgument,
		source:  r2Errors,
	},
	{
		call:    "part",
		status:  404,
		code:    "NoSuchUpload",
		message: "The specified multipart upload does not exist.",
		want:    storage.InvalidArgument,
		source:  r2Errors,
	},
	{
		call:    "complete",
		status:  400,
		code:    "InvalidPart",
		message: "One or more of the specified parts could not be found.",
		want:    storage.InvalidArgument,
		source:  r2Errors,
	},
	{
		call:    "complete",
		status:  400,
		code:    "InvalidPart",
		message: "All non-trailing parts must have the same length.",
		header:  "Server: cloudflare",
		want:    storage.InvalidArgument,
		source:  "apache/opendal#2904",
	},
	{
		call:    "complete",
		status:  400,
		code:    "InvalidPart",
		message: "All non-trailing parts must have the same length. Non Uniform Part Sizes: Expected part 2 to have size 5242880, found 5242881",
		want:    storage.InvalidArgument,
		source:  "cloudflare/cloudflare-docs#9549",
	},
	{
		call:    "download",
		status:  500,
		code:    "InternalError",
		message: "We encountered an internal error. Please try again.",
		want:    storage.Unavailable,
		source:  r2Errors,
	},
	{
		call:    "download",
		status:  503,
		code:    "ServiceUnavailable",
		message: "Service is temporarily unavailable.",
		want:    storage.Unavailable,
		source:  r2Errors,
	},
	{
		call:    "upload",
		status:  400,
		code:    "ClientDisconnect",
		message: "The client disconnected before the request completed.",
		want:    storage.Unavailable,
		source:  r2Errors,
	},
	{
		call:    "upload",
		status:  429,
		code:    "TooManyRequests",
		message: "Reduce your concurrent request rate for the same object.",
		want:    storage.RateLimited,
		source:  r2Errors,
	},
	{
		call:    "upload",
		status:  501,
		code:    "NotImplemented",
		message: "Header 'x-amz-acl' with value 'public-read' not implemented",
		want:    storage.Unsupported,
		source:  "pixelfed/pixelfed#3775",
	},
	{
		call:    "upload in a class",
		status:  501,
		code:    "NotImplemented",
		message: "Header 'x-amz-storage-class' with value '' not implemented",
		want:    storage.Unsupported,
		source:  "gobackup/gobackup#182",
	},
	{call: "upload", status: 501, want: storage.Unsupported, source: "saltbo/zpan#199"},
}

var b2Answers = []answer{
	{
		call:    "upload",
		status:  400,
		code:    "InvalidArgument",
		message: "Unsupported header 'x-amz-checksum-crc32' received for this API call.",
		want:    storage.Unsupported,
		hint:    "header",
		source:  "diced/zipline#746",
	},
	{
		call:    "upload",
		status:  400,
		code:    "InvalidArgument",
		message: "Unsupported header 'x-amz-checksum-sha256' received for this API call.",
		header:  "Server: nginx",
		want:    storage.Unsupported,
		hint:    "header",
		source:  "iterate-ch/cyberduck#16107",
	},
	{
		call:    "upload",
		status:  400,
		code:    "InvalidArgument",
		message: "Unsupported header 'x-amz-tagging' received for this API call.",
		want:    storage.Unsupported,
		hint:    "header",
		source:  "codelitdev/medialit#158",
	},
	{
		call:    "upload",
		status:  400,
		code:    "InvalidArgument",
		message: "Unsupported value for canned acl 'authenticated-read'",
		want:    storage.InvalidArgument,
		source:  "saltbo/zpan#126",
	},
	{
		call:    "download",
		status:  403,
		code:    "AccessDenied",
		message: "Cannot access bucket",
		want:    storage.PermissionDenied,
		hint:    "without permission to list the bucket",
		source:  "kopia/kopia#5329",
	},
	{
		call:   "attrs",
		status: 403,
		header: "X-Amz-Id-2: adWlu/GudbtdvUndmbiA=",
		want:   storage.PermissionDenied,
		hint:   "may not do this",
		source: "kahing/goofys#739",
	},
	{
		call:    "upload",
		status:  503,
		code:    "ServiceUnavailable",
		message: "no tomes available",
		want:    storage.Unavailable,
		source:  "mastodon/mastodon#30030",
	},
	{
		call:    "upload",
		status:  500,
		code:    "InternalError",
		message: "An internal error occurred.  Please retry your upload.",
		want:    storage.Unavailable,
		source:  "mastodon/mastodon#30030",
	},
	{
		call:    "upload",
		status:  501,
		code:    "NotImplemented",
		message: "A header you provided implies functionality that is not implemented",
		want:    storage.Unsupported,
		source:  "sathinduga/obsidian-s3-sync-and-backup#78",
	},
}

var spacesAnswers = []answer{
	{
		call:    "list",
		status:  503,
		code:    "SlowDown",
		message: "Reduce your request rate.",
		want:    storage.RateLimited,
		source:  "thephpleague/flysystem-aws-s3-v3#278",
	},
	{
		call:    "remove",
		status:  503,
		code:    "SlowDown",
		message: "Please reduce your request rate.",
		want:    storage.RateLimited,
		source:  "spatie/laravel-backup#1067",
	},
	{
		call:    "upload",
		status:  503,
		code:    "SlowDown",
		message: "Please reduce your request rate.",
		want:    storage.RateLimited,
		source:  "rclone/rclone#3456",
	},
	{call: "attrs", status: 503, want: storage.RateLimited, source: "SociallyDev/Spaces-API#59"},
	{
		call:   "upload",
		status: 403,
		code:   "SignatureDoesNotMatch",
		extra:  "<HostId>24e9b-nyc3a-nyc</HostId>",
		want:   storage.Unauthenticated,
		hint:   "secret key",
		source: "ShareX/ShareX#2803",
	},
	{
		call:    "list",
		status:  403,
		code:    "AccessDenied",
		message: "Access Denied.",
		extra:   "<Resource>photos</Resource>",
		want:    storage.PermissionDenied,
		hint:    "may not do this",
		source:  "owncloud/files_primary_s3#690",
	},
	{
		call:    "download",
		status:  403,
		code:    "InvalidAccessKeyId",
		message: "The AWS Access Key Id you provided does not exist in our records.",
		want:    storage.Unauthenticated,
		hint:    "another service",
		source:  "s3tools/s3cmd#1337",
	},
}

var wasabiAnswers = []answer{
	{
		call:    "download",
		status:  503,
		code:    "TemporarilyUnavailable",
		message: "Temporarily unavailable",
		want:    storage.Unavailable,
		source:  "s3ql/s3ql#258",
	},
	{
		call:    "upload",
		status:  503,
		code:    "Unavailable",
		message: "Temporarily unavailable",
		want:    storage.Unavailable,
		source:  wasabiErrors,
	},
	{
		call:    "upload",
		status:  501,
		code:    "NotImplemented",
		message: "A header you provided implies functionality that is not implemented",
		want:    storage.Unsupported,
		source:  "rclone/rclone#2798",
	},
	{
		call:    "download",
		status:  410,
		code:    "ConnectionClosed",
		message: "Connection closed",
		want:    storage.Unavailable,
		source:  wasabiErrors,
	},
	{
		call:    "download",
		status:  500,
		code:    "InternalError",
		message: "We encountered an internal error.",
		want:    storage.Unavailable,
		source:  wasabiErrors,
	},
	{
		call:    "download",
		status:  403,
		code:    "AccessDenied",
		message: "Access Denied",
		want:    storage.PermissionDenied,
		hint:    "may not do this",
		source:  wasabiErrors,
	},
	{
		call:    "download",
		status:  403,
		code:    "AccessDenied",
		message: "Public use of objects is not allowed by this account. Please contact Wasabi Support at support@wasabi.com for assistance.",
		want:    storage.PermissionDenied,
		source:  "HBLL-Collection-Development/omeka-s-any-cloud#50",
	},
	{
		call:    "upload",
		status:  403,
		code:    "AccessForbidden",
		message: "Access forbidden",
		want:    storage.PermissionDenied,
		source:  wasabiErrors,
	},
	{
		call:    "upload",
		status:  403,
		code:    "AccountNotActivated",
		message: "The account is not activated",
		want:    storage.PermissionDenied,
		hint:    "restricted the account",
		source:  wasabiErrors,
	},
	{
		call:    "upload",
		status:  403,
		code:    "AccountProblem",
		message: "There is a problem with your account",
		want:    storage.PermissionDenied,
		hint:    "restricted the account",
		source:  wasabiErrors,
	},
	{
		call:    "list",
		status:  403,
		code:    "AuthenticationLockout",
		message: "There have been too many attempts to access the account with the wrong credentials. Try again in five minutes.",
		want:    storage.Unauthenticated,
		hint:    "five minutes",
		source:  wasabiErrors,
	},
	{
		call:    "list",
		status:  403,
		code:    "InvalidAccessKeyId",
		message: "The AWS Access Key ID you provided does not exist in our records.",
		want:    storage.Unauthenticated,
		hint:    "another service",
		source:  wasabiErrors,
	},
	{
		call:    "list",
		status:  403,
		code:    "RequestRateLimitExceeded",
		message: "Your account exceeded the limit for LIST requests.",
		want:    storage.RateLimited,
		source:  wasabiErrors,
	},
	{
		call:    "upload",
		status:  400,
		code:    "IncompleteBody",
		message: "You did not provide the number of bytes specified by the Content-Length HTTP header",
		want:    storage.Unavailable,
		source:  "boto/boto3#4102",
	},
	{
		call:    "upload",
		status:  400,
		code:    "XAmzContentSHA256Mismatch",
		message: "The provided 'x-amz-content-sha256' header does not match what was computed.",
		want:    storage.ChecksumMismatch,
		source:  "robinrodricks/FluentStorage#121",
	},
}

// otherAnswers are the answers of services that this package has no settings for: Alibaba OSS, Tencent COS and
// Volcengine TOS.
var otherAnswers = []answer{
	{
		call:    "list",
		status:  403,
		code:    "SecondLevelDomainForbidden",
		message: "Please use virtual hosted style to access.",
		extra:   "<HostId>oss-cn-shanghai.aliyuncs.com</HostId>",
		want:    storage.InvalidArgument,
		hint:    "path_style=false",
		source:  ossPaths,
	},
	{
		call:    "upload",
		status:  403,
		code:    "SecondLevelDomainForbidden",
		message: "Please use virtual hosted style to access.",
		header:  "X-Oss-Ec: 0003-00001401",
		want:    storage.InvalidArgument,
		hint:    "path_style=false",
		source:  "vectordotdev/vector#20746",
	},
	{
		call:    "download",
		status:  403,
		code:    "PathStyleDomainForbidden",
		message: "The bucket you are attempting to access must be addressed using COS virtual-styled domain.",
		want:    storage.InvalidArgument,
		hint:    "path_style=false",
		source:  "gobackup/gobackup#233",
	},
	{
		call:    "list",
		status:  403,
		code:    "InvalidPathAccess",
		message: "Forbidden path to access server.",
		header:  "Server: TosServer",
		want:    storage.InvalidArgument,
		hint:    "path_style=false",
		source:  "apache/opendal#6549",
	},
	{
		call:    "upload",
		status:  429,
		code:    "ExceedBucketQPSLimit",
		message: "The request rate exceeds the limit.",
		want:    storage.RateLimited,
		source:  "apache/opendal#6651",
	},
}

// A call is an operation of a bucket or a service. Its request with this method, path and query
// parameter gets the tested answer. All other requests of the operation succeed.
type call struct {
	method, path string
	parameter    string // "": any query
	make         wiretest.Call
}

const (
	object, photos = "/photos/k", "/photos"
	revision       = "s3:" + etag // as the engine returns it to callers
)

// calls has the operations. The keys are the names that answers use.
var calls = map[string]call{
	"attrs": {method: http.MethodHead, path: object, make: wiretest.Attrs()},
	"attrs if unchanged": {
		method: http.MethodHead,
		path:   object,
		make:   wiretest.Attrs(storage.IfRevision(revision)),
	},
	"attributes of a version": {
		method:    http.MethodHead,
		path:      object,
		parameter: "versionId",
		make:      wiretest.Attrs(storage.WithVersion("v1")),
	},
	"download": {method: http.MethodGet, path: object, make: wiretest.Download()},
	"download a range": {
		method: http.MethodGet,
		path:   object,
		make:   wiretest.Download(storage.WithRange(1024, 3073)),
	},
	"download if changed": {
		method: http.MethodGet,
		path:   object,
		make:   wiretest.Download(storage.IfRevisionNot(revision)),
	},
	"download if unchanged": {
		method: http.MethodGet,
		path:   object,
		make:   wiretest.Download(storage.IfRevision(revision)),
	},
	"read a version": {
		method:    http.MethodGet,
		path:      object,
		parameter: "versionId",
		make:      wiretest.Download(storage.WithVersion("v1")),
	},
	"upload": {method: http.MethodPut, path: object, make: wiretest.Upload()},
	"upload if absent": {
		method: http.MethodPut,
		path:   object,
		make:   wiretest.Upload(storage.IfAbsent()),
	},
	"upload if unchanged": {
		method: http.MethodPut,
		path:   object,
		make:   wiretest.Upload(storage.IfRevision(revision)),
	},
	"upload in a class": {
		method: http.MethodPut,
		path:   object,
		make:   wiretest.Upload(storage.WithStorageClass("OUTPOSTS")),
	},
	"upload with a KMS key": {
		method: http.MethodPut,
		path:   object,
		make:   wiretest.Upload(WithKMSKey("fake-key-id")),
	},
	"part": {
		method:    http.MethodPut,
		path:      object,
		parameter: "partNumber",
		make:      uploadInParts,
	},
	"unchecked part": {
		method:    http.MethodPut,
		path:      object,
		parameter: "partNumber",
		make:      uploadUnchecked,
	},
	"complete": {
		method:    http.MethodPost,
		path:      object,
		parameter: "uploadId",
		make:      uploadInParts,
	},
	"copy": {method: http.MethodPut, path: object, make: wiretest.Copy},
	"list": {
		method:    http.MethodGet,
		path:      photos,
		parameter: "list-type",
		make:      wiretest.List,
	},
	"remove": {method: http.MethodDelete, path: object, make: wiretest.Remove()},
	"remove a version": {
		method:    http.MethodDelete,
		path:      object,
		parameter: "versionId",
		make:      wiretest.Remove(storage.WithVersion("v1")),
	},
	"set tags": {
		method:    http.MethodPut,
		path:      object,
		parameter: "tagging",
		make:      wiretest.SetTags,
	},
	"set a retention": {
		method:    http.MethodPut,
		path:      object,
		parameter: "retention",
		make:      setRetention,
	},
	"restore": {
		method:    http.MethodPost,
		path:      object,
		parameter: "restore",
		make:      restore,
	},
	"create a bucket": {method: http.MethodPut, path: photos, make: wiretest.CreateBucket},
	"delete a bucket": {method: http.MethodDelete, path: photos, make: wiretest.DeleteBucket},
	"end versions": {
		method:    http.MethodPut,
		path:      photos,
		parameter: "versioning",
		make:      endVersions,
	},
	"read the CORS rules": {
		method:    http.MethodGet,
		path:      photos,
		parameter: "cors",
		make:      wiretest.ReadBucket,
	},
	"read the lifecycle": {
		method:    http.MethodGet,
		path:      photos,
		parameter: "lifecycle",
		make:      wiretest.ReadBucket,
	},
	"read the default retention": {
		method:    http.MethodGet,
		path:      photos,
		parameter: "object-lock",
		make:      wiretest.ReadBucket,
	},
}

// uploadInParts uploads an object in one part.
func uploadInParts(ctx context.Context, bucket storage.Bucket, _ storage.Service) error {
	upload, err := storage.BeginUpload(ctx, bucket, "k")
	if err != nil {
		return err
	}
	part, err := upload.PutPart(ctx, 1, strings.NewReader("hello"))
	if err != nil {
		return err
	}
	_, err = upload.Complete(ctx, storage.WithParts(*part))
	return err
}

// uploadUnchecked uploads a part without a checksum.
func uploadUnchecked(ctx context.Context, bucket storage.Bucket, _ storage.Service) error {
	upload, err := storage.BeginUpload(ctx, bucket, "k", storage.WithUncheckedParts())
	if err != nil {
		return err
	}
	_, err = upload.PutPart(ctx, 1, strings.NewReader("hello"))
	return err
}

func setRetention(ctx context.Context, b storage.Bucket, _ storage.Service) error {
	return storage.SetRetention(ctx, b, "k", storage.Retention{
		Mode:  storage.Governance,
		Until: time.Now().Add(time.Hour),
	})
}

func restore(ctx context.Context, b storage.Bucket, _ storage.Service) error {
	return storage.Restore(ctx, b, "k")
}

func endVersions(ctx context.Context, _ storage.Bucket, s storage.Service) error {
	_, err := s.UpdateBucket(ctx, "photos", storage.WithVersioning(false))
	return err
}

// reply returns the response as the service sends it: with an XML body if it has an error code.
func (a *answer) reply() reply {
	resp := reply{Status: a.status, Header: map[string]string{"X-Amz-Request-Id": "R1"}}
	if name, value, ok := strings.Cut(a.header, ": "); ok {
		resp.Header[name] = value
	}
	if a.code == "" {
		return resp
	}

	message := ""
	if a.message != "" {
		var text bytes.Buffer
		// A write to a buffer cannot fail.
		_ = xml.EscapeText(&text, []byte(a.message))
		message = "<Message>" + text.String() + "</Message>"
	}
	resp.Header["Content-Type"] = "application/xml"
	resp.Body = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>` + a.code + `</Code>` +
		message + a.extra + `<RequestId>R1</RequestId></Error>`
	return resp
}

// success returns a response for each request of the call that does not get the response of the
// tested row.
func (c *call) success(r wiretest.Request) reply {
	query := r.Query()
	createsBucket := c.method == http.MethodPut && c.path == photos && c.parameter == ""
	switch {
	case r.Method == http.MethodHead && r.Path == photos && createsBucket:
		// The call creates the bucket after this response.
		return reply{Status: http.StatusNotFound}
	case r.Method == http.MethodPost && query.Has("uploads"):
		return reply{
			Body: `<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>`,
		}
	case r.Method == http.MethodGet && r.Path == photos && query.Has("list-type"):
		return reply{
			Body: `<ListBucketResult><Name>photos</Name><KeyCount>0</KeyCount>` +
				`<IsTruncated>false</IsTruncated></ListBucketResult>`,
		}
	case r.Method == http.MethodGet && query.Has("uploadId"):
		return reply{
			Body: `<ListPartsResult><Part><PartNumber>1</PartNumber><ETag>` + etag + `</ETag>` +
				`<Size>5</Size></Part><IsTruncated>false</IsTruncated></ListPartsResult>`,
		}
	case r.Method == http.MethodGet && r.Path == photos && query.Has("policy"):
		return errorReply(http.StatusNotFound, "NoSuchBucketPolicy", "The photos policy does not exist")
	case r.Method == http.MethodGet && r.Path == photos:
		return reply{Header: map[string]string{"X-Amz-Request-Id": "R1"}, Body: `<Configuration/>`}
	}
	return withLength(stored)
}

// isAnswered reports whether a request is the one that gets the response of the tested row.
func (c *call) isAnswered(r wiretest.Request) bool {
	if r.Method != c.method || strings.TrimSuffix(r.Path, "/") != c.path {
		return false
	}
	return c.parameter == "" || r.Query().Has(c.parameter)
}

// Each response that a service is known to send becomes an error whose code and hint tell the
// caller what to do.
func TestAnswersOfServices(t *testing.T) {
	count := 0
	for _, service := range slices.Sorted(maps.Keys(answers)) {
		for _, a := range answers[service] {
			count++
			name := fmt.Sprintf("%s, %s: %d %s %s", service, a.call, a.status, a.code, a.message)
			t.Run(strings.TrimSpace(name), func(t *testing.T) {
				testAnswer(t, service, &a)
			})
		}
	}
	const minRows = 150
	require.GreaterOrEqual(t, count, minRows, "no row of answers may be lost")
}

// testAnswer makes the call that an answer belongs to, and requires the error that the answer must lead to.
func testAnswer(t *testing.T, service string, a *answer) {
	c, ok := calls[a.call]
	require.True(t, ok, a.call)
	require.NotEmpty(t, a.source)

	// One request of the call gets the answer.
	var answered atomic.Int32
	server := newStandIn(t)
	server.Answer = func(r wiretest.Request) reply {
		if !c.isAnswered(r) {
			return c.success(r)
		}
		answered.Add(1)
		return a.reply()
	}

	// Make the call, without retries.
	d := server.openDriver(t, service)
	noRetry := storage.WithRetry(storage.RetryPolicy{Attempts: 1})
	versions := storage.WithVersioning(d.Describe().Features&storage.Versioning != 0)
	bucket := engine.New(d, noRetry, versions)
	err := c.make(t.Context(), bucket, engine.NewService(&serviceDriver{account: d.account}, noRetry))
	require.NotZero(t, answered.Load(), "the request was not made: %v", server.Lines())

	if a.want == "" {
		require.NoError(t, err)
		return
	}
	isRetryable := sdkerror.IsRetryable(a.want) || a.code == "RequestTimeTooSkewed"
	e := wiretest.RequireAnswer(t, err, a.want, isRetryable, a.hint, a.source)
	// RangeNotSatisfiable is the engine's own error.
	if a.want != storage.RangeNotSatisfiable {
		require.Equal(t, a.status, e.Status)
		require.Equal(t, "R1", e.RequestID)
	}

	// If a HEAD that asks for a checksum is forbidden, the driver repeats it without asking for the checksum.
	attempts := 1
	asksForChecksum := server.Requests()[0].Header.Get("X-Amz-Checksum-Mode") != ""
	if c.method == http.MethodHead && a.status == http.StatusForbidden && asksForChecksum {
		attempts = 2
	}
	require.EqualValues(t, attempts, answered.Load(), "one attempt: %v", server.Lines())
}
