package azure

import (
	"cmp"
	"net/url"

	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/providers/internal/address"
)

// addresses is the form of the addresses that parseAddress accepts.
var addresses = address.Form{
	Scheme: "azblob",
	Params: []string{
		"account", "endpoint", "anonymous", "encryption_scope", "kms_key", "api_version", "credentials",
		"hierarchical_namespace",
	},
	Bucket:      "container",
	Account:     "azblob://?account=name",
	Credentials: "AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_ACCOUNT with AZURE_STORAGE_KEY",
}

func init() { address.Register(addresses, parseAddress, NewDriver, NewServiceDriver) }

// parseAddress returns the Config for the address of a container or, without a container, of an
// account.
func parseAddress(u *url.URL) (c Config, err error) {
	if c.Bucket, err = addresses.Name(u); err != nil {
		return c, err
	}

	query := u.Query()
	c.Account = query.Get("account")
	c.Endpoint = query.Get("endpoint")
	c.Credentials = query.Get("credentials")
	c.EncryptionScope = query.Get("encryption_scope")
	c.APIVersion = query.Get("api_version")

	// kms_key= is another name for encryption_scope=.
	kmsKey := query.Get("kms_key")
	if kmsKey != "" && c.EncryptionScope != "" && c.EncryptionScope != kmsKey {
		return c, argument.Invalid("encryption_scope= and kms_key=",
			"must not differ: both are the encryption scope", "")
	}
	c.EncryptionScope = cmp.Or(c.EncryptionScope, kmsKey)

	if c.Anonymous, err = address.Flag(query, "anonymous", false); err != nil {
		return c, err
	}
	c.HierarchicalNamespace, err = address.Flag(query, "hierarchical_namespace", false)
	return c, err
}
