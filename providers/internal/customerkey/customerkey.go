// Package customerkey has the value of the drivers' option WithCustomerKey: a key for an object, which the store does
// not keep.
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

// Size is the length of a key in bytes, and Algorithm is the name that every store has for its
// use.
const (
	Size      = 32
	Algorithm = "AES256"
)

// A Key is a key for an object; nil means that there is none. No way of printing shows it: fmt and slog print
// also the values of unexported fields, but not the result of a function.
type Key struct {
	option string // the name of the function that made it
	reveal func() []byte
}

// New returns the value of the option with that name.
func New(option string, key []byte) *Key {
	own := slices.Clone(key)
	return &Key{option: option, reveal: func() []byte { return own }}
}

// In returns the last key among the values of options, or nil.
func In(natives []any) (key *Key) {
	for _, value := range natives {
		if k, is := value.(*Key); is {
			key = k
		}
	}
	return key
}

// CheckSize returns an error if the key has another length than Size.
func (k *Key) CheckSize() error {
	if has := len(k.Bytes()); has != Size {
		return argument.Invalid(k.option, fmt.Sprintf("must have %d bytes, and has %d", Size, has), "")
	}
	return nil
}

// CheckAddress returns an error if a request to the address would show the key to the network.
func (k *Key) CheckAddress(at *url.URL) error {
	if k == nil || !address.InClear(at) {
		return nil
	}
	return argument.Invalid(k.option, "needs an address with https: the request contains the key", "")
}

// Option returns the name of the option.
func (k *Key) Option() string { return k.option }

// Bytes returns the key, or nil.
func (k *Key) Bytes() []byte {
	if k == nil {
		return nil
	}
	return k.reveal()
}

// Base64 returns the key in the form of requests.
func (k *Key) Base64() string { return base64.StdEncoding.EncodeToString(k.Bytes()) }

// SHA256 returns the hash of the key in the form of requests.
func (k *Key) SHA256() string {
	sum := sha256.Sum256(k.Bytes())
	return base64.StdEncoding.EncodeToString(sum[:])
}

// SetHeaders adds the key to the headers of a request of Google or Azure, whose names begin with prefix.
func (k *Key) SetHeaders(h http.Header, prefix string) {
	if k == nil {
		return
	}
	h.Set(prefix+"Encryption-Algorithm", Algorithm)
	h.Set(prefix+"Encryption-Key", k.Base64())
	h.Set(prefix+"Encryption-Key-Sha256", k.SHA256())
}

// Fingerprint returns a hash of the key that differs from every hash in stores and requests.
func (k *Key) Fingerprint() string {
	sum := sha256.Sum256(append([]byte("omnibucket customer key "), k.Bytes()...))
	return hex.EncodeToString(sum[:])
}

// String does not show the key.
func (k *Key) String() string { return k.option + "(REDACTED)" }

// Format writes String, whatever the verb is.
func (k *Key) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, k.String()) }

// MarshalText returns String.
func (k *Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }
