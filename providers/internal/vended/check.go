package vended

import (
	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
)

// CheckProvider fails with InvalidArgument if creds, a result of [storage.Vend], are nil or for another
// provider.
func CheckProvider(creds *storage.VendedCredentials, provider string) error {
	if creds == nil || creds.Provider != provider {
		return argument.Invalid("vended credentials", "must be of the provider "+provider, "")
	}
	return nil
}
