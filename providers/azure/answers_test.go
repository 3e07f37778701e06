package azure

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

// An answer is a response that Azure is known to send, with what the caller must learn from it.
// Each answer is a fact that others have documented or recorded; nothing here was asked of Azure.
// If a page gives a status and a code without the text, the message says the same in our words.
type answer struct {
	call    string // of answeredCalls
	status  int
	code    string // in the header and in the body; with bodyOnly in front, not in the header
	message string // with "|" in it, other elements of the body follow
	want    storage.Code
	hint    string // is part of it
	source  string // a page, or an issue of a repository at GitHub
}

// bodyOnly is in front of an answer's code if the response has the code in its body, but not in its
// header.
const bodyOnly = "body:"

const (
	blobErrors    = "https://learn.microsoft.com/rest/api/storageservices/blob-service-error-codes"
	commonErrors  = "https://learn.microsoft.com/rest/api/storageservices/common-rest-api-error-codes"
	oldBlobErrors = "https://msdn.microsoft.com/library/windowsazure/dd179439.aspx"
	oldErrors     = "https://msdn.microsoft.com/library/windowsazure/dd179357"
)

// recorded names a response of Azure that a test of Azure's old Python client has recorded.
func recorded(test string) string { return "Azure/azure-storage-python tests/recordings/" + test }

