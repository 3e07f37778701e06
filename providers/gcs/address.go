package gcs

import (
	"context"
	"net/url"
	"os"

	"github.com/omnibucket/storage"
)

// addressParams are an address's parameters; parseAddress reads them.
var addressParams = []string{"project", "endpoint", "anonymous", "signing_key"}

func init() {
	storage.Register("gs", storage.Opener{Params: addressParams, Driver: openBucket, Service: openAccount})
}

func openAccount(ctx context.Context, address *url.URL) (storage.ServiceDriver, error) {
	c, err := parseAddress(address)
	if err != nil {
		return nil, err
	}
	if c.Bucket != "" {
		return nil, invalid("address", "must not name a bucket: the account is gs://", "gs://name is a bucket: open it with Open")
	}
	return NewServiceDriver(ctx, c)
}

func openBucket(ctx context.Context, address *url.URL) (storage.Driver, error) {
	c, err := parseAddress(address)
	if err != nil {
		return nil, err
	}
	if c.Bucket == "" {
		return nil, invalid("address", "must name a bucket, as gs://name does", "gs:// is an account: open it with OpenService")
	}
	return NewDriver(ctx, c)
}

// parseAddress reads an address of a bucket, or, with no bucket's name, of an
// account.
func parseAddress(address *url.URL) (Config, error) {
	c := Config{Bucket: address.Host}
	switch {
	case address.Opaque != "":
		return c, invalid("address", "must be gs://bucket", "")
	case address.User != nil:
		return c, invalid("address", "must not hold credentials", "they come from the environment: application default credentials, GOOGLE_APPLICATION_CREDENTIALS")
	case address.Host != address.Hostname():
		return c, invalid("address", "must not have a port", "the server is the parameter endpoint=")
	case address.Path != "" && address.Path != "/":
		return c, invalid("address", "must not have a path", "a prefix within a bucket is storage.Prefixed")
	}
	query := address.Query()
	c.Project, c.Endpoint = query.Get("project"), query.Get("endpoint")
	var err error
	if c.Anonymous, err = parseFlag(query, "anonymous"); err != nil {
		return c, err
	}
	if query.Has("signing_key") {
		c.SigningKey, err = os.ReadFile(query.Get("signing_key"))
		if err != nil {
			return c, &storage.Error{Code: storage.InvalidArgument, Err: err, Hint: "signing_key= is the path of a service account's key file"}
		}
	}
	return c, nil
}

func parseFlag(query url.Values, name string) (bool, error) {
	switch query.Get(name) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	if query.Has(name) {
		return false, invalid("parameter "+name, `must be "true" or "false"`, "")
	}
	return false, nil
}
