package gcs

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"

	gcs "cloud.google.com/go/storage"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/providers/internal/address"
)

const keySize = sha256.Size // bytes of an AES-256 key

type customerKey struct {
	bytes []byte
}

// WithCustomerKey encrypts what is written, and decrypts what is read, with a key of 32 bytes
// (AES-256) that Google does not keep: without it nobody can read the object. Another length is
// InvalidArgument, and so is an address without TLS, but for this machine's own. Every operation that reads or writes the object needs it: Upload, Download,
// Attrs, NewReaderAt, SetTags, signed addresses. Copy and Compose take it for what they write, and
// [WithSourceCustomerKey] for what they read. Remove and listings need no key.
//
// Without the key, or with another one, Download fails with InvalidArgument, and Attrs lacks the
// checksums. [storage.Attrs].Encryption has the key's SHA-256 in base64. A signed address has the
// key in its Header, and whoever uses it must send it. A form cannot carry it: Unsupported. The
// key replaces [Config.KMSKey]; together with [WithKMSKey] it is InvalidArgument.
func WithCustomerKey(key []byte) storage.NativeOption {
	return storage.WithNative(provider, customerKeyOption("WithCustomerKey", key))
}

// WithSourceCustomerKey is the key with which the source of Copy, or the sources of Compose, were
// encrypted; see [WithCustomerKey].
func WithSourceCustomerKey(key []byte) storage.CopyOption {
	return storage.WithSourceNative(provider, customerKeyOption("WithSourceCustomerKey", key))
}

func customerKeyOption(name string, key []byte) nativeOption {
	k := &customerKey{bytes: slices.Clone(key)}
	o := nativeOption{name: name, isKey: true, identity: fingerprint(key), apply: func(c *call) { c.key = k }}
	if len(key) != keySize {
		o.err = argument.Invalid(name, "must have 32 bytes", "")
	}
	return o
}

// errKeyInClear returns an error if a request to address would show the key to the network.
func errKeyInClear(name string, at *url.URL) error {
	if !address.InClear(at) {
		return nil
	}
	return argument.Invalid(name, "needs an address with https: the request contains the key", "")
}

// String hides the key.
func (k *customerKey) String() string { return "customer key" }

// GoString returns String.
func (k *customerKey) GoString() string { return k.String() }

// setHeaders adds the key to a request for the object; k may be nil. prefix is "X-Goog-" or, for
// the source of a copy, "X-Goog-Copy-Source-".
func (k *customerKey) setHeaders(h http.Header, prefix string) {
	if k == nil {
		return
	}
	sum := sha256.Sum256(k.bytes)
	h.Set(prefix+"Encryption-Algorithm", "AES256")
	h.Set(prefix+"Encryption-Key", base64.StdEncoding.EncodeToString(k.bytes))
	h.Set(prefix+"Encryption-Key-Sha256", base64.StdEncoding.EncodeToString(sum[:]))
}

// on returns the object with the key of its requests; k may be nil.
func (k *customerKey) on(o *gcs.ObjectHandle) *gcs.ObjectHandle {
	if k == nil {
		return o
	}
	return o.Key(k.bytes)
}

// equal reports whether both are the same key, or none.
func (k *customerKey) equal(other *customerKey) bool {
	return k == nil && other == nil || k != nil && other != nil && slices.Equal(k.bytes, other.bytes)
}
