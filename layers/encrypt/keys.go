package encrypt

import (
	"context"
	"errors"
	"io"
	"slices"

	"filippo.io/age"

	"github.com/omnibucket/storage"
)

// An Object names the object that a data key belongs to. Keys of a key management service can bind
// the data key to the object, for example by an encryption context.
type Object struct {
	Bucket string // name of the bucket at the provider
	Key    string // whole key; for a bucket of Prefixed, it includes the prefix
}

// Keys encrypt and decrypt the data keys of objects. [ParseKeys] and [NewKeys] return Keys of the
// format age. The packages awskms, googlekms and azurekeyvault return Keys of key management
// services. [JoinKeys] joins several Keys into one. Each encrypted data key is a stanza in the
// header of its object. Each key management service has its own type of stanza.
//
// Wrap is called once for each attempt to write an object, to copy an object, or to begin a
// multipart upload. Unwrap is called once for each object that is read, and not again for other
// ranges of the object. A bucket remembers up to 1,024 data keys until it is closed. It can
// therefore read the objects of these data keys even after a key was disabled or a permission has
// ended.
//
// Both methods are called concurrently. If an error is a *[storage.Error], the operation of the
// bucket fails with its Code. Otherwise it fails with Internal.
type Keys interface {
	// Wrap returns the data key, which has 16 bytes, in encrypted form. The type and each argument
	// of a stanza must be ASCII, without spaces and "|".
	Wrap(ctx context.Context, dataKey []byte, obj Object) ([]*age.Stanza, error)
	// Unwrap returns the data key of an object that was encrypted by Wrap. stanzas
	// has all encrypted forms of the data key. If these Keys cannot decrypt any of them, the error
	// matches [age.ErrIncorrectIdentity].
	Unwrap(ctx context.Context, stanzas []*age.Stanza, obj Object) (dataKey []byte, err error)
}

// ageKeys implements NewKeys.
type ageKeys struct {
	recipients []age.Recipient
	identities []age.Identity
}

// NewKeys returns keys of age. Objects are encrypted for all recipients, and any of the identities
// can decrypt them. Without identities, the bucket can only be written. Without recipients, it can
// only be read.
//
// To use a passphrase, pass an [age.ScryptRecipient], which must be the only recipient, and an
// [age.ScryptIdentity]. Each object then needs one computation of scrypt, which takes about a
// second by default.
func NewKeys(recipients []age.Recipient, identities []age.Identity) Keys {
	return &ageKeys{slices.Clone(recipients), slices.Clone(identities)}
}

// ParseKeys reads an identity file, as age-keygen writes it: one X25519 or hybrid (post-quantum)
// identity on each line, and comments. New objects are encrypted for the first identity. Existing
// objects can be decrypted if the file has their identity at any place. To rotate keys, put the new
// identity first, call [Rewrap] for each object, and then remove the old identity.
//
// It fails with InvalidArgument if identities is not such a file.
func ParseKeys(identities io.Reader) (Keys, error) {
	parsed, err := age.ParseIdentities(identities)
	if err != nil {
		// The error may quote the line, which is a secret.
		return nil, invalid("encrypt.ParseKeys", "identities must be a file of age-keygen: one identity on each line", "")
	}
	k := &ageKeys{identities: parsed}
	switch first := parsed[0].(type) {
	case *age.X25519Identity:
		k.recipients = []age.Recipient{first.Recipient()}
	case *age.HybridIdentity:
		k.recipients = []age.Recipient{first.Recipient()}
	default:
		return nil, invalid("encrypt.ParseKeys", "the first identity must be X25519 or hybrid", "use encrypt.NewKeys for others")
	}
	return k, nil
}

// Wrap encrypts the data key for all recipients. It fails if they have different labels, such as
// "postquantum" (see [age.RecipientWithLabels]), because one recipient could weaken the encryption for
// the others.
func (k *ageKeys) Wrap(_ context.Context, dataKey []byte, _ Object) ([]*age.Stanza, error) {
	if len(k.recipients) == 0 {
		return nil, errNoRecipient()
	}

	var all []*age.Stanza
	var firstLabels []string
	for i, recipient := range k.recipients {
		stanzas, labels, err := wrapFor(recipient, dataKey)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			firstLabels = labels
		}
		if !slices.Equal(labels, firstLabels) {
			return nil, errMixedRecipients()
		}
		all = append(all, stanzas...)
	}
	return all, nil
}

