package azure

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/redact"
	"github.com/omnibucket/storage/providers/internal/vended"
)

// PrefixCredentials are the credentials for all blobs with a prefix, until they expire.
// [Config].CredentialsFor returns them.
type PrefixCredentials struct {
	Prefix   string    // a prefix of the requested key; "" means all blobs
	SASToken string    // a shared access signature, with or without its "?"
	Expires  time.Time // zero means never
}

// Format prints the fields of c that are set, without secrets. All verbs print the same text.
func (c PrefixCredentials) Format(s fmt.State, _ rune) { redact.Fields(s, c, "SASToken") }

// LogValue returns the text of Format.
func (c PrefixCredentials) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(c)) }

// openVended opens a container with Config.CredentialsFor, which the driver asks for the
// credentials of a key when a request needs them.
func openVended(ctx context.Context, c Config) (driver.Driver, error) {
	if countCredentials(c) > 0 || c.Client != nil {
		return nil, argument.Invalid("Config.CredentialsFor", "must not be set with other credentials or Client", "")
	}

	// Open the driver without credentials. CredentialsFor later returns the signature for each
	// request.
	credentialsFor := c.CredentialsFor
	c.CredentialsFor = nil
	c.Anonymous = true
	d, err := NewDriver(ctx, c)
	if err != nil {
		return nil, err
	}

	account := d.(*objectDriver).account
	// The credentials may be for this container only. An identity of its own keeps the service from
	// copying objects of other containers.
	account.identity = account
	account.isAnonymous = false

	keys := vended.NewKeyring(func(ctx context.Context, key string) (*vended.Grant[string], error) {
		creds, err := credentialsFor(ctx, key)
		if err != nil {
			return nil, err
		}
		return creds.grant()
	})
	account.requestSAS = keys.Credentials
	return vended.New(d, keys), nil
}

// grant returns the credentials in the form for a [vended.Keyring].
func (c PrefixCredentials) grant() (*vended.Grant[string], error) {
	if c.SASToken == "" {
		return nil, errors.New("CredentialsFor has returned no SASToken")
	}
	return &vended.Grant[string]{
		Prefix:      c.Prefix,
		Expires:     c.Expires,
		Credentials: strings.TrimPrefix(c.SASToken, "?"),
	}, nil
}
