package s3error

import (
	"net/http"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/sdkerror"
)

// These are hints for error codes.
const (
	ClockHint  = "the clock of this machine differs from the store's: correct it"
	RegionHint = "the bucket is in another region or has another endpoint"
	deniedHint = "the credentials may not do this; without permission to list the bucket, S3 reports missing objects this way too"
	kmsUseHint = "the credentials may not use the KMS key, which the key's policy and theirs must permit"
	headerHint = "the server refuses this header: name the server by its profile, as profile= or Config.Profile"
)

// meanings maps the error codes of S3 and of compatible servers to the library's codes and
// hints. For responses without a known code, it maps their status.
var meanings = sdkerror.Table{
	Codes: sdkerror.Codes(map[sdkerror.Meaning]string{
		{Code: storage.ObjectNotFound}: "NoSuchKey NoSuchVersion",
		{Code: storage.BucketNotFound}: "NoSuchBucket NoSuchAccessPoint NoSuchMultiRegionAccessPoint",
		// NoSuchUpload means that the upload was aborted or completed, not that an object is
		// missing.
		{Code: storage.InvalidArgument}: `
			NoSuchUpload InvalidArgument InvalidRequest InvalidURI InvalidTag KeyTooLongError MetadataTooLarge
			MalformedXML InvalidPart InvalidPartOrder EntityTooSmall XMinioInvalidObjectName XMinioInvalidResourceName
			IllegalVersioningException ClientTokenConflict IdempotencyException NoSuchAsyncRequest
			ObjectAlreadyInActiveTierError`,
		{Code: storage.Unsupported, Hint: LockHint}: "ObjectLockConfigurationNotFoundError NoSuchObjectLockConfiguration",
		// BucketConflict: R2
		{Code: storage.BucketExists}: "BucketAlreadyExists BucketAlreadyOwnedByYou BucketConflict AccessPointAlreadyOwnedByYou",
		{Code: storage.PermissionDenied, Hint: "the account has reached its limit of buckets: remove some, or ask the provider for more"}: "TooManyBuckets",
		{Code: storage.BucketNotEmpty}:     "BucketNotEmpty",
		{Code: storage.PreconditionFailed}: "PreconditionFailed InvalidWriteOffset",
		// R2 returns ClientDisconnect, and Wasabi returns ConnectionClosed.
		{Code: storage.Unavailable}: `
			ConditionalRequestConflict OperationAborted IncompleteBody ClientDisconnect ConnectionClosed
			RequestTimeout InternalError ServiceUnavailable XMinioServerNotInitialized ConnectionClosedByRequester
			ResponseInterrupted`,
		{Code: storage.NotModified}:         "NotModified",
		{Code: storage.RangeNotSatisfiable}: "InvalidRange",
		{Code: storage.InvalidArgument, Hint: "a bucket's name has 3 to 63 of the characters a-z, 0-9, \"-\" and \".\""}: "InvalidBucketName",
		{Code: storage.InvalidArgument, Hint: "a proxy has removed the Content-Length of the request: uploads need it"}:  "MissingContentLength",
		{Code: storage.TooLarge}:                    "EntityTooLarge TooManyParts MaxMessageLengthExceeded",
		{Code: storage.Archived, Hint: restoreHint}: "ObjectNotInActiveTierError InvalidObjectState",
		{Code: storage.Archived, Hint: "the object is being restored: Attrs.Restore tells how far it is"}: "RestoreAlreadyInProgress",
		{Code: storage.Unavailable, Hint: "use WithRestoreTier(\"Standard\")"}:                            "GlacierExpeditedRetrievalNotAvailable",
		{Code: storage.InvalidArgument, Hint: "the server does not have this storage class"}:              "InvalidStorageClass",
		// Amazon returns TemporaryRedirect for hours after a bucket was created, until DNS is up to
		// date.
		{Code: storage.InvalidArgument, Hint: RegionHint}: `
			IllegalLocationConstraint AuthorizationHeaderMalformed PermanentRedirect MovedPermanently
			TemporaryRedirect IllegalLocationConstraintException InvalidRegion`,
		// Alibaba OSS, Tencent COS and Volcengine TOS return these codes, with the status 403.
		{Code: storage.InvalidArgument, Hint: "this server wants the bucket's name in the host: set path_style=false"}: "SecondLevelDomainForbidden PathStyleDomainForbidden InvalidPathAccess",
		{Code: storage.ChecksumMismatch}:                   "BadDigest InvalidDigest XAmzContentSHA256Mismatch XAmzContentChecksumMismatch",
		{Code: storage.PermissionDenied, Hint: deniedHint}: "AccessDenied",
		{Code: storage.PermissionDenied}:                   "AllAccessDisabled",
		// AccountNotActivated: Wasabi
		{Code: storage.PermissionDenied, Hint: "the provider has restricted the account: ask the provider why"}: "AccountProblem AccountNotActivated",
		// NotEntitled: R2
		{Code: storage.PermissionDenied, Hint: "the account does not have this service: sign up or subscribe at the provider"}: "NotSignedUp NotEntitled",
		// ObjectLockedByBucketPolicy: R2
		{Code: storage.Locked}: "ObjectLocked ObjectLockedByBucketPolicy",
		{Code: storage.Unsupported, Hint: "the bucket's object lock or versioning does not allow this"}: "InvalidBucketState",
		// R2 returns Unauthorized. versitygw returns XAdminUserNotFound, with the status 404.
		{Code: storage.Unauthenticated, Hint: "the store does not know the access key: it may be for another service or endpoint"}: "InvalidAccessKeyId InvalidSecurity Unauthorized XAdminUserNotFound",
		{Code: storage.Unauthenticated, Hint: "the secret key does not match the access key, or a proxy changed the request"}:      "SignatureDoesNotMatch InvalidSignature MissingAuthenticationToken",
		// ExpiredRequest: R2
		{Code: storage.Unauthenticated, Hint: "the signature has expired: check the clock of this machine, and sign the URL again"}: "ExpiredRequest",
		// Wasabi returns AuthenticationLockout, and MinIO returns InvalidTokenId.
		{Code: storage.Unauthenticated, Hint: "too many requests had wrong credentials: correct them, and wait five minutes"}: "AuthenticationLockout",
		{
			Code: storage.Unauthenticated,
			Hint: "the session token has expired, is missing, or belongs to another access key",
		}: "ExpiredToken InvalidToken InvalidTokenId TokenRefreshRequired InvalidSessionException",
		// The driver learns the difference of the clocks from the response, and corrects the time
		// of the next attempt.
		{Code: storage.Unauthenticated, Retryable: true, Hint: ClockHint}: "RequestTimeTooSkewed",
		{Code: storage.RateLimited}: `
			SlowDown SlowDownRead SlowDownWrite RequestLimitExceeded TooManyRequests TooManyRequestsException
			Throttling ThrottlingException ThrottledException RequestThrottled RequestThrottledException
			BandwidthLimitExceeded ServerBusy RequestRateLimitExceeded`, // the last one is Wasabi's, with 403
		{Code: storage.Internal, Hint: "the store is full: free some space there"}: "XMinioStorageFull",
		// Servers that store keys as files return these codes.
		{Code: storage.Unsupported, Hint: "this server stores keys as files: it cannot have both a key and one below it, such as a and a/b"}: `
			ObjectParentIsFile ExistingObjectIsDirectory ExistingObjectIsFile XMinioParentIsObject
			XMinioObjectExistsAsDirectory`,
		{Code: storage.Unsupported}: "NotImplemented UnsupportedOperation MethodNotAllowed",
		{Code: storage.Unsupported, Hint: "the bucket has ACLs disabled: make it public with a bucket policy and omit WithPublicRead"}: "AccessControlListNotSupported",
	}),
	Statuses: map[int]sdkerror.Meaning{
		http.StatusMovedPermanently:  {Code: storage.InvalidArgument, Hint: RegionHint},
		http.StatusTemporaryRedirect: {Code: storage.InvalidArgument, Hint: RegionHint},
		http.StatusPermanentRedirect: {Code: storage.InvalidArgument, Hint: RegionHint},
		http.StatusForbidden:         {Code: storage.PermissionDenied, Hint: deniedHint},
		http.StatusConflict:          {Code: storage.Unavailable},
	},
}

