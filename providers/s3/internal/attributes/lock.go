package attributes

import (
	"net/http"
	"strings"
	"time"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/s3/internal/rawclient"
)

// Lock returns the object lock of a write in the types of the SDK. mode and until are those of the
// retention. A result that is not set is "" or nil.
func Lock(c *storage.Controls) (mode types.ObjectLockMode, until *time.Time, hold types.ObjectLockLegalHoldStatus) {
	if r := c.Retention; r != (storage.Retention{}) {
		mode = types.ObjectLockMode(LockMode(r.Mode))
		until = &r.Until
	}
	if c.LegalHold {
		hold = types.ObjectLockLegalHoldStatusOn
	}
	return mode, until, hold
}

// LockMode returns S3's name of the mode, which is this library's name in capitals.
func LockMode(mode storage.RetentionMode) string { return strings.ToUpper(string(mode)) }

// RetentionMode returns this library's name of S3's mode.
func RetentionMode(mode string) storage.RetentionMode {
	return storage.RetentionMode(strings.ToLower(mode))
}

// retentionOf returns the retention in an output, in whole seconds, because some servers send a
// fraction.
func retentionOf(output *awss3.GetObjectOutput) storage.Retention {
	if output.ObjectLockMode == "" || output.ObjectLockRetainUntilDate == nil {
		return storage.Retention{}
	}
	return storage.Retention{
		Mode:  RetentionMode(string(output.ObjectLockMode)),
		Until: WholeSeconds(output.ObjectLockRetainUntilDate),
	}
}

// SetLock sets the headers of a lock in a signed upload, which must have a checksum, because S3
// locks no other body.
func SetLock(h http.Header, r *driver.SignRequest) error {
	mode, retainUntil, hold := Lock(&r.Controls)
	if mode == "" && hold == "" {
		return nil
	}
	if !r.CRC32C.Known && r.MaxSize != 0 {
		return &storage.Error{
			Code: storage.Unsupported,
			Hint: "S3 locks only what it can check: give the signed upload WithCRC32C too",
		}
	}
	rawclient.SetLock(h.Set, mode, retainUntil, hold)
	return nil
}
