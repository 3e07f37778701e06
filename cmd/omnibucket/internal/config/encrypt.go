package config

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"filippo.io/age"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/layers/encrypt"
)

// An Encrypt is the layer encrypt. The configuration has no secrets: it names where they are.
type Encrypt struct {
	IdentityFile     string   `yaml:"identity_file"`     // a file that age-keygen has written
	IdentityVariable string   `yaml:"identity_variable"` // a variable with the content of such a file
	Recipients       []string `yaml:"recipients"`        // in place of the first identity: public keys, and keys of services, which decrypt, too
	DecryptWith      []string `yaml:"decrypt_with"`      // keys of services that only decrypt
	AllowPlain       bool     `yaml:"allow_plain"`
}

var variableForm = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// check returns the recipients that are public keys. Errors quote no value, which may be a secret by mistake.
func (e *Encrypt) check() ([]age.Recipient, error) {
	switch {
	case e.IdentityFile != "" && e.IdentityVariable != "":
		return nil, argument.Invalid("encrypt: identity_file and identity_variable must not be used together", "")
	case e.IdentityFile != "" && !filepath.IsAbs(e.IdentityFile):
		return nil, argument.Invalid(
			"encrypt: identity_file must be an absolute path",
			"write the identities to a file with age-keygen, and name it",
		)
	case e.IdentityVariable != "" && !variableForm.MatchString(e.IdentityVariable):
		return nil, argument.Invalid(
			"encrypt: identity_variable must be the name of an environment variable", "the variable has the identities",
		)
	case e.IdentityFile == "" && e.IdentityVariable == "" && len(e.Recipients) == 0:
		return nil, argument.Invalid("encrypt: identity_file, identity_variable or recipients must be set", "")
	case slices.ContainsFunc(e.DecryptWith, isPublicKey):
		return nil, argument.Invalid(
			"encrypt: decrypt_with must be keys of "+services, "put identities of age into identity_file",
		)
	}
	public := slices.DeleteFunc(slices.Clone(e.Recipients), isServiceKey)
	if len(public) == 0 {
		return nil, nil
	}
	recipients, err := age.ParseRecipients(strings.NewReader(strings.Join(public, "\n")))
	if err != nil || len(recipients) != len(public) {
		return nil, argument.Invalid(
			"encrypt: recipients must be public keys of age, such as age1…, or keys of "+services,
			"age-keygen -y prints that of an identity",
		)
	}
	return recipients, nil
}

// new reads the identities, and returns the layer.
func (e *Encrypt) new(lookup func(string) (string, bool)) (driver.Layer, error) {
	recipients, err := e.check()
	if err != nil {
		return nil, err
	}
	text, err := e.identities(lookup)
	if err != nil {
		return nil, err
	}
	keys, err := e.keys(text, recipients)
	if err != nil {
		return nil, err
	}
	return encrypt.New(encrypt.Config{Keys: keys, AllowPlain: e.AllowPlain})
}

// identities returns the content of the file or the variable, or "" if only recipients are set.
func (e *Encrypt) identities(lookup func(string) (string, bool)) (string, error) {
	if e.IdentityVariable != "" {
		text, set := lookup(e.IdentityVariable)
		if !set {
			return "", argument.Invalid(
				"encrypt: the variable "+e.IdentityVariable+" must be set", "it has what age-keygen writes",
			)
		}
		return text, nil
	}
	if e.IdentityFile == "" {
		return "", nil
	}
	text, err := os.ReadFile(e.IdentityFile)
	if err != nil {
		return "", &storage.Error{
			Code: storage.InvalidArgument, Err: fmt.Errorf("encrypt: identity_file must be readable: %w", err),
		}
	}
	return string(text), nil
}

// keys returns the keys of age and those of services.
func (e *Encrypt) keys(text string, recipients []age.Recipient) (encrypt.Keys, error) {
	wrap, err := serviceKeys(e.Recipients)
	if err != nil {
		return nil, err
	}
	unwrap, err := serviceKeys(e.DecryptWith)
	if err != nil {
		return nil, err
	}
	unwrap = slices.Concat(wrap, unwrap)
	if len(unwrap) == 0 {
		return ageKeys(text, recipients)
	}
	if len(recipients) > 0 {
		wrap = append(wrap, encrypt.NewKeys(recipients, nil))
	}
	if text != "" || len(wrap) == 0 {
		identities, err := encrypt.ParseKeys(strings.NewReader(text))
		if err != nil {
			return nil, ruleOf("encrypt: ", err)
		}
		unwrap = append(unwrap, identities)
		if len(wrap) == 0 {
			wrap = append(wrap, identities)
		}
	}
	return encrypt.JoinKeys(wrap, unwrap), nil
}

func ageKeys(text string, recipients []age.Recipient) (encrypt.Keys, error) {
	if text == "" && len(recipients) > 0 {
		return encrypt.NewKeys(recipients, nil), nil // these keys only encrypt
	}
	keys, err := encrypt.ParseKeys(strings.NewReader(text))
	if err != nil || len(recipients) == 0 {
		return keys, ruleOf("encrypt: ", err)
	}
	identities, err := age.ParseIdentities(strings.NewReader(text))
	return encrypt.NewKeys(recipients, identities), err
}