// recordedAnswers are responses of Azure that others have recorded.
var recordedAnswers = []answer{
	{call: "attrs", status: 404, code: "BlobNotFound", want: storage.ObjectNotFound, source: recorded("test_common_blob.test_blob_not_exists")},
	{
		call:   "attrs",
		status: 404,
		code:   "ContainerNotFound",
		want:   storage.BucketNotFound,
		hint:   "CreateBucket",
		source: recorded("test_common_blob.test_blob_container_not_exists"),
	},
	{
		call:    "download",
		status:  404,
		code:    "BlobNotFound",
		message: "The specified blob does not exist.",
		want:    storage.ObjectNotFound,
		source:  recorded("test_common_blob.test_get_blob_with_non_existing_blob"),
	},
	{
		call:    "download",
		status:  404,
		code:    bodyOnly + "ResourceNotFound",
		message: "The specified resource does not exist.",
		want:    storage.Unauthenticated,
		hint:    "use credentials",
		source:  recorded("test_common_blob.test_no_sas_private_blob"),
	},
	{
		call:    "remove",
		status:  404,
		code:    bodyOnly + "ResourceNotFound",
		message: "The specified resource does not exist.",
		want:    storage.Unauthenticated,
		hint:    "use credentials",
		source:  recorded("test_common_blob.test_no_sas_private_blob"),
	},
	{
		call:    "list",
		status:  404,
		code:    bodyOnly + "ResourceNotFound",
		message: "The specified resource does not exist.",
		want:    storage.Unauthenticated,
		hint:    "use credentials",
		source:  recorded("test_common_blob.test_no_sas_private_blob"),
	},
	{
		call:    "tags",
		status:  404,
		code:    bodyOnly + "ResourceNotFound",
		message: "The specified resource does not exist.",
		want:    storage.Unauthenticated,
		hint:    "use credentials",
		source:  recorded("test_common_blob.test_no_sas_private_blob"),
	},
	{
		call:    "upload",
		status:  404,
		code:    bodyOnly + "ResourceNotFound",
		message: "The specified resource does not exist.",
		want:    storage.Unauthenticated,
		hint:    "use credentials",
		source:  recorded("test_common_blob.test_no_sas_private_blob"),
	},
	{
		call:    "upload",
		status:  404,
		code:    "ContainerNotFound",
		message: "The specified container does not exist.",
		want:    storage.BucketNotFound,
		hint:    "CreateBucket",
		source:  recorded("test_common_blob.test_get_blob_metadata_fail"),
	},
	{
		call:    "list",
		status:  404,
		code:    "ContainerNotFound",
		message: "The specified container does not exist.",
		want:    storage.BucketNotFound,
		hint:    "CreateBucket",
		source:  recorded("test_common_blob.test_token_credential"),
	},
	{
		call:    "remove",
		status:  404,
		code:    "BlobNotFound",
		message: "The specified blob does not exist.",
		source:  recorded("test_common_blob.test_delete_blob_with_non_existing_blob"),
	},
	{
		call:    "delete a bucket",
		status:  404,
		code:    "ContainerNotFound",
		message: "The specified container does not exist.",
		want:    storage.BucketNotFound,
		source:  recorded("test_container.test_delete_container_with_non_existing_container"),
	},
	{
		call:    "create a bucket",
		status:  409,
		code:    "ContainerAlreadyExists",
		message: "The specified container already exists.",
		want:    storage.BucketExists,
		source:  recorded("test_container.test_create_container_with_already_existing_container"),
	},
	{
		call:    "create a bucket",
		status:  400,
		code:    "InvalidResourceName",
		message: "The specifed resource name contains invalid characters.",
		want:    storage.InvalidArgument,
		hint:    "a-z, 0-9",
		source:  recorded("test_container.test_unicode_create_container_unicode_name"),
	},

	{
		call:   "download if changed",
		status: 304,
		code:   "ConditionNotMet",
		want:   storage.NotModified,
		source: recorded("test_blob_access_conditions.test_get_blob_with_if_modified_fail"),
	},
	{
		call:   "attrs if changed",
		status: 304,
		code:   "ConditionNotMet",
		want:   storage.NotModified,
		source: recorded("test_blob_access_conditions.test_get_blob_properties_with_if_modified_fail"),
	},
	{
		call:    "download if unchanged",
		status:  412,
		code:    "ConditionNotMet",
		message: "The condition specified using HTTP conditional header(s) is not met.",
		want:    storage.PreconditionFailed,
		source:  recorded("test_blob_access_conditions.test_get_blob_with_if_match_fail"),
	},
	{
		call:   "attrs if unchanged",
		status: 412,
		code:   "ConditionNotMet",
		want:   storage.PreconditionFailed,
		source: recorded("test_blob_access_conditions.test_get_blob_properties_with_if_match_fail"),
	},
	{
		call:    "upload if unchanged",
		status:  412,
		code:    "ConditionNotMet",
		message: "The condition specified using HTTP conditional header(s) is not met.",
		want:    storage.PreconditionFailed,
		source:  recorded("test_blob_access_conditions.test_put_blob_with_if_match_fail"),
	},
	{
		call:    "remove if unchanged",
		status:  412,
		code:    "ConditionNotMet",
		message: "The condition specified using HTTP conditional header(s) is not met.",
		want:    storage.PreconditionFailed,
		source:  recorded("test_blob_access_conditions.test_delete_blob_with_if_match_fail"),
	},
	{
		call:    "complete",
		status:  412,
		code:    "ConditionNotMet",
		message: "The condition specified using HTTP conditional header(s) is not met.",
		want:    storage.PreconditionFailed,
		source:  recorded("test_blob_access_conditions.test_put_block_list_with_if_match_fail"),
	},

	{
		call:    "part",
		status:  400,
		code:    "Md5Mismatch",
		message: "The MD5 value specified in the request did not match with the MD5 value calculated by the server.",
		want:    storage.ChecksumMismatch,
		source:  recorded("test_block_blob_sync_copy.test_put_block_from_url_and_validate_content_md5"),
	},
	{
		call:    "complete",
		status:  400,
		code:    "InvalidBlockList",
		message: "The specified block list is invalid.",
		want:    storage.Unavailable,
		hint:    "dropped blocks",
		source:  recorded("test_block_blob.test_put_block_list_invalid_block_id"),
	},
	{
		call:    "download a range",
		status:  416,
		code:    "InvalidRange",
		message: "The range specified is invalid for the current size of the resource.",
		want:    storage.RangeNotSatisfiable,
		source:  recorded("test_get_blob.test_get_blob_no_content"),
	},
	{
		call:    "upload",
		status:  400,
		code:    "InvalidHeaderValue",
		message: "The value for one of the HTTP headers is not in the correct format.",
		want:    storage.InvalidArgument,
		source:  recorded("test_page_blob.test_create_larger_than_8tb_blob_fail"),
	},
	{
		call:    "upload",
		status:  400,
		code:    "OutOfRangeInput",
		message: "One of the request inputs is out of range.",
		want:    storage.InvalidArgument,
		source:  recorded("test_blob_access_conditions.test_append_block_with_if_match_fail"),
	},
	{
		call:    "read a version",
		status:  400,
		code:    bodyOnly + "InvalidQueryParameterValue",
		message: "Value for one of the query parameters specified in the request URI is invalid.",
		want:    storage.InvalidArgument,
		source:  recorded("test_common_blob.test_get_blob_metadata_fail"),
	},
	{call: "attributes of a version", status: 400, want: storage.InvalidArgument, source: recorded("test_common_blob.test_get_blob_properties_fail")},

	{
		call:    "list",
		status:  403,
		code:    "AuthorizationPermissionMismatch",
		message: "This request is not authorized to perform this operation using this permission.",
		want:    storage.PermissionDenied,
		hint:    "Storage Blob Data Contributor",
		source:  recorded("test_blob_sas.test_get_user_delegation_key"),
	},
	{
		call:    "list",
		status:  400,
		code:    "InvalidAuthenticationInfo",
		message: "Authentication information is not given in the correct format. Check the value of Authorization header.",
		want:    storage.Unauthenticated,
		hint:    "account key",
		source:  recorded("test_common_blob.test_token_credential"),
	},
	{
		call:    "download",
		status:  409,
		code:    "BlobUsesCustomerSpecifiedEncryption",
		message: "The blob is encrypted with customer specified encryption, but it was not provided in the request.",
		want:    storage.InvalidArgument,
		hint:    "WithCustomerKey",
		source:  recorded("test_cpk.test_append_block"),
	},
	{
		call:   "attrs",
		status: 409,
		code:   "BlobUsesCustomerSpecifiedEncryption",
		want:   storage.InvalidArgument,
		hint:   "WithCustomerKey",
		source: recorded("test_cpk.test_get_set_blob_properties"),
	},
	{
		call:    "remove",
		status:  412,
		code:    "LeaseIdMissing",
		message: "There is currently a lease on the blob and no lease ID was specified in the request.",
		want:    storage.Locked,
		hint:    "lease",
		source:  recorded("test_common_blob.test_soft_delete_with_leased_blob"),
	},
	{
		call:    "upload",
		status:  412,
		code:    "LeaseLost",
		message: "A lease ID was specified, but the lease for the blob has expired.",
		want:    storage.Locked,
		hint:    "lease",
		source:  recorded("test_common_blob.test_lease_blob_break_period"),
	},
	{
		call:    "upload",
		status:  409,
		code:    "LeaseAlreadyPresent",
		message: "There is already a lease present.",
		want:    storage.Locked,
		hint:    "lease",
		source:  recorded("test_common_blob.test_lease_blob_acquire_twice_fails"),
	},
	{
		call:    "upload",
		status:  500,
		code:    "InternalError",
		message: "Server encountered an internal error. Please try again after some time.",
		want:    storage.Unavailable,
		source:  recorded("test_append_blob.test_append_block_from_url_with_maxsize_condition"),
	},
}

