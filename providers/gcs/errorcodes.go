package gcs

import (
	"net/http"
	"strings"

	"google.golang.org/api/googleapi"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/sdkerror"
)

const (
	deniedHint  = "the credentials may not do this; without permission to list the bucket, Google reports missing objects this way too"
	accountHint = "the credentials are missing or were not accepted: check that they have not expired, and check this machine's clock"
	aclHint     = "the bucket has uniform access: make it public with an IAM policy and omit WithPublicRead"
	publicHint  = "public access is prevented for this bucket or its organization"
	payerHint   = "the requester pays for this bucket: set the project to bill, as Config.UserProject or user_project=, or as the credentials' quota project (GOOGLE_CLOUD_QUOTA_PROJECT)"
	lockedHint  = "a retention policy or a hold protects the object"

	kmsHint      = "Google's service agent of the project may not use the key: grant it roles/cloudkms.cryptoKeyEncrypterDecrypter on the key"
	policyHint   = "a policy of the organization forbids this"
	keyHint      = "the object is encrypted with a customer's key: give it by WithCustomerKey, or WithSourceCustomerKey for the source of a copy"
	wrongKeyHint = "the object is encrypted with another key than the one given by WithCustomerKey or WithSourceCustomerKey"
	keyUseHint   = "check the name of the Cloud KMS key, and that it is in the location of the bucket"
	keyStateHint = "the Cloud KMS key is disabled, destroyed or about to be destroyed"
	billHint     = "the credentials may not bill the project that was named: grant serviceusage.services.use on it"
	billingHint  = "the project has no active billing account, or is disabled: check its billing"
	httpsHint    = "Google demands https: check the endpoint"
	lengthHint   = "a proxy has removed the Content-Length of the request: uploads need it"
	noKeyHint    = "the object is not encrypted with a customer's key: omit WithCustomerKey or WithSourceCustomerKey"
)

// errorMeanings has the reasons of the JSON API, the codes of the XML API, and the
// statuses of responses without either. It omits a reason that says no more than
// its status.
var errorMeanings = sdkerror.Table{
	Codes: map[string]sdkerror.Meaning{
		"NoSuchKey":    {Code: storage.ObjectNotFound},
		"NoSuchBucket": {Code: storage.BucketNotFound},

		"rateLimitExceeded":     {Code: storage.RateLimited},
		"userRateLimitExceeded": {Code: storage.RateLimited},
		"quotaExceeded":         {Code: storage.RateLimited},
		"SlowDown":              {Code: storage.RateLimited},

		"retentionPolicyNotMet":                         {Code: storage.Locked, Hint: lockedHint},
		"objectUnderActiveHold":                         {Code: storage.Locked, Hint: lockedHint},
		"RetentionPolicyNotMet":                         {Code: storage.Locked, Hint: lockedHint},
		"ObjectUnderActiveHold":                         {Code: storage.Locked, Hint: lockedHint},
		"uploadTooLarge":                                {Code: storage.TooLarge},
		"EntityTooLarge":                                {Code: storage.TooLarge},
		"BadDigest":                                     {Code: storage.ChecksumMismatch},
		"uploadBrokenConnection":                        {Code: storage.Unavailable},
		"RequestTimeout":                                {Code: storage.Unavailable},
		"resourceIsEncryptedWithCustomerEncryptionKey":  {Code: storage.InvalidArgument, Hint: keyHint},
		"ResourceIsEncryptedWithCustomerEncryptionKey":  {Code: storage.InvalidArgument, Hint: keyHint},
		"customerEncryptionKeyIsIncorrect":              {Code: storage.InvalidArgument, Hint: wrongKeyHint},
		"CustomerEncryptionKeyIsIncorrect":              {Code: storage.InvalidArgument, Hint: wrongKeyHint},
		"resourceNotEncryptedWithCustomerEncryptionKey": {Code: storage.InvalidArgument, Hint: noKeyHint},
		"ResourceNotEncryptedWithCustomerEncryptionKey": {Code: storage.InvalidArgument, Hint: noKeyHint},

		"cloudKmsBadKey":                {Code: storage.InvalidArgument, Hint: keyUseHint},
		"CloudKmsBadKey":                {Code: storage.InvalidArgument, Hint: keyUseHint},
		"cloudKmsDecryptionKeyNotFound": {Code: storage.InvalidArgument, Hint: keyUseHint},
		"CloudKmsDecryptionKeyNotFound": {Code: storage.InvalidArgument, Hint: keyUseHint},
		"cloudKmsEncryptionKeyNotFound": {Code: storage.InvalidArgument, Hint: keyUseHint},
		"CloudKmsEncryptionKeyNotFound": {Code: storage.InvalidArgument, Hint: keyUseHint},
		"cloudKmsKeyLocationNotAllowed": {Code: storage.InvalidArgument, Hint: keyUseHint},
		"CloudKmsKeyLocationNotAllowed": {Code: storage.InvalidArgument, Hint: keyUseHint},
		"cloudKmsDisabledKey":           {Code: storage.PermissionDenied, Hint: keyStateHint},
		"CloudKmsDisabledKey":           {Code: storage.PermissionDenied, Hint: keyStateHint},

		"userProjectInvalid":        {Code: storage.InvalidArgument, Hint: payerHint},
		"UserProjectInvalid":        {Code: storage.InvalidArgument, Hint: payerHint},
		"UserProjectAccessDenied":   {Code: storage.PermissionDenied, Hint: billHint},
		"UserProjectAccountProblem": {Code: storage.PermissionDenied, Hint: billingHint},
		"orgPolicyConstraintFailed": {Code: storage.PermissionDenied, Hint: policyHint},
		"countryBlocked":            {Code: storage.PermissionDenied},
		"sslRequired":               {Code: storage.PermissionDenied, Hint: httpsHint},
		"userProjectMissing":        {Code: storage.InvalidArgument, Hint: payerHint},
		"UserProjectMissing":        {Code: storage.InvalidArgument, Hint: payerHint},
		"ExpiredToken":              {Code: storage.Unauthenticated, Hint: accountHint},
		"InvalidSecurity":           {Code: storage.Unauthenticated, Hint: accountHint},
		"AuthenticationRequired":    {Code: storage.Unauthenticated, Hint: accountHint},
		"accountDisabled":           {Code: storage.PermissionDenied, Hint: billingHint},
	},

	Statuses: map[int]sdkerror.Meaning{
		http.StatusUnauthorized:   {Code: storage.Unauthenticated, Hint: accountHint},
		http.StatusForbidden:      {Code: storage.PermissionDenied, Hint: deniedHint},
		http.StatusConflict:       {Code: storage.Unavailable},
		http.StatusGone:           {Code: storage.Unavailable}, // a session or a rewrite token has ended
		http.StatusLengthRequired: {Code: storage.InvalidArgument, Hint: lengthHint},
	},
}

