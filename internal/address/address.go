// Package address reads the addresses of buckets and accounts:
// scheme://bucket?parameter=value.
package address

import (
	"context"
	"net/url"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/invalid"
)

// A Form is how the addresses of a provider are written whose buckets are on a
// server.
type Form struct {
	Scheme      string
	Params      []string // that the provider knows
	Bucket      string   // the provider's word: "bucket", "container"
	Account     string   // the address of an account
	Credentials string   // that come from the environment
}

// Register registers a scheme, whose addresses parse reads into a Config.
func Register[Config any](
	f Form, parse func(*url.URL) (Config, error),
	driver func(context.Context, Config) (storage.Driver, error),
	service func(context.Context, Config) (storage.ServiceDriver, error),
) {
	storage.Register(f.Scheme, storage.Opener{
		Params: f.Params,
		Driver: func(ctx context.Context, address *url.URL) (storage.Driver, error) {
			c, err := parse(address)
			if err != nil {
				return nil, err
			}
			if address.Host == "" {
				return nil, invalid.Argument("address", "must name a "+f.Bucket+", as "+f.Scheme+"://name does", f.Scheme+":// is an account: open it with OpenService")
			}
			return driver(ctx, c)
		},
		Service: func(ctx context.Context, address *url.URL) (storage.ServiceDriver, error) {
			c, err := parse(address)
			if err != nil {
				return nil, err
			}
			if address.Host != "" {
				return nil, invalid.Argument("address", "must not name a "+f.Bucket+": the account is "+f.Account, f.Scheme+"://name is a "+f.Bucket+": open it with Open")
			}
			return service(ctx, c)
		},
	})
}

// Name is the bucket's in an address, "" in that of an account. InvalidArgument
// where the address holds what the form has no place for.
func (f Form) Name(address *url.URL) (string, error) {
	switch {
	case address.Opaque != "":
		return "", invalid.Argument("address", "must be "+f.Scheme+"://"+f.Bucket, "")
	case address.User != nil:
		return "", invalid.Argument("address", "must not hold credentials", "they come from the environment: "+f.Credentials)
	case address.Host != address.Hostname():
		return "", invalid.Argument("address", "must not have a port", "the server is the parameter endpoint=")
	case address.Path != "" && address.Path != "/":
		return "", invalid.Argument("address", "must not have a path", "a prefix within a "+f.Bucket+" is storage.Prefixed")
	}
	return address.Host, nil
}

// Flag is a parameter that is true or false; otherwise is what its absence
// means. InvalidArgument where it is neither.
func Flag(query url.Values, name string, otherwise bool) (bool, error) {
	if !query.Has(name) {
		return otherwise, nil
	}
	switch query.Get(name) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, invalid.Argument("parameter "+name, `must be "true" or "false"`, "")
}

// Endpoint reads a server's root, and takes the slash from the end of its path.
// It is false where the text is none.
func Endpoint(text string) (*url.URL, bool) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, false
	}
	u.Path = strings.TrimSuffix(u.Path, "/")
	return u, true
}
