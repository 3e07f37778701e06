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

// An answer is a response that a service is known to send, and what the caller must learn from
// it. The rows are facts that others have documented or recorded; nothing here was asked of a
// service. Where a page gives a status and a code without the text, the message says the same in
// our words.
type answer struct {
	call    string // of calls
	status  int
	code    string // of the service; "": the response has no body
	message string
	extra   string // more elements of the body
	header  string // "Name: value", or ""
	want    storage.Code
	hint    string // is part of it
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

// answers has the responses by service; the names are those of profiles.
var answers = map[string][]answer{
	"aws":     slices.Concat(amazonRefusals, amazonArguments, amazonStates, amazonRetries, amazonBuckets, amazonRegions, amazonLocks, amazonKeys),
	"r2":      r2Answers,
	"b2":      b2Answers,
	"spaces":  spacesAnswers,
	"wasabi":  wasabiAnswers,
	"unknown": otherAnswers,
}

var amazonRefusals = []answer{
	{"download", 403, "AccessDenied", "Access Denied", "", "", storage.PermissionDenied, "without permission to list the bucket", amazonErrors},
	{"upload", 403, "AccessDenied", "Access Denied", "", "", storage.PermissionDenied, "may not do this", "versity/versitygw#1498"},
	{"upload", 403, "AccessDenied", "Cannot upload files, storage cap exceeded. See the Caps & Alerts page to increase your cap.", "", "", storage.PermissionDenied, "limit of the account", "users of B2"},
	{"list", 403, "AccessDenied", "Transaction cap exceeded, see the Caps & Alerts page to increase your cap", "", "", storage.PermissionDenied, "limit of the account", "users of B2"},
	{"attrs", 403, "", "", "", "", storage.PermissionDenied, "may not do this", recorded("test_object_retrieval_sse_c")},
	{"download", 403, "AccountProblem", "There is a problem with your AWS account that prevents the operation from completing successfully.", "", "", storage.PermissionDenied, "restricted the account", amazonErrors},
	{"download", 403, "AllAccessDisabled", "All access to this Amazon S3 resource has been disabled.", "", "", storage.PermissionDenied, "", amazonErrors},
	{"download", 403, "InvalidPayer", "All access to this object has been disabled.", "", "", storage.PermissionDenied, "", amazonErrors},
	{"upload", 403, "NotSignedUp", "Your account is not signed up for the Amazon S3 service.", "", "", storage.PermissionDenied, "sign up", amazonErrors},
	{"download", 403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.", "<AWSAccessKeyId>key</AWSAccessKeyId>", "", storage.Unauthenticated, "another service", "versity/versitygw#1498"},
	{"upload", 403, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided.", "", "", storage.Unauthenticated, "secret key", amazonErrors},
	{"list", 403, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided. Check your key and signing method.", "<StringToSign>GET</StringToSign>", "", storage.Unauthenticated, "secret key", "aristidb/aws#114"},
	{"download", 403, "InvalidSecurity", "The provided security credentials are not valid.", "", "", storage.Unauthenticated, "access key", amazonErrors},
	{"download", 400, "ExpiredToken", "The provided token has expired.", "", "", storage.Unauthenticated, "token has expired", amazonErrors},
	{"upload", 400, "InvalidToken", "The provided token is malformed or otherwise not valid.", "", "", storage.Unauthenticated, "session token", amazonErrors},
	{"list", 400, "TokenRefreshRequired", "The provided token must be refreshed.", "", "", storage.Unauthenticated, "session token", amazonErrors},
	{"download", 403, "RequestTimeTooSkewed", "The difference between the request time and the server's time is too large.", "", "", storage.Unauthenticated, "clock", amazonErrors},
}

var amazonArguments = []answer{
	{"upload", 400, "InvalidArgument", "Invalid Argument", "", "", storage.InvalidArgument, "", amazonErrors},
	{"download", 400, "InvalidRequest", "Please use AWS4-HMAC-SHA256.", "", "", storage.InvalidArgument, "", amazonErrors},
	{"download", 400, "InvalidURI", "Couldn't parse the specified URI.", "", "", storage.InvalidArgument, "", amazonErrors},
	{"upload", 400, "KeyTooLongError", "Your key is too long.", "", "", storage.InvalidArgument, "", amazonErrors},
	{"upload", 400, "MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size.", "", "", storage.InvalidArgument, "", amazonErrors},
	{"upload", 400, "MissingSecurityHeader", "Your request is missing a required header.", "", "", storage.InvalidArgument, "", amazonErrors},
	{"upload", 400, "UnexpectedContent", "This request does not support content.", "", "", storage.InvalidArgument, "", amazonErrors},
	{"upload", 411, "MissingContentLength", "You must provide the Content-Length HTTP header.", "", "", storage.InvalidArgument, "proxy", amazonErrors},
	{"upload", 400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed object size.", "", "", storage.TooLarge, "", amazonErrors},
	{"upload", 400, "MaxMessageLengthExceeded", "Your request was too big.", "", "", storage.TooLarge, "", amazonErrors},
	{"complete", 400, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size", "<PartNumber>1</PartNumber><MinSizeAllowed>5242880</MinSizeAllowed><ProposedSize>4</ProposedSize>", "", storage.InvalidArgument, "", recorded("test_multipart_complete_multipart_too_small")},
	{"complete", 400, "InvalidPart", "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.", "<PartNumber>2</PartNumber>", "", storage.InvalidArgument, "", recorded("test_multipart_complete_multipart_wrong_part")},
	{"complete", 400, "InvalidPartOrder", "The list of parts was not in ascending order. Parts must be ordered by part number.", "", "", storage.InvalidArgument, "", recorded("test_complete_multipart_parts_order")},
	{"complete", 400, "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema", "", "", storage.InvalidArgument, "", recorded("test_s3_request_payer_exceptions")},
	{"part", 404, "NoSuchUpload", "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.", "<UploadId>u</UploadId>", "", storage.InvalidArgument, "", recorded("test_multipart_and_list_parts")},
	{"part", 400, "InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive", "<ArgumentName>partNumber</ArgumentName>", "", storage.InvalidArgument, "", recorded("test_complete_multipart_parts_order")},
	{"upload in a class", 400, "InvalidStorageClass", "The storage class you specified is not valid", "<StorageClassRequested>OUTPOSTS</StorageClassRequested>", "", storage.InvalidArgument, "storage class", recorded("test_put_object_storage_class_outposts")},
	{"set tags", 400, "InvalidTag", "System tags cannot be added/updated by requester", "<TagKey>aws:prefixed</TagKey>", "", storage.InvalidArgument, "", recorded("test_tagging_validation")},
	{"set tags", 400, "InvalidTag", "The TagValue you have provided is invalid", "<TagKey>Key1</TagKey><TagValue>Val1,Val2</TagValue>", "", storage.InvalidArgument, "", recorded("test_tagging_validation")},
	{"copy", 400, "InvalidRequest", "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.", "", "", storage.InvalidArgument, "", recorded("test_s3_copy_object_in_place")},
	{"list", 400, "InvalidArgument", "The continuation token provided is incorrect", "<ArgumentName>continuation-token</ArgumentName>", "", storage.InvalidArgument, "", recorded("test_list_objects_v2_continuation_start_after")},
	{"remove a version", 400, "InvalidArgument", "Invalid version id specified", "<ArgumentName>versionId</ArgumentName>", "", storage.InvalidArgument, "", recorded("test_delete_object_versioned")},
	{"upload", 400, "BadDigest", "The CRC32C you specified did not match the calculated checksum.", "", "", storage.ChecksumMismatch, "", recorded("test_put_object_checksum[CRC32C]")},
	{"upload", 400, "BadDigest", "The Content-MD5 you specified did not match what we received.", "<CalculatedDigest>Q3uTDbhLgHnC3YBKcZNrXw==</CalculatedDigest>", "", storage.ChecksumMismatch, "", recorded("test_s3_invalid_content_md5")},
	{"upload", 400, "InvalidDigest", "The Content-MD5 you specified was invalid.", "<Content-MD5>__invalid__</Content-MD5>", "", storage.ChecksumMismatch, "", recorded("test_s3_invalid_content_md5")},
	{"complete", 400, "BadDigest", "The crc32c you specified did not match the calculated checksum.", "", "", storage.ChecksumMismatch, "", recorded("test_multipart_parts_checksum_exceptions_full_object")},
	{"upload", 400, "XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match what was computed.", "", "", storage.ChecksumMismatch, "", "s3tools/s3cmd#812"},
	{"upload", 405, "MethodNotAllowed", "The specified method is not allowed against this resource.", "", "", storage.Unsupported, "", amazonErrors},
	{"upload if absent", 501, "NotImplemented", "A header you provided implies functionality that is not implemented", "<Header>If-None-Match</Header><additionalMessage>We don't accept the provided value of If-None-Match header for this API</additionalMessage>", "", storage.Unsupported, "", recorded("test_put_object_if_none_match_validation")},
}

var amazonStates = []answer{
	{"download", 404, "NoSuchKey", "The specified key does not exist.", "<Key>k</Key>", "", storage.ObjectNotFound, "", recorded("test_range_key_not_exists")},
	{"attrs", 404, "", "", "", "", storage.ObjectNotFound, "", recorded("test_create_bucket_head_bucket")},
	{"download", 404, "NoSuchBucket", "The specified bucket does not exist", "<BucketName>photos</BucketName>", "", storage.BucketNotFound, "CreateBucket", recorded("test_get_object_no_such_bucket")},
	{"upload", 404, "NoSuchBucket", "The specified bucket does not exist", "<BucketName>photos</BucketName>", "", storage.BucketNotFound, "CreateBucket", amazonErrors},
	{"list", 404, "NoSuchBucket", "The specified bucket does not exist", "<BucketName>photos</BucketName>", "", storage.BucketNotFound, "CreateBucket", amazonErrors},
	{"read a version", 404, "NoSuchVersion", "The specified version does not exist.", "<Key>k</Key><VersionId>v1</VersionId>", "", storage.ObjectNotFound, "", recorded("test_delete_object_versioned")},
	{"read a version", 405, "MethodNotAllowed", "The specified method is not allowed against this resource.", "<Method>GET</Method><ResourceType>DeleteMarker</ResourceType>", "X-Amz-Delete-Marker: true", storage.ObjectNotFound, "", recorded("test_put_object_acl_on_delete_marker")},
	{"attributes of a version", 405, "", "", "", "X-Amz-Delete-Marker: true", storage.ObjectNotFound, "", recorded("test_object_lock_delete_markers")},
	{"download a range", 416, "InvalidRange", "The requested range is not satisfiable", "<ActualObjectSize>8</ActualObjectSize><RangeRequested>bytes=1024-4096</RangeRequested>", "", storage.RangeNotSatisfiable, "", recorded("test_invalid_range_error")},
	{"download if changed", 304, "", "", "", "", storage.NotModified, "", recorded("test_s3_get_object_preconditions[get_object]")},
	{"download if unchanged", 412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold", "<Condition>If-Match</Condition>", "", storage.PreconditionFailed, "", recorded("test_precondition_failed_error")},
	{"attrs if unchanged", 412, "", "", "", "", storage.PreconditionFailed, "", recorded("test_s3_get_object_preconditions[head_object]")},
	{"upload if absent", 412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold", "<Condition>If-None-Match</Condition>", "", storage.PreconditionFailed, "", amazonErrors},
	{"upload if unchanged", 412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold", "<Condition>If-Match</Condition>", "", storage.PreconditionFailed, "", recorded("test_put_object_if_match")},
	{"upload if unchanged", 404, "NoSuchKey", "The specified key does not exist.", "<Key>k</Key>", "", storage.PreconditionFailed, "", recorded("test_put_object_if_match")},
	{"download", 403, "InvalidObjectState", "The operation is not valid for the object's storage class", "<StorageClass>DEEP_ARCHIVE</StorageClass>", "", storage.Archived, "Restore", recorded("test_s3_get_deep_archive_object_restore")},
	{"restore", 409, "RestoreAlreadyInProgress", "Object restore is already in progress", "", "", "", "", amazonErrors},
	{"restore", 503, "GlacierExpeditedRetrievalNotAvailable", "Glacier expedited retrievals are currently not available, please try again later", "", "", storage.Unavailable, "Standard", "https://docs.aws.amazon.com/AmazonS3/latest/API/API_RestoreObject.html"},
}

var amazonRetries = []answer{
	{"upload", 400, "IncompleteBody", "You did not provide the number of bytes specified by the Content-Length HTTP header.", "", "", storage.Unavailable, "", amazonErrors},
	{"upload", 400, "RequestTimeout", "Your socket connection to the server was not read from or written to within the timeout period.", "", "", storage.Unavailable, "", amazonErrors},
	{"download", 500, "InternalError", "We encountered an internal error. Please try again.", "", "", storage.Unavailable, "", recorded("test_create_bucket_with_tags_exc")},
	{"attrs", 500, "", "", "", "", storage.Unavailable, "", amazonErrors},
	{"attrs", 503, "", "", "", "", storage.RateLimited, "", "aws/aws-sdk-java-v2#5414"},
	{"download", 503, "ServiceUnavailable", "Service is unable to handle request.", "", "", storage.Unavailable, "", amazonErrors},
	{"download", 503, "SlowDown", "Please reduce your request rate.", "", "Connection: close", storage.RateLimited, "", "pingcap/tiflash#10538"},
	{"list", 503, "SlowDown", "Reduce your request rate.", "", "", storage.RateLimited, "", amazonErrors},
	{"upload", 409, "OperationAborted", "A conflicting conditional operation is currently in progress against this resource. Try again.", "", "", storage.Unavailable, "", amazonErrors},
	{"upload if absent", 409, "ConditionalRequestConflict", "The conditional request cannot succeed due to a conflicting operation against this resource.", "<Condition>If-None-Match</Condition><Key>k</Key>", "", storage.Unavailable, "", "apache/opendal#6741"},
	{"complete", 409, "ConditionalRequestConflict", "The conditional request cannot succeed due to a conflicting operation against this resource.", "<Condition>If-None-Match</Condition><Key>k</Key>", "", storage.Unavailable, "", recorded("test_multipart_if_none_match_with_delete")},
}

var amazonBuckets = []answer{
	{"create a bucket", 409, "BucketAlreadyExists", "The requested bucket name is not available. The bucket namespace is shared by all users of the system.", "", "", storage.BucketExists, "", amazonErrors},
	{"create a bucket", 409, "BucketAlreadyOwnedByYou", "Your previous request to create the named bucket succeeded and you already own it.", "<BucketName>photos</BucketName>", "", storage.BucketExists, "", recorded("test_create_bucket_with_existing_name")},
	{"create a bucket", 409, "OperationAborted", "A conflicting conditional operation is currently in progress against this resource. Please try again.", "", "", storage.Unavailable, "deleted a short time ago", "aws/aws-cli#2593"},
	{"create a bucket", 400, "InvalidBucketName", "The specified bucket is not valid.", "<BucketName>Photos</BucketName>", "", storage.InvalidArgument, "3 to 63", recorded("test_s3_uppercase_bucket_name")},
	{"create a bucket", 400, "TooManyBuckets", "You have attempted to create more buckets than allowed.", "", "", storage.PermissionDenied, "limit", amazonErrors},
	{"create a bucket", 400, "IllegalLocationConstraintException", "The unspecified location constraint is incompatible for the region specific endpoint this request was sent to.", "", "", storage.InvalidArgument, "another region", recorded("test_different_location_constraint")},
	{"create a bucket", 400, "InvalidLocationConstraint", "The specified location-constraint is not valid", "<LocationConstraint>us-east-1</LocationConstraint>", "", storage.InvalidArgument, "", recorded("test_different_location_constraint")},
	{"delete a bucket", 409, "BucketNotEmpty", "The bucket you tried to delete is not empty", "<BucketName>photos</BucketName>", "", storage.BucketNotEmpty, "", recorded("test_delete_bucket_with_objects")},
	{"delete a bucket", 409, "BucketNotEmpty", "The bucket you tried to delete is not empty. You must delete all versions in the bucket.", "<BucketName>photos</BucketName>", "", storage.BucketNotEmpty, "", recorded("test_delete_versioned_bucket_with_objects")},
	{"end versions", 409, "InvalidBucketState", "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.", "", "", storage.Unsupported, "object lock", recorded("test_disable_versioning_on_locked_bucket")},
	{"read the CORS rules", 404, "NoSuchCORSConfiguration", "The CORS configuration does not exist", "<BucketName>photos</BucketName>", "", "", "", recorded("test_get_cors")},
	{"read the lifecycle", 404, "NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist", "<BucketName>photos</BucketName>", "", "", "", recorded("test_delete_bucket_lifecycle_configuration")},
	{"read the default retention", 404, "ObjectLockConfigurationNotFoundError", "Object Lock configuration does not exist for this bucket", "<BucketName>photos</BucketName>", "", "", "", recorded("test_put_object_lock_configuration_on_existing_bucket")},
}

var amazonRegions = []answer{
	{"download", 400, "AuthorizationHeaderMalformed", "The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'eu-central-1'", "<Region>eu-central-1</Region>", "X-Amz-Bucket-Region: eu-central-1", storage.InvalidArgument, "set region=eu-central-1", "jsoma/flatware#10"},
	{"create a bucket", 400, "AuthorizationHeaderMalformed", "The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'us-east-2'", "", "", storage.InvalidArgument, "set region=us-east-2", "hashicorp/terraform-provider-aws#14544"},
	{"upload", 307, "TemporaryRedirect", "Please re-send this request to the specified temporary endpoint. Continue to use the original request endpoint for future requests.", "<Endpoint>photos.s3.eu-central-1.amazonaws.com</Endpoint><Bucket>photos</Bucket>", "X-Amz-Bucket-Region: eu-central-1", storage.InvalidArgument, "set region=eu-central-1", "cperciva/bsdec2-image-upload#11"},
	{"download", 301, "PermanentRedirect", "The bucket you are attempting to access must be addressed using the specified endpoint. Please send all future requests to this endpoint.", "<Bucket>photos</Bucket><Endpoint>s3.amazonaws.com</Endpoint>", "", storage.InvalidArgument, "another region", "chilts/awssum-amazon-s3#3"},
	{"list", 301, "PermanentRedirect", "The bucket you are attempting to access must be addressed using the specified endpoint. Please send all future requests to this endpoint.", "<Bucket>photos</Bucket><Endpoint>photos.s3-ap-northeast-1.amazonaws.com</Endpoint>", "", storage.InvalidArgument, "another region", "appoxy/aws#110"},
}

var amazonLocks = []answer{
	{"remove a version", 403, "AccessDenied", "Access Denied because object protected by object lock.", "", "", storage.Locked, "", recorded("test_s3_object_retention_exc")},
	{"set a retention", 403, "AccessDenied", "Access Denied because object protected by object lock.", "", "", storage.Locked, "", recorded("test_s3_object_retention_exc")},
	{"set a retention", 400, "InvalidRequest", "Bucket is missing Object Lock Configuration", "", "", storage.Unsupported, "WithObjectLock", recorded("test_s3_object_retention_exc")},
	{"unchecked part", 400, "InvalidRequest", "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Part requests with Object Lock parameters", "", "", storage.InvalidArgument, "without WithUncheckedParts", "https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-managing.html"},
	{"set a retention", 400, "InvalidArgument", "The retain until date must be in the future!", "<ArgumentName>RetainUntilDate</ArgumentName>", "", storage.InvalidArgument, "", recorded("test_s3_object_retention_exc")},
	{"set a retention", 409, "InvalidBucketState", "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration", "", "", storage.Unsupported, "object lock", recorded("test_put_object_lock_configuration_on_existing_bucket")},
}

var amazonKeys = []answer{
	{"download", 400, "KMS.DisabledException", "arn:aws:kms:us-east-1:111111111111:key/k is disabled.", "", "", storage.PermissionDenied, "disabled", recorded("test_s3_sse_validate_kms_key_state")},
	{"download", 400, "KMS.KMSInvalidStateException", "arn:aws:kms:us-east-1:111111111111:key/k is pending deletion.", "", "", storage.PermissionDenied, "about to be deleted", recorded("test_s3_sse_validate_kms_key_state")},
	{"upload with a KMS key", 400, "KMS.NotFoundException", "Invalid keyId 'fake-key-id'", "", "", storage.InvalidArgument, "check its id", recorded("test_s3_sse_validate_kms_key")},
	{"upload with a KMS key", 400, "KMS.NotFoundException", "Key 'arn:aws:kms:us-east-1:111111111111:key/k' does not exist", "", "", storage.InvalidArgument, "bucket's region", recorded("test_s3_sse_validate_kms_key")},
	{"download", 403, "AccessDenied", "The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.", "", "", storage.PermissionDenied, "KMS key", "ministryofjustice/modernisation-platform#3468"},
	{"download", 400, "InvalidRequest", "The object was stored using a form of Server Side Encryption. The correct parameters must be provided to retrieve the object.", "", "", storage.InvalidArgument, "WithCustomerKey", recorded("test_object_retrieval_sse_c")},
	{"attrs", 400, "", "", "", "", storage.InvalidArgument, "WithCustomerKey", recorded("test_object_retrieval_sse_c")},
	{"upload", 400, "InvalidEncryptionAlgorithmError", "The Encryption request you specified is not valid. Supported value: AES256.", "<ArgumentName>x-amz-server-side-encryption</ArgumentName>", "", storage.InvalidArgument, "", recorded("test_put_object_validation_sse_c")},
}

var r2Answers = []answer{
	{"download", 401, "Unauthorized", "Unauthorized", "", "", storage.Unauthenticated, "access key", r2Errors},
	{"attrs", 401, "", "", "", "", storage.Unauthenticated, "", r2Errors},
	{"upload", 403, "AccessDenied", "Access Denied", "", "", storage.PermissionDenied, "may not do this", r2Errors},
	{"upload", 400, "ExpiredRequest", "Request has expired", "", "", storage.Unauthenticated, "clock", r2Errors},
	{"download", 403, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided.", "", "", storage.Unauthenticated, "secret key", r2Errors},
	{"upload", 403, "NotEntitled", "Please enable R2 through the Cloudflare Dashboard.", "", "", storage.PermissionDenied, "subscribe", r2Errors},
	{"create a bucket", 400, "InvalidBucketName", "The specified bucket name is not valid.", "", "", storage.InvalidArgument, "3 to 63", r2Errors},
	{"list", 404, "NoSuchBucket", "The specified bucket does not exist.", "", "", storage.BucketNotFound, "CreateBucket", r2Errors},
	{"delete a bucket", 409, "BucketNotEmpty", "The bucket you tried to delete is not empty", "", "", storage.BucketNotEmpty, "", r2Errors},
	{"create a bucket", 400, "TooManyBuckets", "You have attempted to create more buckets than allowed", "", "", storage.PermissionDenied, "limit", r2Errors},
	{"create a bucket", 409, "BucketConflict", "The bucket name already exists", "", "", storage.BucketExists, "", r2Errors},
	{"download", 404, "NoSuchKey", "The specified key does not exist.", "", "", storage.ObjectNotFound, "", r2Errors},
	{"upload", 400, "InvalidObjectName", "The specified object name is not valid.", "", "", storage.InvalidArgument, "", r2Errors},
	{"upload", 400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed object size.", "", "", storage.TooLarge, "", r2Errors},
	{"upload", 400, "MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size.", "", "", storage.InvalidArgument, "", r2Errors},
	{"remove", 403, "ObjectLockedByBucketPolicy", "The object is locked by the bucket policy.", "", "", storage.Locked, "", r2Errors},
	{"upload", 403, "ObjectLockedByBucketPolicy", "The object is locked by the bucket policy.", "", "", storage.Locked, "", r2Errors},
	{"upload", 411, "MissingContentLength", "You must provide the Content-Length HTTP header.", "", "", storage.InvalidArgument, "proxy", r2Errors},
	{"upload", 400, "IncompleteBody", "You did not provide the number of bytes specified by the Content-Length HTTP header", "", "", storage.Unavailable, "", r2Errors},
	{"upload", 400, "InvalidDigest", "The Content-MD5 you specified is not valid.", "", "", storage.ChecksumMismatch, "", r2Errors},
	{"upload", 400, "BadDigest", "The CRC32C checksum you specified did not match what we received.", "", "", storage.ChecksumMismatch, "", r2Errors},
	{"download a range", 416, "InvalidRange", "The requested range is not satisfiable", "", "", storage.RangeNotSatisfiable, "", r2Errors},
	{"upload if absent", 412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold.", "", "", storage.PreconditionFailed, "", r2Errors},
	{"complete", 400, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed object size.", "", "", storage.InvalidArgument, "", r2Errors},
	{"part", 404, "NoSuchUpload", "The specified multipart upload does not exist.", "", "", storage.InvalidArgument, "", r2Errors},
	{"complete", 400, "InvalidPart", "One or more of the specified parts could not be found.", "", "", storage.InvalidArgument, "", r2Errors},
	{"complete", 400, "InvalidPart", "All non-trailing parts must have the same length.", "", "Server: cloudflare", storage.InvalidArgument, "", "apache/opendal#2904"},
	{"complete", 400, "InvalidPart", "All non-trailing parts must have the same length. Non Uniform Part Sizes: Expected part 2 to have size 5242880, found 5242881", "", "", storage.InvalidArgument, "", "cloudflare/cloudflare-docs#9549"},
	{"download", 500, "InternalError", "We encountered an internal error. Please try again.", "", "", storage.Unavailable, "", r2Errors},
	{"download", 503, "ServiceUnavailable", "Service is temporarily unavailable.", "", "", storage.Unavailable, "", r2Errors},
	{"upload", 400, "ClientDisconnect", "The client disconnected before the request completed.", "", "", storage.Unavailable, "", r2Errors},
	{"upload", 429, "TooManyRequests", "Reduce your concurrent request rate for the same object.", "", "", storage.RateLimited, "", r2Errors},
	{"upload", 501, "NotImplemented", "Header 'x-amz-acl' with value 'public-read' not implemented", "", "", storage.Unsupported, "", "pixelfed/pixelfed#3775"},
	{"upload in a class", 501, "NotImplemented", "Header 'x-amz-storage-class' with value '' not implemented", "", "", storage.Unsupported, "", "gobackup/gobackup#182"},
	{"upload", 501, "", "", "", "", storage.Unsupported, "", "saltbo/zpan#199"},
}

var b2Answers = []answer{
	{"upload", 400, "InvalidArgument", "Unsupported header 'x-amz-checksum-crc32' received for this API call.", "", "", storage.Unsupported, "header", "diced/zipline#746"},
	{"upload", 400, "InvalidArgument", "Unsupported header 'x-amz-checksum-sha256' received for this API call.", "", "Server: nginx", storage.Unsupported, "header", "iterate-ch/cyberduck#16107"},
	{"upload", 400, "InvalidArgument", "Unsupported header 'x-amz-tagging' received for this API call.", "", "", storage.Unsupported, "header", "codelitdev/medialit#158"},
	{"upload", 400, "InvalidArgument", "Unsupported value for canned acl 'authenticated-read'", "", "", storage.InvalidArgument, "", "saltbo/zpan#126"},
	{"download", 403, "AccessDenied", "Cannot access bucket", "", "", storage.PermissionDenied, "without permission to list the bucket", "kopia/kopia#5329"},
	{"attrs", 403, "", "", "", "X-Amz-Id-2: adWlu/GudbtdvUndmbiA=", storage.PermissionDenied, "may not do this", "kahing/goofys#739"},
	{"upload", 503, "ServiceUnavailable", "no tomes available", "", "", storage.Unavailable, "", "mastodon/mastodon#30030"},
	{"upload", 500, "InternalError", "An internal error occurred.  Please retry your upload.", "", "", storage.Unavailable, "", "mastodon/mastodon#30030"},
	{"upload", 501, "NotImplemented", "A header you provided implies functionality that is not implemented", "", "", storage.Unsupported, "", "sathinduga/obsidian-s3-sync-and-backup#78"},
}

var spacesAnswers = []answer{
	{"list", 503, "SlowDown", "Reduce your request rate.", "", "", storage.RateLimited, "", "thephpleague/flysystem-aws-s3-v3#278"},
	{"remove", 503, "SlowDown", "Please reduce your request rate.", "", "", storage.RateLimited, "", "spatie/laravel-backup#1067"},
	{"upload", 503, "SlowDown", "Please reduce your request rate.", "", "", storage.RateLimited, "", "rclone/rclone#3456"},
	{"attrs", 503, "", "", "", "", storage.RateLimited, "", "SociallyDev/Spaces-API#59"},
	{"upload", 403, "SignatureDoesNotMatch", "", "<HostId>24e9b-nyc3a-nyc</HostId>", "", storage.Unauthenticated, "secret key", "ShareX/ShareX#2803"},
	{"list", 403, "AccessDenied", "Access Denied.", "<Resource>photos</Resource>", "", storage.PermissionDenied, "may not do this", "owncloud/files_primary_s3#690"},
	{"download", 403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.", "", "", storage.Unauthenticated, "another service", "s3tools/s3cmd#1337"},
}

var wasabiAnswers = []answer{
	{"download", 503, "TemporarilyUnavailable", "Temporarily unavailable", "", "", storage.Unavailable, "", "s3ql/s3ql#258"},
	{"upload", 503, "Unavailable", "Temporarily unavailable", "", "", storage.Unavailable, "", wasabiErrors},
	{"upload", 501, "NotImplemented", "A header you provided implies functionality that is not implemented", "", "", storage.Unsupported, "", "rclone/rclone#2798"},
	{"download", 410, "ConnectionClosed", "Connection closed", "", "", storage.Unavailable, "", wasabiErrors},
	{"download", 500, "InternalError", "We encountered an internal error.", "", "", storage.Unavailable, "", wasabiErrors},
	{"download", 403, "AccessDenied", "Access Denied", "", "", storage.PermissionDenied, "may not do this", wasabiErrors},
	{"download", 403, "AccessDenied", "Public use of objects is not allowed by this account. Please contact Wasabi Support at support@wasabi.com for assistance.", "", "", storage.PermissionDenied, "", "HBLL-Collection-Development/omeka-s-any-cloud#50"},
	{"upload", 403, "AccessForbidden", "Access forbidden", "", "", storage.PermissionDenied, "", wasabiErrors},
	{"upload", 403, "AccountNotActivated", "The account is not activated", "", "", storage.PermissionDenied, "restricted the account", wasabiErrors},
	{"upload", 403, "AccountProblem", "There is a problem with your account", "", "", storage.PermissionDenied, "restricted the account", wasabiErrors},
	{"list", 403, "AuthenticationLockout", "There have been too many attempts to access the account with the wrong credentials. Try again in five minutes.", "", "", storage.Unauthenticated, "five minutes", wasabiErrors},
	{"list", 403, "InvalidAccessKeyId", "The AWS Access Key ID you provided does not exist in our records.", "", "", storage.Unauthenticated, "another service", wasabiErrors},
	{"list", 403, "RequestRateLimitExceeded", "Your account exceeded the limit for LIST requests.", "", "", storage.RateLimited, "", wasabiErrors},
	{"upload", 400, "IncompleteBody", "You did not provide the number of bytes specified by the Content-Length HTTP header", "", "", storage.Unavailable, "", "boto/boto3#4102"},
	{"upload", 400, "XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match what was computed.", "", "", storage.ChecksumMismatch, "", "robinrodricks/FluentStorage#121"},
}

// otherAnswers are of services without a profile: Alibaba OSS, Tencent COS and Volcengine TOS.
var otherAnswers = []answer{
	{"list", 403, "SecondLevelDomainForbidden", "Please use virtual hosted style to access.", "<HostId>oss-cn-shanghai.aliyuncs.com</HostId>", "", storage.InvalidArgument, "path_style=false", ossPaths},
	{"upload", 403, "SecondLevelDomainForbidden", "Please use virtual hosted style to access.", "", "X-Oss-Ec: 0003-00001401", storage.InvalidArgument, "path_style=false", "vectordotdev/vector#20746"},
	{"download", 403, "PathStyleDomainForbidden", "The bucket you are attempting to access must be addressed using COS virtual-styled domain.", "", "", storage.InvalidArgument, "path_style=false", "gobackup/gobackup#233"},
	{"list", 403, "InvalidPathAccess", "Forbidden path to access server.", "", "Server: TosServer", storage.InvalidArgument, "path_style=false", "apache/opendal#6549"},
	{"upload", 429, "ExceedBucketQPSLimit", "The request rate exceeds the limit.", "", "", storage.RateLimited, "", "apache/opendal#6651"},
}

// A call makes one request that is answered, among others that succeed.
type call struct {
	method, path string
	parameter    string // that the answered request has, if it is not ""
	make         wiretest.Call
}

const (
	object, photos = "/photos/k", "/photos"
	revision       = "s3:" + etag // which the engine gives to callers
)

// calls are the operations, by the names that answers use.
var calls = map[string]call{
	"attrs":                      {http.MethodHead, object, "", wiretest.Attrs()},
	"attrs if unchanged":         {http.MethodHead, object, "", wiretest.Attrs(storage.IfRevision(revision))},
	"attributes of a version":    {http.MethodHead, object, "versionId", wiretest.Attrs(storage.WithVersion("v1"))},
	"download":                   {http.MethodGet, object, "", wiretest.Download()},
	"download a range":           {http.MethodGet, object, "", wiretest.Download(storage.WithRange(1024, 3073))},
	"download if changed":        {http.MethodGet, object, "", wiretest.Download(storage.IfRevisionNot(revision))},
	"download if unchanged":      {http.MethodGet, object, "", wiretest.Download(storage.IfRevision(revision))},
	"read a version":             {http.MethodGet, object, "versionId", wiretest.Download(storage.WithVersion("v1"))},
	"upload":                     {http.MethodPut, object, "", wiretest.Upload()},
	"upload if absent":           {http.MethodPut, object, "", wiretest.Upload(storage.IfAbsent())},
	"upload if unchanged":        {http.MethodPut, object, "", wiretest.Upload(storage.IfRevision(revision))},
	"upload in a class":          {http.MethodPut, object, "", wiretest.Upload(storage.WithStorageClass("OUTPOSTS"))},
	"upload with a KMS key":      {http.MethodPut, object, "", wiretest.Upload(WithKMSKey("fake-key-id"))},
	"part":                       {http.MethodPut, object, "partNumber", uploadInParts},
	"unchecked part":             {http.MethodPut, object, "partNumber", uploadUnchecked},
	"complete":                   {http.MethodPost, object, "uploadId", uploadInParts},
	"copy":                       {http.MethodPut, object, "", wiretest.Copy},
	"list":                       {http.MethodGet, photos, "list-type", wiretest.List},
	"remove":                     {http.MethodDelete, object, "", wiretest.Remove()},
	"remove a version":           {http.MethodDelete, object, "versionId", wiretest.Remove(storage.WithVersion("v1"))},
	"set tags":                   {http.MethodPut, object, "tagging", wiretest.SetTags},
	"set a retention":            {http.MethodPut, object, "retention", setRetention},
	"restore":                    {http.MethodPost, object, "restore", restore},
	"create a bucket":            {http.MethodPut, photos, "", wiretest.CreateBucket},
	"delete a bucket":            {http.MethodDelete, photos, "", wiretest.DeleteBucket},
	"end versions":               {http.MethodPut, photos, "versioning", endVersions},
	"read the CORS rules":        {http.MethodGet, photos, "cors", wiretest.ReadBucket},
	"read the lifecycle":         {http.MethodGet, photos, "lifecycle", wiretest.ReadBucket},
	"read the default retention": {http.MethodGet, photos, "object-lock", wiretest.ReadBucket},
}

func uploadInParts(ctx context.Context, b storage.Bucket, _ storage.Service) error {
	u, err := storage.BeginUpload(ctx, b, "k")
	if err != nil {
		return err
	}
	part, err := u.PutPart(ctx, 1, strings.NewReader("hello"))
	if err != nil {
		return err
	}
	_, err = u.Complete(ctx, storage.WithParts(*part))
	return err
}

func uploadUnchecked(ctx context.Context, b storage.Bucket, _ storage.Service) error {
	u, err := storage.BeginUpload(ctx, b, "k", storage.WithUncheckedParts())
	if err == nil {
		_, err = u.PutPart(ctx, 1, strings.NewReader("hello"))
	}
	return err
}

func setRetention(ctx context.Context, b storage.Bucket, _ storage.Service) error {
	return storage.SetRetention(ctx, b, "k", storage.Retention{Mode: storage.Governance, Until: time.Now().Add(time.Hour)})
}

func restore(ctx context.Context, b storage.Bucket, _ storage.Service) error {
	return storage.Restore(ctx, b, "k")
}

func endVersions(ctx context.Context, _ storage.Bucket, s storage.Service) error {
	_, err := s.UpdateBucket(ctx, "photos", storage.WithVersioning(false))
	return err
}

// reply returns the response.
func (a *answer) reply() reply {
	r := reply{Status: a.status, Header: map[string]string{"X-Amz-Request-Id": "R1"}}
	if name, value, ok := strings.Cut(a.header, ": "); ok {
		r.Header[name] = value
	}
	if a.code == "" {
		return r
	}
	r.Header["Content-Type"] = "application/xml"
	message := ""
	if a.message != "" {
		var text bytes.Buffer
		_ = xml.EscapeText(&text, []byte(a.message)) // a buffer takes everything
		message = "<Message>" + text.String() + "</Message>"
	}
	r.Body = fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?><Error><Code>%s</Code>%s%s<RequestId>R1</RequestId></Error>`, a.code, message, a.extra)
	return r
}

// success returns the response to a request that is made before or after the answered one.
func (c *call) success(r wiretest.Request) reply {
	query := r.Query()
	switch {
	case r.Method == http.MethodHead && r.Path == photos && c.method == http.MethodPut && c.parameter == "":
		return reply{Status: http.StatusNotFound} // it is about to be made
	case r.Method == http.MethodPost && query.Has("uploads"):
		return reply{Body: `<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>`}
	case r.Method == http.MethodGet && r.Path == photos && query.Has("list-type"):
		return reply{Body: `<ListBucketResult><Name>photos</Name><KeyCount>0</KeyCount><IsTruncated>false</IsTruncated></ListBucketResult>`}
	case r.Method == http.MethodGet && query.Has("uploadId"):
		return reply{Body: `<ListPartsResult><Part><PartNumber>1</PartNumber><ETag>"9b2cf535f27731c974343645a3985328"</ETag><Size>5</Size></Part><IsTruncated>false</IsTruncated></ListPartsResult>`}
	case r.Method == http.MethodGet && r.Path == photos && query.Has("policy"):
		return failing(http.StatusNotFound, "NoSuchBucketPolicy", "The photos policy does not exist")
	case r.Method == http.MethodGet && r.Path == photos:
		return reply{Header: map[string]string{"X-Amz-Request-Id": "R1"}, Body: `<Configuration/>`}
	}
	return withLength(stored)
}

func (c *call) isAnswered(r wiretest.Request) bool {
	return r.Method == c.method && strings.TrimSuffix(r.Path, "/") == c.path && (c.parameter == "" || r.Query().Has(c.parameter))
}

func TestAnswersOfServices(t *testing.T) {
	rows := 0
	for _, service := range slices.Sorted(maps.Keys(answers)) {
		for _, a := range answers[service] {
			rows++
			name := strings.TrimSpace(fmt.Sprintf("%s, %s: %d %s %s", service, a.call, a.status, a.code, a.message))
			t.Run(name, func(t *testing.T) { testAnswer(t, service, &a) })
		}
	}
	require.GreaterOrEqual(t, rows, 150)
}

func testAnswer(t *testing.T, service string, a *answer) {
	c, ok := calls[a.call]
	require.True(t, ok, a.call)
	require.NotEmpty(t, a.source)
	var answered atomic.Int32
	w := newStandIn(t)
	w.server.Answer = func(r wiretest.Request) reply {
		if !c.isAnswered(r) {
			return c.success(r)
		}
		answered.Add(1)
		return a.reply()
	}
	d := w.on(t, service)
	once := storage.WithRetry(storage.RetryPolicy{Attempts: 1})
	versions := storage.WithVersioning(d.Describe().Features&storage.Versioning != 0)
	err := c.make(t.Context(), engine.New(d, once, versions), engine.NewService(&serviceDriver{account: d.account}, once))
	require.NotZero(t, answered.Load(), "the request was not made: %v", w.server.Lines())
	if a.want == "" {
		require.NoError(t, err)
		return
	}
	e := wiretest.RequireAnswer(t, err, a.want, sdkerror.IsRetryable(a.want) || a.code == "RequestTimeTooSkewed", a.hint, a.source)
	if a.want != storage.RangeNotSatisfiable { // the engine's own error
		require.Equal(t, a.status, e.Status)
		require.Equal(t, "R1", e.RequestID)
	}
	requests := 1
	if c.method == http.MethodHead && a.status == http.StatusForbidden && w.server.Requests()[0].Header.Get("X-Amz-Checksum-Mode") != "" {
		requests = 2 // the other without the checksum
	}
	require.EqualValues(t, requests, answered.Load(), "one attempt: %v", w.server.Lines())
}