// reportedAnswers are responses that users have reported. If the service cannot read the source of a copy, the
// bytes pass through this process, and the copy succeeds.
var reportedAnswers = []answer{
	{
		call:    "list",
		status:  503,
		code:    "ServerBusy",
		message: "Egress is over the account limit.",
		want:    storage.RateLimited,
		source:  "Azure/azure-sdk-for-go#22139",
	},
	{
		call:    "list",
		status:  503,
		code:    "ServerBusy",
		message: "Operations per second is over the account limit.",
		want:    storage.RateLimited,
		source:  "Azure/azure-storage-azcopy#2331",
	},
	{
		call:    "download",
		status:  503,
		code:    bodyOnly + "ServerBusy",
		message: "Egress is over the account limit.",
		want:    storage.RateLimited,
		source:  "microsoft/PlanetaryComputer#191",
	},
	{
		call:    "upload",
		status:  503,
		code:    "ServerBusy",
		message: "The server is busy.",
		want:    storage.RateLimited,
		source:  "microsoft/vscode-azurestorage#502",
	},
	{
		call:    "create a bucket",
		status:  409,
		code:    "PublicAccessNotPermitted",
		message: "Public access is not permitted on this storage account.",
		want:    storage.PermissionDenied,
		hint:    "forbids public access",
		source:  "Altinity/clickhouse-backup#196",
	},
	{
		call:    "list",
		status:  409,
		code:    "PublicAccessNotPermitted",
		message: "Public access is not permitted on this storage account.",
		want:    storage.PermissionDenied,
		hint:    "no public access",
		source:  "blobfile/blobfile#139",
	},
	{
		call:    "upload",
		status:  409,
		code:    "BlobImmutableDueToPolicy",
		message: "This operation is not permitted as the blob is immutable due to a policy.",
		want:    storage.Locked,
		source:  "Azure/azure-powershell#9195",
	},
	{
		call:    "upload",
		status:  400,
		code:    "BlobAccessTierNotSupportedForAccountType",
		message: "The access tier is not supported for this account type.",
		want:    storage.InvalidArgument,
		hint:    "access tier",
		source:  "Azure/azure-sdk-for-net#38465",
	},
	{
		call:    "remove a version",
		status:  403,
		code:    "OperationNotAllowedOnRootBlob",
		message: "The operation is not allowed on the root blob.",
		want:    storage.Locked,
		hint:    "current one",
		source:  "Azure/azure-sdk-for-java#48716",
	},
	{call: "copy", status: 403, code: "CannotVerifyCopySource", message: "Forbidden", source: "Azure/azure-storage-python#720"},
	{
		call:    "copy",
		status:  404,
		code:    "CannotVerifyCopySource",
		message: "The specified resource does not exist.",
		source:  "Azure/azure-powershell#12287",
	},
	{
		call:    "copy",
		status:  409,
		code:    "CannotVerifyCopySource",
		message: "Could not verify copy source.",
		source:  "Azure/azure-sdk-for-java#24881",
	},
	{
		call:    "copy",
		status:  409,
		code:    "PublicAccessNotPermitted",
		message: "Public access is not permitted on this storage account.",
		source:  "Azure/azure-sdk-for-java#24881",
	},
	{
		call:    "download",
		status:  403,
		code:    "AuthenticationFailed",
		message: "Server failed to authenticate the request.|<AuthenticationErrorDetail>Policy violated by no signed start.</AuthenticationErrorDetail>",
		want:    storage.Unauthenticated,
		hint:    "SAS expiration policy",
		source:  "microsoft/AzureStorageExplorer#8845",
	},
	{
		call:    "tags",
		status:  403,
		code:    "AuthorizationPermissionMismatch",
		message: "This request is not authorized to perform this operation using this permission.",
		want:    storage.PermissionDenied,
		hint:    "Storage Blob Data Owner",
		source:  "Azure/azure-sdk-for-python#21668",
	},
	{
		call:    "copy of a tagged object",
		status:  403,
		code:    "AuthorizationPermissionMismatch",
		message: "This request is not authorized to perform this operation using this permission.",
		source:  "microsoft/AzureStorageExplorer#6709",
	},
	{
		call:    "delete a bucket",
		status:  409,
		code:    "ContainerImmutableStorageWithVersioningEnabled",
		message: "The requested operation is not allowed as the container has a immutable storage with versioning enabled.",
		want:    storage.Unsupported,
		hint:    "management plane",
		source:  "Azure/azure-sdk-for-python#22255",
	},
	{
		call:    "tags",
		status:  400,
		code:    "InvalidQueryParameterValue",
		message: "Value for one of the query parameters specified in the request URI is invalid.|<QueryParameterName>comp</QueryParameterName><QueryParameterValue>tags</QueryParameterValue>",
		want:    storage.Unsupported,
		hint:    "hierarchical namespace",
		source:  "Azure/azure-sdk-for-net#39388",
	},
	{
		call:    "remove",
		status:  409,
		code:    "DirectoryIsNotEmpty",
		message: "This operation is not permitted on a non-empty directory.",
		want:    storage.Unsupported,
		hint:    "hierarchical namespace",
		source:  "Azure/azure-cli#23062",
	},
	{
		call:    "remove",
		status:  400,
		code:    "OperationNotSupportedOnDirectory",
		message: "The requested operation is not supported on a directory.",
		want:    storage.Unsupported,
		hint:    "hierarchical namespace",
		source:  "Azure/azure-sdk-for-net#39065",
	},
	{
		call:    "upload",
		status:  400,
		code:    "BlobTypeNotSupported",
		message: "Block blobs are not supported.",
		want:    storage.Unsupported,
		source:  "Azure/azure-sdk-for-java#27282",
	},
	{
		call:    "delete a bucket",
		status:  409,
		code:    "ContainerImmutabilityPolicyLocked",
		message: "The requested operation is not allowed as the container has a locked immutability policy.",
		want:    storage.Locked,
		hint:    "management plane",
		source:  "Azure/azure-powershell#22564",
	},
}

