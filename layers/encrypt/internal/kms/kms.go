// Package kms has what the keys of all key management services share: their stanzas, the time that a
// request may take, and errors that have the codes of this library.
package kms

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"time"

	"filippo.io/age"

	"github.com/omnibucket/storage/layers/encrypt"
)

// RequestTime is how long one request to a service may take.
const RequestTime = 30 * time.Second

// A Key is one key of a service. It makes one stanza, and opens only those that name it.
type Key struct {
	Type    string // type of its stanzas
	Name    string // unique among the keys of all accounts
	Bucket  string // bound to data keys in place of the bucket's name at the provider, if it is set
	Service Service
}

// A Service sends one request. Its errors are what [Failed] returns.
type Service interface {
	// Encrypt returns the encrypted data key, and further arguments of the stanza.
	Encrypt(ctx context.Context, dataKey []byte, of encrypt.Object) (body []byte, args []string, err error)
	// Decrypt returns the data key of a stanza with these arguments. The error matches
	// [age.ErrIncorrectIdentity] if it was encrypted by another key.
	Decrypt(ctx context.Context, body []byte, args []string, of encrypt.Object) (dataKey []byte, err error)
}

// tag distinguishes the stanzas of one key from those of other keys. The name, with an account or a
// vault, stays unknown to the store.
func (k *Key) tag() string {
	sum := sha256.Sum256([]byte(k.Name))
	return base64.RawStdEncoding.EncodeToString(sum[:6])
}

// PublicIdentity implements [encrypt.IdentifiedKeys].
func (k *Key) PublicIdentity() string { return k.Type + " " + k.Name + " " + k.Bucket }

// bound returns the object to which the data key is bound.
func (k *Key) bound(of encrypt.Object) encrypt.Object {
	if k.Bucket != "" {
		of.Bucket = k.Bucket
	}
	return of
}

// Wrap implements [encrypt.Keys].
func (k *Key) Wrap(ctx context.Context, dataKey []byte, of encrypt.Object) ([]*age.Stanza, error) {
	ctx, cancel := context.WithTimeout(ctx, RequestTime)
	defer cancel()
	body, args, err := k.Service.Encrypt(ctx, dataKey, k.bound(of))
	if err != nil {
		return nil, err
	}
	return []*age.Stanza{{Type: k.Type, Args: append([]string{k.tag()}, args...), Body: body}}, nil
}

// Unwrap implements [encrypt.Keys]. It sends one request, for the first stanza of the key, or none.
func (k *Key) Unwrap(ctx context.Context, stanzas []*age.Stanza, of encrypt.Object) ([]byte, error) {
	for _, s := range stanzas {
		if s.Type == k.Type && len(s.Args) > 0 && s.Args[0] == k.tag() {
			ctx, cancel := context.WithTimeout(ctx, RequestTime)
			defer cancel()
			return k.Service.Decrypt(ctx, s.Body, s.Args[1:], k.bound(of))
		}
	}
	return nil, age.ErrIncorrectIdentity
}