// meaningOf returns the meaning of the response's reason. If the reason is unknown,
// it returns the meaning of the message, and then of the status.
func meaningOf(response *googleapi.Error) sdkerror.Meaning {
	for _, item := range response.Errors {
		if m, known := errorMeanings.Codes[item.Reason]; known {
			return m
		}
	}
	message := strings.ToLower(response.Message)
	switch {
	case isKept(response):
		return sdkerror.Meaning{Code: storage.Locked, Hint: lockedHint}
	case response.Code == http.StatusNotFound && !namesBucket(response): // the message quotes the key
	case strings.Contains(message, "uniform bucket-level access"):
		return sdkerror.Meaning{Code: storage.Unsupported, Hint: aclHint}
	case strings.Contains(message, "public access prevention"):
		return sdkerror.Meaning{Code: storage.PermissionDenied, Hint: publicHint}
	case response.Code == http.StatusForbidden && strings.Contains(message, "permission denied on cloud kms key"):
		return sdkerror.Meaning{Code: storage.PermissionDenied, Hint: kmsHint}
	case response.Code == http.StatusForbidden && strings.Contains(message, " does not have serviceusage.services.use access"):
		return sdkerror.Meaning{Code: storage.PermissionDenied, Hint: billHint}
	case response.Code == http.StatusPreconditionFailed && strings.Contains(message, "constraints/"):
		return sdkerror.Meaning{Code: storage.PermissionDenied, Hint: policyHint}
	case response.Code == http.StatusBadRequest && strings.Contains(message, "requester pays bucket"):
		return sdkerror.Meaning{Code: storage.InvalidArgument, Hint: payerHint}
	case response.Code == http.StatusBadRequest && isMismatch(message):
		return sdkerror.Meaning{Code: storage.ChecksumMismatch}
	case response.Code == http.StatusNotFound && namesBucket(response):
		return sdkerror.Meaning{Code: storage.BucketNotFound}
	}
	return errorMeanings.Lookup("", response.Code)
}

// isKept reports whether a hold or a retention protects an object or a bucket. The reason is that
// of a missing permission, so only Google's whole beginning counts: other messages quote keys
// later.
func isKept(response *googleapi.Error) bool {
	if response.Code != http.StatusForbidden {
		return false
	}
	object := strings.HasPrefix(response.Message, "Object '")
	return object && strings.Contains(response.Message, "' is under active ") ||
		object && strings.Contains(response.Message, "' is subject to bucket's retention policy and ") ||
		strings.HasPrefix(response.Message, "Cannot reduce retention duration of a locked Retention Policy")
}

// isMismatch reports whether the message is about a checksum that was sent.
func isMismatch(message string) bool {
	return strings.Contains(message, "match") && (strings.Contains(message, "crc32c") || strings.Contains(message, "md5"))
}