// documentedAnswers are responses that Microsoft documents.
var documentedAnswers = []answer{
	{
		call:    "upload if absent",
		status:  409,
		code:    "BlobAlreadyExists",
		message: "The specified blob already exists.",
		want:    storage.PreconditionFailed,
		source:  blobErrors,
	},
	{
		call:    "upload if absent",
		status:  409,
		code:    "BlobImmutableDueToPolicy",
		message: "This operation is not permitted as the blob is immutable due to a policy.",
		want:    storage.PreconditionFailed,
		source:  blobErrors,
	}, // what the service notices first is not documented
	{
		call:    "upload if absent",
		status:  409,
		code:    "BlobImmutableDueToLegalHold",
		message: "This operation is not permitted as the blob is immutable due to one or more legal holds.",
		want:    storage.PreconditionFailed,
		source:  blobErrors,
	},
	{
		call:    "upload if absent",
		status:  412,
		code:    "LeaseIdMissing",
		message: "There is currently a lease on the blob and no lease ID was specified in the request.",
		want:    storage.PreconditionFailed,
		source:  blobErrors,
	},
	{
		call:    "delete a bucket",
		status:  412,
		code:    "LeaseIdMissing",
		message: "There is currently a lease on the container and no lease ID was specified in the request.",
		want:    storage.Locked,
		hint:    "on the container",
		source:  blobErrors,
	},
	{
		call:    "remove",
		status:  409,
		code:    "BlobImmutableDueToLegalHold",
		message: "This operation is not permitted as the blob is immutable due to one or more legal holds.",
		want:    storage.Locked,
		source:  blobErrors,
	},
	{
		call:    "remove",
		status:  409,
		code:    "BlobImmutableDueToPolicy",
		message: "This operation is not permitted as the blob is immutable due to a policy.",
		want:    storage.Locked,
		source:  blobErrors,
	},
	{
		call:    "part",
		status:  409,
		code:    "BlobOperationNotSupported",
		message: "The operation is not supported in this scenario.",
		want:    storage.Unsupported,
		hint:    "remove it first",
		source:  blobErrors,
	},
	{
		call:    "upload",
		status:  409,
		code:    "BlobTierInadequateForContentLength",
		message: "The specified blob tier size limit cannot be less than content length.",
		want:    storage.TooLarge,
		source:  blobErrors,
	},
	{
		call:    "complete",
		status:  409,
		code:    "BlockCountExceedsLimit",
		message: "The committed block count cannot exceed the maximum limit of 50,000 blocks.",
		want:    storage.TooLarge,
		source:  blobErrors,
	},
	{
		call:    "part",
		status:  409,
		code:    "BlockCountExceedsLimit",
		message: "The uncommitted block count cannot exceed the maximum limit of 100,000 blocks.",
		want:    storage.Locked,
		hint:    "small object",
		source:  blobErrors,
	},
	{
		call:    "copy",
		status:  409,
		code:    "BlobOverwritten",
		message: "The blob has been recreated since the previous snapshot was taken.",
		want:    storage.Changed,
		source:  blobErrors,
	},
	{
		call:    "complete",
		status:  400,
		code:    "BlockListTooLong",
		message: "The blocklist may not contain more than 50,000 blocks.",
		want:    storage.TooLarge,
		source:  blobErrors,
	},
	{
		call:    "copy",
		status:  500,
		code:    "CannotVerifyCopySource",
		message: "Could not verify the copy source within the specified time.",
		want:    storage.Unavailable,
		source:  blobErrors,
	},
	{
		call:    "upload",
		status:  409,
		code:    "ContainerBeingDeleted",
		message: "The specified container is being deleted.",
		want:    storage.BucketNotFound,
		hint:    "half a minute",
		source:  blobErrors,
	},
	{
		call:    "upload",
		status:  404,
		code:    "EncryptionScopeNotFound",
		message: "The specified encryption scope was not found.",
		want:    storage.InvalidArgument,
		hint:    "encryption_scope=",
		source:  blobErrors,
	},
	{
		call:    "upload",
		status:  409,
		code:    "ContainerDisabled",
		message: "The specified container has been disabled by the administrator.",
		want:    storage.PermissionDenied,
		source:  blobErrors,
	},
	{
		call:    "part",
		status:  400,
		code:    "InvalidBlockId",
		message: "The specified block ID is invalid. The block ID must be Base64-encoded.",
		want:    storage.InvalidArgument,
		source:  oldBlobErrors,
	},
	{
		call:    "part",
		status:  400,
		code:    "InvalidBlobOrBlock",
		message: "The specified blob or block content is invalid.",
		want:    storage.Locked,
		hint:    "short ids",
		source:  oldBlobErrors,
	},
	{call: "remove", status: 409, code: "SystemInUse", message: "This blob is in use by the system.", want: storage.Locked, source: blobErrors},
	{
		call:    "upload",
		status:  412,
		code:    "LeaseIdMismatchWithBlobOperation",
		message: "The lease ID specified did not match the lease ID for the blob.",
		want:    storage.Locked,
		hint:    "lease",
		source:  oldBlobErrors,
	},

	{
		call:    "download",
		status:  401,
		code:    "NoAuthenticationInformation",
		message: "Server failed to authenticate the request. Please refer to the information in the www-authenticate header.",
		want:    storage.Unauthenticated,
		hint:    "private",
		source:  commonErrors,
	},
	{
		call:    "download",
		status:  401,
		code:    "InvalidAuthenticationInfo",
		message: "Server failed to authenticate the request. Please refer to the information in the www-authenticate header.",
		want:    storage.Unauthenticated,
		hint:    "account key",
		source:  commonErrors,
	},
	{
		call:    "upload",
		status:  409,
		code:    "AccountBeingCreated",
		message: "The specified account is in the process of being created.",
		want:    storage.Unavailable,
		source:  commonErrors,
	},
	{
		call:    "upload",
		status:  403,
		code:    "AccountIsDisabled",
		message: "The specified account is disabled.",
		want:    storage.PermissionDenied,
		hint:    "disabled",
		source:  commonErrors,
	},
	{
		call:    "upload",
		status:  403,
		code:    "AuthenticationFailed",
		message: "Server failed to authenticate the request. Make sure the value of the Authorization header is formed correctly including the signature.",
		want:    storage.Unauthenticated,
		hint:    "clock",
		source:  commonErrors,
	},
	{call: "attrs", status: 403, code: "AuthenticationFailed", want: storage.Unauthenticated, hint: "clock", source: commonErrors},
	{
		call:    "upload",
		status:  409,
		code:    "ResourceTypeMismatch",
		message: "The specified resource type does not match the type of the existing resource.",
		want:    storage.Unsupported,
		hint:    "hierarchical namespace",
		source:  commonErrors,
	},
	{
		call:    "upload",
		status:  400,
		code:    "ConditionHeadersNotSupported",
		message: "Condition headers are not supported.",
		want:    storage.Unsupported,
		source:  commonErrors,
	},
	{
		call:    "upload",
		status:  400,
		code:    "EmptyMetadataKey",
		message: "The key for one of the metadata key-value pairs is empty.",
		want:    storage.InvalidArgument,
		source:  commonErrors,
	},
	{
		call:    "download",
		status:  403,
		code:    "InsufficientAccountPermissions",
		message: "Read operations are currently disabled.",
		want:    storage.PermissionDenied,
		hint:    "may not do this",
		source:  commonErrors,
	},
	{
		call:    "upload",
		status:  403,
		code:    "InsufficientAccountPermissions",
		message: "Write operations are not allowed.",
		want:    storage.PermissionDenied,
		hint:    "may not do this",
		source:  commonErrors,
	},
	{
		call:    "list",
		status:  500,
		code:    "InternalError",
		message: "The server encountered an internal error. Please retry the request.",
		want:    storage.Unavailable,
		source:  commonErrors,
	},
	{
		call:    "upload",
		status:  400,
		code:    "InvalidHttpVerb",
		message: "The HTTP verb specified was not recognized by the server.",
		want:    storage.InvalidArgument,
		source:  commonErrors,
	},
	{
		call:    "upload",
		status:  400,
		code:    "InvalidInput",
		message: "One of the request inputs is not valid.",
		want:    storage.InvalidArgument,
		source:  commonErrors,
	},
	{
		call:    "upload",
		status:  400,
		code:    "InvalidMd5",
		message: "The MD5 value specified in the request is invalid. The MD5 value must be 128 bits and Base64-encoded.",
		want:    storage.ChecksumMismatch,
		source:  commonErrors,
	},
	{
		call:    "upload",
		status:  400,
		code:    "InvalidMetadata",
		message: "The specified metadata is invalid. It includes characters that are not permitted.",
		want:    storage.InvalidArgument,
		source:  commonErrors,
	},
	{
		call:    "list",
		status:  400,
		code:    "InvalidHeaderValue",
		message: "The value for one of the HTTP headers is not in the correct format.|<HeaderName>x-ms-version</HeaderName><HeaderValue>2026-12-06</HeaderValue>",
		want:    storage.InvalidArgument,
		hint:    "api_version=",
		source:  commonErrors,
	},
	{
		call:    "upload",
		status:  400,
		code:    "InvalidHeaderValue",
		message: "The value for one of the HTTP headers is not in the correct format.|<HeaderName>x-ms-version</HeaderName><HeaderValue>2026-12-06</HeaderValue>",
		want:    storage.InvalidArgument,
		hint:    "Config.APIVersion",
		source:  commonErrors,
	},
	{call: "attrs", status: 400, code: "InvalidHeaderValue", want: storage.InvalidArgument, hint: "api_version=", source: commonErrors},
	{
		call:    "list",
		status:  400,
		code:    "InvalidQueryParameterValue",
		message: "An invalid value was specified for one of the query parameters in the request URI.",
		want:    storage.InvalidArgument,
		source:  oldErrors,
	},
	{
		call:    "list",
		status:  400,
		code:    "OutOfRangeQueryParameterValue",
		message: "A query parameter specified in the request URI is outside the permissible range.",
		want:    storage.InvalidArgument,
		source:  oldErrors,
	},
	{
		call:    "list",
		status:  400,
		code:    "UnsupportedQueryParameter",
		message: "One of the query parameters specified in the request URI is not supported.",
		want:    storage.Unsupported,
		source:  oldErrors,
	},
	{
		call:    "list",
		status:  400,
		code:    "MissingRequiredQueryParameter",
		message: "A required query parameter was not specified for this request.",
		want:    storage.InvalidArgument,
		source:  oldErrors,
	},
	{
		call:    "upload",
		status:  400,
		code:    "MissingRequiredHeader",
		message: "A required HTTP header was not specified.",
		want:    storage.InvalidArgument,
		source:  oldErrors,
	},
	{
		call:    "upload",
		status:  400,
		code:    "UnsupportedHeader",
		message: "One of the HTTP headers specified in the request is not supported.",
		want:    storage.Unsupported,
		source:  oldErrors,
	},
	{
		call:    "complete",
		status:  400,
		code:    "MissingRequiredXmlNode",
		message: "A required XML node was not specified in the request body.",
		want:    storage.InvalidArgument,
		source:  oldErrors,
	},
	{
		call:    "complete",
		status:  400,
		code:    "UnsupportedXmlNode",
		message: "One of the XML nodes specified in the request body is not supported.",
		want:    storage.InvalidArgument,
		source:  oldErrors,
	},
	{
		call:    "complete",
		status:  400,
		code:    "InvalidXmlNodeValue",
		message: "The value provided for one of the XML nodes in the request body was not in the correct format.",
		want:    storage.InvalidArgument,
		source:  oldErrors,
	},
	{
		call:    "upload",
		status:  400,
		code:    "InvalidUri",
		message: "The requested URI does not represent any resource on the server.",
		want:    storage.InvalidArgument,
		source:  oldErrors,
	},
	{
		call:    "upload",
		status:  400,
		code:    "RequestUrlFailedToParse",
		message: "The url in the request could not be parsed.",
		want:    storage.InvalidArgument,
		source:  oldErrors,
	},
}

