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

// A CustomerKeyOption is the result of [WithCustomerKey]. It can be used wherever an option of one
// of the types below can be used.
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
// Each operation that reads content or attributes needs the same key, including Remove with a
// version, SetRetention and Restore. Without the key, these operations fail with InvalidArgument. A
// copy does not inherit the key; see [WithSourceCustomerKey]. A signed URL lists the key among the
// headers to send, but cannot force an uploader to send it.
//
// The operation fails with InvalidArgument if the key has another length, or if an encryption scope
// is set too. It also fails if the endpoint is on another machine and has no https. The key never
// appears in errors, logs, spans or the files of [storage.WithResume].
//
// https://learn.microsoft.com/azure/storage/blobs/encryption-customer-provided-keys
func WithCustomerKey(key []byte) CustomerKeyOption {
	return storage.WithNative(provider, customerkey.New("WithCustomerKey", key))
}

// WithSourceCustomerKey sets the key that the source of Copy was encrypted with. For Compose, all
// sources must have this key. See [WithCustomerKey].
func WithSourceCustomerKey(key []byte) storage.CopyOption {
	return storage.WithSourceNative(provider, customerkey.New("WithSourceCustomerKey", key))
}

// An AccessTierOption is the type of [WithAccessTier]. Operations that write an object accept it,
// and so does [storage.Restore].
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

// Options has functions that change the SDK's options for the requests of an operation. They set
// what this package has no option for, such as leases, conditions on tags or permanent removal.
// Each function is called after this package has filled the options, once for each attempt of a
// request. Several goroutines may call it at the same time.
type Options struct {
	Upload          func(*blockblob.UploadOptions)          // Put Blob: an upload in one request
	CommitBlockList func(*blockblob.CommitBlockListOptions) // Put Block List: an upload in parts, Compose, a copy in blocks
	CopyFromURL     func(*blob.CopyFromURLOptions)          // Copy Blob From URL: a copy of at most 256 MiB with the source's headers
	DownloadStream  func(*blob.DownloadStreamOptions)       // Get Blob
	GetProperties   func(*blob.GetPropertiesOptions)        // Get Blob Properties: Attrs, Exists and others
	Delete          func(*blob.DeleteOptions)               // Delete Blob
	GetTags         func(*blob.GetTagsOptions)              // Get Blob Tags
	SetTags         func(*blob.SetTagsOptions)              // Set Blob Tags
	SetTier         func(*blob.SetTierOptions)              // Set Blob Tier: Restore

	SetImmutabilityPolicy func(*blob.SetImmutabilityPolicyOptions) // SetRetention

	StageBlock        func(*blockblob.StageBlockOptions)        // Put Block, before CommitBlockList
	StageBlockFromURL func(*blockblob.StageBlockFromURLOptions) // Put Block From URL, before CommitBlockList
}

// change calls the function of f that changes options of the type of o, such as
// *blob.DeleteOptions. It reports whether f has such a function.
func (f Options) change(o any) bool {
	switch o := o.(type) {
	case *blockblob.UploadOptions:
		return callWith(f.Upload, o)
	case *blockblob.CommitBlockListOptions:
		return callWith(f.CommitBlockList, o)
	case *blob.CopyFromURLOptions:
		return callWith(f.CopyFromURL, o)
	case *blob.DownloadStreamOptions:
		return callWith(f.DownloadStream, o)
	case *blob.GetPropertiesOptions:
		return callWith(f.GetProperties, o)
	case *blob.DeleteOptions:
		return callWith(f.Delete, o)
	case *blob.GetTagsOptions:
		return callWith(f.GetTags, o)
	case *blob.SetTagsOptions:
		return callWith(f.SetTags, o)
	case *blob.SetTierOptions:
		return callWith(f.SetTier, o)
	case *blob.SetImmutabilityPolicyOptions:
		return callWith(f.SetImmutabilityPolicy, o)
	case *blockblob.StageBlockOptions:
		return callWith(f.StageBlock, o)
	case *blockblob.StageBlockFromURLOptions:
		return callWith(f.StageBlockFromURL, o)
	}
	return false
}

// callWith calls function with o, or returns false if function is nil.
func callWith[O any](function func(*O), o *O) bool {
	if function == nil {
		return false
	}
	function(o)
	return true
}

// WithOptions changes the SDK's options for the requests of one operation. A write chooses its
// request by the size of the body, so set a function for each request that it may make. If the main
// request of the operation has no function, the operation fails with Unsupported, and the Hint
// names the missing field. Signed URLs and [storage.SetLegalHold] also fail with Unsupported,
// because the SDK has no options for their requests.
//
// If another process has begun an upload with WithOptions, [storage.WithResume] cannot continue it.
func WithOptions(o Options) storage.NativeOption { return storage.WithNative(provider, o) }
