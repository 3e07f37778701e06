package encrypt

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"filippo.io/age"
)

// IdentifiedKeys are [Keys] with a public identity, which is a text without secrets. Data outside
// of the bucket, such as the cache of package diskcache, is stored under that identity (see
// [driver.StackIdentity]). Keys with another identity never use that data.
//
// Keys of age (age-encryption.org) and of key management services have an identity. It consists of
// their public parts. A passphrase or any other key is identified only by its type. Two such keys
// of the same type therefore use the same data.
type IdentifiedKeys interface {
	Keys
	// PublicIdentity returns a text without a secret. Different keys return different texts.
	PublicIdentity() string
}

// identity returns the layer's entry in driver.Description.Stack, which differs for layers with
// different keys.
func (l *layer) identity() string {
	sum := sha256.Sum256([]byte(identityOf(l.config.Keys)))
	word := "encrypt " + hex.EncodeToString(sum[:])
	if l.config.AllowPlain {
		word += " or plain"
	}
	return word
}

// identityOf returns the public identity of k, or the name of its type if it has none.
func identityOf(k Keys) string {
	if identified, ok := k.(IdentifiedKeys); ok {
		return identified.PublicIdentity()
	}
	return fmt.Sprintf("%T", k)
}

// PublicIdentity implements [IdentifiedKeys]. The text contains the recipients and the public keys of
// the identities, so that keys that only encrypt differ from keys that also decrypt.
func (k *ageKeys) PublicIdentity() string {
	words := []string{"age"}
	for _, r := range k.recipients {
		words = append(words, "to", publicKey(r))
	}
	for _, i := range k.identities {
		switch i := i.(type) {
		case *age.X25519Identity:
			words = append(words, "of", i.Recipient().String())
		case *age.HybridIdentity:
			words = append(words, "of", i.Recipient().String())
		default:
			words = append(words, "of", fmt.Sprintf("%T", i))
		}
	}
	return strings.Join(words, " ")
}

// publicKey returns the public key of r, or the name of its type if age does not show one.
func publicKey(r age.Recipient) string {
	switch r := r.(type) {
	case *age.X25519Recipient:
		return r.String()
	case *age.HybridRecipient:
		return r.String()
	}
	return fmt.Sprintf("%T", r)
}

// PublicIdentity implements [IdentifiedKeys]. The text contains the identities of all joined keys.
func (k *joinedKeys) PublicIdentity() string {
	words := []string{"joined"}
	for _, keys := range k.wrap {
		words = append(words, fmt.Sprintf("to (%s)", identityOf(keys)))
	}
	for _, keys := range k.unwrap {
		words = append(words, fmt.Sprintf("of (%s)", identityOf(keys)))
	}
	return strings.Join(words, " ")
}