// An answeredCall is an operation of several requests. One of the requests gets the response that is tested, and all
// others succeed.
type answeredCall struct {
	request string // pattern of the line of the request that gets the row's response
	make    wiretest.Call
}

// anyRevision is a revision of the object, as callers get it.
const anyRevision = "azure:" + etag

// answeredCalls has the calls by the names that the answers use. Each has a pattern for the request
// that gets the tested answer, and the call itself.
var answeredCalls = map[string]answeredCall{
	"attrs":              {request: `^HEAD /photos/k$`, make: wiretest.Attrs()},
	"attrs if changed":   {request: `^HEAD /photos/k$`, make: wiretest.Attrs(storage.IfRevisionNot(anyRevision))},
	"attrs if unchanged": {request: `^HEAD /photos/k$`, make: wiretest.Attrs(storage.IfRevision(anyRevision))},
	"attributes of a version": {
		request: `^HEAD /photos/k\?versionid=`,
		make:    wiretest.Attrs(storage.WithVersion(version)),
	},
	"download":         {request: `^GET /photos/k$`, make: wiretest.Download()},
	"download a range": {request: `^GET /photos/k$`, make: wiretest.Download(storage.WithRange(32, 10))},
	"download if changed": {
		request: `^GET /photos/k$`,
		make:    wiretest.Download(storage.IfRevisionNot(anyRevision)),
	},
	"download if unchanged": {request: `^GET /photos/k$`, make: wiretest.Download(storage.IfRevision(anyRevision))},
	"read a version": {
		request: `^GET /photos/k\?versionid=`,
		make:    wiretest.Download(storage.WithVersion(version)),
	},
	"upload":              {request: `^PUT /photos/k$`, make: wiretest.Upload()},
	"upload if absent":    {request: `^PUT /photos/k$`, make: wiretest.Upload(storage.IfAbsent())},
	"upload if unchanged": {request: `^PUT /photos/k$`, make: wiretest.Upload(storage.IfRevision(anyRevision))},
	"part":                {request: `^PUT /photos/k\?blockid=.*comp=block$`, make: uploadInParts},
	"complete":            {request: `^PUT /photos/k\?comp=blocklist$`, make: uploadInParts},
	"tags": {
		request: `^GET /photos/k\?comp=tags$`,
		make: func(ctx context.Context, b storage.Bucket, _ storage.Service) error {
			_, err := storage.Tags(ctx, b, "k")
			return err
		},
	},
	"copy of a tagged object": {request: `^GET /photos/s\?comp=tags$`, make: wiretest.Copy},
	"copy":                    {request: `^PUT /photos/k$`, make: wiretest.Copy},
	"list":                    {request: `^GET /photos\?comp=list&`, make: wiretest.List},
	"remove":                  {request: `^DELETE /photos/k$`, make: wiretest.Remove()},
	"remove if unchanged":     {request: `^DELETE /photos/k$`, make: wiretest.Remove(storage.IfRevision(anyRevision))},
	"remove a version": {
		request: `^DELETE /photos/k\?versionid=`,
		make:    wiretest.Remove(storage.WithVersion(version)),
	},
	"create a bucket": {request: `^PUT /photos\?restype=container`, make: wiretest.CreateBucket},
	"delete a bucket": {request: `^DELETE /photos\?restype=container`, make: wiretest.DeleteBucket},
}

