package unexported

import "github.com/omnibucket/storage/internal/backoff"

// A Core identifies one opened bucket. It is comparable.
type Core interface {
	// Stored returns where the objects are. The account is comparable, and equal if one credential
	// reaches both; nil means nowhere. The directory is "" unless the objects are files of this
	// machine.
	Stored() (account any, bucket, directory string)
	// Identity is driver.StackIdentity of the bucket's driver.
	Identity() string
	Client() any // of the provider
	RetryPolicy() *backoff.Policy
}
