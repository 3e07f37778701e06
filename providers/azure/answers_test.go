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

// An answer is a response that Azure is known to send, and what the caller must learn from it.
// The rows are facts that others have documented or recorded; nothing here was asked of Azure.
// Where a page gives a status and a code without the text, the message says the same in our words.
type answer struct {
	call    string // of answeredCalls
	status  int
	code    string // in the header and in the body; with bodyOnly in front, not in the header
	message string // with "|" in it, other elements of the body follow
	want    storage.Code
	hint    string // is part of it
	source  string // a page, or an issue of a repository at GitHub
}

const bodyOnly = "body:"

const (
	blobErrors    = "https://learn.microsoft.com/rest/api/storageservices/blob-service-error-codes"
	commonErrors  = "https://learn.microsoft.com/rest/api/storageservices/common-rest-api-error-codes"
	oldBlobErrors = "https://msdn.microsoft.com/library/windowsazure/dd179439.aspx"
	oldErrors     = "https://msdn.microsoft.com/library/windowsazure/dd179357"
)

// recorded names a response of Azure that a test of its old Python client has recorded.
func recorded(test string) string { return "Azure/azure-storage-python tests/recordings/" + test }

// Responses that are recorded.
var recordedAnswers = []answer{
	{"attrs", 404, "BlobNotFound", "", storage.ObjectNotFound, "", recorded("test_common_blob.test_blob_not_exists")},
	{"attrs", 404, "ContainerNotFound", "", storage.BucketNotFound, "CreateBucket", recorded("test_common_blob.test_blob_container_not_exists")},
	{"download", 404, "BlobNotFound", "The specified blob does not exist.", storage.ObjectNotFound, "", recorded("test_common_blob.test_get_blob_with_non_existing_blob")},
	{"download", 404, bodyOnly + "ResourceNotFound", "The specified resource does not exist.", storage.Unauthenticated, "use credentials", recorded("test_common_blob.test_no_sas_private_blob")},
	{"remove", 404, bodyOnly + "ResourceNotFound", "The specified resource does not exist.", storage.Unauthenticated, "use credentials", recorded("test_common_blob.test_no_sas_private_blob")},
	{"list", 404, bodyOnly + "ResourceNotFound", "The specified resource does not exist.", storage.Unauthenticated, "use credentials", recorded("test_common_blob.test_no_sas_private_blob")},
	{"tags", 404, bodyOnly + "ResourceNotFound", "The specified resource does not exist.", storage.Unauthenticated, "use credentials", recorded("test_common_blob.test_no_sas_private_blob")},
	{"upload", 404, bodyOnly + "ResourceNotFound", "The specified resource does not exist.", storage.Unauthenticated, "use credentials", recorded("test_common_blob.test_no_sas_private_blob")},
	{"upload", 404, "ContainerNotFound", "The specified container does not exist.", storage.BucketNotFound, "CreateBucket", recorded("test_common_blob.test_get_blob_metadata_fail")},
	{"list", 404, "ContainerNotFound", "The specified container does not exist.", storage.BucketNotFound, "CreateBucket", recorded("test_common_blob.test_token_credential")},
	{"remove", 404, "BlobNotFound", "The specified blob does not exist.", "", "", recorded("test_common_blob.test_delete_blob_with_non_existing_blob")},
	{"delete a bucket", 404, "ContainerNotFound", "The specified container does not exist.", storage.BucketNotFound, "", recorded("test_container.test_delete_container_with_non_existing_container")},
	{"create a bucket", 409, "ContainerAlreadyExists", "The specified container already exists.", storage.BucketExists, "", recorded("test_container.test_create_container_with_already_existing_container")},
	{"create a bucket", 400, "InvalidResourceName", "The specifed resource name contains invalid characters.", storage.InvalidArgument, "a-z, 0-9", recorded("test_container.test_unicode_create_container_unicode_name")},

	{"download if changed", 304, "ConditionNotMet", "", storage.NotModified, "", recorded("test_blob_access_conditions.test_get_blob_with_if_modified_fail")},
	{"attrs if changed", 304, "ConditionNotMet", "", storage.NotModified, "", recorded("test_blob_access_conditions.test_get_blob_properties_with_if_modified_fail")},
	{"download if unchanged", 412, "ConditionNotMet", "The condition specified using HTTP conditional header(s) is not met.", storage.PreconditionFailed, "", recorded("test_blob_access_conditions.test_get_blob_with_if_match_fail")},
	{"attrs if unchanged", 412, "ConditionNotMet", "", storage.PreconditionFailed, "", recorded("test_blob_access_conditions.test_get_blob_properties_with_if_match_fail")},
	{"upload if unchanged", 412, "ConditionNotMet", "The condition specified using HTTP conditional header(s) is not met.", storage.PreconditionFailed, "", recorded("test_blob_access_conditions.test_put_blob_with_if_match_fail")},
	{"remove if unchanged", 412, "ConditionNotMet", "The condition specified using HTTP conditional header(s) is not met.", storage.PreconditionFailed, "", recorded("test_blob_access_conditions.test_delete_blob_with_if_match_fail")},
	{"complete", 412, "ConditionNotMet", "The condition specified using HTTP conditional header(s) is not met.", storage.PreconditionFailed, "", recorded("test_blob_access_conditions.test_put_block_list_with_if_match_fail")},

	{"part", 400, "Md5Mismatch", "The MD5 value specified in the request did not match with the MD5 value calculated by the server.", storage.ChecksumMismatch, "", recorded("test_block_blob_sync_copy.test_put_block_from_url_and_validate_content_md5")},
	{"complete", 400, "InvalidBlockList", "The specified block list is invalid.", storage.Unavailable, "dropped blocks", recorded("test_block_blob.test_put_block_list_invalid_block_id")},
	{"download a range", 416, "InvalidRange", "The range specified is invalid for the current size of the resource.", storage.RangeNotSatisfiable, "", recorded("test_get_blob.test_get_blob_no_content")},
	{"upload", 400, "InvalidHeaderValue", "The value for one of the HTTP headers is not in the correct format.", storage.InvalidArgument, "", recorded("test_page_blob.test_create_larger_than_8tb_blob_fail")},
	{"upload", 400, "OutOfRangeInput", "One of the request inputs is out of range.", storage.InvalidArgument, "", recorded("test_blob_access_conditions.test_append_block_with_if_match_fail")},
	{"read a version", 400, bodyOnly + "InvalidQueryParameterValue", "Value for one of the query parameters specified in the request URI is invalid.", storage.InvalidArgument, "", recorded("test_common_blob.test_get_blob_metadata_fail")},
	{"attributes of a version", 400, "", "", storage.InvalidArgument, "", recorded("test_common_blob.test_get_blob_properties_fail")},

	{"list", 403, "AuthorizationPermissionMismatch", "This request is not authorized to perform this operation using this permission.", storage.PermissionDenied, "Storage Blob Data Contributor", recorded("test_blob_sas.test_get_user_delegation_key")},
	{"list", 400, "InvalidAuthenticationInfo", "Authentication information is not given in the correct format. Check the value of Authorization header.", storage.Unauthenticated, "account key", recorded("test_common_blob.test_token_credential")},
	{"download", 409, "BlobUsesCustomerSpecifiedEncryption", "The blob is encrypted with customer specified encryption, but it was not provided in the request.", storage.InvalidArgument, "WithCustomerKey", recorded("test_cpk.test_append_block")},
	{"attrs", 409, "BlobUsesCustomerSpecifiedEncryption", "", storage.InvalidArgument, "WithCustomerKey", recorded("test_cpk.test_get_set_blob_properties")},
	{"remove", 412, "LeaseIdMissing", "There is currently a lease on the blob and no lease ID was specified in the request.", storage.Locked, "lease", recorded("test_common_blob.test_soft_delete_with_leased_blob")},
	{"upload", 412, "LeaseLost", "A lease ID was specified, but the lease for the blob has expired.", storage.Locked, "lease", recorded("test_common_blob.test_lease_blob_break_period")},
	{"upload", 409, "LeaseAlreadyPresent", "There is already a lease present.", storage.Locked, "lease", recorded("test_common_blob.test_lease_blob_acquire_twice_fails")},
	{"upload", 500, "InternalError", "Server encountered an internal error. Please try again after some time.", storage.Unavailable, "", recorded("test_append_blob.test_append_block_from_url_with_maxsize_condition")},
}

