package s3

import (
	"net/http"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/internal/customerkey"
	"github.com/omnibucket/storage/providers/s3/internal/s3error"
)

// A CustomerKeyOption is the option that [WithCustomerKey] returns. It fits uploads, copies (for
// the destination), reads, attributes, the restoring of archived objects, and the signing of
// addresses.
type CustomerKeyOption interface {
	storage.WriteOption
	storage.DownloadOption
	storage.AttrsOption
	storage.ReaderAtOption
	storage.RestoreOption
	storage.SignedDownloadOption
}

// WithCustomerKey encrypts the object with a key of 32 bytes that the store does not keep (SSE-C).
// A caller that loses the key loses the object. Every read of the object and of its attributes
// needs the same key. A signed URL has the key among the headers to send, and a form has it among
// the fields. So the receiver of the URL or form learns the key. The bucket's Config.KMSKey has no
// effect on a write with this option.
//
// The ETag of the object is not its MD5. [storage.Attrs].Encryption has the MD5 of the key as
// KeyID. The operation fails with InvalidArgument if the key is not 32 bytes long, if the
// connection has no TLS, or if [WithKMSKey] is given too. It fails with Unsupported if the server
// is not known to have SSE-C (Profile.CustomerKeys). On Amazon, a write fails with PermissionDenied
// until the bucket allows SSE-C. A read with another key fails with PermissionDenied. A read
// without a key fails with InvalidArgument.
//
// With [storage.WithResume], only a hash of the key is stored and compared, never the key.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerSideEncryptionCustomerKeys.html
func WithCustomerKey(key []byte) CustomerKeyOption {
	return storage.WithNative(provider, customerkey.New("WithCustomerKey", key))
}

// WithSourceCustomerKey reads the source of [storage.Copy], or all sources of [storage.Compose],
// with the key that they were encrypted with. It fails in the same cases as [WithCustomerKey],
// which sets the key of the destination. A copy of an object onto itself with both options encrypts
// the object with a new key.
func WithSourceCustomerKey(key []byte) storage.CopyOption {
	return storage.WithSourceNative(provider, customerkey.New("WithSourceCustomerKey", key))
}

const (
	noCustomerKeyHint    = "if the object was encrypted with a customer's key, pass that key: s3.WithCustomerKey"
	wrongCustomerKeyHint = "the object may be encrypted with another key or with none, or the credentials may not read it"
	blockedSSECHint      = "if the bucket blocks SSE-C, as Amazon's do by default since April 2026, set its BlockedEncryptionTypes to NONE with PutBucketEncryption"
)

// withReadKeyHint returns the error of a read, with a hint if a wrong or missing customer key may
// be the reason.
func (a *account) withReadKeyHint(err error, native []any) error {
	storageErr := s3error.Of(err)
	hasKey := customerkey.In(native) != nil
	if hasKey {
		if storageErr.Status == http.StatusBadRequest || storageErr.Status == http.StatusForbidden {
			storageErr.Hint = wrongCustomerKeyHint
		}
		return storageErr
	}

	// The object may have a key that the read did not send.
	if !a.profile.CustomerKeys || storageErr.Status != http.StatusBadRequest {
		return storageErr
	}
	// The response to a HEAD has no body that explains the error.
	isUnexplained := s3error.IsCode(storageErr.Err, "", "BadRequest") && storageErr.Hint == ""
	_, message := s3error.CodeAndMessage(storageErr.Err)
	if isUnexplained || strings.Contains(message, "Server Side Encryption") {
		storageErr.Hint = noCustomerKeyHint
	}
	return storageErr
}

// withWriteKeyHint returns the error of a write, with a hint if the bucket may block customer keys.
func withWriteKeyHint(err error, native []any) error {
	storageErr := s3error.Of(err)
	if storageErr.Code == storage.PermissionDenied && customerkey.In(native) != nil {
		storageErr.Hint = blockedSSECHint
	}
	return storageErr
}

// withCopyKeyHint returns the error of a copy, with a hint if a customer key of the source or of
// the destination may be the reason. native and source are the options of the destination and of
// the source.
func (a *account) withCopyKeyHint(err error, native, source []any) error {
	storageErr := s3error.Of(err)
	if storageErr.Status == http.StatusBadRequest || len(source) > 0 {
		storageErr = s3error.Of(a.withReadKeyHint(storageErr, source))
	}
	return withWriteKeyHint(storageErr, native)
}
