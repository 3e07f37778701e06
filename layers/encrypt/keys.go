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

// Keys encrypt the data keys of objects. [ParseKeys] and [NewKeys] return Keys of the format age.
// The packages awskms, googlekms and azurekeyvault have Keys of key management services. Each of
// these adds one stanza with its own type to the header of an object. [JoinKeys] joins several Keys
// into one.
//
// Wrap is called once for each attempt to write an object, copy or multipart upload. Unwrap is
// called once for each object that is read, because a bucket remembers the last 1,024 data keys
// until it is closed. Further ranges and parts of the object need no call. A bucket can therefore
// read such objects even after the key was disabled or a permission has ended.
//
// Both methods are called concurrently. If an error is a *[storage.Error], the operation of the
// bucket fails with its Code. Otherwise it fails with Internal.
type Keys interface {
	// Wrap returns the data key, which has 16 bytes, in encrypted form. The type and each argument
	// of a stanza must be ASCII, without spaces and "|".
	Wrap(ctx context.Context, dataKey []byte, of Object) ([]*age.Stanza, error)
	// Unwrap returns the data key of an object that was encrypted by Wrap. If no stanza is meant
	// for these keys, or if they cannot decrypt it, the error matches [age.ErrIncorrectIdentity].
	Unwrap(ctx context.Context, stanzas []*age.Stanza, of Object) (dataKey []byte, err error)
}

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
// identity on each line, and comments. New objects are encrypted for the first identity, and any of
// the identities can decrypt the objects that were encrypted for it. To rotate keys, put the new
// identity first, call [Rewrap] for each object, and then remove the old identity.
//
// It fails with InvalidArgument if identities is not such a file.
func ParseKeys(identities io.Reader) (Keys, error) {
	parsed, err := age.ParseIdentities(identities)
	if err != nil { // the error may quote the line, which is a secret
		return nil, invalid(
			"encrypt.ParseKeys", "identities must be a file of age-keygen: one identity on each line", "",
		)
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

// Wrap encrypts the data key for all recipients. By a rule of age, they must have the same labels,
// so that no recipient weakens another.
func (k *ageKeys) Wrap(_ context.Context, dataKey []byte, _ Object) ([]*age.Stanza, error) {
	if len(k.recipients) == 0 {
		return nil, noRecipient()
	}
	var all []*age.Stanza
	var labels []string
	for i, r := range k.recipients {
		var stanzas []*age.Stanza
		var of []string
		var err error
		if labeled, ok := r.(age.RecipientWithLabels); ok {
			stanzas, of, err = labeled.WrapWithLabels(dataKey)
		} else {
			stanzas, err = r.Wrap(dataKey)
		}
		if err != nil {
			return nil, err
		}
		slices.Sort(of)
		if i > 0 && !slices.Equal(labels, of) {
			return nil, mixed()
		}
		labels, all = of, append(all, stanzas...)
	}
	return all, nil
}

// Unwrap tries one identity after the other, until one decrypts the data key.
func (k *ageKeys) Unwrap(_ context.Context, stanzas []*age.Stanza, _ Object) ([]byte, error) {
	for _, identity := range k.identities {
		dataKey, err := identity.Unwrap(stanzas)
		if errors.Is(err, age.ErrIncorrectIdentity) {
			continue
		}
		switch identity.(type) {
		case *age.X25519Identity, *age.HybridIdentity, *age.ScryptIdentity:
			if err != nil { // any other error of these types means a damaged header
				return nil, damaged("the header is damaged: " + err.Error())
			}
		}
		return dataKey, err
	}
	return nil, age.ErrIncorrectIdentity
}

// JoinKeys returns keys that encrypt each data key for all keys in wrap. To decrypt a data key,
// they try the keys in unwrap one after the other, until one succeeds. A failure, for example of an
// unavailable service, does not prevent the next attempt. If you want to decrypt without a key
// management service in an emergency, add [NewKeys] of a recipient to wrap, and keep the identity
// offline. To rotate keys, put the new key into wrap and unwrap, and keep the old key in unwrap
// until each object was rewrapped.
//
// Without wrap, the bucket can only be read. Without unwrap, it can only be written. A passphrase
// must be the only key of wrap, and a hybrid (post-quantum) recipient must not be beside an X25519
// one.
func JoinKeys(wrap, unwrap []Keys) Keys {
	return &joinedKeys{slices.Clone(wrap), slices.Clone(unwrap)}
}

type joinedKeys struct{ wrap, unwrap []Keys }

func (k *joinedKeys) Wrap(ctx context.Context, dataKey []byte, of Object) (all []*age.Stanza, err error) {
	if len(k.wrap) == 0 {
		return nil, noRecipient()
	}
	for _, keys := range k.wrap {
		stanzas, err := keys.Wrap(ctx, dataKey, of)
		if err != nil {
			return nil, err
		}
		all = append(all, stanzas...)
	}
	return all, nil
}

func (k *joinedKeys) Unwrap(ctx context.Context, stanzas []*age.Stanza, of Object) ([]byte, error) {
	failed := age.ErrIncorrectIdentity
	for _, keys := range k.unwrap {
		dataKey, err := keys.Unwrap(ctx, stanzas, of)
		if err == nil || ctx.Err() != nil {
			return dataKey, err
		}
		if errors.Is(failed, age.ErrIncorrectIdentity) {
			failed = err
		}
	}
	return nil, failed
}

func mixed() error {
	return invalid(
		"",
		"the recipients cannot be mixed: a passphrase must be the only one, and a post-quantum one is not beside another",
		"",
	)
}

func noRecipient() error {
	return &storage.Error{
		Code: storage.PermissionDenied, Err: errors.New("the keys have no recipient"), Hint: "these keys can only read",
	}
}

func invalid(op, rule, hint string) error {
	return &storage.Error{Code: storage.InvalidArgument, Op: op, Err: errors.New(rule), Hint: hint}
}
