package encrypt

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"filippo.io/age"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

func init() { driver.RegisterLayer("encrypt", configure) }

// configured is the part of a configuration file that belongs to the layer. It names where the
// secrets are, and has none itself.
type configured struct {
	IdentityFile     string `yaml:"identity_file"`     // a file that age-keygen has written
	IdentityVariable string `yaml:"identity_variable"` // an environment variable with the content of an identity file
	// Recipients are the keys for which new objects are encrypted: public keys of age, and keys of
	// services. Keys of services also decrypt.
	Recipients  []string `yaml:"recipients"`
	DecryptWith []string `yaml:"decrypt_with"` // keys of services that only decrypt
	AllowPlain  bool     `yaml:"allow_plain"`
}

// configure reads the layer's part of a configuration file, and no keys before the layer is opened.
func configure(settings driver.LayerSettings) (*driver.ConfiguredLayer, error) {
	cfg := &configured{}
	if err := settings(cfg); err != nil {
		return nil, err
	}
	if err := cfg.check(); err != nil {
		return nil, err
	}
	recipients, err := cfg.publicKeys()
	if err != nil {
		return nil, err
	}
	open := func(ctx context.Context, p driver.LayerParts) (driver.Layer, io.Closer, error) {
		layer, err := cfg.open(ctx, p.Lookup, recipients)
		return layer, nil, err // the layer has nothing to close
	}
	return &driver.ConfiguredLayer{Open: open}, nil
}

var variableForm = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// check fails if a setting other than the recipients is invalid. Its errors quote no value, because a user may have
// set a secret by mistake.
func (c *configured) check() error {
	if c.IdentityFile != "" && c.IdentityVariable != "" {
		return invalid("", "identity_file and identity_variable must not be used together", "")
	}
	if c.IdentityFile != "" && !filepath.IsAbs(c.IdentityFile) {
		return invalid("", "identity_file must be an absolute path",
			"write the identities to a file with age-keygen, and name it")
	}
	if c.IdentityVariable != "" && !variableForm.MatchString(c.IdentityVariable) {
		return invalid("", "identity_variable must be the name of an environment variable",
			"the variable has the identities")
	}
	if c.IdentityFile == "" && c.IdentityVariable == "" && len(c.Recipients) == 0 {
		return invalid("", "identity_file, identity_variable or recipients must be set", "")
	}

	for _, key := range c.DecryptWith {
		if !isServiceKey(key) {
			return invalid("", "decrypt_with must be "+serviceKeys, "put identities of age into identity_file")
		}
	}
	return nil
}

// publicKeys returns those recipients that are public keys. Its error quotes none of them, because a user may have set
// a secret by mistake.
func (c *configured) publicKeys() ([]age.Recipient, error) {
	// All entries but the keys of services must be public keys of age.
	public := slices.DeleteFunc(slices.Clone(c.Recipients), isServiceKey)
	if len(public) == 0 {
		return nil, nil
	}
	recipients, err := age.ParseRecipients(strings.NewReader(strings.Join(public, "\n")))
	if err != nil || len(recipients) != len(public) {
		return nil, invalid("", "recipients must be public keys of age, such as age1…, or "+serviceKeys,
			"age-keygen -y prints that of an identity")
	}
	return recipients, nil
}

// open reads the identities, which are secret, and returns the layer.
func (c *configured) open(
	ctx context.Context, lookup func(string) (string, bool), recipients []age.Recipient,
) (driver.Layer, error) {
	text, err := c.identities(lookup)
	if err != nil {
		return nil, err
	}
	keys, err := c.keys(ctx, text, recipients)
	if err != nil {
		return nil, err
	}
	return New(Config{Keys: keys, AllowPlain: c.AllowPlain})
}

// identities returns the content of the identity file or variable, or "" if only recipients are set.
func (c *configured) identities(lookup func(string) (string, bool)) (string, error) {
	if c.IdentityVariable != "" {
		text, ok := lookup(c.IdentityVariable)
		if !ok {
			return "", invalid("", "the variable "+c.IdentityVariable+" must be set", "it has what age-keygen writes")
		}
		return text, nil
	}
	if c.IdentityFile == "" {
		return "", nil
	}
	return readPrivate(c.IdentityFile)
}

// readPrivate reads a file with secrets. It refuses a file that other users own or may write, because
// new objects would be encrypted for an identity that they put first.
func readPrivate(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", unreadable(err)
	}
	if !info.Mode().IsRegular() {
		// Opening a FIFO might block for ever.
		return "", invalid("", "identity_file must be a regular file", "")
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o022 != 0 {
		return "", invalid("", "identity_file must not be one that other users may write", "chmod go-w "+path)
	}
	if isForeign(info) {
		return "", invalid("", "identity_file must belong to the user of this process, or to root", "chown it")
	}

	const maxBytes = 1 << 20
	f, err := os.Open(path)
	if err != nil {
		return "", unreadable(err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxBytes))
	if err != nil {
		return "", unreadable(err)
	}
	return string(text), nil
}

// unreadable returns the error for an identity file that cannot be read.
func unreadable(err error) error {
	return &storage.Error{Code: storage.InvalidArgument, Err: fmt.Errorf("identity_file must be readable: %w", err)}
}

// keys joins the keys of services and the keys of age in the configuration. text has the identities of
// age.
func (c *configured) keys(ctx context.Context, text string, recipients []age.Recipient) (Keys, error) {
	encrypting, err := openServiceKeys(ctx, c.Recipients)
	if err != nil {
		return nil, err
	}
	onlyDecrypting, err := openServiceKeys(ctx, c.DecryptWith)
	if err != nil {
		return nil, err
	}

	if len(encrypting) == 0 && len(onlyDecrypting) == 0 {
		return parseAgeKeys(text, recipients)
	}
	// Keys of services that encrypt also decrypt.
	decrypting := slices.Concat(encrypting, onlyDecrypting)
	return joinAgeKeys(encrypting, decrypting, text, recipients)
}

// joinAgeKeys returns Keys that encrypt with wrap and for the recipients, and decrypt with unwrap and the
// identities of age in text, which may be "".
func joinAgeKeys(wrap, unwrap []Keys, text string, recipients []age.Recipient) (Keys, error) {
	if len(recipients) > 0 {
		wrap = append(wrap, NewKeys(recipients, nil))
	}
	if text == "" && len(wrap) > 0 {
		return JoinKeys(wrap, unwrap), nil
	}

	// If there are neither recipients nor identities, ParseKeys fails.
	identities, err := ParseKeys(strings.NewReader(text))
	if err != nil {
		return nil, err
	}

	unwrap = append(unwrap, identities)
	if len(wrap) == 0 {
		// Without any recipient, new objects are encrypted for the identities.
		wrap = append(wrap, identities)
	}
	return JoinKeys(wrap, unwrap), nil
}

// parseAgeKeys returns Keys that encrypt for the recipients, and decrypt with the identities in text.
// Without recipients, they encrypt for the first identity. If text is "", they only encrypt.
func parseAgeKeys(text string, recipients []age.Recipient) (Keys, error) {
	if text == "" && len(recipients) > 0 {
		return NewKeys(recipients, nil), nil
	}

	// If a line of the text is invalid, ParseIdentities below could quote it in its error, but the lines are secret.
	// So ParseKeys, whose errors do not quote them, always reads the text first.
	keys, err := ParseKeys(strings.NewReader(text))
	if err != nil {
		return nil, err
	}
	if len(recipients) == 0 {
		return keys, nil
	}

	identities, err := age.ParseIdentities(strings.NewReader(text))
	if err != nil {
		return nil, err
	}
	return NewKeys(recipients, identities), nil
}
