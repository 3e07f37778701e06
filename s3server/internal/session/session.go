// Package session makes and verifies the session tokens of AssumeRole. The server stores nothing.
// The token is signed with the secret of the credential that called AssumeRole. The secret of the
// temporary key is derived from this secret and the token. So a session survives a restart, and is
// valid in every process that has the credential. It ends when its time is over, when the
// credential is removed, or when the credential's secret changes.
package session

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"github.com/omnibucket/storage/s3server/internal/sign"
)

// KeyPrefix begins the access key of a session, as on AWS.
const KeyPrefix = "ASIA"

// A Session is the content of a session token.
type Session struct {
	Parent      string `json:"parent"` // access key of the credential that called AssumeRole
	AccessKeyID string `json:"key"`
	Expires     int64  `json:"expires"` // seconds since 1970
	Policy      string `json:"policy,omitempty"`
}

// tokenPurpose and secretPurpose derive two independent keys from one secret.
const (
	tokenPurpose  = "omnibucket session token 1"
	secretPurpose = "omnibucket session secret 1"
)

// New returns a new session and its token, for the credential with the access key parent and this
// secret.
func New(parent, secret, policy string, expires time.Time) (s Session, token string) {
	s = Session{Parent: parent, AccessKeyID: KeyPrefix + rand.Text()[:16], Expires: expires.Unix(), Policy: policy}
	// Strings and a number can always be encoded.
	text, _ := json.Marshal(s)
	content := base64.RawURLEncoding.EncodeToString(text)
	return s, content + "." + seal(secret, tokenPurpose, content)
}

// Read decodes a token. It does not verify the signature, so call [Verify] before using the result.
func Read(token string) (s Session, ok bool) {
	content, _, _ := strings.Cut(token, ".")
	text, err := base64.RawURLEncoding.DecodeString(content)
	return s, err == nil && json.Unmarshal(text, &s) == nil
}

// Verify reports whether the token was signed with this secret.
func Verify(token, secret string) bool {
	content, signature, _ := strings.Cut(token, ".")
	return sign.Equal(seal(secret, tokenPurpose, content), signature)
}

// SecretKey returns the secret of a session's temporary key. secret is the secret of
// the credential, which must have signed the token.
func SecretKey(token, secret string) string {
	content, _, _ := strings.Cut(token, ".")
	return seal(secret, secretPurpose, content)[:40]
}

// seal returns the MAC of content, with a key that is derived from secret for one purpose.
func seal(secret, purpose, content string) string {
	return base64.RawURLEncoding.EncodeToString(sign.MAC(sign.MAC([]byte(secret), purpose), content))
}
