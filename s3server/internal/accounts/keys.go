package accounts

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/omnibucket/storage/internal/redact"
	"github.com/omnibucket/storage/s3server/internal/s3error"
)

// A Credential is an access key with its secret and its account. The fields are those of
// s3server.Credential, whose comments describe them.
type Credential struct {
	AccessKeyID  string
	SecretKey    string
	SessionToken string
	Account      string
	ReadOnly     bool
}

// Format prints the fields of c that are set, without secrets. It ignores the verb.
func (c Credential) Format(s fmt.State, _ rune) { redact.Fields(s, c, "SecretKey", "SessionToken") }

// LogValue returns the text that Format prints, which has no secrets.
func (c Credential) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(c)) }

// Keys are the credentials that a server accepts.
type Keys []Credential

// Find returns the credential with this access key. It fails unless token is the session token of the credential, which
// is "" for a permanent key.
func (k Keys) Find(accessKey, token string) (Credential, error) {
	for _, c := range k {
		if c.AccessKeyID != accessKey {
			continue
		}
		if c.SessionToken == token {
			return c, nil
		}
		if token == "" {
			// AWS does not recognize a temporary key without its token.
			return Credential{}, s3error.New("InvalidAccessKeyId", "AWSAccessKeyId", accessKey)
		}
		return Credential{}, s3error.New("InvalidToken", "Token-0", token)
	}
	return Credential{}, s3error.New("InvalidAccessKeyId", "AWSAccessKeyId", accessKey)
}

// Parent returns the credential with this access key, whatever its session token is, or false if there is none.
func (k Keys) Parent(accessKey string) (Credential, bool) {
	for _, c := range k {
		if c.AccessKeyID == accessKey {
			return c, true
		}
	}
	return Credential{}, false
}

// AccountOf returns the account with a canonical id. known is false if no credential belongs to such an account.
func (k Keys) AccountOf(canonicalID string) (account string, known bool) {
	for _, c := range k {
		if strings.EqualFold(OwnerOf(c.Account).ID, canonicalID) {
			return c.Account, true
		}
	}
	return "", false
}

// HaveOneAccount reports whether all credentials belong to one account.
func (k Keys) HaveOneAccount() bool {
	return !slices.ContainsFunc(k, func(c Credential) bool { return c.Account != k[0].Account })
}
