package azure

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/providers/internal/vended"
)

// PrefixCredentials hold for the blobs with a prefix, until they expire. See [Config].CredentialsFor.
type PrefixCredentials struct {
	Prefix   string    // of the name that was asked for; "": all blobs
	SASToken string    // a shared access signature, with or without its "?"
	Expires  time.Time // zero: never
}

// openVended opens a container with Config.CredentialsFor.
func openVended(ctx context.Context, c Config) (driver.Driver, error) {
	if c.Key != "" || c.SASToken != "" || c.ConnectionString != "" || c.Credential != nil || c.Anonymous || c.Credentials != "" || c.Client != nil {
		return nil, argument.Invalid("Config.CredentialsFor", "must not be set with other credentials or Client", "")
	}
	ask := c.CredentialsFor
	c.CredentialsFor, c.SASToken = nil, "sig=none" // of a driver that makes no request
	d, err := NewDriver(ctx, c)
	if err != nil {
		return nil, err
	}
	described := d.(*objectDriver)
	described.account.identity = described.account // the service copies only within this container
	return vended.New(described, func(ctx context.Context, key string) (vended.Grant, error) {
		given, err := ask(ctx, key)
		if err == nil && given.SASToken == "" {
			err = errors.New("CredentialsFor has returned no SASToken")
		}
		if err != nil {
			return vended.Grant{}, err
		}
		own, err := described.account.with(given)
		if err != nil {
			return vended.Grant{}, err
		}
		return vended.Grant{Prefix: given.Prefix, Expires: given.Expires, Driver: own.driver(c.Bucket)}, nil
	}), nil
}

// with returns the account with another signature, and with its connections.
func (a *account) with(given PrefixCredentials) (*account, error) {
	changed := &account{
		sas: strings.TrimPrefix(given.SASToken, "?"), endpoint: a.endpoint, root: a.root, name: a.name, hierarchical: a.hierarchical,
		version: a.version, scope: a.scope, http: a.http, identity: a.identity,
	}
	var err error
	changed.service, err = changed.client(noRetry)
	return changed, err
}