// uploadInParts is a [wiretest.Call] that uploads three blocks of 1 MiB, one after the other.
func uploadInParts(ctx context.Context, bucket storage.Bucket, _ storage.Service) error {
	body := strings.NewReader(strings.Repeat("x", 3<<20))
	_, err := bucket.Upload(ctx, "k", body, storage.WithPartSize(1<<20), storage.WithConcurrency(1), storage.IfRevision(anyRevision))
	return err
}

// reply returns the answer in the form in which Azure sends it.
func (a *answer) reply() reply {
	code, isBodyOnly := strings.CutPrefix(a.code, bodyOnly)
	message, elements, _ := strings.Cut(a.message, "|")
	r := reply{Status: a.status, Header: map[string]string{"X-Ms-Request-Id": "R1"}}
	if code != "" && !isBodyOnly {
		r.Header["X-Ms-Error-Code"] = code
	}
	if message != "" {
		const document = "\ufeff<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>%s</Code>" +
			"<Message>%s\nRequestId:R1\nTime:2026-11-20T12:00:00.0000000Z</Message>%s</Error>"
		r.Header["Content-Type"] = "application/xml"
		r.Body = fmt.Sprintf(document, code, message, elements)
	}
	return r
}

// success returns a successful response to a request that does not get the tested answer.
func success(r wiretest.Request) reply {
	switch {
	case r.Method == http.MethodGet && strings.Contains(r.RawQuery, "comp=list"):
		return reply{Body: `<EnumerationResults><Blobs/><NextMarker/></EnumerationResults>`}
	case r.Method == http.MethodGet && strings.Contains(r.RawQuery, "comp=tags"):
		return reply{Body: `<Tags><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tags>`}
	case r.Method == http.MethodGet && strings.Contains(r.RawQuery, "comp=blocklist"):
		return reply{Body: `<BlockList><UncommittedBlocks><Block><Name>QUFB</Name><Size>1</Size></Block></UncommittedBlocks></BlockList>`}
	case r.Method == http.MethodPut && r.RawQuery == "" && r.Header.Get("X-Ms-Copy-Source") != "":
		return accepted
	case r.Method == http.MethodPut:
		return created
	case r.Method == http.MethodDelete:
		return accepted
	}
	return objectReply("hello", "ETag", etag, "X-Ms-Tag-Count", "1")
}

