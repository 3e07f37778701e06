package main

import (
	"context"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"

	"github.com/omnibucket/storage"
)

// Signing asks no server.
const nowhereAzure = "http://127.0.0.1:10000"

func azureSignCase() benchCase {
	return benchCase{
		name: "azure-sign-get", title: "sign an address to download from, for an hour, with the account's key",
		rows: []row{
			{name: ours, setup: signed(func(ctx context.Context) (func(string) error, error) {
				b, err := ownAzure(ctx, nowhereAzure)
				return func(key string) error {
					_, err := b.SignedDownloadURL(ctx, key, storage.WithTTL(time.Hour))
					return err
				}, err
			})},
			{name: rawAzure, setup: signed(func(context.Context) (func(string) error, error) {
				client, err := azureContainerClient(nowhereAzure)
				return func(key string) error {
					_, err := client.NewBlobClient(key).GetSASURL(sas.BlobPermissions{Read: true}, time.Now().Add(time.Hour), nil)
					return err
				}, err
			})},
		},
		goals: []goal{asFast(rawAzure, 1), allocationsOver(ours, rawAzure, 0)},
	}
}
