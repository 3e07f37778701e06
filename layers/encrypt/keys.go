package encrypt

import (
	"context"
	"errors"
	"io"
	"slices"

	"filippo.io/age"

	"github.com/omnibucket/storage"
)

// An Object names the object that a data key belongs to. Keys of a key management service can bind the
// data key to it, as encryption context.
type Object struct {
	Bucket string // the name of the bucket at the provider
	Key    string // with the prefix of a Prefixed bucket
}

// Keys encrypt the data keys of objects. [ParseKeys] and [NewKeys] return those of age. An
// implementation for a key management service returns one stanza with a type of its own.
//
// Both methods are called concurrently. An error that is a *[storage.Error] reaches the caller of the
// bucket with its Code; any other is Internal.
type Keys interface {
	// Wrap returns the data key, of 16 bytes, in encrypted form. Type and arguments of a stanza are
	// words of ASCII without spaces and "|".
	Wrap(ctx context.Context, dataKey []byte, of Object) ([]*age.Stanza, error)
	// Unwrap returns the data key of an object that was encrypted by Wrap. If none of the stanzas is
	// meant for these keys, or it cannot be decrypted, the error matches [age.ErrIncorrectIdentity].
	Unwrap(ctx context.Context, stanzas []*age.Stanza, of Object) (dataKey []byte, err error)
}

type ageKeys struct {
	recipients []age.Recipient
	identities []age.Identity
}

// NewKeys returns keys of age: objects are encrypted for all recipients, and any of the identities decrypts
// them. Without identities the bucket can only be written, without recipients only read.
//
// A passphrase is an [age.ScryptRecipient], which must be the only recipient, and an
// [age.ScryptIdentity]. Each object then costs the work of one scrypt, about a second by default.
func NewKeys(recipients []age.Recipient, identities []age.Identity) Keys {
	return &ageKeys{slices.Clone(recipients), slices.Clone(identities)}
}

// ParseKeys reads an identity file, as age-keygen writes it: one X25519 or hybrid (post-quantum)
// identity on each line, and comments. Objects are encrypted for the first one, and all
// decrypt them. To rotate keys, put the new identity first, call [Rewrap] for each object, and remove
// the old identity then.
//
// InvalidArgument: identities does not have that form.
func ParseKeys(identities io.Reader) (Keys, error) {
	parsed, err := age.ParseIdentities(identities)
	if err != nil { // it may quote the line, which is a secret
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

// Wrap implements the rule of age that all recipients have the same labels, so that none weakens another.
func (k *ageKeys) Wrap(_ context.Context, dataKey []byte, _ Object) ([]*age.Stanza, error) {
	if len(k.recipients) == 0 {
		return nil, &storage.Error{Code: storage.PermissionDenied, Err: errors.New("the keys have no recipient"), Hint: "these keys can only read"}
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
			return nil, invalid("", "the recipients cannot be mixed: a passphrase must be the only one, and a post-quantum one is not beside another", "")
		}
		labels, all = of, append(all, stanzas...)
	}
	return all, nil
}

// Unwrap tries one identity after the other.
func (k *ageKeys) Unwrap(_ context.Context, stanzas []*age.Stanza, _ Object) ([]byte, error) {
	for _, identity := range k.identities {
		dataKey, err := identity.Unwrap(stanzas)
		if errors.Is(err, age.ErrIncorrectIdentity) {
			continue
		}
		switch identity.(type) {
		case *age.X25519Identity, *age.HybridIdentity, *age.ScryptIdentity:
			if err != nil { // they do nothing else that can fail
				return nil, damaged("the header is damaged: " + err.Error())
			}
		}
		return dataKey, err
	}
	return nil, age.ErrIncorrectIdentity
}

func invalid(op, rule, hint string) error {
	return &storage.Error{Code: storage.InvalidArgument, Op: op, Err: errors.New(rule), Hint: hint}
}
