package gcs

import (
	"net/url"
	"os"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/internal/address"
)

// addresses is the form of the addresses that parseAddress accepts.
var addresses = address.Form{
	Scheme:      "gs",
	Params:      []string{"project", "endpoint", "anonymous", "signing_key", "kms_key", "user_project", "credentials"},
	Bucket:      "bucket",
	Account:     "gs://",
	Credentials: "application default credentials, GOOGLE_APPLICATION_CREDENTIALS",
}

func init() { address.Register(addresses, parseAddress, NewDriver, NewServiceDriver) }

// parseAddress returns the Config for the address of a bucket, or of an account if the address has no
// bucket.
func parseAddress(u *url.URL) (Config, error) {
	bucket, err := addresses.Name(u)
	if err != nil {
		return Config{}, err
	}
	query := u.Query()
	isAnonymous, err := address.Flag(query, "anonymous", false)
	if err != nil {
		return Config{}, err
	}
	c := Config{
		Bucket:      bucket,
		Project:     query.Get("project"),
		Endpoint:    query.Get("endpoint"),
		Credentials: query.Get("credentials"),
		KMSKey:      query.Get("kms_key"),
		UserProject: query.Get("user_project"),
		Anonymous:   isAnonymous,
	}

	if query.Has("signing_key") {
		c.SigningKey, err = os.ReadFile(query.Get("signing_key"))
		if err != nil {
			return Config{}, &storage.Error{
				Code: storage.InvalidArgument,
				Err:  err,
				Hint: "set signing_key= to the path of a service account's key file",
			}
		}
	}
	return c, nil
}
