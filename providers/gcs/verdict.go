package gcs

import (
	"net/http"
	"strings"

	"google.golang.org/api/googleapi"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/outcome"
)

// A verdict is what a provider's answer means.
type verdict struct {
	code storage.Code
	hint string
}

const (
	deniedHint  = "the credentials may not do this; where they may not list the bucket, a missing object is answered so too"
	accountHint = "no credentials were sent, or they are not accepted: are they expired, or is this machine's clock wrong?"
	aclHint     = "the bucket has uniform access: make it public by its policy, and leave WithPublicRead away"
	publicHint  = "public access is prevented for this bucket or its organisation"
	payerHint   = "the requester pays for this bucket: name the project to bill as the credentials' quota project (GOOGLE_CLOUD_QUOTA_PROJECT, or gcloud auth application-default set-quota-project)"
	lockedHint  = "a retention policy or a hold keeps the object"
)

// verdicts are the reasons of the JSON API and the codes of the XML API. One
// that says no more than its status does is not among them.
var verdicts = map[string]verdict{
	"NoSuchKey":    {code: storage.ObjectNotFound},
	"NoSuchBucket": {code: storage.BucketNotFound},

	"rateLimitExceeded":     {code: storage.RateLimited},
	"userRateLimitExceeded": {code: storage.RateLimited},
	"quotaExceeded":         {code: storage.RateLimited},
	"SlowDown":              {code: storage.RateLimited},

	"retentionPolicyNotMet":  {code: storage.Locked, hint: lockedHint},
	"objectUnderActiveHold":  {code: storage.Locked, hint: lockedHint},
	"RetentionPolicyNotMet":  {code: storage.Locked, hint: lockedHint},
	"ObjectUnderActiveHold":  {code: storage.Locked, hint: lockedHint},
	"uploadTooLarge":         {code: storage.TooLarge},
	"EntityTooLarge":         {code: storage.TooLarge},
	"BadDigest":              {code: storage.ChecksumMismatch},
	"uploadBrokenConnection": {code: storage.Unavailable},
	"RequestTimeout":         {code: storage.Unavailable},
	"userProjectMissing":     {code: storage.InvalidArgument, hint: payerHint},
	"UserProjectMissing":     {code: storage.InvalidArgument, hint: payerHint},
	"ExpiredToken":           {code: storage.Unauthenticated, hint: accountHint},
	"InvalidSecurity":        {code: storage.Unauthenticated, hint: accountHint},
	"AuthenticationRequired": {code: storage.Unauthenticated, hint: accountHint},
	"accountDisabled":        {code: storage.PermissionDenied, hint: "the account itself has a problem: ask the provider"},
}

// statuses are for answers whose reason says nothing more, where they mean more
// than they do everywhere.
var statuses = map[int]verdict{
	http.StatusUnauthorized: {code: storage.Unauthenticated, hint: accountHint},
	http.StatusForbidden:    {code: storage.PermissionDenied, hint: deniedHint},
	http.StatusConflict:     {code: storage.Unavailable},
}

// verdictOf goes by the provider's reason, by its words where several things
// have one reason, then by the status.
func verdictOf(answer *googleapi.Error) verdict {
	for _, item := range answer.Errors {
		if v, known := verdicts[item.Reason]; known {
			return v
		}
	}
	words := strings.ToLower(answer.Message)
	switch {
	case answer.Code == http.StatusNotFound && !namesBucket(answer): // its message quotes the key
	case strings.Contains(words, "uniform bucket-level access"):
		return verdict{storage.Unsupported, aclHint}
	case strings.Contains(words, "public access prevention"):
		return verdict{storage.PermissionDenied, publicHint}
	case answer.Code == http.StatusBadRequest && isMismatch(words):
		return verdict{code: storage.ChecksumMismatch}
	case answer.Code == http.StatusNotFound && namesBucket(answer):
		return verdict{code: storage.BucketNotFound}
	}
	if v, known := statuses[answer.Code]; known {
		return v
	}
	return verdict{code: outcome.OfStatus(answer.Code)}
}

// isMismatch reports whether a refusal is about a checksum that was sent.
func isMismatch(words string) bool {
	return strings.Contains(words, "match") && (strings.Contains(words, "crc32c") || strings.Contains(words, "md5"))
}
