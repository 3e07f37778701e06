package s3

import (
	"maps"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/s3/internal/option"
)

// WithKMSKey encrypts the object with a key of AWS KMS (SSE-KMS), in place of Config.KMSKey. id is
// a key's id or ARN, or the ARN of an alias. A copy does not keep the source's
// key. Readers need no option, only the permission to decrypt with the key.
//
// The ETag of such an object is not its MD5. The operation fails with InvalidArgument if id is
// empty, not a name of AWS, or unknown to the store, or if [WithCustomerKey] is given too. It
// fails with Unsupported if the server is not known to have SSE-KMS (Profile.KMS).
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/specifying-kms-encryption.html
func WithKMSKey(id string) storage.WriteOption {
	return storage.WithNative(provider, &option.KMSKey{Argument: "WithKMSKey", ID: &id})
}

// WithKMSContext adds pairs to the encryption context of SSE-KMS. A key policy can require these
// pairs, and CloudTrail shows them. They are not secret. A copy does not keep the pairs of its
// source. Without [WithKMSKey] and Config.KMSKey, the key is the account's own, aws/s3.
//
// If context is empty, the operation fails with InvalidArgument. It can also fail with each error
// of WithKMSKey.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html#encryption-context
func WithKMSContext(context map[string]string) storage.WriteOption {
	return storage.WithNative(provider, &option.KMSKey{Argument: "WithKMSContext", Context: maps.Clone(context)})
}
