package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/omnibucket/storage"
)

// askTier asks which error an upload has with a storage class that the account lacks.
func askTier(ctx context.Context, i *inquiry) (string, error) {
	b, err := i.bucket(ctx)
	if err != nil {
		return "", err
	}
	err = put(ctx, b, "a", storage.WithStorageClass("Cool"))
	if err == nil {
		return "none: the account has it", nil
	}
	e, ok := errors.AsType[*storage.Error](err)
	if !ok || e.Status == 0 {
		return "", err
	}
	if e.Code == storage.InvalidArgument {
		return "invalid argument", nil
	}
	i.note("%s, status %d", e.Code, e.Status)
	return "another", nil
}

// askKeptTier asks whether an object keeps its tier if an upload without a storage class replaces
// it.
func askKeptTier(ctx context.Context, i *inquiry) (string, error) {
	b, err := i.bucket(ctx)
	if err != nil {
		return "", err
	}
	err = put(ctx, b, "a", storage.WithStorageClass("Cool"))
	if storage.CodeOf(err) == storage.Unsupported {
		return "", notHere("the account has no tiers")
	}
	if err != nil {
		return "", err
	}

	if err := put(ctx, b, "a"); err != nil {
		return "", err
	}
	attrs, err := b.Attrs(ctx, "a")
	if err != nil {
		return "", err
	}
	i.note("%s", attrs.StorageClass)
	if attrs.StorageClass == "Cool" {
		return "yes", nil
	}
	return "no", nil
}

// askHierarchicalVersions asks whether a hierarchical account refuses a listing with versions.
func askHierarchicalVersions(ctx context.Context, i *inquiry) (string, error) {
	_, client, err := bucketWithClient[*container.Client](ctx, i)
	if err != nil {
		return "", err
	}
	account, err := client.GetAccountInfo(ctx, nil)
	if err != nil {
		return "", err
	}
	if account.IsHierarchicalNamespaceEnabled == nil || !*account.IsHierarchicalNamespaceEnabled {
		return "", notHere("the account has no hierarchical namespace")
	}

	pages := client.NewListBlobsFlatPager(
		&container.ListBlobsFlatOptions{Include: container.ListBlobsInclude{Versions: true}},
	)
	_, err = pages.NextPage(ctx)
	if err == nil {
		return "a listing", nil
	}
	if refused, ok := errors.AsType[*azcore.ResponseError](err); ok {
		i.note("status %d, %s", refused.StatusCode, refused.ErrorCode)
		return "a refusal", nil
	}
	return "", err
}

// askDefaultImmutability reads the properties of a new container. The account certainly permits
// deleting that container, because the program has already created and deleted a first bucket.
func askDefaultImmutability(ctx context.Context, i *inquiry) (string, error) {
	_, client, err := bucketWithClient[*container.Client](ctx, i)
	if err != nil {
		return "", err
	}
	props, err := client.GetProperties(ctx, nil)
	if err != nil {
		return "", err
	}
	if props.IsImmutableStorageWithVersioningEnabled == nil {
		return "no", nil
	}
	if *props.IsImmutableStorageWithVersioningEnabled {
		return "yes, it has it", nil
	}
	return "yes, it has none", nil
}

// askVersionImmutability stores an object in a container that the user names. The program cannot
// use its own containers, because they have no version-level immutability unless the account's
// default sets it.
func askVersionImmutability(ctx context.Context, i *inquiry) (string, error) {
	if i.c.immutable == "" {
		return "", notHere("-immutable names no container")
	}
	b, err := i.open(i.c.immutable, storage.WithVersioning(true))
	if err != nil {
		return "", err
	}

	key := i.c.name + "/locked"
	attrs, err := b.Upload(ctx, key, strings.NewReader("text"),
		storage.WithRetention(time.Now().Add(time.Hour), storage.Governance))
	if storage.CodeOf(err) == storage.Unsupported {
		return "", notHere("the container has no version-level immutability")
	}
	if err != nil {
		return "", err
	}

	// The user's container must not keep the object, whatever the answer is.
	endLock := func(ctx context.Context) error { return removeGovernedVersions(ctx, b, key) }
	i.clean = append(i.clean, endLock)

	// The current version cannot be removed by its id. This makes it an old version.
	if err := b.Remove(ctx, key); err != nil {
		return "", err
	}
	err = b.Remove(ctx, key, storage.WithVersion(attrs.Version))
	if err == nil {
		return "no, it is not kept", nil
	}
	if storage.CodeOf(err) != storage.Locked {
		return "", err
	}

	// The version is locked. In the mode Governance, these credentials may end the lock.
	if err := endLock(ctx); err != nil {
		i.note("%s", storage.CodeOf(err))
		return "no, it stays", nil
	}
	return "yes", nil
}