// Responses that users have reported. If the service cannot read the source of a copy, the bytes
// pass through this process, and the copy succeeds.
var reportedAnswers = []answer{
	{"list", 503, "ServerBusy", "Egress is over the account limit.", storage.RateLimited, "", "Azure/azure-sdk-for-go#22139"},
	{"list", 503, "ServerBusy", "Operations per second is over the account limit.", storage.RateLimited, "", "Azure/azure-storage-azcopy#2331"},
	{"download", 503, bodyOnly + "ServerBusy", "Egress is over the account limit.", storage.RateLimited, "", "microsoft/PlanetaryComputer#191"},
	{"upload", 503, "ServerBusy", "The server is busy.", storage.RateLimited, "", "microsoft/vscode-azurestorage#502"},
	{"create a bucket", 409, "PublicAccessNotPermitted", "Public access is not permitted on this storage account.", storage.PermissionDenied, "forbids public access", "Altinity/clickhouse-backup#196"},
	{"list", 409, "PublicAccessNotPermitted", "Public access is not permitted on this storage account.", storage.PermissionDenied, "no public access", "blobfile/blobfile#139"},
	{"upload", 409, "BlobImmutableDueToPolicy", "This operation is not permitted as the blob is immutable due to a policy.", storage.Locked, "", "Azure/azure-powershell#9195"},
	{"upload", 400, "BlobAccessTierNotSupportedForAccountType", "The access tier is not supported for this account type.", storage.InvalidArgument, "access tier", "Azure/azure-sdk-for-net#38465"},
	{"remove a version", 403, "OperationNotAllowedOnRootBlob", "The operation is not allowed on the root blob.", storage.Locked, "current one", "Azure/azure-sdk-for-java#48716"},
	{"copy", 403, "CannotVerifyCopySource", "Forbidden", "", "", "Azure/azure-storage-python#720"},
	{"copy", 404, "CannotVerifyCopySource", "The specified resource does not exist.", "", "", "Azure/azure-powershell#12287"},
	{"copy", 409, "CannotVerifyCopySource", "Could not verify copy source.", "", "", "Azure/azure-sdk-for-java#24881"},
	{"copy", 409, "PublicAccessNotPermitted", "Public access is not permitted on this storage account.", "", "", "Azure/azure-sdk-for-java#24881"},
	{"download", 403, "AuthenticationFailed", "Server failed to authenticate the request.|<AuthenticationErrorDetail>Policy violated by no signed start.</AuthenticationErrorDetail>", storage.Unauthenticated, "SAS expiration policy", "microsoft/AzureStorageExplorer#8845"},
	{"tags", 403, "AuthorizationPermissionMismatch", "This request is not authorized to perform this operation using this permission.", storage.PermissionDenied, "Storage Blob Data Owner", "Azure/azure-sdk-for-python#21668"},
	{"copy of a tagged object", 403, "AuthorizationPermissionMismatch", "This request is not authorized to perform this operation using this permission.", "", "", "microsoft/AzureStorageExplorer#6709"},
	{"delete a bucket", 409, "ContainerImmutableStorageWithVersioningEnabled", "The requested operation is not allowed as the container has a immutable storage with versioning enabled.", storage.Unsupported, "management plane", "Azure/azure-sdk-for-python#22255"},
	{"tags", 400, "InvalidQueryParameterValue", "Value for one of the query parameters specified in the request URI is invalid.|<QueryParameterName>comp</QueryParameterName><QueryParameterValue>tags</QueryParameterValue>", storage.Unsupported, "hierarchical namespace", "Azure/azure-sdk-for-net#39388"},
	{"remove", 409, "DirectoryIsNotEmpty", "This operation is not permitted on a non-empty directory.", storage.Unsupported, "hierarchical namespace", "Azure/azure-cli#23062"},
	{"remove", 400, "OperationNotSupportedOnDirectory", "The requested operation is not supported on a directory.", storage.Unsupported, "hierarchical namespace", "Azure/azure-sdk-for-net#39065"},
	{"upload", 400, "BlobTypeNotSupported", "Block blobs are not supported.", storage.Unsupported, "", "Azure/azure-sdk-for-java#27282"},
	{"delete a bucket", 409, "ContainerImmutabilityPolicyLocked", "The requested operation is not allowed as the container has a locked immutability policy.", storage.Locked, "management plane", "Azure/azure-powershell#22564"},
}

