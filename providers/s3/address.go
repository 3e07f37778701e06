package s3

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/omnibucket/storage"
)

// addressParams are an address's parameters; parseAddress reads them.
var addressParams = []string{"region", "endpoint", "path_style", "profile", "anonymous"}

func init() {
	storage.Register("s3", storage.Opener{Params: addressParams, Driver: openBucket, Service: openAccount})
}

func openAccount(ctx context.Context, address *url.URL) (storage.ServiceDriver, error) {
	c, err := parseAddress(address)
	if err != nil {
		return nil, err
	}
	if c.Bucket != "" {
		return nil, invalid("address", "must not name a bucket: the account is s3://", "s3://name is a bucket: open it with Open")
	}
	return NewServiceDriver(ctx, c)
}

func openBucket(ctx context.Context, address *url.URL) (storage.Driver, error) {
	c, err := parseAddress(address)
	if err != nil {
		return nil, err
	}
	if c.Bucket == "" {
		return nil, invalid("address", "must name a bucket, as s3://name does", "s3:// is an account: open it with OpenService")
	}
	return NewDriver(ctx, c)
}

// parseAddress reads an address of a bucket, or, with no bucket's name, of an
// account.
func parseAddress(address *url.URL) (Config, error) {
	c := Config{Bucket: address.Host}
	switch {
	case address.Opaque != "":
		return c, invalid("address", "must be s3://bucket", "")
	case address.User != nil:
		return c, invalid("address", "must not hold credentials", "they come from the environment: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
	case address.Host != address.Hostname():
		return c, invalid("address", "must not have a port", "the server is the parameter endpoint=")
	case address.Path != "" && address.Path != "/":
		return c, invalid("address", "must not have a path", "a prefix within a bucket is storage.Prefixed")
	}
	query := address.Query()
	c.Region, c.Endpoint = query.Get("region"), query.Get("endpoint")
	var err error
	if query.Has("path_style") {
		var style bool
		if style, err = parseFlag(query, "path_style"); err != nil {
			return c, err
		}
		c.PathStyle = &style
	}
	if c.Anonymous, err = parseFlag(query, "anonymous"); err != nil {
		return c, err
	}
	if query.Has("profile") {
		p, known := NamedProfile(query.Get("profile"))
		if !known {
			return c, invalid("parameter profile", "must be one of "+strings.Join(profileNames(), ", "), "")
		}
		c.Profile = &p
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

func profileNames() []string {
	var names []string
	for _, p := range profiles {
		names = append(names, p.Name)
	}
	slices.Sort(names)
	return names
}
