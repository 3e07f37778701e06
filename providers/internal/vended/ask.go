package vended

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
)

// Ask returns a function for CredentialsFor. It calls vend, which returns the result of
// [storage.Vend], and then convert, which makes credentials of the provider from that. It fails with
// InvalidArgument if the result is for another provider.
func Ask[C any](
	provider string,
	vend func(ctx context.Context, key string) (*storage.VendedCredentials, error),
	convert func(*storage.VendedCredentials) C,
) func(ctx context.Context, key string) (C, error) {
	return func(ctx context.Context, key string) (C, error) {
		var none C
		creds, err := vend(ctx, key)
		if err != nil {
			return none, err
		}
		if creds == nil || creds.Provider != provider {
			return none, argument.Invalid("vended credentials", "must be of the provider "+provider, "")
		}
		return convert(creds), nil
	}
}