// Responses that Microsoft documents.
var documentedAnswers = []answer{
	{"upload if absent", 409, "BlobAlreadyExists", "The specified blob already exists.", storage.PreconditionFailed, "", blobErrors},
	{"upload if absent", 409, "BlobImmutableDueToPolicy", "This operation is not permitted as the blob is immutable due to a policy.", storage.PreconditionFailed, "", blobErrors}, // what the service notices first is not documented
	{"upload if absent", 409, "BlobImmutableDueToLegalHold", "This operation is not permitted as the blob is immutable due to one or more legal holds.", storage.PreconditionFailed, "", blobErrors},
	{"upload if absent", 412, "LeaseIdMissing", "There is currently a lease on the blob and no lease ID was specified in the request.", storage.PreconditionFailed, "", blobErrors},
	{"delete a bucket", 412, "LeaseIdMissing", "There is currently a lease on the container and no lease ID was specified in the request.", storage.Locked, "on the container", blobErrors},
	{"remove", 409, "BlobImmutableDueToLegalHold", "This operation is not permitted as the blob is immutable due to one or more legal holds.", storage.Locked, "", blobErrors},
	{"remove", 409, "BlobImmutableDueToPolicy", "This operation is not permitted as the blob is immutable due to a policy.", storage.Locked, "", blobErrors},
	{"part", 409, "BlobOperationNotSupported", "The operation is not supported in this scenario.", storage.Unsupported, "remove it first", blobErrors},
	{"upload", 409, "BlobTierInadequateForContentLength", "The specified blob tier size limit cannot be less than content length.", storage.TooLarge, "", blobErrors},
	{"complete", 409, "BlockCountExceedsLimit", "The committed block count cannot exceed the maximum limit of 50,000 blocks.", storage.TooLarge, "", blobErrors},
	{"part", 409, "BlockCountExceedsLimit", "The uncommitted block count cannot exceed the maximum limit of 100,000 blocks.", storage.Locked, "small object", blobErrors},
	{"copy", 409, "BlobOverwritten", "The blob has been recreated since the previous snapshot was taken.", storage.Changed, "", blobErrors},
	{"complete", 400, "BlockListTooLong", "The blocklist may not contain more than 50,000 blocks.", storage.TooLarge, "", blobErrors},
	{"copy", 500, "CannotVerifyCopySource", "Could not verify the copy source within the specified time.", storage.Unavailable, "", blobErrors},
	{"upload", 409, "ContainerBeingDeleted", "The specified container is being deleted.", storage.BucketNotFound, "half a minute", blobErrors},
	{"upload", 404, "EncryptionScopeNotFound", "The specified encryption scope was not found.", storage.InvalidArgument, "encryption_scope=", blobErrors},
	{"upload", 409, "ContainerDisabled", "The specified container has been disabled by the administrator.", storage.PermissionDenied, "", blobErrors},
	{"part", 400, "InvalidBlockId", "The specified block ID is invalid. The block ID must be Base64-encoded.", storage.InvalidArgument, "", oldBlobErrors},
	{"part", 400, "InvalidBlobOrBlock", "The specified blob or block content is invalid.", storage.Locked, "short ids", oldBlobErrors},
	{"remove", 409, "SystemInUse", "This blob is in use by the system.", storage.Locked, "", blobErrors},
	{"upload", 412, "LeaseIdMismatchWithBlobOperation", "The lease ID specified did not match the lease ID for the blob.", storage.Locked, "lease", oldBlobErrors},

	{"download", 401, "NoAuthenticationInformation", "Server failed to authenticate the request. Please refer to the information in the www-authenticate header.", storage.Unauthenticated, "private", commonErrors},
	{"download", 401, "InvalidAuthenticationInfo", "Server failed to authenticate the request. Please refer to the information in the www-authenticate header.", storage.Unauthenticated, "account key", commonErrors},
	{"upload", 409, "AccountBeingCreated", "The specified account is in the process of being created.", storage.Unavailable, "", commonErrors},
	{"upload", 403, "AccountIsDisabled", "The specified account is disabled.", storage.PermissionDenied, "disabled", commonErrors},
	{"upload", 403, "AuthenticationFailed", "Server failed to authenticate the request. Make sure the value of the Authorization header is formed correctly including the signature.", storage.Unauthenticated, "clock", commonErrors},
	{"attrs", 403, "AuthenticationFailed", "", storage.Unauthenticated, "clock", commonErrors},
	{"upload", 409, "ResourceTypeMismatch", "The specified resource type does not match the type of the existing resource.", storage.Unsupported, "hierarchical namespace", commonErrors},
	{"upload", 400, "ConditionHeadersNotSupported", "Condition headers are not supported.", storage.Unsupported, "", commonErrors},
	{"upload", 400, "EmptyMetadataKey", "The key for one of the metadata key-value pairs is empty.", storage.InvalidArgument, "", commonErrors},
	{"download", 403, "InsufficientAccountPermissions", "Read operations are currently disabled.", storage.PermissionDenied, "may not do this", commonErrors},
	{"upload", 403, "InsufficientAccountPermissions", "Write operations are not allowed.", storage.PermissionDenied, "may not do this", commonErrors},
	{"list", 500, "InternalError", "The server encountered an internal error. Please retry the request.", storage.Unavailable, "", commonErrors},
	{"upload", 400, "InvalidHttpVerb", "The HTTP verb specified was not recognized by the server.", storage.InvalidArgument, "", commonErrors},
	{"upload", 400, "InvalidInput", "One of the request inputs is not valid.", storage.InvalidArgument, "", commonErrors},
	{"upload", 400, "InvalidMd5", "The MD5 value specified in the request is invalid. The MD5 value must be 128 bits and Base64-encoded.", storage.ChecksumMismatch, "", commonErrors},
	{"upload", 400, "InvalidMetadata", "The specified metadata is invalid. It includes characters that are not permitted.", storage.InvalidArgument, "", commonErrors},
	{"list", 400, "InvalidHeaderValue", "The value for one of the HTTP headers is not in the correct format.|<HeaderName>x-ms-version</HeaderName><HeaderValue>2026-12-06</HeaderValue>", storage.InvalidArgument, "api_version=", commonErrors},
	{"upload", 400, "InvalidHeaderValue", "The value for one of the HTTP headers is not in the correct format.|<HeaderName>x-ms-version</HeaderName><HeaderValue>2026-12-06</HeaderValue>", storage.InvalidArgument, "Config.APIVersion", commonErrors},
	{"attrs", 400, "InvalidHeaderValue", "", storage.InvalidArgument, "api_version=", commonErrors},
	{"list", 400, "InvalidQueryParameterValue", "An invalid value was specified for one of the query parameters in the request URI.", storage.InvalidArgument, "", oldErrors},
	{"list", 400, "OutOfRangeQueryParameterValue", "A query parameter specified in the request URI is outside the permissible range.", storage.InvalidArgument, "", oldErrors},
	{"list", 400, "UnsupportedQueryParameter", "One of the query parameters specified in the request URI is not supported.", storage.Unsupported, "", oldErrors},
	{"list", 400, "MissingRequiredQueryParameter", "A required query parameter was not specified for this request.", storage.InvalidArgument, "", oldErrors},
	{"upload", 400, "MissingRequiredHeader", "A required HTTP header was not specified.", storage.InvalidArgument, "", oldErrors},
	{"upload", 400, "UnsupportedHeader", "One of the HTTP headers specified in the request is not supported.", storage.Unsupported, "", oldErrors},
	{"complete", 400, "MissingRequiredXmlNode", "A required XML node was not specified in the request body.", storage.InvalidArgument, "", oldErrors},
	{"complete", 400, "UnsupportedXmlNode", "One of the XML nodes specified in the request body is not supported.", storage.InvalidArgument, "", oldErrors},
	{"complete", 400, "InvalidXmlNodeValue", "The value provided for one of the XML nodes in the request body was not in the correct format.", storage.InvalidArgument, "", oldErrors},
	{"upload", 400, "InvalidUri", "The requested URI does not represent any resource on the server.", storage.InvalidArgument, "", oldErrors},
	{"upload", 400, "RequestUrlFailedToParse", "The url in the request could not be parsed.", storage.InvalidArgument, "", oldErrors},
}

