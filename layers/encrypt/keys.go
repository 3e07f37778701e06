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

// Keys encrypt the data keys of objects. [ParseKeys] and [NewKeys] return those of age. The packages awskms,
// googlekms and azurekeyvault have those of key management services, each of which makes one stanza with a type
// of its own, and [JoinKeys] joins several.
//
// Wrap is called once for each attempt to write an object, copy or multipart upload. Unwrap is called
// once for each object that is read: a bucket remembers the last 1,024 data keys until it is closed, so
// that ranges and parts of one object cost no further calls. It therefore reads such objects also after the key was
// disabled or a permission has ended.
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
// It fails with InvalidArgument if identities does not have that form.
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

// Wrap implements the rule of age that all recipients have the same labels, so that none weakens another.
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

// Unwrap tries one identity after the other.
func (k *ageKeys) Unwrap(_ context.Context, stanzas []*age.Stanza, _ Object) ([]byte, error) {
	for _, identity := range k.identities {
		dataKey, err := identity.Unwrap(stanzas)
		if errors.Is(err, age.ErrIncorrectIdentity) {
			continue
		}
		switch identity.(type) {
		case *age.X25519Identity, *age.HybridIdentity, *age.ScryptIdentity:
			if err != nil { // nothing else of these keys can fail
				return nil, damaged("the header is damaged: " + err.Error())
			}
		}
		return dataKey, err
	}
	return nil, age.ErrIncorrectIdentity
}

// JoinKeys returns keys that encrypt each data key for all of wrap, and decrypt it by the first of unwrap
// that can. If one of them fails, for example because its service is unavailable, the next are tried, too. To
// decrypt without a key management service in an emergency, put [NewKeys] of a recipient beside
// its key into wrap, and keep the identity offline. To rotate keys, put the new one into both, and the old
// one into unwrap until each object was rewrapped.
//
// Without wrap the bucket can only be read, without unwrap only written. A passphrase must be the only key
// of wrap, and a hybrid (post-quantum) recipient must not be beside an X25519 one.
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
