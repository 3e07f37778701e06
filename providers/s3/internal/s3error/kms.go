package s3error

import (
	"net/http"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/sdkerror"
)

// These are hints for the error codes of a key management service (KMS).
const (
	KMSKeyHint   = "the KMS key does not exist in the bucket's region: check its id"
	KMSStateHint = "the KMS key is disabled, about to be deleted, or of the wrong kind"
)

// isKMSCode reports whether a code comes from KMS, through S3, or is MinIO's code for its KMS.
func isKMSCode(code string) bool {
	return strings.HasPrefix(code, "KMS.") || strings.HasPrefix(code, "kms:")
}

// IsKMS reports whether an error has a code of KMS.
func IsKMS(err error) bool {
	code, _ := CodeAndMessage(err)
	return isKMSCode(code)
}

// kmsMeaning returns the meaning of an error code of KMS. Any other code than those below means that
// the key cannot be used.
func kmsMeaning(code string, status int) sdkerror.Meaning {
	isUnavailable := status >= http.StatusInternalServerError ||
		strings.Contains(code, "Internal") ||
		strings.Contains(code, "DependencyTimeout")
	if isUnavailable {
		return sdkerror.Meaning{Code: storage.Unavailable}
	}
	if strings.Contains(code, "Throttling") {
		return sdkerror.Meaning{Code: storage.RateLimited}
	}
	if strings.Contains(code, "NotFound") {
		return sdkerror.Meaning{Code: storage.InvalidArgument, Hint: KMSKeyHint}
	}
	return sdkerror.Meaning{Code: storage.PermissionDenied, Hint: KMSStateHint}
}
