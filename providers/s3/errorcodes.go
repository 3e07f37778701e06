package s3

import (
	"net/http"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/sdkerror"
)

const (
	clockHint   = "the clock of this machine differs from the store's: correct it"
	keyHint     = "the store does not know the access key: it may be for another service or endpoint"
	secretHint  = "the secret key does not match the access key, or a proxy changed the request"
	sessionHint = "the session token has expired, is missing, or belongs to another access key"
	regionHint  = "the bucket is in another region or has another endpoint"
	deniedHint  = "the credentials may not do this; without permission to list the bucket, S3 reports missing objects this way too"
	fileHint    = "this server stores keys as files: it cannot have both a key and one below it, such as a and a/b"
	aclHint     = "the bucket has ACLs disabled: make it public with a bucket policy and omit WithPublicRead"
	accountHint = "the provider has restricted the account: ask the provider why"
	kmsUseHint  = "the credentials may not use the KMS key, which the key's policy and theirs must permit"
	headerHint  = "the server refuses this header: name the server by its profile, as profile= or Config.Profile"
	expiredHint = "the signature has expired: check the clock of this machine, and sign the URL again"
	lockoutHint = "too many requests had wrong credentials: correct them, and wait five minutes"
	lengthHint  = "a proxy has removed the Content-Length of the request: uploads need it"
	limitHint   = "the account has reached its limit of buckets: remove some, or ask the provider for more"
	signUpHint  = "the account does not have this service: sign up or subscribe at the provider"
)

