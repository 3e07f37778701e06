package gcs

import (
	gcs "cloud.google.com/go/storage"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/internal/customerkey"
)

// WithCustomerKey encrypts what is written, and decrypts what is read, with a key of 32 bytes
// (AES-256) that Google does not keep: without it nobody can read the object. Another length is
// InvalidArgument, and so is an address without TLS, but for this machine's own. Every operation that reads or writes
// the object needs it: Upload, Download, Attrs, NewReaderAt, SetTags, signed addresses. Copy and Compose take it for
// what they write, and [WithSourceCustomerKey] for what they read. Remove and listings need no key.
//
// Without the key, or with another one, Download fails with InvalidArgument, and Attrs lacks the
// checksums. [storage.Attrs].Encryption has the key's SHA-256 in base64. A signed address has the
// key in its Header, and whoever uses it must send it. A form cannot carry it: Unsupported. The
// key replaces [Config.KMSKey]; together with [WithKMSKey] it is InvalidArgument.
func WithCustomerKey(key []byte) storage.NativeOption {
	return storage.WithNative(provider, customerkey.New("WithCustomerKey", key))
}

// WithSourceCustomerKey is the key with which the source of Copy, or the sources of Compose, were
// encrypted; see [WithCustomerKey].
func WithSourceCustomerKey(key []byte) storage.CopyOption {
	return storage.WithSourceNative(provider, customerkey.New("WithSourceCustomerKey", key))
}

// on returns the object with the key of its requests.
func (c *call) on(o *gcs.ObjectHandle) *gcs.ObjectHandle {
	if c.key == nil {
		return o
	}
	return o.Key(c.key.Bytes())
}
