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

	kmsHint    = "Google's service agent of the project may not use the key: grant it roles/cloudkms.cryptoKeyEncrypterDecrypter on the key"
	policyHint = "a policy of the organization forbids this"
	billHint   = "the credentials may not bill the project that was named: grant serviceusage.services.use on it"
	lengthHint = "a proxy has removed the Content-Length of the request: uploads need it"
)

// errorMeanings maps the reasons of the JSON API and the codes of the XML API to their meanings. If
// a response has no reason and no code, its status is mapped. A reason that means the same as its
// status is left out.
var errorMeanings = sdkerror.Table{
	Codes: sdkerror.Codes(map[sdkerror.Meaning]string{
		{Code: storage.ObjectNotFound}:           "NoSuchKey",
		{Code: storage.BucketNotFound}:           "NoSuchBucket",
		{Code: storage.RateLimited}:              "rateLimitExceeded userRateLimitExceeded quotaExceeded SlowDown",
		{Code: storage.Locked, Hint: lockedHint}: "retentionPolicyNotMet objectUnderActiveHold RetentionPolicyNotMet ObjectUnderActiveHold",
		{Code: storage.TooLarge}:                 "uploadTooLarge EntityTooLarge",
		{Code: storage.ChecksumMismatch}:         "BadDigest CrcMismatch",
		{Code: storage.BucketExists}:             "BucketAlreadyExists BucketAlreadyOwnedByYou BucketNameUnavailable",
		{Code: storage.BucketNotEmpty}:           "BucketNotEmpty",
		{Code: storage.Unavailable}:              "uploadBrokenConnection RequestTimeout",
		{
			Code: storage.InvalidArgument,
			Hint: "the object is encrypted with a customer's key: give it by WithCustomerKey, or WithSourceCustomerKey for the source of a copy",
		}: "resourceIsEncryptedWithCustomerEncryptionKey ResourceIsEncryptedWithCustomerEncryptionKey",
		{
			Code: storage.InvalidArgument,
			Hint: "the object is encrypted with another key than the one given by WithCustomerKey or WithSourceCustomerKey",
		}: "customerEncryptionKeyIsIncorrect CustomerEncryptionKeyIsIncorrect",
		{
			Code: storage.InvalidArgument,
			Hint: "the object is not encrypted with a customer's key: omit WithCustomerKey or WithSourceCustomerKey",
		}: "resourceNotEncryptedWithCustomerEncryptionKey ResourceNotEncryptedWithCustomerEncryptionKey",
		{Code: storage.InvalidArgument, Hint: "check the name of the Cloud KMS key, and that it is in the location of the bucket"}: `
			cloudKmsBadKey CloudKmsBadKey cloudKmsDecryptionKeyNotFound CloudKmsDecryptionKeyNotFound
			cloudKmsEncryptionKeyNotFound CloudKmsEncryptionKeyNotFound cloudKmsKeyLocationNotAllowed
			CloudKmsKeyLocationNotAllowed`,
		{Code: storage.PermissionDenied, Hint: "the Cloud KMS key is disabled, destroyed or about to be destroyed"}:            "cloudKmsDisabledKey CloudKmsDisabledKey",
		{Code: storage.InvalidArgument, Hint: payerHint}:                                                                       "userProjectInvalid UserProjectInvalid userProjectMissing UserProjectMissing",
		{Code: storage.PermissionDenied, Hint: billHint}:                                                                       "UserProjectAccessDenied",
		{Code: storage.PermissionDenied, Hint: "the project has no active billing account, or is disabled: check its billing"}: "UserProjectAccountProblem accountDisabled",
		{Code: storage.PermissionDenied, Hint: policyHint}:                                                                     "orgPolicyConstraintFailed",
		{Code: storage.PermissionDenied}:                                                                                       "countryBlocked",
		{Code: storage.PermissionDenied, Hint: "Google demands https: check the endpoint"}:                                     "sslRequired",
		{Code: storage.Unauthenticated, Hint: accountHint}:                                                                     "ExpiredToken InvalidSecurity AuthenticationRequired SignatureDoesNotMatch",
	}),

	Statuses: map[int]sdkerror.Meaning{
		http.StatusUnauthorized:   {Code: storage.Unauthenticated, Hint: accountHint},
		http.StatusForbidden:      {Code: storage.PermissionDenied, Hint: deniedHint},
		http.StatusConflict:       {Code: storage.Unavailable},
		http.StatusGone:           {Code: storage.Unavailable}, // a session or a rewrite token has ended
		http.StatusLengthRequired: {Code: storage.InvalidArgument, Hint: lengthHint},
	},
}

