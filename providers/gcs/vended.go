package gcs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"cloud.google.com/go/auth"
	"golang.org/x/oauth2"

	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/redact"
	"github.com/omnibucket/storage/providers/internal/vended"
)

// PrefixCredentials are valid for the objects with a prefix, until they expire. See
// [Config].CredentialsFor.
type PrefixCredentials struct {
	Prefix      string    // prefix of the name that was asked for; "" means all objects
	AccessToken string    // such as a downscoped token
	Expires     time.Time // zero means never
}

// Format shows the fields of c that are set, whatever the verb is, and no secrets.
func (c PrefixCredentials) Format(s fmt.State, _ rune) { redact.Fields(s, c, "AccessToken") }

// LogValue returns the text of Format.
func (c PrefixCredentials) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(c)) }

func openVended(ctx context.Context, c Config) (driver.Driver, error) {
	if c.CredentialsJSON != nil || c.TokenSource != nil || c.Credentials != "" || c.Anonymous {
		return nil, argument.Invalid("Config.CredentialsFor", "must not be set with other credentials or Anonymous", "")
	}
	ask := c.CredentialsFor
	c.CredentialsFor, c.TokenSource = nil, oauth2.StaticTokenSource(&oauth2.Token{})
	d, err := NewDriver(ctx, c)
	if err != nil {
		return nil, err
	}
	tokens := vendedTokens{vended.NewKeyring(func(ctx context.Context, key string) (*vended.Grant[string], error) {
		given, err := ask(ctx, key)
		if err == nil && given.AccessToken == "" {
			err = errors.New("CredentialsFor has returned no AccessToken")
		}
		return &vended.Grant[string]{Prefix: given.Prefix, Expires: given.Expires, Credentials: given.AccessToken}, err
	})}
	own := d.(*objectDriver).account.credentials
	own.found.Store(nil)
	own.find = func() (*auth.Credentials, error) {
		return auth.NewCredentials(&auth.CredentialsOptions{TokenProvider: tokens}), nil
	}
	return vended.New(d, tokens.keys), nil
}

type vendedTokens struct{ keys *vended.Keyring[string] }

func (t vendedTokens) Token(ctx context.Context) (*auth.Token, error) {
	token, err := t.keys.Credentials(ctx)
	if err != nil {
		return nil, err
	}
	return &auth.Token{Value: token}, nil
}
