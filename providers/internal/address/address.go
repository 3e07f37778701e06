// Package address parses the addresses of buckets and accounts, which have the form
// scheme://bucket?parameter=value.
package address

import (
	"context"
	"net"
	"net/url"
	"strings"

	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/argument"
)

// A Form describes the addresses of a provider with buckets on a remote server. The last three
// fields are words for errors and hints.
type Form struct {
	Scheme      string
	Params      []string // query parameters that the provider accepts
	Bucket      string   // provider's term for a bucket, such as "container"
	Account     string   // example of an account's address
	Credentials string   // names the environment variables that have the credentials
}

// Register registers the scheme of a form, so that addresses with the scheme can be opened. parse makes a
// Config from an address. drv and service make the driver of a bucket and of an account from the Config.
func Register[Config any](
	f Form, parse func(*url.URL) (Config, error),
	drv func(context.Context, Config) (driver.Driver, error),
	service func(context.Context, Config) (driver.ServiceDriver, error),
) {
	engine.Register(f.Scheme, driver.Opener{
		Params: f.Params,
		Driver: func(ctx context.Context, address *url.URL) (driver.Driver, error) {
			c, err := parse(address)
			if err != nil {
				return nil, err
			}
			// Without a host, the address is that of the account.
			if address.Host == "" {
				return nil, argument.Invalid(
					"address",
					"must name a "+f.Bucket+", as "+f.Scheme+"://name does",
					"to open the account "+f.Scheme+"://, use OpenService",
				)
			}
			return drv(ctx, c)
		},
		Service: func(ctx context.Context, address *url.URL) (driver.ServiceDriver, error) {
			c, err := parse(address)
			if err != nil {
				return nil, err
			}
			// The host would be the name of a bucket.
			if address.Host != "" {
				return nil, argument.Invalid(
					"address", "must not name a "+f.Bucket+": the account is "+f.Account,
					"to open the "+f.Bucket+" "+f.Scheme+"://name, use Open",
				)
			}
			return service(ctx, c)
		},
	})
}

// Name returns the name of the bucket in an address, or "" for the address of an account, and fails
// with InvalidArgument if the address has other parts, such as a path.
func (f Form) Name(address *url.URL) (string, error) {
	switch {
	case address.Opaque != "":
		return "", argument.Invalid("address", "must be "+f.Scheme+"://"+f.Bucket, "")
	case address.User != nil:
		return "", argument.Invalid("address", "must not hold credentials",
			"provide them in the environment: "+f.Credentials)
	case address.Host != address.Hostname():
		return "", argument.Invalid("address", "must not have a port", "name the server with the parameter endpoint=")
	case address.Path != "" && address.Path != "/":
		return "", argument.Invalid("address", "must not have a path",
			"for a prefix within a "+f.Bucket+", use storage.Prefixed")
	}
	return address.Host, nil
}

// Flag returns the value of a boolean parameter, or defaultValue if the parameter is absent, and
// fails with InvalidArgument if the value is neither true nor false.
func Flag(query url.Values, name string, defaultValue bool) (bool, error) {
	if !query.Has(name) {
		return defaultValue, nil
	}
	switch query.Get(name) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, argument.Invalid("parameter "+name, `must be "true" or "false"`, "")
}

// InClear reports whether requests to u can be read on the network, because they have no TLS and
// leave this machine. A nil URL means the provider's own server, which has TLS.
func InClear(u *url.URL) bool {
	if u == nil || u.Scheme != "http" || u.Hostname() == "localhost" {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return ip == nil || !ip.IsLoopback()
}

// Endpoint parses the root URL of a server, and removes the slash at the end of its path. It returns
// false if text is not such a URL.
func Endpoint(text string) (*url.URL, bool) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, false
	}
	isHTTP := u.Scheme == "http" || u.Scheme == "https"
	if u.Host == "" || !isHTTP {
		return nil, false
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, false
	}
	u.Path = strings.TrimSuffix(u.Path, "/")
	return u, true
}
