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

// probeTier tests which error an upload has with a storage class that the account lacks.
func probeTier(ctx context.Context, p *probe) (string, error) {
	b, err := p.newBucket(ctx)
	if err != nil {
		return "", err
	}

	err = put(ctx, b, "a", storage.WithStorageClass("Cool"))
	if err == nil {
		return "none: the account has it", nil
	}
	storageErr, ok := errors.AsType[*storage.Error](err)
	if !ok || storageErr.Status == 0 {
		return "", err
	}
	if storageErr.Code == storage.InvalidArgument {
		return "invalid argument", nil
	}
	p.setDetail("%s, status %d", storageErr.Code, storageErr.Status)
	return "another", nil
}

// probeKeptTier tests whether an object keeps its tier if an upload without a storage class replaces
// it.
func probeKeptTier(ctx context.Context, p *probe) (string, error) {
	b, err := p.newBucket(ctx)
	if err != nil {
		return "", err
	}
	err = put(ctx, b, "a", storage.WithStorageClass("Cool"))
	if storage.CodeOf(err) == storage.Unsupported {
		return "", notApplicable("the account has no tiers")
	}
	if err != nil {
		return "", err
	}

	// This upload has no storage class.
	if err := put(ctx, b, "a"); err != nil {
		return "", err
	}
	attrs, err := b.Attrs(ctx, "a")
	if err != nil {
		return "", err
	}
	p.setDetail("%s", attrs.StorageClass)
	if attrs.StorageClass == "Cool" {
		return "yes", nil
	}
	return "no", nil
}

// probeHierarchicalVersions tests whether a hierarchical account refuses a listing with versions.
func probeHierarchicalVersions(ctx context.Context, p *probe) (string, error) {
	_, client, err := bucketWithClient[*container.Client](ctx, p)
	if err != nil {
		return "", err
	}
	account, err := client.GetAccountInfo(ctx, nil)
	if err != nil {
		return "", err
	}
	if account.IsHierarchicalNamespaceEnabled == nil || !*account.IsHierarchicalNamespaceEnabled {
		return "", notApplicable("the account has no hierarchical namespace")
	}

	pages := client.NewListBlobsFlatPager(
		&container.ListBlobsFlatOptions{Include: container.ListBlobsInclude{Versions: true}},
	)
	_, err = pages.NextPage(ctx)
	if err == nil {
		return "a listing", nil
	}
	if refused, ok := errors.AsType[*azcore.ResponseError](err); ok {
		p.setDetail("status %d, %s", refused.StatusCode, refused.ErrorCode)
		return "a refusal", nil
	}
	return "", err
}

// probeDefaultImmutability tests whether the properties of a new container tell if it has version-level
// immutability.
func probeDefaultImmutability(ctx context.Context, p *probe) (string, error) {
	_, client, err := bucketWithClient[*container.Client](ctx, p)
	if err != nil {
		return "", err
	}
	props, err := client.GetProperties(ctx, nil)
	if err != nil {
		return "", err
	}

	// The property is nil if the service does not return it.
	if props.IsImmutableStorageWithVersioningEnabled == nil {
		return "no", nil
	}
	if *props.IsImmutableStorageWithVersioningEnabled {
		return "yes, it has it", nil
	}
	return "yes, it has none", nil
}

// probeVersionImmutability tests whether a locked version is kept until its lock is ended. It uses the
// container of -immutable, because a new one usually has no version-level immutability.
func probeVersionImmutability(ctx context.Context, p *probe) (string, error) {
	if p.c.immutable == "" {
		return "", notApplicable("-immutable names no container")
	}
	b, err := p.open(p.c.immutable, storage.WithVersioning(true))
	if err != nil {
		return "", err
	}

	key := p.c.name + "/locked"
	attrs, err := b.Upload(ctx, key, strings.NewReader("text"),
		storage.WithRetention(time.Now().Add(time.Hour), storage.Governance))
	if storage.CodeOf(err) == storage.Unsupported {
		return "", notApplicable("the container has no version-level immutability")
	}
	if err != nil {
		return "", err
	}

	// Whatever the answer is, the container must not keep the object.
	endLock := func(ctx context.Context) error { return removeGovernedVersions(ctx, b, key) }
	p.cleanups = append(p.cleanups, endLock)

	// A version cannot be removed by its id while it is current.
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
		p.setDetail("%s", storage.CodeOf(err))
		return "no, it stays", nil
	}
	return "yes", nil
}
