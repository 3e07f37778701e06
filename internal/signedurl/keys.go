// Package signedurl signs and verifies the URLs and forms of local and memory buckets,
// for the handler of package serve.
//
// A signature is HMAC-SHA256 over everything that it grants. This is the query, the method,
// the bucket, the key, and the headers or fields that the client must send. Each part is
// prefixed with its length, so that two different grants are never
// the same bytes. The query is signed as it is written, so that it cannot be changed
// into another one.
package signedurl

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

	"github.com/omnibucket/storage"
)

// MinSecret is the least length of a secret in bytes. It is the length of the hash.
const MinSecret = sha256.Size

// Secrets are the keys of a Config, before they become [Keys]. Printing or encoding
// them shows nothing.
type Secrets [][]byte

// Format writes a placeholder for any verb.
func (Secrets) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// MarshalText returns a placeholder. JSON and slog use it.
func (Secrets) MarshalText() ([]byte, error) { return []byte(redacted), nil }

const redacted = "REDACTED"

// Keys are the keys of a bucket. The first one signs, and each of them verifies.
// Printing them shows nothing.
type Keys struct{ all []key }

type key struct {
	id  string // tells which key signed, and nothing about the secret
	mac func() hash.Hash
}

// NewKeys makes keys of secrets. If a secret is shorter than [MinSecret], it fails with
// InvalidArgument.
func NewKeys(secrets Secrets) (Keys, error) {
	var k Keys
	for _, secret := range secrets {
		if len(secret) < MinSecret {
			return Keys{}, &storage.Error{
				Code: storage.InvalidArgument,
				Err:  errors.New("each of SigningKeys must have at least 32 random bytes"),
			}
		}
		secret = slices.Clone(secret)
		next := key{mac: func() hash.Hash { return hmac.New(sha256.New, secret) }} // printing a func shows no secret
		next.id = hex.EncodeToString(next.sum("omnibucket key id")[:8])
		k.all = append(k.all, next)
	}
	return k, nil
}

// NewSecret returns a new random secret.
func NewSecret() []byte {
	secret := make([]byte, MinSecret)
	_, _ = rand.Read(secret) // never fails
	return secret
}

// Format writes a placeholder for any verb.
func (Keys) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// Empty reports whether there is no key.
func (k Keys) Empty() bool { return len(k.all) == 0 }

func (k Keys) find(id string) (key, bool) {
	i := slices.IndexFunc(k.all, func(k key) bool { return k.id == id })
	if i < 0 {
		return key{}, false
	}
	return k.all[i], true
}

func (k key) sign(parts ...string) string {
	return base64.RawURLEncoding.EncodeToString(k.sum(parts...))
}

// verify reports whether signature is that of the parts. It compares texts, not
// decoded bytes, so that a signature has one spelling. It takes constant time.
func (k key) verify(signature string, parts ...string) bool {
	return subtle.ConstantTimeCompare([]byte(signature), []byte(k.sign(parts...))) == 1
}

func (k key) sum(parts ...string) []byte {
	mac := k.mac()
	for _, part := range parts { // writing never fails
		_, _ = mac.Write(append(binary.AppendUvarint(nil, uint64(len(part))), part...))
	}
	return mac.Sum(nil)
}
