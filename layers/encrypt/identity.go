package encrypt

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"filippo.io/age"
)

// IdentifiedKeys are [Keys] that have a public identity. Data that is kept beside a bucket, such as the blocks of
// package diskcache, belongs to that identity: see [driver.StackIdentity]. Keys of age and of the key management
// services are identified by their public parts. Passphrases, and all other keys, are distinguished only by their
// types.
type IdentifiedKeys interface {
	Keys
	// PublicIdentity returns a text without a secret. Other keys return another text.
	PublicIdentity() string
}

// identity is the text of the layer in driver.Description.Stack.
func (l *layer) identity() string {
	sum := sha256.Sum256([]byte(identityOf(l.config.Keys)))
	word := "encrypt " + hex.EncodeToString(sum[:])
	if l.config.AllowPlain {
		word += " or plain"
	}
	return word
}

func identityOf(k Keys) string {
	if identified, ok := k.(IdentifiedKeys); ok {
		return identified.PublicIdentity()
	}
	return fmt.Sprintf("%T", k)
}

// PublicIdentity implements [IdentifiedKeys]. The text has the identities, too: keys that only encrypt differ from
// keys that also decrypt.
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

func publicKey(r age.Recipient) string {
	switch r := r.(type) {
	case *age.X25519Recipient:
		return r.String()
	case *age.HybridRecipient:
		return r.String()
	}
	return fmt.Sprintf("%T", r)
}

// PublicIdentity implements [IdentifiedKeys].
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
