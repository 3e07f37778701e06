package azure

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/internal/vended"
)

// Vended returns a function for [Config].CredentialsFor that asks vend for the credentials of a blob, or of
// the prefix of a listing. vend must return what [storage.Vend] returned for it in another program,
// and it must return when its context ends:
//
//	bucket, err := azure.Open(ctx, azure.Config{
//		Account: "acme", Bucket: "photos", CredentialsFor: azure.Vended(vend),
//	})
//
// If the credentials are for another provider, the returned function fails with InvalidArgument, and
// the operation that needed them fails with Unauthenticated.
func Vended(
	vend func(ctx context.Context, key string) (*storage.VendedCredentials, error),
) func(ctx context.Context, key string) (PrefixCredentials, error) {
	return func(ctx context.Context, key string) (PrefixCredentials, error) {
		creds, err := vend(ctx, key)
		if err != nil {
			return PrefixCredentials{}, err
		}
		if err := vended.CheckProvider(creds, provider); err != nil {
			return PrefixCredentials{}, err
		}
		return PrefixCredentials{Prefix: creds.Prefix, SASToken: creds.Token, Expires: creds.Expires}, nil
	}
}

// directoryVersion is the first service version with signatures of directories.
// https://learn.microsoft.com/rest/api/storageservices/create-user-delegation-sas
const directoryVersion = "2020-02-10"

// canVend reports whether the account can sign.
func (a *account) canVend() bool { return signFeatures(a) != 0 }

// Vend returns a shared access signature of the container, or of a directory of an account with a hierarchical
// namespace. It is signed with the account's key, or with a user delegation key.
func (d *objectDriver) Vend(ctx context.Context, r *driver.VendRequest) (*storage.VendedCredentials, error) {
	return d.vend(ctx, r, time.Now())
}

// vend does the work of Vend at the time now. The credentials are a shared access signature of the
// container, or of the directory with the prefix.
func (d *objectDriver) vend(
	ctx context.Context, r *driver.VendRequest, now time.Time,
) (*storage.VendedCredentials, error) {
	if r.Prefix != "" {
		if err := d.account.checkDirectorySignatures(); err != nil {
			return nil, err
		}
	}

	folder := &grant{
		container:   d.container.name,
		key:         strings.TrimSuffix(r.Prefix, "/"), // "" stands for the container itself
		isFolder:    true,
		permissions: vendedPermissions(r.Rights),
	}

	// signURL rounds the end up, but the credentials must not be valid for longer than r.TTL.
	const maxRounding = time.Second
	address, end, err := d.account.signURL(ctx, d.account.root, folder, r.TTL-maxRounding, now)
	if err != nil {
		return nil, err
	}

	// The signature is the query of the signed URL.
	_, signature, _ := strings.Cut(address, "?")
	return &storage.VendedCredentials{Token: signature, Expires: end}, nil
}

// checkDirectorySignatures fails with Unsupported if the account cannot sign for one prefix. Only a
// directory of a hierarchical namespace can have a signature of its own.
func (a *account) checkDirectorySignatures() error {
	if !a.isHierarchical {
		return &storage.Error{
			Code: storage.Unsupported,
			Err:  errors.New("an account without a hierarchical namespace has no signatures for a prefix"),
			Hint: `vend the prefix "" of a container of its own, or use an account with Config.HierarchicalNamespace`,
		}
	}
	if a.isBefore(directoryVersion) {
		return &storage.Error{
			Code: storage.Unsupported,
			Err:  errors.New("the service version has no signatures of directories"),
			Hint: "set Config.APIVersion to " + directoryVersion + " or later",
		}
	}
	return nil
}

// vendedPermissions returns the letters of the permissions in a signature with the given rights. Azure
// requires this order of the letters.
// https://learn.microsoft.com/rest/api/storageservices/create-service-sas#permissions-for-a-directory-container-or-blob
func vendedPermissions(r storage.Rights) string {
	letters := ""
	if r.Read {
		letters += mayRead
	}
	if r.Write {
		letters += mayOverwrite
	}
	if r.Remove {
		letters += mayRemove
	}
	if r.List {
		letters += mayList
	}
	return letters
}