// errorMeanings has the codes of S3 and of compatible servers, and the statuses
// of responses without a known code.
var errorMeanings = sdkerror.Table{
	Codes: map[string]sdkerror.Meaning{
		"NoSuchKey":     {Code: storage.ObjectNotFound},
		"NoSuchVersion": {Code: storage.ObjectNotFound},
		"NoSuchBucket":  {Code: storage.BucketNotFound},
		// A missing upload was aborted or completed: no object is missing.
		"NoSuchUpload": {Code: storage.InvalidArgument},

		"ObjectLockConfigurationNotFoundError": {Code: storage.Unsupported, Hint: lockHint},

		"BucketAlreadyExists":     {Code: storage.BucketExists},
		"BucketAlreadyOwnedByYou": {Code: storage.BucketExists},
		"BucketConflict":          {Code: storage.BucketExists}, // R2
		"TooManyBuckets":          {Code: storage.PermissionDenied, Hint: limitHint},
		"BucketNotEmpty":          {Code: storage.BucketNotEmpty},

		"PreconditionFailed":         {Code: storage.PreconditionFailed},
		"ConditionalRequestConflict": {Code: storage.Unavailable},
		"OperationAborted":           {Code: storage.Unavailable},
		"NotModified":                {Code: storage.NotModified},
		"InvalidRange":               {Code: storage.RangeNotSatisfiable},

		"InvalidArgument":            {Code: storage.InvalidArgument},
		"InvalidRequest":             {Code: storage.InvalidArgument},
		"InvalidURI":                 {Code: storage.InvalidArgument},
		"InvalidTag":                 {Code: storage.InvalidArgument},
		"InvalidBucketName":          {Code: storage.InvalidArgument, Hint: "a bucket's name has 3 to 63 of the characters a-z, 0-9, \"-\" and \".\""},
		"KeyTooLongError":            {Code: storage.InvalidArgument},
		"MetadataTooLarge":           {Code: storage.InvalidArgument},
		"MalformedXML":               {Code: storage.InvalidArgument},
		"InvalidPart":                {Code: storage.InvalidArgument},
		"InvalidPartOrder":           {Code: storage.InvalidArgument},
		"EntityTooSmall":             {Code: storage.InvalidArgument},
		"MissingContentLength":       {Code: storage.InvalidArgument, Hint: lengthHint},
		"IncompleteBody":             {Code: storage.Unavailable},
		"ClientDisconnect":           {Code: storage.Unavailable}, // R2
		"ConnectionClosed":           {Code: storage.Unavailable}, // Wasabi
		"RequestTimeout":             {Code: storage.Unavailable},
		"EntityTooLarge":             {Code: storage.TooLarge},
		"TooManyParts":               {Code: storage.TooLarge},
		"ObjectNotInActiveTierError": {Code: storage.Archived, Hint: restoreHint},
		"InvalidObjectState":         {Code: storage.Archived, Hint: restoreHint},

		"MaxMessageLengthExceeded":              {Code: storage.TooLarge},
		"RestoreAlreadyInProgress":              {Code: storage.Archived, Hint: "the object is being restored: Attrs.Restore tells how far it is"},
		"GlacierExpeditedRetrievalNotAvailable": {Code: storage.Unavailable, Hint: "use WithRestoreTier(\"Standard\")"},
		"XMinioInvalidObjectName":               {Code: storage.InvalidArgument},
		"XMinioInvalidResourceName":             {Code: storage.InvalidArgument},
		"InvalidStorageClass":                   {Code: storage.InvalidArgument, Hint: "the server does not have this storage class"},
		"IllegalVersioningException":            {Code: storage.InvalidArgument},
		"IllegalLocationConstraint":             {Code: storage.InvalidArgument, Hint: regionHint},
		"AuthorizationHeaderMalformed":          {Code: storage.InvalidArgument, Hint: regionHint},
		"PermanentRedirect":                     {Code: storage.InvalidArgument, Hint: regionHint},
		"MovedPermanently":                      {Code: storage.InvalidArgument, Hint: regionHint},
		"TemporaryRedirect":                     {Code: storage.InvalidArgument, Hint: regionHint}, // for hours after a bucket was created, until DNS is up to date

		"IllegalLocationConstraintException": {Code: storage.InvalidArgument, Hint: regionHint},

		"BadDigest":                   {Code: storage.ChecksumMismatch},
		"InvalidDigest":               {Code: storage.ChecksumMismatch},
		"XAmzContentSHA256Mismatch":   {Code: storage.ChecksumMismatch},
		"XAmzContentChecksumMismatch": {Code: storage.ChecksumMismatch},

		"AccessDenied":               {Code: storage.PermissionDenied, Hint: deniedHint},
		"AllAccessDisabled":          {Code: storage.PermissionDenied},
		"AccountProblem":             {Code: storage.PermissionDenied, Hint: accountHint},
		"AccountNotActivated":        {Code: storage.PermissionDenied, Hint: accountHint}, // Wasabi
		"NotSignedUp":                {Code: storage.PermissionDenied, Hint: signUpHint},
		"NotEntitled":                {Code: storage.PermissionDenied, Hint: signUpHint}, // R2
		"ObjectLocked":               {Code: storage.Locked},
		"ObjectLockedByBucketPolicy": {Code: storage.Locked}, // R2
		"InvalidBucketState":         {Code: storage.Unsupported, Hint: "the bucket's object lock or versioning does not allow this"},
		"InvalidAccessKeyId":         {Code: storage.Unauthenticated, Hint: keyHint},
		"SignatureDoesNotMatch":      {Code: storage.Unauthenticated, Hint: secretHint},
		"InvalidSecurity":            {Code: storage.Unauthenticated, Hint: keyHint},
		"Unauthorized":               {Code: storage.Unauthenticated, Hint: keyHint},     // R2
		"ExpiredRequest":             {Code: storage.Unauthenticated, Hint: expiredHint}, // R2
		"AuthenticationLockout":      {Code: storage.Unauthenticated, Hint: lockoutHint}, // Wasabi
		"ExpiredToken":               {Code: storage.Unauthenticated, Hint: sessionHint},
		"InvalidToken":               {Code: storage.Unauthenticated, Hint: sessionHint},
		"TokenRefreshRequired":       {Code: storage.Unauthenticated, Hint: sessionHint},
		// The driver takes the difference from the response and corrects the next attempt.
		"RequestTimeTooSkewed": {Code: storage.Unauthenticated, Retryable: true, Hint: clockHint},

		"SlowDown":                   {Code: storage.RateLimited},
		"SlowDownRead":               {Code: storage.RateLimited},
		"SlowDownWrite":              {Code: storage.RateLimited},
		"RequestLimitExceeded":       {Code: storage.RateLimited},
		"TooManyRequests":            {Code: storage.RateLimited},
		"TooManyRequestsException":   {Code: storage.RateLimited},
		"Throttling":                 {Code: storage.RateLimited},
		"ThrottlingException":        {Code: storage.RateLimited},
		"ThrottledException":         {Code: storage.RateLimited},
		"RequestThrottled":           {Code: storage.RateLimited},
		"RequestThrottledException":  {Code: storage.RateLimited},
		"BandwidthLimitExceeded":     {Code: storage.RateLimited},
		"InternalError":              {Code: storage.Unavailable},
		"ServiceUnavailable":         {Code: storage.Unavailable},
		"ServerBusy":                 {Code: storage.RateLimited},
		"XMinioServerNotInitialized": {Code: storage.Unavailable},
		"XMinioStorageFull":          {Code: storage.Internal, Hint: "the store's disks are full"},

		// Codes of servers that store keys as files.
		"ObjectParentIsFile":            {Code: storage.Unsupported, Hint: fileHint},
		"ExistingObjectIsDirectory":     {Code: storage.Unsupported, Hint: fileHint},
		"ExistingObjectIsFile":          {Code: storage.Unsupported, Hint: fileHint},
		"XMinioParentIsObject":          {Code: storage.Unsupported, Hint: fileHint},
		"XMinioObjectExistsAsDirectory": {Code: storage.Unsupported, Hint: fileHint},

		"NotImplemented":                {Code: storage.Unsupported},
		"UnsupportedOperation":          {Code: storage.Unsupported},
		"MethodNotAllowed":              {Code: storage.Unsupported},
		"AccessControlListNotSupported": {Code: storage.Unsupported, Hint: aclHint},
	},
	Statuses: map[int]sdkerror.Meaning{
		http.StatusMovedPermanently:  {Code: storage.InvalidArgument, Hint: regionHint},
		http.StatusTemporaryRedirect: {Code: storage.InvalidArgument, Hint: regionHint},
		http.StatusPermanentRedirect: {Code: storage.InvalidArgument, Hint: regionHint},
		http.StatusForbidden:         {Code: storage.PermissionDenied, Hint: deniedHint},
		http.StatusConflict:          {Code: storage.Unavailable},
	},
}

