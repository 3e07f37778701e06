package s3server

import (
	"fmt"
	"log/slog"
	"net/url"

	"github.com/omnibucket/storage/internal/redact"
	"github.com/omnibucket/storage/s3server/internal/accounts"
)

// DefaultAccountID is the account of a [Credential] whose Account is "".
const DefaultAccountID = "123456789012"

// A Credential is an access key and its secret, with which clients sign requests. It has all
// permissions of its account, unless it is read-only.
type Credential struct {
	AccessKeyID string
	SecretKey   string
	// SessionToken, if it is not "", makes the key temporary: every request must have the token.
	SessionToken string
	// Account is the id of the account. AWS's ids have 12 digits. "" means [DefaultAccountID].
	Account string
	// ReadOnly allows only actions that begin with s3:Get, s3:List or s3:Head.
	ReadOnly bool
}

// Format prints the fields of c that are set, without secrets. It ignores the verb.
func (c Credential) Format(s fmt.State, _ rune) { redact.Fields(s, c, "SecretKey", "SessionToken") }

// LogValue returns the text that Format prints, which has no secrets.
func (c Credential) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(c)) }

// credentials returns c.Credentials, or the default credential if there are none. A credential without an account gets
// the default account.
func (c *Config) credentials() []Credential {
	creds := c.Credentials
	if len(creds) == 0 {
		creds = []Credential{{AccessKeyID: DefaultAccessKeyID, SecretKey: DefaultSecretKey}}
	}
	all := make([]Credential, len(creds))
	for i, credential := range creds {
		setDefault(&credential.Account, DefaultAccountID)
		all[i] = credential
	}
	return all
}

// keysOf converts credentials to the keys by which requests find them.
func keysOf(creds []Credential) accounts.Keys {
	keys := make(accounts.Keys, len(creds))
	for i, c := range creds {
		keys[i] = accounts.Credential(c)
	}
	return keys
}

// Env returns the environment variables by which the AWS SDKs of all languages, the AWS command line and other clients
// find this server. They contain the address, the credentials, the region and, with TLS, the path of a file with the
// certificate, which the server removes when it is closed. Append the variables to [os.Environ] for a subprocess.
// Clients put the bucket into the path, because the host of the address is an IP address.
func (s *Server) Env() []string {
	c := s.Credentials()
	env := []string{
		"AWS_ENDPOINT_URL=" + s.URL,
		"AWS_ENDPOINT_URL_S3=" + s.URL,
		"AWS_ACCESS_KEY_ID=" + c.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY=" + c.SecretKey,
		"AWS_REGION=" + s.config.Region,
		"AWS_DEFAULT_REGION=" + s.config.Region,
	}
	if c.SessionToken != "" {
		env = append(env, "AWS_SESSION_TOKEN="+c.SessionToken)
	}
	if s.bundle != "" {
		env = append(env, "AWS_CA_BUNDLE="+s.bundle)
	}
	return env
}

// Address returns the address of a bucket for [storage.Open]. It has no credentials, because storage.Open reads them
// from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, which [Server.Env] returns. It names the profile omnibucket, so
// that storage.Open applies Amazon's rules.
func (s *Server) Address(bucket string) string {
	query := url.Values{
		"endpoint":   {s.URL},
		"region":     {s.config.Region},
		"path_style": {"true"},
		"profile":    {"omnibucket"},
	}
	return (&url.URL{Scheme: "s3", Host: bucket, RawQuery: query.Encode()}).String()
}

// Credentials returns the first of Config.Credentials, or the default credential if there is none.
func (h *Handler) Credentials() Credential { return h.config.Credentials[0] }
