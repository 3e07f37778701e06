// Package customerkey implements the value of the drivers' option WithCustomerKey. The value is the
// encryption key of an object. The caller keeps this key, and the store does not.
package customerkey

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"

	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/providers/internal/address"
)

// Size is the length of a key in bytes. Algorithm is the value by which all stores name the
// encryption with such a key.
const (
	Size      = 32
	Algorithm = "AES256"
)

// A Key is a customer's encryption key for an object. A nil Key means no key. fmt and slog print
// even unexported fields, but they cannot print the result of a function. So the key is kept in a
// function.
type Key struct {
	option string // name of the option that made the key, for errors
	secret func() []byte
}

// New returns a Key for the option with this name.
func New(option string, key []byte) *Key {
	clone := slices.Clone(key)
	return &Key{option: option, secret: func() []byte { return clone }}
}

// In returns the last Key among the values of WithNative, or nil if none is a Key.
func In(natives []any) *Key {
	for _, value := range slices.Backward(natives) {
		if key, ok := value.(*Key); ok {
			return key
		}
	}
	return nil
}

// CheckSize returns an error if the length of the key differs from Size.
func (k *Key) CheckSize() error {
	if size := len(k.Bytes()); size != Size {
		return argument.Invalid(k.option, fmt.Sprintf("must have %d bytes, and has %d", Size, size), "")
	}
	return nil
}

// CheckAddress returns an error if requests to the address go over the network without TLS, where
// everyone could read the key in them. It returns nil if k is nil.
func (k *Key) CheckAddress(u *url.URL) error {
	if k == nil || !address.InClear(u) {
		return nil
	}
	return argument.Invalid(k.option, "needs an address with https: the request contains the key", "")
}

// Option returns the name of the option that made the key.
func (k *Key) Option() string { return k.option }

// Bytes returns the bytes of the key, or nil if k is nil.
func (k *Key) Bytes() []byte {
	if k == nil {
		return nil
	}
	return k.secret()
}

// Base64 returns the key as requests send it.
func (k *Key) Base64() string { return base64.StdEncoding.EncodeToString(k.Bytes()) }

// SHA256 returns the hash of the key as requests send it, in base64.
func (k *Key) SHA256() string {
	sum := sha256.Sum256(k.Bytes())
	return base64.StdEncoding.EncodeToString(sum[:])
}

// SetHeaders adds the headers with the key, whose names begin with prefix, to a request of Google or
// Azure. It does nothing if k is nil.
func (k *Key) SetHeaders(h http.Header, prefix string) {
	if k == nil {
		return
	}
	h.Set(prefix+"Encryption-Algorithm", Algorithm)
	h.Set(prefix+"Encryption-Key", k.Base64())
	h.Set(prefix+"Encryption-Key-Sha256", k.SHA256())
}

// Fingerprint returns a hash by which two keys can be compared. It differs from the hashes that
// stores and requests use, so it reveals nothing to them.
func (k *Key) Fingerprint() string {
	sum := sha256.Sum256(append([]byte("omnibucket customer key "), k.Bytes()...))
	return hex.EncodeToString(sum[:])
}

// String returns the name of the option, without the key.
func (k *Key) String() string { return k.option + "(REDACTED)" }

// Format writes the text of String for every verb, so that no verb shows the key.
func (k *Key) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, k.String()) }

// MarshalText returns the text of String, so that JSON does not show the key.
func (k *Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }
