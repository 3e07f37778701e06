package gcs

import (
	gcs "cloud.google.com/go/storage"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/internal/customerkey"
)

// WithCustomerKey encrypts what is written, and decrypts what is read, with a key of 32 bytes (AES-256) that Google
// does not keep: without it nobody can read the object. If the key has another length, or the endpoint has no TLS and
// is not on this machine, the operation fails with InvalidArgument. Every operation that reads or writes the object
// needs it: Upload, Download, Attrs, NewReaderAt, SetTags, signed addresses. Copy and Compose take it for the object
// that they write, and [WithSourceCustomerKey] for the objects that they read. Remove and listings need no key.
//
// Without the key, or with another one, Download fails with InvalidArgument, and Attrs lacks the checksums.
// [storage.Attrs].Encryption has the key's SHA-256 in base64. A signed address has the key in its Header, and whoever
// uses it must send it. A form cannot carry it, and fails with Unsupported. The key replaces [Config.KMSKey].
// Together with [WithKMSKey], the operation fails with InvalidArgument.
func WithCustomerKey(key []byte) storage.NativeOption {
	return storage.WithNative(provider, customerkey.New("WithCustomerKey", key))
}

// WithSourceCustomerKey is the key with which the source of Copy, or the sources of Compose, were
// encrypted; see [WithCustomerKey].
func WithSourceCustomerKey(key []byte) storage.CopyOption {
	return storage.WithSourceNative(provider, customerkey.New("WithSourceCustomerKey", key))
}

// on returns the object o with the customer's key that its requests need.
func (c *call) on(o *gcs.ObjectHandle) *gcs.ObjectHandle {
	if c.key == nil {
		return o
	}
	return o.Key(c.key.Bytes())
}
