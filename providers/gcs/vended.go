package gcs

import (
	"context"
	"errors"
	"time"

	"golang.org/x/oauth2"

	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/transport"
	"github.com/omnibucket/storage/providers/internal/vended"
)

// PrefixCredentials hold for the objects with a prefix, until they expire. See [Config].CredentialsFor.
type PrefixCredentials struct {
	Prefix      string    // of the name that was asked for; "": all objects
	AccessToken string    // such as a downscoped token
	Expires     time.Time // zero: never
}

// openVended opens a bucket with Config.CredentialsFor.
func openVended(ctx context.Context, c Config) (driver.Driver, error) {
	if c.CredentialsJSON != nil || c.TokenSource != nil || c.Credentials != "" || c.Anonymous {
		return nil, argument.Invalid("Config.CredentialsFor", "must not be set with other credentials or Anonymous", "")
	}
	ask, shared := c.CredentialsFor, c
	shared.HTTPClient, _ = transport.NewClient(c.HTTPClient) // whose connections all have
	open := func(ctx context.Context, token string) (*objectDriver, error) {
		own := shared
		own.CredentialsFor, own.TokenSource = nil, oauth2.StaticTokenSource(&oauth2.Token{AccessToken: token})
		d, err := NewDriver(ctx, own)
		if err != nil {
			return nil, err
		}
		return d.(*objectDriver), nil
	}
	described, err := open(ctx, "none") // it makes no request
	if err != nil {
		return nil, err
	}
	described.account.owned = c.HTTPClient == nil
	return vended.New(described, func(ctx context.Context, key string) (vended.Grant, error) {
		given, err := ask(ctx, key)
		if err == nil && given.AccessToken == "" {
			err = errors.New("CredentialsFor has returned no AccessToken")
		}
		if err != nil {
			return vended.Grant{}, err
		}
		d, err := open(ctx, given.AccessToken)
		if err != nil {
			return vended.Grant{}, err
		}
		return vended.Grant{Prefix: given.Prefix, Expires: given.Expires, Driver: d}, nil
	}), nil
}
