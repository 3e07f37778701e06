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

		"userProjectMissing":     {Code: storage.InvalidArgument, Hint: payerHint},
		"UserProjectMissing":     {Code: storage.InvalidArgument, Hint: payerHint},
		"ExpiredToken":           {Code: storage.Unauthenticated, Hint: accountHint},
		"InvalidSecurity":        {Code: storage.Unauthenticated, Hint: accountHint},
		"AuthenticationRequired": {Code: storage.Unauthenticated, Hint: accountHint},
		"accountDisabled":        {Code: storage.PermissionDenied, Hint: "the account is disabled: ask the provider why"},
	},

	Statuses: map[int]sdkerror.Meaning{
		http.StatusUnauthorized: {Code: storage.Unauthenticated, Hint: accountHint},
		http.StatusForbidden:    {Code: storage.PermissionDenied, Hint: deniedHint},
		http.StatusConflict:     {Code: storage.Unavailable},
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
	case isHeld(response):
		return sdkerror.Meaning{Code: storage.Locked, Hint: lockedHint}
	case response.Code == http.StatusNotFound && !namesBucket(response): // the message quotes the key
	case strings.Contains(message, "uniform bucket-level access"):
		return sdkerror.Meaning{Code: storage.Unsupported, Hint: aclHint}
	case strings.Contains(message, "public access prevention"):
		return sdkerror.Meaning{Code: storage.PermissionDenied, Hint: publicHint}
	case response.Code == http.StatusForbidden && strings.Contains(message, "permission denied on cloud kms key"):
		return sdkerror.Meaning{Code: storage.PermissionDenied, Hint: kmsHint}
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

// isHeld reports whether a hold protects an object. The reason is that of a missing permission, so
// only Google's whole beginning counts: other messages quote keys later.
func isHeld(response *googleapi.Error) bool {
	return response.Code == http.StatusForbidden && strings.HasPrefix(response.Message, "Object '") && strings.Contains(response.Message, "' is under active ")
}

// isMismatch reports whether the message is about a checksum that was sent.
func isMismatch(message string) bool {
	return strings.Contains(message, "match") && (strings.Contains(message, "crc32c") || strings.Contains(message, "md5"))
}
