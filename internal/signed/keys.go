// Package signed writes and reads the addresses and forms that local and memory
// buckets sign, for the handler of package serve.
//
// A signature is HMAC-SHA256 over everything that it grants: what stands in the
// query, what the request is (method, bucket, key), and the headers or fields
// that have to be sent with their values. Every part is prefixed with its
// length, so that no two grants are the same bytes; and the query is signed as it
// is written, so that whoever holds one cannot make another of it.
package signed

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"slices"
	"sync"

	"github.com/omnibucket/storage"
)

// MinSecret is the least length of a secret, in bytes: that of the sum.
const MinSecret = sha256.Size

// Secrets are what keys are made of, as a Config holds them. Whichever way they
// are printed or encoded, they show nothing.
type Secrets [][]byte

// Format shows no secret, by any verb.
func (Secrets) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// MarshalText shows no secret: JSON and slog use it.
func (Secrets) MarshalText() ([]byte, error) { return []byte(redacted), nil }

const redacted = "REDACTED"

// Keys are those of a bucket: the first signs, and any is good to check with.
// As text they show nothing.
type Keys struct{ all []key }

type key struct {
	id   string     // tells which key signed; it says nothing of the secret
	macs *sync.Pool // of hash.Hash, which have the secret
}

// NewKeys makes keys of secrets. InvalidArgument where one is short.
func NewKeys(secrets Secrets) (Keys, error) {
	var k Keys
	for _, secret := range secrets {
		if len(secret) < MinSecret {
			return Keys{}, &storage.Error{Code: storage.InvalidArgument, Err: errors.New("SigningKeys must be of 32 random bytes or more each")}
		}
		secret = slices.Clone(secret)
		next := key{macs: &sync.Pool{New: func() any { return hmac.New(sha256.New, secret) }}}
		next.id = hex.EncodeToString(next.sum("omnibucket key id")[:8])
		k.all = append(k.all, next)
	}
	return k, nil
}

// NewSecret is a secret that nobody knows.
func NewSecret() []byte {
	secret := make([]byte, MinSecret)
	_, _ = rand.Read(secret) // never fails
	return secret
}

// Format shows no key, by any verb.
func (Keys) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// None reports whether there is no key.
func (k Keys) None() bool { return len(k.all) == 0 }

func (k Keys) find(id string) (key, bool) {
	i := slices.IndexFunc(k.all, func(k key) bool { return k.id == id })
	if i < 0 {
		return key{}, false
	}
	return k.all[i], true
}

// signature is of the parts, as it is written.
func (k key) signature(parts ...string) string {
	return base64.RawURLEncoding.EncodeToString(k.sum(parts...))
}

// signed compares texts, not what they decode to: there is one way to write a
// signature. It takes as long whatever the difference.
func (k key) signed(signature string, parts ...string) bool {
	return subtle.ConstantTimeCompare([]byte(signature), []byte(k.signature(parts...))) == 1
}

func (k key) sum(parts ...string) []byte {
	size := 0
	for _, part := range parts {
		size += binary.MaxVarintLen64 + len(part)
	}
	message := make([]byte, 0, size)
	for _, part := range parts {
		message = binary.AppendUvarint(message, uint64(len(part)))
		message = append(message, part...)
	}
	mac := k.macs.Get().(hash.Hash)
	defer k.macs.Put(mac)
	mac.Reset()
	_, _ = mac.Write(message) // never fails
	return mac.Sum(nil)
}
