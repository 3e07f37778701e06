// Package kms has the parts that the keys of all key management services share: their stanzas, the
// longest time of a request, and the translation of errors.
package kms

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"time"

	"filippo.io/age"

	"github.com/omnibucket/storage/layers/encrypt"
)

// RequestTime is the longest time of one request to a service.
const RequestTime = 30 * time.Second

// A Key is one key of a service. It encrypts a data key into one stanza of age's header, and
// decrypts only stanzas that name this key.
type Key struct {
	Type    string // type of its stanzas
	Name    string // a name that is unique among the keys of all accounts
	Bucket  string // if set, data keys are bound to this text, not to the bucket's real name
	Service Service
}

// A Service sends requests to a key management service. Each call sends one request. Errors come
// from [Failed].
type Service interface {
	// Encrypt returns the encrypted data key, which is the result body. The object's header stores
	// it together with the texts in args. Decrypt receives both.
	Encrypt(ctx context.Context, dataKey []byte, obj encrypt.Object) (body []byte, args []string, err error)
	// Decrypt returns the data key of a stanza with these arguments. If another key has encrypted
	// the data key, the error matches [age.ErrIncorrectIdentity].
	Decrypt(ctx context.Context, body []byte, args []string, obj encrypt.Object) (dataKey []byte, err error)
}

// tag returns the first argument of each stanza that this key makes. A stanza is an entry of age's
// header with one encrypted data key. The argument is a hash of the key's name. The store must not
// learn the name, because the name contains an account or a vault.
func (k *Key) tag() string {
	sum := sha256.Sum256([]byte(k.Name))
	return base64.RawStdEncoding.EncodeToString(sum[:6])
}

// PublicIdentity implements [encrypt.IdentifiedKeys]. It returns the type, the name and the Bucket
// of the key.
func (k *Key) PublicIdentity() string { return k.Type + " " + k.Name + " " + k.Bucket }

// boundObject returns the object to which a data key is bound, whose bucket is k.Bucket if that is set.
func (k *Key) boundObject(obj encrypt.Object) encrypt.Object {
	if k.Bucket != "" {
		obj.Bucket = k.Bucket
	}
	return obj
}

// Wrap has the service encrypt the data key, bound to the object. It implements [encrypt.Keys].
func (k *Key) Wrap(ctx context.Context, dataKey []byte, obj encrypt.Object) ([]*age.Stanza, error) {
	ctx, cancel := context.WithTimeout(ctx, RequestTime)
	defer cancel()
	body, args, err := k.Service.Encrypt(ctx, dataKey, k.boundObject(obj))
	if err != nil {
		return nil, err
	}
	return []*age.Stanza{{Type: k.Type, Args: append([]string{k.tag()}, args...), Body: body}}, nil
}

// Unwrap has the service decrypt the first stanza that names this key. If there is none, it sends no
// request. It implements [encrypt.Keys].
func (k *Key) Unwrap(ctx context.Context, stanzas []*age.Stanza, obj encrypt.Object) ([]byte, error) {
	for _, s := range stanzas {
		if s.Type == k.Type && len(s.Args) > 0 && s.Args[0] == k.tag() {
			ctx, cancel := context.WithTimeout(ctx, RequestTime)
			defer cancel()
			return k.Service.Decrypt(ctx, s.Body, s.Args[1:], k.boundObject(obj))
		}
	}
	return nil, age.ErrIncorrectIdentity
}