// An answeredCall makes one request that is answered, among others that succeed.
type answeredCall struct {
	request string // is a pattern for the request line of the answered one
	make    wiretest.Call
}

const anyRevision = "azure:" + etag

// answeredCalls are the operations, by the names that answers use.
var answeredCalls = map[string]answeredCall{
	"attrs":                   {`^HEAD /photos/k$`, wiretest.Attrs()},
	"attrs if changed":        {`^HEAD /photos/k$`, wiretest.Attrs(storage.IfRevisionNot(anyRevision))},
	"attrs if unchanged":      {`^HEAD /photos/k$`, wiretest.Attrs(storage.IfRevision(anyRevision))},
	"attributes of a version": {`^HEAD /photos/k\?versionid=`, wiretest.Attrs(storage.WithVersion(version))},
	"download":                {`^GET /photos/k$`, wiretest.Download()},
	"download a range":        {`^GET /photos/k$`, wiretest.Download(storage.WithRange(32, 10))},
	"download if changed":     {`^GET /photos/k$`, wiretest.Download(storage.IfRevisionNot(anyRevision))},
	"download if unchanged":   {`^GET /photos/k$`, wiretest.Download(storage.IfRevision(anyRevision))},
	"read a version":          {`^GET /photos/k\?versionid=`, wiretest.Download(storage.WithVersion(version))},
	"upload":                  {`^PUT /photos/k$`, wiretest.Upload()},
	"upload if absent":        {`^PUT /photos/k$`, wiretest.Upload(storage.IfAbsent())},
	"upload if unchanged":     {`^PUT /photos/k$`, wiretest.Upload(storage.IfRevision(anyRevision))},
	"part":                    {`^PUT /photos/k\?blockid=.*comp=block$`, uploadInParts},
	"complete":                {`^PUT /photos/k\?comp=blocklist$`, uploadInParts},
	"tags": {`^GET /photos/k\?comp=tags$`, func(ctx context.Context, b storage.Bucket, _ storage.Service) error {
		_, err := storage.Tags(ctx, b, "k")
		return err
	}},
	"copy of a tagged object": {`^GET /photos/s\?comp=tags$`, wiretest.Copy},
	"copy":                    {`^PUT /photos/k$`, wiretest.Copy},
	"list":                    {`^GET /photos\?comp=list&`, wiretest.List},
	"remove":                  {`^DELETE /photos/k$`, wiretest.Remove()},
	"remove if unchanged":     {`^DELETE /photos/k$`, wiretest.Remove(storage.IfRevision(anyRevision))},
	"remove a version":        {`^DELETE /photos/k\?versionid=`, wiretest.Remove(storage.WithVersion(version))},
	"create a bucket":         {`^PUT /photos\?restype=container`, wiretest.CreateBucket},
	"delete a bucket":         {`^DELETE /photos\?restype=container`, wiretest.DeleteBucket},
}

