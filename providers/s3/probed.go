package s3

import (
	"context"
	"net/url"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/escape"
)

// The exported methods below are for package s3probe.

// Profile returns the profile of d.
func (d *objectDriver) Profile() Profile { return d.account.profile }

// WithProfile returns a driver with another profile and the same connections.
func (d *objectDriver) WithProfile(p Profile) driver.Driver {
	clone := *d.account
	clone.profile = p
	return newDriver(&clone, d.bucket.name)
}

// AnswersAs returns the name of the profile that fits the server according to its responses so far.
// It returns "" if the responses do not show the kind of server.
func (d *objectDriver) AnswersAs() string {
	return d.account.server.Profile()
}

// HTTPClient returns the client that sends the requests of d.
func (d *objectDriver) HTTPClient() awss3.HTTPClient { return d.account.client.Options().HTTPClient }

// ServerURL returns the URL of the server.
func (d *objectDriver) ServerURL(ctx context.Context) (*url.URL, error) {
	return d.account.urlOf(ctx, "")
}

// URL returns the URL of an object or, if key is empty, of the bucket.
func (d *objectDriver) URL(ctx context.Context, key string) (*url.URL, error) {
	u, err := d.account.urlOf(ctx, d.bucket.name)
	if err != nil || key == "" {
		return u, err
	}
	// RawPath is set before Path, because EscapedPath depends on Path.
	u.RawPath = u.EscapedPath() + "/" + escape.Path(key)
	u.Path += "/" + key
	return u, nil
}