// meaningOf returns the meaning of the response's reason. If the reason is unknown, it returns the
// meaning of the message, or else of the status.
func meaningOf(response *googleapi.Error) sdkerror.Meaning {
	for _, item := range response.Errors {
		if m, ok := errorMeanings.Codes[item.Reason]; ok {
			return m
		}
	}

	if isProtected(response) {
		return sdkerror.Meaning{Code: storage.Locked, Hint: lockedHint}
	}
	if response.Code == http.StatusNotFound && !namesBucket(response) {
		// The message quotes the key, which may contain any of the texts of meaningOfMessage.
		return errorMeanings.Lookup("", response.Code)
	}
	if meaning, ok := meaningOfMessage(response.Code, strings.ToLower(response.Message)); ok {
		return meaning
	}
	if response.Code == http.StatusNotFound {
		return sdkerror.Meaning{Code: storage.BucketNotFound}
	}
	return errorMeanings.Lookup("", response.Code)
}

// meaningOfMessage returns the meaning of a response whose reason Google also uses for other errors.
// message is in lower case. If no text is known that it contains, meaningOfMessage returns false.
func meaningOfMessage(status int, message string) (sdkerror.Meaning, bool) {
	if strings.Contains(message, "uniform bucket-level access") {
		return sdkerror.Meaning{Code: storage.Unsupported, Hint: aclHint}, true
	}
	if strings.Contains(message, "public access prevention") {
		return sdkerror.Meaning{Code: storage.PermissionDenied, Hint: publicHint}, true
	}

	// These texts count only with their status.
	switch status {
	case http.StatusForbidden:
		if strings.Contains(message, "permission denied on cloud kms key") {
			return sdkerror.Meaning{Code: storage.PermissionDenied, Hint: kmsHint}, true
		}
		if strings.Contains(message, " does not have serviceusage.services.use access") {
			return sdkerror.Meaning{Code: storage.PermissionDenied, Hint: billHint}, true
		}
	case http.StatusPreconditionFailed:
		if strings.Contains(message, "constraints/") {
			return sdkerror.Meaning{Code: storage.PermissionDenied, Hint: policyHint}, true
		}
	case http.StatusBadRequest:
		if strings.Contains(message, "requester pays bucket") {
			return sdkerror.Meaning{Code: storage.InvalidArgument, Hint: payerHint}, true
		}
		namesChecksum := strings.Contains(message, "crc32c") || strings.Contains(message, "md5")
		if namesChecksum && strings.Contains(message, "match") {
			return sdkerror.Meaning{Code: storage.ChecksumMismatch}, true
		}
	}
	return sdkerror.Meaning{}, false
}

// isProtected reports whether apiErr means that a hold or a retention protects an object or a bucket. Only
// the message shows that, because a missing permission has the same reason code. The beginning must match,
// because other messages may quote a key that contains the same text.
func isProtected(apiErr *googleapi.Error) bool {
	if apiErr.Code != http.StatusForbidden {
		return false
	}
	if strings.HasPrefix(apiErr.Message, "Object '") {
		return strings.Contains(apiErr.Message, "' is under active ") ||
			strings.Contains(apiErr.Message, "' is subject to bucket's retention policy and ")
	}
	return strings.HasPrefix(apiErr.Message, "Cannot reduce retention duration of a locked Retention Policy")
}
