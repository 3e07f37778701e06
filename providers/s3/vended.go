package s3

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/redact"
	"github.com/omnibucket/storage/providers/internal/vended"
)

// PrefixCredentials hold for the keys with a prefix, until they expire. See [Config].CredentialsFor.
type PrefixCredentials struct {
	Prefix       string // of the key that was asked for; "": all keys
	AccessKeyID  string
	SecretKey    string
	SessionToken string
	Expires      time.Time // zero: never
}

// Format shows the fields of c that are set, whatever the verb is, and no secrets.
func (c PrefixCredentials) Format(s fmt.State, _ rune) {
	redact.Fields(s, c, "SecretKey", "SessionToken")
}

// LogValue returns the text of Format.
func (c PrefixCredentials) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(c)) }

func openVended(ctx context.Context, c Config) (driver.Driver, error) {
	if c.AccessKeyID != "" || c.SecretKey != "" || c.SessionToken != "" || c.Anonymous || c.Credentials != "" || c.AWS != nil || c.Client != nil {
		return nil, argument.Invalid("Config.CredentialsFor", "must not be set with other credentials, AWS or Client", "")
	}
	ask := c.CredentialsFor
	c.CredentialsFor, c.AccessKeyID, c.SecretKey = nil, "none", "none" // until they are replaced below
	d, err := NewDriver(ctx, c)
	if err != nil {
		return nil, err
	}
	account := d.(*objectDriver).account
	account.identity = account // the server copies only within this bucket
	keys := vended.NewKeyring(func(ctx context.Context, key string) (*vended.Grant[aws.Credentials], error) {
		given, err := ask(ctx, key)
		if err == nil && (given.AccessKeyID == "" || given.SecretKey == "") {
			err = errors.New("CredentialsFor has returned no AccessKeyID or SecretKey")
		}
		return &vended.Grant[aws.Credentials]{Prefix: given.Prefix, Expires: given.Expires, Credentials: aws.Credentials{
			AccessKeyID: given.AccessKeyID, SecretAccessKey: given.SecretKey, SessionToken: given.SessionToken,
			CanExpire: !given.Expires.IsZero(), Expires: given.Expires, Source: "CredentialsFor",
		}}, err
	})
	account.credentials = aws.CredentialsProviderFunc(keys.Credentials)
	account.client = cloneClient(account.client, func(o *awss3.Options) { o.Credentials = account.credentials })
	return vended.New(d, keys), nil
}
