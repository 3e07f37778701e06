package s3error

import (
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/sdkerror"
)

// lockMeaning returns the meaning of a refusal if object lock is the reason. S3 and compatible
// servers have no error code for this reason, so lockMeaning looks for these texts:
//
//   - Amazon and versitygw: 403 AccessDenied "Access Denied because object protected by object
//     lock."
//   - Ceph: 403 AccessDenied "forbidden by object lock"
//   - MinIO: 400 InvalidRequest "Object is WORM protected and cannot be overwritten"
//   - all of them, for a bucket that cannot lock objects: 400 InvalidRequest "Bucket is missing
//     Object Lock Configuration" or "Bucket is missing ObjectLock Configuration"
func lockMeaning(code, message string) (m sdkerror.Meaning, ok bool) {
	if code != "AccessDenied" && code != "InvalidRequest" {
		return sdkerror.Meaning{}, false
	}
	message = strings.ToLower(message)
	if strings.Contains(message, "by object lock") || strings.Contains(message, "worm protected") {
		return sdkerror.Meaning{Code: storage.Locked}, true
	}
	if strings.Contains(message, "missing object lock") || strings.Contains(message, "missing objectlock") {
		return sdkerror.Meaning{Code: storage.Unsupported, Hint: LockHint}, true
	}
	return sdkerror.Meaning{}, false
}

// LockHint is the hint for a bucket that cannot lock objects.
const LockHint = "the bucket cannot lock objects: make it with WithObjectLock"