func uploadInParts(ctx context.Context, b storage.Bucket, _ storage.Service) error {
	body := strings.NewReader(strings.Repeat("x", 3<<20))
	_, err := b.Upload(ctx, "k", body, storage.WithPartSize(1<<20), storage.WithConcurrency(1), storage.IfRevision(anyRevision))
	return err
}

// reply returns the response.
func (a *answer) reply() said {
	code, hidden := strings.CutPrefix(a.code, bodyOnly)
	r := said{Status: a.status, Header: map[string]string{"X-Ms-Request-Id": "R1"}}
	if code != "" && !hidden {
		r.Header["X-Ms-Error-Code"] = code
	}
	if message, extra, _ := strings.Cut(a.message, "|"); message != "" {
		r.Header["Content-Type"] = "application/xml"
		r.Body = fmt.Sprintf("\ufeff<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>%s</Code><Message>%s\nRequestId:R1\nTime:2026-11-20T12:00:00.0000000Z</Message>%s</Error>", code, message, extra)
	}
	return r
}

// success returns the response to a request that is made before or after the answered one.
func success(r wiretest.Request) said {
	switch {
	case r.Method == http.MethodGet && strings.Contains(r.RawQuery, "comp=list"):
		return said{Body: `<EnumerationResults><Blobs/><NextMarker/></EnumerationResults>`}
	case r.Method == http.MethodGet && strings.Contains(r.RawQuery, "comp=tags"):
		return said{Body: `<Tags><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tags>`}
	case r.Method == http.MethodGet && strings.Contains(r.RawQuery, "comp=blocklist"):
		return said{Body: `<BlockList><UncommittedBlocks><Block><Name>QUFB</Name><Size>1</Size></Block></UncommittedBlocks></BlockList>`}
	case r.Method == http.MethodPut && r.RawQuery == "" && r.Header.Get("X-Ms-Copy-Source") != "":
		return accepted
	case r.Method == http.MethodPut:
		return created
	case r.Method == http.MethodDelete:
		return accepted
	}
	return anObject("hello", "ETag", etag, "X-Ms-Tag-Count", "1")
}