// meaningOf returns the meaning of the provider's code or, if the code is
// unknown, of the status.
func meaningOf(code, message string, status int) sdkerror.Meaning {
	m := errorMeanings.Lookup(code, status)
	if isKMSCode(code) {
		return kmsMeaning(code, status)
	}
	switch lockMeaning(code, message) {
	case storage.Locked:
		return sdkerror.Meaning{Code: storage.Locked}
	case storage.Unsupported:
		return sdkerror.Meaning{Code: storage.Unsupported, Hint: lockHint}
	}
	switch {
	case code == "AccessDenied" && isAboutKMS(message):
		m.Hint = kmsUseHint
	case code == "InvalidRequest" && strings.Contains(message, "is required for Put") && strings.Contains(message, "Object Lock"):
		m.Hint = "the bucket has a default retention, and S3 locks only what it can check: begin the upload without WithUncheckedParts"
	case code == "InvalidArgument" && strings.HasPrefix(message, "Unsupported header '"): // B2
		m = sdkerror.Meaning{Code: storage.Unsupported, Hint: headerHint}
	case status == http.StatusConflict && code != "" && code != "Conflict" && !errorMeanings.Has(code):
		return sdkerror.Meaning{Code: storage.Internal} // an unknown conflict: a retry may be of no use
	case status == http.StatusTooManyRequests:
		m.Code = storage.RateLimited
	case status == http.StatusServiceUnavailable && strings.Contains(strings.ToLower(message), "reduce your request rate"):
		m.Code = storage.RateLimited
	}
	return m
}

// isAboutKMS reports whether a refusal is about a key of KMS, and not about the object.
func isAboutKMS(message string) bool {
	return strings.Contains(message, "to perform: kms:") || strings.Contains(message, "customer master key")
}

// mayBeWrongRegion reports whether the response may be about the region. HEAD
// has no code: its 400 may be.
func mayBeWrongRegion(code string, status int) bool {
	return errorMeanings.Lookup(code, status).Hint == regionHint || status == http.StatusBadRequest && !errorMeanings.Has(code)
}
