package s3server

import (
	"strings"

	"github.com/omnibucket/storage/s3server/internal/accounts"
	"github.com/omnibucket/storage/s3server/internal/s3error"
)

// DefaultAccountID is the account of a [Credential] that names none.
const DefaultAccountID = "123456789012"

// A Credential is a key with which requests are signed. It has all permissions of its
// account, unless it is read-only.
type Credential struct {
	AccessKeyID string
	SecretKey   string
	// SessionToken makes the key a temporary one: every signed request must have the token.
	SessionToken string
	// Account is the id of the account, by AWS's rule of 12 digits. "" means
	// [DefaultAccountID].
	Account string
	// ReadOnly allows only actions that begin with s3:Get, s3:List or s3:Head.
	ReadOnly bool
}

// credentials returns the credentials with all defaults.
func (c *Config) credentials() []Credential {
	given := c.Credentials
	if len(given) == 0 {
		given = []Credential{{AccessKeyID: DefaultAccessKeyID, SecretKey: DefaultSecretKey}}
	}
	all := make([]Credential, len(given))
	for i, credential := range given {
		setDefault(&credential.Account, DefaultAccountID)
		all[i] = credential
	}
	return all
}

// credential returns the credential with this key. It fails without the right session
// token.
func (h *Handler) credential(accessKey, token string) (Credential, error) {
	for _, c := range h.config.Credentials {
		switch {
		case c.AccessKeyID != accessKey:
			continue
		case c.SessionToken == token:
			return c, nil
		case token == "":
			// A temporary key is invalid without its token.
			return Credential{}, s3error.New("InvalidAccessKeyId", "AWSAccessKeyId", accessKey)
		}
		return Credential{}, s3error.New("InvalidToken", "Token-0", token)
	}
	return Credential{}, s3error.New("InvalidAccessKeyId", "AWSAccessKeyId", accessKey)
}

// accountOf returns the account with a canonical id. It knows the accounts that have a
// credential.
func (h *Handler) accountOf(canonicalID string) (account string, known bool) {
	for _, c := range h.config.Credentials {
		if strings.EqualFold(accounts.OwnerOf(c.Account).ID, canonicalID) {
			return c.Account, true
		}
	}
	return "", false
}

// owners returns the function that tells the owner of an object in the request's bucket.
func (r *request) owners() (func(*object) accounts.Owner, error) {
	b, err := r.server.store.bucket(r.Context(), r.target.bucket)
	return func(o *object) accounts.Owner { return accounts.OwnerOf(b.ownerOf(o)) }, err
}

// checkOwner refuses a request that expects another owner of the bucket.
func checkOwner(r *request) error {
	const header = "x-amz-expected-bucket-owner"
	expected := []string{r.Header.Get(header), r.query.Get(header)}
	if expected[0]+expected[1] == "" || r.target.bucket == "" {
		return nil
	}
	return r.view(func(b *bucket) error { return b.checkOwner(expected...) })
}

func (b *bucket) checkOwner(expected ...string) error {
	for _, account := range expected {
		if account != "" && account != b.account {
			return s3error.New("AccessDenied")
		}
	}
	return nil
}
