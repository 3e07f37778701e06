package s3

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/providers/internal/vended"
	"github.com/omnibucket/storage/providers/s3/internal/signature"
)

// PrefixCredentials hold for the keys with a prefix, until they expire. See [Config].CredentialsFor.
type PrefixCredentials struct {
	Prefix       string // of the key that was asked for; "": all keys
	AccessKeyID  string
	SecretKey    string
	SessionToken string
	Expires      time.Time // zero: never
}

// openVended opens a bucket with Config.CredentialsFor.
func openVended(ctx context.Context, c Config) (driver.Driver, error) {
	if c.AccessKeyID != "" || c.SecretKey != "" || c.SessionToken != "" || c.Anonymous || c.Credentials != "" || c.AWS != nil || c.Client != nil {
		return nil, argument.Invalid("Config.CredentialsFor", "must not be set with other credentials, AWS or Client", "")
	}
	ask := c.CredentialsFor
	c.CredentialsFor, c.AccessKeyID, c.SecretKey = nil, "none", "none" // of a driver that makes no request
	d, err := NewDriver(ctx, c)
	if err != nil {
		return nil, err
	}
	described := d.(*objectDriver)
	described.account.identity = described.account // the server copies only within this bucket
	return vended.New(described, func(ctx context.Context, key string) (vended.Grant, error) {
		given, err := ask(ctx, key)
		switch {
		case err != nil:
			return vended.Grant{}, err
		case given.AccessKeyID == "" || given.SecretKey == "":
			return vended.Grant{}, errors.New("CredentialsFor has returned no AccessKeyID or SecretKey")
		}
		return vended.Grant{Prefix: given.Prefix, Expires: given.Expires, Driver: newDriver(described.account.with(given), c.Bucket)}, nil
	}), nil
}

// with returns the account with other credentials, and with its connections.
func (a *account) with(given PrefixCredentials) *account {
	changed := *a
	changed.keys, changed.ownsHTTP = &signature.Keys{}, false
	changed.credentials = credentials.StaticCredentialsProvider{Value: aws.Credentials{
		AccessKeyID: given.AccessKeyID, SecretAccessKey: given.SecretKey, SessionToken: given.SessionToken,
		CanExpire: !given.Expires.IsZero(), Expires: given.Expires, Source: "CredentialsFor",
	}}
	changed.client = cloneClient(a.client, func(o *awss3.Options) { o.Credentials = changed.credentials })
	return &changed
}
