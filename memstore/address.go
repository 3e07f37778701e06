package memstore

import (
	"context"
	"net/url"

	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/argument"
)

// processAccount is the account that mem:// addresses of this process refer to.
var processAccount = newAccount(ServiceConfig{})

func init() {
	engine.Register("mem", driver.Opener{Driver: openBucket, Service: openAccount})
}

// openBucket opens a bucket of this process's account by an address such as mem://name, and creates
// the bucket if there is none.
func openBucket(_ context.Context, address *url.URL) (driver.Driver, error) {
	if err := checkAddress(address); err != nil {
		return nil, err
	}
	if address.Host == "" {
		return nil, argument.Invalid(
			"address",
			"must name a bucket, as mem://name does",
			"to open the account mem://, use OpenService",
		)
	}
	processAccount.findOrCreate(address.Host)
	return &objectDriver{account: processAccount, bucket: address.Host}, nil
}

// openAccount opens the account of this process, which has the address mem://.
func openAccount(_ context.Context, address *url.URL) (driver.ServiceDriver, error) {
	if err := checkAddress(address); err != nil {
		return nil, err
	}
	if address.Host != "" {
		return nil, argument.Invalid(
			"address",
			"must not name a bucket: the account is mem://",
			"to open the bucket mem://name, use Open",
		)
	}
	return &serviceDriver{account: processAccount}, nil
}

// checkAddress returns an error for an address other than mem:// and mem://name.
func checkAddress(address *url.URL) error {
	// An address without slashes, such as mem:name, is opaque.
	if address.Opaque != "" {
		return argument.Invalid("address", "must be mem:// or mem://name", "")
	}
	if address.User != nil {
		return argument.Invalid("address", "must not have a user", "")
	}
	if address.Host != address.Hostname() {
		return argument.Invalid("address", "must not have a port", "")
	}
	if address.Path != "" {
		return argument.Invalid("address", "must not have a path", "for a prefix within a bucket, use storage.Prefixed")
	}
	return nil
}