// wrapFor encrypts the data key for one recipient, and returns the recipient's sorted labels, which
// most recipients do not have.
func wrapFor(recipient age.Recipient, dataKey []byte) (stanzas []*age.Stanza, labels []string, err error) {
	labeled, ok := recipient.(age.RecipientWithLabels)
	if !ok {
		stanzas, err = recipient.Wrap(dataKey)
		return stanzas, nil, err
	}

	stanzas, labels, err = labeled.WrapWithLabels(dataKey)
	slices.Sort(labels)
	return stanzas, labels, err
}

// Unwrap decrypts the data key with the first identity that can.
func (k *ageKeys) Unwrap(_ context.Context, stanzas []*age.Stanza, _ Object) ([]byte, error) {
	for _, identity := range k.identities {
		dataKey, err := identity.Unwrap(stanzas)
		if err == nil {
			return dataKey, nil
		}
		if errors.Is(err, age.ErrIncorrectIdentity) {
			continue
		}
		if isFromAge(identity) {
			// Any other error of these types means a damaged header.
			return nil, errDamaged("the header is damaged: " + err.Error())
		}
		return nil, err
	}
	return nil, age.ErrIncorrectIdentity
}

// isFromAge reports whether package age defines the type of identity.
func isFromAge(identity age.Identity) bool {
	switch identity.(type) {
	case *age.X25519Identity, *age.HybridIdentity, *age.ScryptIdentity:
		return true
	}
	return false
}

// JoinKeys joins several Keys into one. It encrypts each data key for all Keys in
// wrap. To decrypt a data key, it tries the Keys in unwrap one after the other, until
// one succeeds. If one of them fails, for example because a service is unavailable, it tries the
// next one.
//
// A key management service may become unavailable. To be able to decrypt without it, make Keys for
// an age recipient with [NewKeys], and add them to wrap. Keep the identity of the
// recipient offline.
//
// To rotate keys, put the new Keys into both parameters. Keep the old Keys in unwrap
// until each object was rewrapped.
//
// If wrap is empty, the bucket can only be read. If unwrap is empty, the bucket can only be
// written. A passphrase must be the only key in wrap. A hybrid (post-quantum) recipient and an
// X25519 recipient must not be used together.
func JoinKeys(wrap, unwrap []Keys) Keys {
	return &joinedKeys{slices.Clone(wrap), slices.Clone(unwrap)}
}

// joinedKeys implements JoinKeys.
type joinedKeys struct{ wrap, unwrap []Keys }

// Wrap encrypts the data key for each of the Keys in k.wrap.
func (k *joinedKeys) Wrap(ctx context.Context, dataKey []byte, obj Object) ([]*age.Stanza, error) {
	if len(k.wrap) == 0 {
		return nil, errNoRecipient()
	}
	var all []*age.Stanza
	for _, keys := range k.wrap {
		stanzas, err := keys.Wrap(ctx, dataKey, obj)
		if err != nil {
			return nil, err
		}
		all = append(all, stanzas...)
	}
	return all, nil
}

// Unwrap decrypts the data key with the first of the Keys in k.unwrap that can. If none can, it returns
// their first error that is not [age.ErrIncorrectIdentity].
func (k *joinedKeys) Unwrap(ctx context.Context, stanzas []*age.Stanza, obj Object) ([]byte, error) {
	failure := age.ErrIncorrectIdentity
	for _, keys := range k.unwrap {
		dataKey, err := keys.Unwrap(ctx, stanzas, obj)
		if err == nil {
			return dataKey, nil
		}
		if ctx.Err() != nil {
			return nil, err
		}
		// The first error of another kind says more than that the keys are others.
		if errors.Is(failure, age.ErrIncorrectIdentity) {
			failure = err
		}
	}
	return nil, failure
}

// errMixedRecipients returns the error for recipients that would weaken each other.
func errMixedRecipients() error {
	return invalid(
		"",
		"the recipients cannot be mixed: a passphrase must be the only one, and a post-quantum one is not beside another",
		"",
	)
}

// errNoRecipient returns the error for a write with keys that can only read.
func errNoRecipient() error {
	return &storage.Error{
		Code: storage.PermissionDenied,
		Err:  errors.New("the keys have no recipient"),
		Hint: "these keys can only read",
	}
}

// invalid returns an error with the code InvalidArgument.
func invalid(op, rule, hint string) error {
	return &storage.Error{Code: storage.InvalidArgument, Op: op, Err: errors.New(rule), Hint: hint}
}