func TestAnswersOfAzure(t *testing.T) {
	for _, rows := range [][]answer{recordedAnswers, reportedAnswers, documentedAnswers} {
		for _, a := range rows {
			name := strings.TrimSpace(fmt.Sprintf("%s: %d %s %s", a.call, a.status, a.code, a.message))
			t.Run(name, func(t *testing.T) { testAnswer(t, &a) })
		}
	}
}

func testAnswer(t *testing.T, a *answer) {
	c, ok := answeredCalls[a.call]
	require.True(t, ok, a.call)
	require.NotEmpty(t, a.source)
	var answered atomic.Int32
	w := newScript(t)
	w.server.Answer = func(r wiretest.Request) said {
		if !regexp.MustCompile(c.request).MatchString(r.Line()) || a.call == "copy" && r.Header.Get("X-Ms-Copy-Source") == "" {
			return success(r)
		}
		answered.Add(1)
		return a.reply()
	}
	d := w.driver(t)
	s, err := NewServiceDriver(t.Context(), Config{Endpoint: w.server.URL + "/" + emulatorAccount})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	once := storage.WithRetry(storage.RetryPolicy{Attempts: 1})
	err = c.make(t.Context(), engine.New(d, once, storage.WithVersioning(true)), engine.NewService(s, once))
	require.NotZero(t, answered.Load(), "the request was not made: %v", w.server.Lines())
	if a.want == "" {
		require.NoError(t, err)
		return
	}
	e := wiretest.RequireAnswer(t, err, a.want, sdkerror.IsRetryable(a.want), a.hint, a.source)
	if a.want != storage.RangeNotSatisfiable && a.code != "InvalidBlockList" { // they are errors of the engine and of the driver
		require.Equal(t, a.status, e.Status)
	}
}
