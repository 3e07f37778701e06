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
func parseAddress(u *url.URL) (c Config, err error) {
	if c.Bucket, err = addresses.Name(u); err != nil {
		return c, err
	}
	query := u.Query()
	c.Project = query.Get("project")
	c.Endpoint = query.Get("endpoint")
	c.Credentials = query.Get("credentials")
	c.KMSKey = query.Get("kms_key")
	c.UserProject = query.Get("user_project")
	if c.Anonymous, err = address.Flag(query, "anonymous", false); err != nil {
		return c, err
	}

	if query.Has("signing_key") {
		c.SigningKey, err = os.ReadFile(query.Get("signing_key"))
		if err != nil {
			return c, &storage.Error{
				Code: storage.InvalidArgument,
				Err:  err,
				Hint: "set signing_key= to the path of a service account's key file",
			}
		}
	}
	return c, nil
}
