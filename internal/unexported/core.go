package unexported

import (
	"github.com/omnibucket/storage/internal/backoff"
	"github.com/omnibucket/storage/internal/evidence"
)

// A Core identifies one opened bucket. It is comparable.
type Core interface {
	// Stored returns where the server finds the objects for a copy. The account is comparable, and equal if one
	// credential reaches both; nil means nowhere.
	Stored() (account any, bucket string)
	// Places returns where the objects are; nothing if that is unknown.
	Places() []evidence.Place
	// Identity is driver.StackIdentity of the bucket's driver.
	Identity() string
	Client() any // of the provider
	RetryPolicy() *backoff.Policy
}