// Meaning returns what a provider's code means or, if the code is unknown, the status. Some codes
// stand for several reasons, which only the message tells apart.
func Meaning(code, message string, status int) sdkerror.Meaning {
	if isKMSCode(code) {
		return kmsMeaning(code, status)
	}
	if m, ok := lockMeaning(code, message); ok {
		return m
	}

	// The message tells apart the reasons of a code that has several.
	m := meanings.Lookup(code, status)
	if hint := hintOfMessage(code, message); hint != "" {
		m.Hint = hint
		return m
	}
	if code == "InvalidArgument" && strings.HasPrefix(message, "Unsupported header '") { // B2
		return sdkerror.Meaning{Code: storage.Unsupported, Hint: headerHint}
	}

	// Some meanings depend on the status.
	switch status {
	case http.StatusConflict:
		isUnknown := code != "" && code != "Conflict" && !meanings.Has(code)
		if isUnknown {
			return sdkerror.Unknown // a retry may be of no use
		}
	case http.StatusTooManyRequests:
		m.Code = storage.RateLimited
	case http.StatusServiceUnavailable:
		if strings.Contains(strings.ToLower(message), "reduce your request rate") {
			m.Code = storage.RateLimited
		}
	}
	return m
}

// hintOfMessage returns the hint for an error whose reason only the message names, or "".
func hintOfMessage(code, message string) string {
	switch code {
	case "AccessDenied":
		if strings.Contains(message, "to perform: kms:") || strings.Contains(message, "customer master key") {
			return kmsUseHint
		}
		if strings.Contains(message, " cap exceeded") { // B2
			return "a limit of the account is reached: raise it at the provider, or wait for the next day if it is of requests or downloads"
		}
	case "InvalidRequest":
		if strings.Contains(message, "is required for Put") && strings.Contains(message, "Object Lock") {
			return "the bucket has a default retention, and S3 locks only what it can check: begin the upload without WithUncheckedParts"
		}
	}
	return ""
}

// mayBeWrongRegion reports whether the response may mean that the region is wrong. A response to
// HEAD has no code, so that its status 400 may have this meaning, too.
func mayBeWrongRegion(code string, status int) bool {
	return meanings.Lookup(code, status).Hint == RegionHint ||
		status == http.StatusBadRequest && !meanings.Has(code)
}
