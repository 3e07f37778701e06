package azure

import (
	"context"
	"net/url"

	"github.com/omnibucket/storage"
)

// addressParams are an address's parameters; parseAddress reads them.
var addressParams = []string{"account", "endpoint", "anonymous"}

func init() {
	storage.Register("azblob", storage.Opener{Params: addressParams, Driver: openBucket, Service: openAccount})
}

func openAccount(ctx context.Context, address *url.URL) (storage.ServiceDriver, error) {
	c, err := parseAddress(address)
	if err != nil {
		return nil, err
	}
	if c.Bucket != "" {
		return nil, invalid("address", "must not name a container: the account is azblob://?account=name", "azblob://container is a container: open it with Open")
	}
	return NewServiceDriver(ctx, c)
}

func openBucket(ctx context.Context, address *url.URL) (storage.Driver, error) {
	c, err := parseAddress(address)
	if err != nil {
		return nil, err
	}
	if c.Bucket == "" {
		return nil, invalid("address", "must name a container, as azblob://container does", "azblob:// is an account: open it with OpenService")
	}
	return NewDriver(ctx, c)
}

// parseAddress reads an address of a container, or, with no container's name, of
// an account.
func parseAddress(address *url.URL) (Config, error) {
	c := Config{Bucket: address.Host}
	switch {
	case address.Opaque != "":
		return c, invalid("address", "must be azblob://container", "")
	case address.User != nil:
		return c, invalid("address", "must not hold credentials", "they come from the environment: AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_ACCOUNT with AZURE_STORAGE_KEY")
	case address.Host != address.Hostname():
		return c, invalid("address", "must not have a port", "the server is the parameter endpoint=")
	case address.Path != "" && address.Path != "/":
		return c, invalid("address", "must not have a path", "a prefix within a container is storage.Prefixed")
	}
	query := address.Query()
	c.Account, c.Endpoint = query.Get("account"), query.Get("endpoint")
	switch query.Get("anonymous") {
	case "true":
		c.Anonymous = true
	case "false":
	default:
		if query.Has("anonymous") {
			return c, invalid("parameter anonymous", `must be "true" or "false"`, "")
		}
	}
	return c, nil
}
