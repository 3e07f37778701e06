package gcs

import (
	gcs "cloud.google.com/go/storage"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/internal/customerkey"
)

// WithCustomerKey encrypts what is written, and decrypts what is read, with a key of 32 bytes
// (AES-256). Google does not keep the key: without it nobody can read the object. If the key has
// another length, the operation fails with InvalidArgument. It also fails if the endpoint is on
// another machine and has no TLS.
//
// Every operation that reads or writes the object needs the key: Upload, Download, Attrs,
// NewReaderAt, SetTags, signed URLs. Copy and Compose use the key for the object that they write,
// and [WithSourceCustomerKey] for the objects that they read. Remove and listings need no key.
//
// Without the key, or with another key, Download fails with InvalidArgument, and Attrs lacks the
// checksums. [storage.Attrs].Encryption has the key's SHA-256 in base64. A signed URL has the key
// in its Header, which its user must send. A form cannot carry the key, and fails with Unsupported.
// The key replaces [Config.KMSKey]. Together with [WithKMSKey], the operation fails with
// InvalidArgument.
func WithCustomerKey(key []byte) storage.NativeOption {
	return storage.WithNative(provider, customerkey.New("WithCustomerKey", key))
}

// WithSourceCustomerKey sets the key with which the source of Copy, or the sources of Compose, were
// encrypted; see [WithCustomerKey].
func WithSourceCustomerKey(key []byte) storage.CopyOption {
	return storage.WithSourceNative(provider, customerkey.New("WithSourceCustomerKey", key))
}

// addKey adds the customer's key to an object handle, because requests for an encrypted object need
// the key.
func (c *callOptions) addKey(o *gcs.ObjectHandle) *gcs.ObjectHandle {
	if c.key == nil {
		return o
	}
	return o.Key(c.key.Bytes())
}