// Each known response of Azure reaches the caller with the expected Code and hint.
func TestAnswersOfAzure(t *testing.T) {
	for _, rows := range [][]answer{recordedAnswers, reportedAnswers, documentedAnswers} {
		for _, a := range rows {
			name := strings.TrimSpace(fmt.Sprintf("%s: %d %s %s", a.call, a.status, a.code, a.message))
			t.Run(name, func(t *testing.T) {
				testAnswer(t, &a)
			})
		}
	}
}

// testAnswer makes the call that an answer belongs to, and checks the call's error. The server sends the answer to the
// one request that the answer is for, and a success to all other requests.
func testAnswer(t *testing.T, a *answer) {
	call, ok := answeredCalls[a.call]
	require.True(t, ok, a.call)
	require.NotEmpty(t, a.source)

	var answered atomic.Int32
	request := regexp.MustCompile(call.request)
	server := newCannedServer(t)
	server.Answer = func(r wiretest.Request) reply {
		// A copy and an upload have the same request line, so the header X-Ms-Copy-Source tells
		// them apart.
		isOther := a.call == "copy" && r.Header.Get("X-Ms-Copy-Source") == ""
		if isOther || !request.MatchString(r.Line()) {
			return success(r)
		}
		answered.Add(1)
		return a.reply()
	}
	d := server.openDriver(t)
	serviceDriver, err := NewServiceDriver(t.Context(), Config{Endpoint: server.URL + "/" + emulatorAccount})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, serviceDriver.Close()) })

	noRetry := storage.WithRetry(storage.RetryPolicy{Attempts: 1})
	bucket := engine.New(d, noRetry, storage.WithVersioning(true))
	err = call.make(t.Context(), bucket, engine.NewService(serviceDriver, noRetry))
	require.NotZero(t, answered.Load(), "the request was not made: %v", server.Lines())
	if a.want == "" {
		require.NoError(t, err)
		return
	}

	e := wiretest.RequireAnswer(t, err, a.want, sdkerror.IsRetryable(a.want), a.hint, a.source)
	// For these two answers, the engine and the driver make errors of their own, which have no
	// status.
	hasStatus := a.want != storage.RangeNotSatisfiable && a.code != "InvalidBlockList"
	if hasStatus {
		require.Equal(t, a.status, e.Status)
	}
}
