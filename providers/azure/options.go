package azure

import (
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/internal/customerkey"
)

// WithEncryptionScope encrypts the object with the key of an encryption scope of the account, in
// place of [Config.EncryptionScope] and of the container's own scope. Reads need no option. A
// signed upload is bound to the scope. If scope is not the name of a scope (3 to 63 of a-z, 0-9
// and single dashes), the operation fails with InvalidArgument. An account without the scope
// refuses the operation.
//
// https://learn.microsoft.com/azure/storage/blobs/encryption-scope-overview
func WithEncryptionScope(scope string) storage.WriteOption {
	return storage.WithNative(provider, encryptionScope(scope))
}

// A CustomerKeyOption is a key for an object: [WithCustomerKey].
type CustomerKeyOption interface {
	storage.UploadOption
	storage.DownloadOption
	storage.AttrsOption
	storage.ReaderAtOption
	storage.CopyOption
	storage.SignedUploadOption
	storage.SignedDownloadOption
	storage.RetentionOption
	storage.RestoreOption
}

// WithCustomerKey encrypts the object with a key of 32 bytes (AES-256), which Azure does not keep.
// Each read of content or attributes needs the same key, and so do Remove with a version,
// SetRetention and Restore, which read attributes. Without it they fail with InvalidArgument. A
// copy does not inherit the key; see [WithSourceCustomerKey]. A signed URL has the key among the
// headers to send, and does not enforce that an upload sends it.
//
// The operation fails with InvalidArgument if the key has another length, if it has an encryption
// scope too, or if the endpoint has no https and is not on this machine. The key never appears in
// errors, logs, spans or the files of [storage.WithResume].
//
// https://learn.microsoft.com/azure/storage/blobs/encryption-customer-provided-keys
func WithCustomerKey(key []byte) CustomerKeyOption {
	return storage.WithNative(provider, customerkey.New("WithCustomerKey", key))
}

// WithSourceCustomerKey is [WithCustomerKey] for the sources of Copy and Compose. The sources of
// Compose all have the same key.
func WithSourceCustomerKey(key []byte) storage.CopyOption {
	return storage.WithSourceNative(provider, customerkey.New("WithSourceCustomerKey", key))
}

// An AccessTierOption is a tier for an object: [WithAccessTier].
type AccessTierOption interface {
	storage.WriteOption
	storage.RestoreOption
}

// WithAccessTier sets the access tier of an object that is written, such as blob.AccessTierCool of
// azblob, in place of [storage.WithStorageClass]. For [storage.Restore] it is the tier that an
// archived object moves to; the default is Hot. If the account does not have the tier, the
// operation fails with InvalidArgument.
func WithAccessTier(tier blob.AccessTier) AccessTierOption {
	return storage.WithNative(provider, accessTier(tier))
}

// Options has functions that change the SDK's own options of the requests which an operation makes:
// for leases, conditions on tags, permanent removal, and whatever this package has no option for.
// Each runs after this package has filled the options, once for each attempt of a request, and
// maybe in several goroutines at once.
type Options struct {
	Upload          func(*blockblob.UploadOptions)          // Put Blob: an upload in one request
	CommitBlockList func(*blockblob.CommitBlockListOptions) // Put Block List: an upload in parts, Compose, a copy in blocks
	CopyFromURL     func(*blob.CopyFromURLOptions)          // Copy Blob From URL: a copy of at most 256 MiB with the source's headers
	DownloadStream  func(*blob.DownloadStreamOptions)       // Get Blob
	GetProperties   func(*blob.GetPropertiesOptions)        // Get Blob Properties: Attrs, Exists, and beside other requests
	Delete          func(*blob.DeleteOptions)               // Delete Blob
	GetTags         func(*blob.GetTagsOptions)              // Get Blob Tags
	SetTags         func(*blob.SetTagsOptions)              // Set Blob Tags
	SetTier         func(*blob.SetTierOptions)              // Set Blob Tier: Restore

	SetImmutabilityPolicy func(*blob.SetImmutabilityPolicyOptions) // SetRetention

	StageBlock        func(*blockblob.StageBlockOptions)        // Put Block, before CommitBlockList
	StageBlockFromURL func(*blockblob.StageBlockFromURLOptions) // Put Block From URL, before CommitBlockList
}

// WithOptions changes the SDK's own options of the requests of one operation. A write chooses its
// request by the size of the body: give a function for each request that may be made. If the main
// request of the operation has no function, the operation fails with Unsupported, and the Hint
// names the field. It also fails so for signed URLs and [storage.SetLegalHold], whose requests have
// no options of the SDK.
//
// [storage.WithResume] does not continue an upload of another process that has WithOptions.
func WithOptions(o Options) storage.NativeOption { return storage.WithNative(provider, o) }
