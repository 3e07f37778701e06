package memstore

import (
	"context"
	"net/url"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/invalid"
)

// process is the account behind the addresses of this process.
var process = newAccount(ServiceConfig{})

func init() {
	storage.Register("mem", storage.Opener{Driver: openBucket, Service: openAccount})
}

func openBucket(_ context.Context, address *url.URL) (storage.Driver, error) {
	if err := checkAddress(address); err != nil {
		return nil, err
	}
	if address.Host == "" {
		return nil, invalid.Argument("address", "must name a bucket, as mem://name does", "mem:// is an account: open it with OpenService")
	}
	process.findOrCreate(address.Host)
	return &driver{account: process, bucket: address.Host}, nil
}

func openAccount(_ context.Context, address *url.URL) (storage.ServiceDriver, error) {
	if err := checkAddress(address); err != nil {
		return nil, err
	}
	if address.Host != "" {
		return nil, invalid.Argument("address", "must not name a bucket: the account is mem://", "mem://name is a bucket: open it with Open")
	}
	return &serviceDriver{account: process}, nil
}

func checkAddress(address *url.URL) error {
	switch {
	case address.Opaque != "":
		return invalid.Argument("address", "must be mem:// or mem://name", "")
	case address.User != nil:
		return invalid.Argument("address", "must not hold a user", "")
	case address.Host != address.Hostname():
		return invalid.Argument("address", "must not have a port", "")
	case address.Path != "":
		return invalid.Argument("address", "must not have a path", "a prefix within a bucket is storage.Prefixed")
	}
	return nil
}
