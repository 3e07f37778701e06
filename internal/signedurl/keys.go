// Package signedurl signs and verifies the URLs and forms of local and memory buckets. The handler
// of package serve accepts the requests.
//
// A signature is an HMAC-SHA256 of everything that it permits: the query, the method, the bucket,
// the key, and the headers or fields that the client must send. Each text is signed with its length
// in front, so that different grants never give the same bytes. The query is signed as the exact
// text that the client sends, so that nobody can change it.
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

// MinSecret is the shortest permitted length of a secret in bytes. It is the length of the hash.
const MinSecret = sha256.Size

// Secrets holds the signing secrets in a configuration. [NewKeys] turns them into [Keys]. Printing
// or encoding Secrets does not reveal them.
type Secrets [][]byte

// Format writes a placeholder for every verb, so that printing does not reveal the secrets.
func (Secrets) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// MarshalText returns a placeholder, so that JSON and logs do not reveal the secrets.
func (Secrets) MarshalText() ([]byte, error) { return []byte(redacted), nil }

const redacted = "REDACTED"

// Keys holds the signing keys of a bucket. The first key signs, and each of them can verify.
// Printing Keys does not reveal them.
type Keys struct{ all []key }

type key struct {
	id  string // identifies the key in a signed URL, without revealing the secret
	mac func() hash.Hash
}

// NewKeys makes Keys from secrets. It fails with InvalidArgument if a secret is shorter than
// [MinSecret].
func NewKeys(secrets Secrets) (Keys, error) {
	var keys Keys
	for _, secret := range secrets {
		if len(secret) < MinSecret {
			return Keys{}, &storage.Error{
				Code: storage.InvalidArgument,
				Err:  errors.New("each of SigningKeys must have at least 32 random bytes"),
			}
		}

		// Only this closure holds the secret, so that a printed key shows the closure's address and
		// not the secret.
		secret = slices.Clone(secret)
		next := key{mac: func() hash.Hash { return hmac.New(sha256.New, secret) }}
		next.id = hex.EncodeToString(next.sum("omnibucket key id")[:8])
		keys.all = append(keys.all, next)
	}
	return keys, nil
}

// NewSecret returns a new random secret.
func NewSecret() []byte {
	secret := make([]byte, MinSecret)
	_, _ = rand.Read(secret)
	return secret
}

// Format writes a placeholder for every verb, so that printing does not reveal the keys.
func (Keys) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// Empty reports whether there is no key.
func (k Keys) Empty() bool { return len(k.all) == 0 }

// find returns the key with this ID.
func (k Keys) find(id string) (key, bool) {
	index := slices.IndexFunc(k.all, func(k key) bool { return k.id == id })
	if index < 0 {
		return key{}, false
	}
	return k.all[index], true
}

func (k key) sign(parts ...string) string {
	return base64.RawURLEncoding.EncodeToString(k.sum(parts...))
}

// verify reports in constant time whether signature is the signature of parts.
//
// It compares the encoded texts, because several texts may decode to the same bytes, and only one
// may be valid.
func (k key) verify(signature string, parts ...string) bool {
	return subtle.ConstantTimeCompare([]byte(signature), []byte(k.sign(parts...))) == 1
}

// sum returns the HMAC of the parts, each with its length before it, so that no byte can move from
// one part to the next.
func (k key) sum(parts ...string) []byte {
	mac := k.mac()
	for _, part := range parts {
		length := binary.AppendUvarint(nil, uint64(len(part)))
		// Writing to a hash never fails.
		_, _ = mac.Write(append(length, part...))
	}
	return mac.Sum(nil)
}
